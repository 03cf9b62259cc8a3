package custodytest

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

func destroyEnds(t *trial) {
	t.needs(!t.CannotDestroy, "cannot destroy")
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	if e := t.destroy(c, h); len(e.Copies) == 0 {
		t.Fatalf("Destroy of a key: evidence names no copy: %+v", e)
	}
	t.shut(c, h, wrapped, nil, opsec.ErrNotFound)
	_, err := c.Wrap(t.ctx, h, material(1, 40), nil)
	t.is("Wrap under a destroyed key", err, opsec.ErrNotFound)
	if e := t.destroy(c, h); len(e.Copies) != 0 {
		t.Fatalf("Destroy of a destroyed key: evidence names copies: %+v", e)
	}
}

func destroySaysLeft(t *trial) {
	t.needs(t.CannotDestroy, "can destroy")
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	if e := t.destroy(c, h); len(e.Copies) != 0 || len(e.Left) == 0 {
		t.Fatalf("Destroy that cannot: want no copies destroyed, and the key left: %+v", e)
	}
	t.opens(c, h, wrapped, nil, material(1, 40))
}

func destroyOfNothing(t *trial) {
	c, _ := t.one()
	if e := t.destroy(c, t.handle(1)); len(e.Copies) != 0 {
		t.Fatalf("Destroy of nothing: evidence names copies: %+v", e)
	}
}

func destroyLeavesOthers(t *trial) {
	t.needs(!t.CannotDestroy, "cannot destroy")
	c, h := t.one()
	var wrapped [4][]byte
	for n := 1; n < 4; n++ {
		t.generate(c, t.handle(n))
		wrapped[n] = t.wrap(c, t.handle(n), material(n, 40), nil)
	}
	t.destroy(c, h)
	for n := 1; n < 4; n++ {
		t.opens(c, t.handle(n), wrapped[n], nil, material(n, 40))
	}
}

func destroyForGood(t *trial) {
	t.needs(!t.CannotDestroy, "cannot destroy")
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	t.destroy(c, h)
	t.generate(c, h) // a new key under the same name
	t.shut(c, h, wrapped, nil, keymgmt.ErrUnwrap)
	t.opens(c, h, t.wrap(c, h, material(2, 40), nil), nil, material(2, 40))
}

func againOpens(t *trial) {
	t.needs(t.Again != nil, "keys do not outlive a custodian")
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), []byte("a"))
	other := t.Again(t, c)
	t.opens(other, h, wrapped, []byte("a"), material(1, 40))
	t.opens(c, h, t.wrap(other, h, material(2, 40), nil), nil, material(2, 40))
	t.shut(other, h, wrapped, nil, keymgmt.ErrUnwrap)
}

func againSeesDestroyed(t *trial) {
	t.needs(t.Again != nil && !t.CannotDestroy, "keys do not outlive a custodian, or cannot be destroyed")
	c, h := t.one()
	other := t.Again(t, c)
	wrapped := t.wrap(other, h, material(1, 40), nil)
	t.opens(other, h, wrapped, nil, material(1, 40)) // whatever it caches, it has now
	t.destroy(c, h)
	t.shut(other, h, wrapped, nil, opsec.ErrNotFound)
	_, err := other.Wrap(t.ctx, h, material(1, 40), nil)
	t.is("Wrap under a key that another has destroyed", err, opsec.ErrNotFound)
	t.shut(t.Again(t, c), h, wrapped, nil, opsec.ErrNotFound)
}

func againGenerates(t *trial) {
	t.needs(t.Again != nil, "keys do not outlive a custodian")
	c := t.New(t)
	t.generateAtOnce(c, t.Again(t, c))
}

func generateAtOnce(t *trial) {
	c := t.New(t)
	t.generateAtOnce(c, c)
}

// generateAtOnce has many generate a key under one handle, and wrap as soon as they may: all that was wrapped opens.
func (t *trial) generateAtOnce(custodians ...keymgmt.Custodian) {
	t.Helper()
	const callers = 8
	for round := range 5 {
		h := t.handle(round)
		var wrapped [callers][]byte
		var errs [callers]error
		t.each(callers, func(i int) {
			c := custodians[i%len(custodians)]
			if errs[i] = c.Generate(t.ctx, h); errs[i] == nil {
				wrapped[i], errs[i] = c.Wrap(t.ctx, h, material(i, 40), nil)
			}
		})
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		for i := range callers {
			t.opens(custodians[0], h, wrapped[i], nil, material(i, 40))
		}
	}
}

// each calls fn so many times at once.
func (t *trial) each(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

func contextEnded(t *trial) {
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	t.is("Generate with an ended context", c.Generate(ctx, t.handle(1)), context.Canceled)
	_, err := c.Wrap(ctx, h, material(1, 40), nil)
	t.is("Wrap with an ended context", err, context.Canceled)
	_, err = c.Unwrap(ctx, h, wrapped, nil)
	t.is("Unwrap with an ended context", err, context.Canceled)
	_, err = c.Destroy(ctx, h)
	t.is("Destroy with an ended context", err, context.Canceled)

	t.opens(c, h, wrapped, nil, material(1, 40))
	_, err = c.Wrap(t.ctx, t.handle(1), material(1, 40), nil)
	t.is("Wrap under a key that was not generated", err, opsec.ErrNotFound)
}

func raceKeys(t *trial) {
	c := t.New(t)
	const callers = 12
	for n := range 3 {
		t.generate(c, t.handle(n))
	}
	var errs [callers]error
	t.each(callers, func(i int) {
		h, ad := t.handle(i%3), []byte{byte(i)}
		for round := range 10 {
			m := material(i*100+round, 60)
			wrapped, err := c.Wrap(t.ctx, h, m, ad)
			if err != nil {
				errs[i] = err
				return
			}
			got, err := c.Unwrap(t.ctx, h, wrapped, ad)
			if err == nil && !bytes.Equal(got, m) {
				err = errors.New("material of another caller")
			}
			if err == nil {
				if _, err = c.Unwrap(t.ctx, h, wrapped, []byte{byte(i + 1)}); errors.Is(err, keymgmt.ErrUnwrap) {
					err = nil
				} else if err == nil {
					err = errors.New("opens under the associated data of another caller")
				}
			}
			if err != nil {
				errs[i] = err
				return
			}
		}
	})
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
}

func raceDestroy(t *trial) {
	t.needs(!t.CannotDestroy, "cannot destroy")
	c := t.New(t)
	for round := range 5 {
		h := t.handle(round)
		t.generate(c, h)
		wrapped := t.wrap(c, h, material(round, 40), nil)
		var errs [6]error
		var copies [2]int
		t.each(6, func(i int) {
			if i < 2 {
				var e keymgmt.Evidence
				e, errs[i] = c.Destroy(t.ctx, h)
				copies[i] = len(e.Copies)
				return
			}
			got, err := c.Unwrap(t.ctx, h, wrapped, nil)
			switch {
			case errors.Is(err, opsec.ErrNotFound):
			case err != nil:
				errs[i] = err
			case !bytes.Equal(got, material(round, 40)):
				errs[i] = errors.New("unwrapping beside Destroy returns other material")
			}
		})
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		if copies[0] == 0 && copies[1] == 0 {
			t.Fatal("two destroy a key at once, and none says that it did")
		}
		t.shut(c, h, wrapped, nil, opsec.ErrNotFound)
	}
}

func sealStops(t *trial) {
	t.needs(t.Seal != nil, "cannot be sealed")
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	t.Seal(t, c)
	t.all(c, h, wrapped, keymgmt.ErrSealed)
}

func cutIsUnavailable(t *trial) {
	t.needs(t.Cut != nil, "cannot be cut off")
	c, h := t.one()
	wrapped := t.wrap(c, h, material(1, 40), nil)
	for range 2 { // and again
		mend := t.Cut(t, c)
		t.all(c, h, wrapped, keymgmt.ErrUnavailable)
		mend()
		t.opens(c, h, wrapped, nil, material(1, 40))
		_, err := c.Wrap(t.ctx, t.handle(1), material(1, 40), nil)
		t.is("Wrap under a key that was not generated", err, opsec.ErrNotFound)
		t.shut(c, h, wrapped, []byte("other"), keymgmt.ErrUnwrap)
	}
}

// all has every method fail in one way: also for a handle without key, about which nothing is known.
func (t *trial) all(c keymgmt.Custodian, h string, wrapped []byte, want error) {
	t.Helper()
	for _, h := range []string{h, t.handle(1)} {
		t.is("Generate", c.Generate(t.ctx, h), want)
		_, err := c.Wrap(t.ctx, h, material(1, 40), nil)
		t.is("Wrap", err, want)
		t.shut(c, h, wrapped, nil, want)
		if t.CannotDestroy {
			continue
		}
		_, err = c.Destroy(t.ctx, h)
		t.is("Destroy", err, want)
	}
}
