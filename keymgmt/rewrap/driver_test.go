package rewrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

func TestAllMovesToTheNewKeyAndASecondRunChangesNothing(t *testing.T) {
	r := newRing(1, 2, 3)
	s, plain := of(t, r, 1000, 1, 2, 3)
	o, log := options(t)
	d := driver(t, job(3), s, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 4, Batch: 7}, o)
	c, err := d.Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.True(t, c.Done)
	require.Equal(t, rewrap.Counts{Rewrapped: 667, Current: 333}, c.Counts)
	require.Equal(t, "object-000999", c.After)
	s.opens(t, r, plain, 3)

	swaps := s.swaps
	c, err = d.Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.Equal(t, rewrap.Counts{Current: 1000}, c.Counts)
	require.Equal(t, swaps, s.swaps, "nothing to swap")

	again, err := d.Run(t.Context(), bob, c)
	require.NoError(t, err)
	require.Equal(t, c, again, "done is done")
	require.Len(t, log.Events(rewrap.ActionRun), 4, "a begin and an end of each run")
	require.Empty(t, log.Unclosed())
}

func TestOnlyTheKeysThatTheJobNamesAreLeft(t *testing.T) {
	r := newRing(1, 2, 3)
	s, _ := of(t, r, 90, 1, 2, 3)
	o, _ := options(t)
	c, err := driver(t, job(3, 2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.Equal(t, rewrap.Counts{Rewrapped: 30, Current: 30, Other: 30}, c.Counts)
	p, err := rewrap.Count(t.Context(), "volumes", s, rewrap.Ciphertext{}, o.Now)
	require.NoError(t, err)
	require.Equal(t, []uint32{1, 3}, []uint32{p.Keys[0].Key, p.Keys[1].Key})
	require.Equal(t, []uint64{30, 60}, []uint64{p.Keys[0].Objects, p.Keys[1].Objects})
}

// Whatever fails, and wherever the process dies, going on from the last checkpoint that was saved leaves nothing out.
func TestInterruptedRunsLeaveNothingOut(t *testing.T) {
	r := newRing(1, 2, 3)
	rapid.Check(t, func(rt *rapid.T) {
		s, plain := of(t, r, rapid.IntRange(1, 120).Draw(rt, "objects"), 1, 2, 3)
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		boom := errors.New("boom")
		chance := rapid.IntRange(2, 20).Draw(rt, "chance")
		s.before = func(s *shelf, changes []rewrap.Change) error {
			if random.IntN(chance) != 0 {
				return nil
			}
			for _, c := range changes[:random.IntN(len(changes)+1)] { // some are in place all the same
				o := c.Object
				o.Wrapped = slices.Clone(c.Rewrapped)
				s.put(o)
			}
			return boom
		}
		var saved []byte
		o, log := options(t)
		saves := 0
		o.Save = func(_ context.Context, c rewrap.Checkpoint) (err error) {
			if saves++; saves%chance == 0 {
				return boom
			}
			saved, err = json.Marshal(c)
			return err
		}
		p := rewrap.Policy{Workers: rapid.IntRange(1, 4).Draw(rt, "workers"), Batch: rapid.IntRange(1, 9).Draw(rt, "batch"), Save: rapid.IntRange(1, 20).Draw(rt, "save")}
		d := driver(t, job(3), s, rewrap.Ciphertexts(r), p, o)
		var at rewrap.Checkpoint
		for range 10_000 {
			if at.Done {
				break
			}
			ctx, cancel := context.WithCancel(t.Context())
			reads := random.IntN(200)
			s.read = func(rewrap.Object) {
				if reads--; reads == 0 {
					cancel()
				}
			}
			reached, err := d.Run(ctx, bob, at)
			switch {
			case err == nil:
				require.True(rt, reached.Done)
			case !errors.Is(err, context.Canceled):
				require.ErrorIs(rt, err, boom)
			}
			cancel()
			at = rewrap.Checkpoint{} // the process dies: what was saved is all there is
			if saved != nil {
				require.NoError(rt, json.Unmarshal(saved, &at))
			}
		}
		require.True(rt, at.Done)
		require.EqualValues(rt, len(plain), at.Counts.Of(), "each is counted once")
		require.Zero(rt, at.Counts.Poisoned+at.Counts.Changed+at.Counts.Other)
		s.opens(rt, r, plain, 3)
		require.Empty(rt, log.Unclosed())
	})
}

func TestWhatDoesNotOpenIsLeftReportedAndCounted(t *testing.T) {
	r := newRing(1, 2)
	s, plain := of(t, r, 50, 1)
	spoil := func(id string, change func(b []byte) []byte) {
		o := s.objects[id]
		o.Wrapped = change(slices.Clone(o.Wrapped))
		s.objects[id] = o
		delete(plain, id)
	}
	spoil("object-000007", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	spoil("object-000008", func(b []byte) []byte { return b[:3] })
	spoil("object-000009", func(b []byte) []byte { b[4] = 9; return b }) // of a key that is not there
	was := map[string]rewrap.Object{}
	for _, id := range []string{"object-000007", "object-000008", "object-000009"} {
		was[id] = s.objects[id]
	}
	o, log := options(t)
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Batch: 4}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	var bad *rewrap.PoisonedError
	require.ErrorAs(t, err, &bad)
	require.False(t, bad.Stopped)
	require.EqualValues(t, 3, bad.Objects)
	require.Equal(t, []rewrap.Bad{{"object-000007", 1}, {"object-000008", 0}, {"object-000009", 9}}, bad.Bad)
	require.True(t, c.Done)
	require.Equal(t, rewrap.Counts{Rewrapped: 47, Poisoned: 3}, c.Counts)
	for id, o := range was {
		require.Equal(t, o, s.objects[id], "as it was")
		delete(s.objects, id)
	}
	s.opens(t, r, plain, 2)
	end := log.Events(rewrap.ActionRun)[1]
	require.Equal(t, opsec.Failure, end.Outcome)
	require.Contains(t, fmt.Sprint(end.Attrs), "poisoned=3")
}

func TestTooManyThatDoNotOpenStopTheRun(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, newRing(1, 7), 500, 7) // the ring has no key 7
	o, _ := options(t)
	p := rewrap.Policy{Batch: 5, Poisoned: 20, Workers: 2}
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), p, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	var bad *rewrap.PoisonedError
	require.ErrorAs(t, err, &bad)
	require.True(t, bad.Stopped)
	require.False(t, c.Done)
	require.Len(t, c.Bad, 20)
	require.Greater(t, c.Counts.Poisoned, uint64(20))
	require.Less(t, c.Counts.Poisoned, uint64(100), "at once")

	again, err := driver(t, job(2), s, rewrap.Ciphertexts(r), p, o).Run(t.Context(), bob, c)
	require.ErrorAs(t, err, &bad)
	require.Equal(t, c, again, "as long as the policy is the same")
	p.Poisoned = 1000
	c, err = driver(t, job(2), s, rewrap.Ciphertexts(r), p, o).Run(t.Context(), bob, c)
	require.ErrorAs(t, err, &bad)
	require.True(t, c.Done)
	require.EqualValues(t, 500, c.Counts.Poisoned)
}

func TestAnAbsentCustodianIsNoFaultOfTheObjects(t *testing.T) {
	for _, away := range []error{
		keymgmt.ErrUnavailable, keymgmt.ErrSealed, keymgmt.ErrStale, opsec.ErrDenied, context.DeadlineExceeded,
	} {
		r := newRing(1, 2)
		s, plain := of(t, r, 50, 1)
		opened := 0
		r.fail = func(uint32) error {
			if opened++; opened > 20 {
				return fmt.Errorf("kms: %w", away)
			}
			return nil
		}
		o, _ := options(t)
		c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 1, Batch: 3}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
		require.ErrorIs(t, err, away)
		require.Equal(t, rewrap.Counts{Rewrapped: 18}, c.Counts)
		require.Equal(t, "object-000017", c.After)
		r.fail = nil
		_, err = driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, c)
		require.NoError(t, err)
		s.opens(t, r, plain, 2)
	}
	r := newRing(1, 2)
	s, _ := of(t, r, 5, 1)
	r.fail = func(uint32) error { return fmt.Errorf("%w: %w", keymgmt.ErrDestroyed, opsec.ErrDenied) }
	o, _ := options(t)
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.Error(t, err)
	require.EqualValues(t, 5, c.Counts.Poisoned, "a destroyed key will not come back")
}

func TestARingThatDoesNotKnowTheNewKeyStops(t *testing.T) {
	r := newRing(1, 2, 3)
	s, plain := of(t, r, 20, 1)
	o, _ := options(t)
	c, err := driver(t, job(3), s, rewrap.Ciphertexts(r.with(2)), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.ErrorIs(t, err, keymgmt.ErrStale)
	require.Zero(t, c.Counts)
	require.Zero(t, s.swaps)
	s.opens(t, r, plain, 1)
}

func TestWhatSomebodyElseChangesIsNotOverwritten(t *testing.T) {
	r := newRing(1, 2)
	s, plain := of(t, r, 40, 1)
	changed := map[string]bool{}
	s.before = func(s *shelf, changes []rewrap.Change) error { // each is changed once, by a node that still has the old key
		for _, c := range changes {
			if !changed[c.ID] {
				changed[c.ID] = true
				plain[c.ID] = "something newer"
				b, err := r.with(1).Seal(nil, []byte(plain[c.ID]), c.Context)
				require.NoError(t, err)
				s.put(rewrap.Object{ID: c.ID, Wrapped: b, Context: c.Context})
			}
		}
		return nil
	}
	o, _ := options(t)
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Batch: 10, Workers: 1}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.Equal(t, rewrap.Counts{Rewrapped: 40}, c.Counts)
	s.opens(t, r, plain, 2)
}

func TestWhatGoesAwayMeanwhileIsNotCounted(t *testing.T) {
	r := newRing(1, 2)
	s, plain := of(t, r, 12, 1)
	s.before = func(s *shelf, _ []rewrap.Change) error {
		for _, id := range []string{"object-000000", "object-000003", "object-000011"} {
			delete(s.objects, id)
			delete(plain, id)
		}
		return nil
	}
	o, _ := options(t)
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.Equal(t, rewrap.Counts{Rewrapped: 9}, c.Counts)
	s.opens(t, r, plain, 2)
}

func TestACheckpointThatCannotBeKeptStopsTheRun(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, r, 1000, 1)
	o, _ := options(t)
	full := errors.New("disk full")
	o.Save = func(context.Context, rewrap.Checkpoint) error { return full }
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 1, Batch: 1, Save: 5}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.ErrorIs(t, err, full)
	require.False(t, c.Done)
	require.Less(t, s.swaps, 50)
}

// Where a run was stopped is kept, and the end recorded, although its context has ended.
func TestAStoppedRunKeepsHowFarItCame(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, r, 100, 1)
	o, log := options(t)
	ctx, cancel := context.WithCancel(t.Context())
	var saved rewrap.Checkpoint
	o.Save = func(ctx context.Context, c rewrap.Checkpoint) error {
		saved = c
		return ctx.Err()
	}
	o.Progress = func(rewrap.Checkpoint) { cancel() }
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 1, Batch: 10}, o).Run(ctx, bob, rewrap.Checkpoint{})
	require.Equal(t, context.Canceled.Error(), err.Error(), "nothing but that it was stopped")
	require.Equal(t, c, saved)
	require.NotEmpty(t, c.After)
	require.False(t, c.Done)
	require.Empty(t, log.Unclosed())
}

func TestWhatNeverStandsStillIsCountedAndLeft(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, r, 10, 1)
	s.before = func(s *shelf, changes []rewrap.Change) error {
		o := s.objects["object-000004"]
		s.put(o)
		return nil
	}
	o, _ := options(t)
	c, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.Equal(t, rewrap.Counts{Rewrapped: 9, Changed: 1}, c.Counts)
	require.Equal(t, 4, s.swaps)
	p, err := rewrap.Count(t.Context(), "volumes", s, rewrap.Ciphertext{}, o.Now)
	require.NoError(t, err)
	require.EqualValues(t, 1, p.Keys[0].Objects, "the census has it")
}

// odd lists what it is told.
type odd struct {
	list []rewrap.Object
	swap func(changes []rewrap.Change) ([]bool, error)
	err  error
}

func (o odd) Objects(context.Context, string) iter.Seq2[rewrap.Object, error] {
	return func(yield func(rewrap.Object, error) bool) {
		for _, object := range o.list {
			if !yield(object, nil) {
				return
			}
		}
		if o.err != nil {
			yield(rewrap.Object{}, o.err)
		}
	}
}

func (o odd) Swap(_ context.Context, changes []rewrap.Change) ([]bool, error) { return o.swap(changes) }

func TestObjectsThatBreakTheirContractAreRefused(t *testing.T) {
	r := newRing(1, 2)
	b, err := r.with(1).Seal(nil, []byte("x"), keymgmt.Context{})
	require.NoError(t, err)
	object := func(id string) rewrap.Object { return rewrap.Object{ID: id, Wrapped: b} }
	all := func(changes []rewrap.Change) ([]bool, error) { return slices.Repeat([]bool{true}, len(changes)), nil }
	away := errors.New("away")
	for name, test := range map[string]struct {
		objects odd
		want    error
	}{
		"out of order":            {odd{list: []rewrap.Object{object("b"), object("a")}, swap: all}, opsec.ErrInvalid},
		"twice":                   {odd{list: []rewrap.Object{object("a"), object("a")}, swap: all}, opsec.ErrInvalid},
		"no id":                   {odd{list: []rewrap.Object{object("")}, swap: all}, opsec.ErrInvalid},
		"a long id":               {odd{list: []rewrap.Object{object(string(make([]byte, 1025)))}, swap: all}, opsec.ErrInvalid},
		"an id that JSON changes": {odd{list: []rewrap.Object{object("a\x80"), object("b")}, swap: all}, opsec.ErrInvalid},
		"few answers": {odd{list: []rewrap.Object{object("a"), object("b")}, swap: func(c []rewrap.Change) ([]bool, error) {
			return []bool{true}, nil
		}}, opsec.ErrInvalid},
		"an end by an error": {odd{list: []rewrap.Object{object("a")}, swap: all, err: away}, away},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := options(t)
			c, err := driver(t, job(2), test.objects, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
			require.ErrorIs(t, err, test.want)
			require.False(t, c.Done)
			if name != "few answers" {
				_, err = rewrap.Count(t.Context(), "x", test.objects, rewrap.Ciphertext{}, o.Now)
				require.ErrorIs(t, err, test.want)
			}
		})
	}
}

type refuser struct{}

func (refuser) Authorize(context.Context, opsec.Actor, string, opsec.Resource) error {
	return opsec.ErrDenied
}

func TestWhoMayNotIsRefusedAndRecorded(t *testing.T) {
	r := newRing(1, 2)
	s, plain := of(t, r, 5, 1)
	o, log := options(t)
	o.Authorizer = refuser{}
	_, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.ErrorIs(t, err, opsec.ErrDenied)
	e := log.One(t, rewrap.ActionRun)
	require.Equal(t, opsec.Denied, e.Outcome)
	require.Equal(t, opsec.Resource{Tenant: "acme", Type: "keyset", ID: "volumes"}, e.Resource)
	s.opens(t, r, plain, 1)
}

func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	r := newRing(1, 2)
	s, plain := of(t, r, 5, 1)
	o, log := options(t)
	full := errors.New("disk full")
	log.Fail(full)
	_, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.ErrorIs(t, err, full)
	s.opens(t, r, plain, 1)
}

func TestProgressGrowsAndMemoryIsBounded(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, r, 600, 1)
	o, _ := options(t)
	var of atomic.Uint64
	o.Progress = func(c rewrap.Checkpoint) {
		require.Greater(t, c.Counts.Of(), of.Load())
		of.Store(c.Counts.Of())
	}
	read := 0
	s.read = func(rewrap.Object) {
		read++
		require.LessOrEqual(t, uint64(read), of.Load()+(4*2+1)*5+1, "the reader waits")
	}
	saved := 0
	o.Save = func(context.Context, rewrap.Checkpoint) error { saved++; return nil }
	_, err := driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 2, Batch: 5, Save: 100}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.EqualValues(t, 600, of.Load())
	require.Equal(t, 7, saved, "each hundred, and the end")
}

func TestALargeObjectGoesAlone(t *testing.T) {
	r := newRing(1, 2)
	s, plain := of(t, r, 12, 1)
	id := "object-000005"
	plain[id] = string(make([]byte, 100_000))
	b, err := r.with(1).Seal(nil, []byte(plain[id]), s.objects[id].Context)
	require.NoError(t, err)
	s.put(rewrap.Object{ID: id, Wrapped: b, Context: s.objects[id].Context})
	var sizes []int
	s.before = func(_ *shelf, changes []rewrap.Change) error { sizes = append(sizes, len(changes)); return nil }
	o, _ := options(t)
	_, err = driver(t, job(2), s, rewrap.Ciphertexts(r), rewrap.Policy{Workers: 1, Bytes: 50_000}, o).Run(t.Context(), bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.Equal(t, []int{5, 1, 6}, sizes)
	s.opens(t, r, plain, 2)
}

func TestBadWiringIsRefused(t *testing.T) {
	r := newRing(1, 2)
	s, _ := of(t, r, 1, 1)
	o, _ := options(t)
	w := rewrap.Ciphertexts(r)
	try := func(j rewrap.Job, s rewrap.Objects, w rewrap.Rewrapper, p rewrap.Policy, o rewrap.Options) {
		t.Helper()
		_, err := rewrap.New(j, s, w, p, o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	try(job(2), nil, w, rewrap.Policy{}, o)
	try(job(2), s, nil, rewrap.Policy{}, o)
	try(job(2), s, w, rewrap.Policy{}, rewrap.Options{Recorder: o.Recorder})
	try(job(2), s, w, rewrap.Policy{}, rewrap.Options{Authorizer: o.Authorizer})
	try(job(0), s, w, rewrap.Policy{}, o)
	try(job(2, 1, 2), s, w, rewrap.Policy{}, o)
	try(rewrap.Job{Set: set, To: 2}, s, w, rewrap.Policy{}, o)
	try(rewrap.Job{Set: keymgmt.SetID{Tenant: "acme"}, Name: "x", To: 2}, s, w, rewrap.Policy{}, o)
	try(rewrap.Job{Set: keymgmt.SetID{Tenant: "no such/", ID: "x"}, Name: "x", To: 2}, s, w, rewrap.Policy{}, o)
	for _, p := range []rewrap.Policy{{Workers: -1}, {Workers: 257}, {Batch: 1001}, {Bytes: 65 << 20}, {Save: -1}, {Poisoned: 10_001}} {
		try(job(2), s, w, p, o)
	}
	d := driver(t, job(2), s, w, rewrap.Policy{}, o)
	_, err := d.Run(t.Context(), bob, rewrap.Checkpoint{Job: job(3), After: "x"})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	for _, c := range []rewrap.Checkpoint{
		{Bad: []rewrap.Bad{{ID: "x"}}}, {Job: job(2), Bad: []rewrap.Bad{{ID: "x"}}}, {Job: job(2), After: string(make([]byte, 1025))}, {Done: true},
	} {
		_, err = d.Run(t.Context(), bob, c)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	require.Zero(t, s.swaps)
}
