package dbtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
)

// ttl is how long a silent holder keeps the others waiting. One that is only slow is replaced as well: nothing here
// counts on its being in time.
const ttl = 20 * time.Millisecond

func leaseChecks() []check {
	return []check{
		{"a holder that is silent is replaced, under a greater token, and can do nothing any more", func(t *trial) {
			first, second := t.two()
			a, b := t.lease(first, "a"), t.lease(second, "b")
			one, err := a.Try(t.ctx)
			t.ok(err)
			_, err = b.Try(t.ctx)
			t.is(err, lease.ErrHeld) // b has only begun to wait
			t.ok(one.Renew(t.ctx))
			_, err = fenced(t.ctx, first, one)
			t.ok(err)
			two := t.takeOver(b)
			_, err = fenced(t.ctx, first, one)
			t.is(err, lease.ErrLost)
			t.is(one.Renew(t.ctx), lease.ErrLost)
			t.is(one.Release(t.ctx), lease.ErrLost)
			n, err := fenced(t.ctx, second, two)
			t.ok(err)
			if n != 2 {
				t.Errorf("write %d, want the second", n)
			}
			t.ok(two.Release(t.ctx))
			_, err = fenced(t.ctx, second, two)
			t.is(err, lease.ErrLost)
			three, err := a.Try(t.ctx) // free, without waiting
			t.ok(err)
			if one.Token() >= two.Token() || two.Token() >= three.Token() {
				t.Errorf("tokens %d, %d and %d", one.Token(), two.Token(), three.Token())
			}
			t.sound(first)
		}},
		{"a holder that is replaced between its fence and its commit writes nothing", func(t *trial) {
			first, second := t.two()
			one, err := t.lease(first, "a").Try(t.ctx)
			t.ok(err)
			b, attempts := t.lease(second, "b"), 0
			t.is(first.Update(t.ctx, func(tx *store.Tx) error {
				if err := one.Fence(tx); err != nil {
					return err
				}
				if attempts++; attempts == 1 {
					two := t.takeOver(b)
					_, err := fenced(t.ctx, second, two)
					t.ok(err)
				}
				return add(tx.Sub(acme), "other", 1)
			}), lease.ErrLost)
			if n := t.value(second, acme, "other"); n != 0 || attempts != 1 {
				t.Fatalf("it has written %d times in %d attempts", n, attempts)
			}
		}},
		{"no two holders have one token, and none writes after the next has", func(t *trial) {
			first, second := t.two()
			t.contend([2]*store.DB{first, second})
			t.sound(first)
		}},
		{"no two holders have one token under random faults either", func(t *trial) {
			nodes, storms, calm := t.stormy()
			t.contend(nodes)
			t.over(storms[:]...)
			t.sound(calm)
		}},
	}
}

func (t *trial) lease(db *store.DB, owner string) *lease.Lease {
	t.Helper()
	l, err := lease.New(db, "trial", owner, ttl)
	t.ok(err)
	return l
}

// takeOver waits until the holder has been silent for long enough.
func (t *trial) takeOver(l *lease.Lease) *lease.Held {
	t.Helper()
	for {
		h, err := l.Try(t.ctx)
		if err == nil {
			return h
		}
		t.is(err, lease.ErrHeld)
		time.Sleep(ttl / 4)
	}
}

// fenced writes what only the holder may, and returns the number of the write.
func fenced(ctx context.Context, db *store.DB, h *lease.Held) (n int, err error) {
	err = db.Update(ctx, func(tx *store.Tx) error {
		if err := h.Fence(tx); err != nil {
			return err
		}
		s := tx.Sub(acme)
		if err := add(s, "fenced", 1); err != nil {
			return err
		}
		c, err := counters.Get(s, store.Text("fenced"))
		if err == nil {
			n = c.N
		}
		return err
	})
	return n, err
}

// contend has contenders on both nodes take a lease from each other. By turns they give it back and fall silent, and
// whoever fell silent tries to write once more.
func (t *trial) contend(nodes [2]*store.DB) {
	const contenders, terms = 6, 4
	type write struct {
		n, by int
		token uint64
	}
	var mu sync.Mutex
	var writes []write
	holders := map[uint64]int{} // by token
	t.together(contenders, func(i int) error {
		db, rng := nodes[i%2], rand.New(rand.NewPCG(5, uint64(i)))
		try := func(h *lease.Held) error { // lost is none
			n, err := fenced(t.ctx, db, h)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				writes = append(writes, write{n, i, h.Token()})
			} else if !errors.Is(err, lease.ErrLost) && !failed(err) {
				return err
			}
			return nil
		}
		l, err := lease.New(db, "trial", fmt.Sprint(i), ttl)
		if err != nil {
			return err
		}
		var before *lease.Held
		for term := 0; term < terms; {
			h, err := l.Try(t.ctx)
			if errors.Is(err, lease.ErrHeld) || failed(err) {
				time.Sleep(ttl/8 + rand.N(ttl/4))
				continue
			}
			if err != nil {
				return err
			}
			mu.Lock()
			other, taken := holders[h.Token()]
			holders[h.Token()] = i
			mu.Unlock()
			if taken {
				return fmt.Errorf("contenders %d and %d have token %d", other, i, h.Token())
			}
			if before != nil {
				if _, err := fenced(t.ctx, db, before); !errors.Is(err, lease.ErrLost) && !failed(err) {
					return fmt.Errorf("a write under token %d, behind token %d: %v", before.Token(), h.Token(), err)
				}
			}
			for range 1 + rng.IntN(3) {
				if err := try(h); err != nil {
					return err
				}
			}
			if term++; term%2 == i/2%2 {
				if err := h.Release(t.ctx); err != nil && !errors.Is(err, lease.ErrLost) && !failed(err) {
					return err
				}
			} else {
				time.Sleep(rand.N(2 * ttl))
				if err := try(h); err != nil { // maybe too late
					return err
				}
			}
			before = h
		}
		return nil
	})
	slices.SortFunc(writes, func(a, b write) int { return cmp.Compare(a.n, b.n) })
	for i, w := range writes {
		switch {
		case w.n != i+1:
			t.Fatalf("write %d is the %dth of those that were acknowledged: one was lost or done twice", w.n, i+1)
		case holders[w.token] != w.by:
			t.Errorf("contender %d writes under token %d of %d", w.by, w.token, holders[w.token])
		case i > 0 && w.token < writes[i-1].token:
			t.Errorf("write %d is under token %d, after one under %d", w.n, w.token, writes[i-1].token)
		}
	}
}
