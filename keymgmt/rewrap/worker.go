package rewrap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// batch is a run of objects that are swapped together.
type batch struct {
	number  int
	before  string // the id before the first
	objects []Object

	counts Counts
	bad    []Bad
	err    error // it is not done
}

// worker does batches, one after the other, in memory that it uses again.
type worker struct {
	*Driver
	changes []Change
	places  []int  // of the changes, in the batch
	results []byte // what the changes are
}

// tries is how often an object is read again that somebody else has changed meanwhile.
const tries = 3

func (w *worker) do(ctx context.Context, b *batch) error {
	w.changes, w.places, w.results = w.changes[:0], w.places[:0], w.results[:0]
	for i := range b.objects {
		if err := w.one(ctx, b, i, b.objects[i]); err != nil {
			return err
		}
	}
	for try := 0; len(w.changes) > 0; try++ {
		lost, err := w.swap(ctx, b)
		if err != nil {
			return err
		}
		if try == tries {
			b.counts.Changed += uint64(len(lost))
			return nil
		}
		w.changes, w.places, w.results = w.changes[:0], w.places[:0], w.results[:0]
		for _, i := range lost {
			o, there, err := w.again(ctx, b, i)
			if err == nil && there {
				err = w.one(ctx, b, i, o)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// one looks at an object, and adds a change if it needs one.
func (w *worker) one(ctx context.Context, b *batch, i int, o Object) error {
	key, ok := w.rewrap.KeyID(o.Wrapped)
	switch {
	case !ok:
		b.spoil(o.ID, 0)
		return nil
	case key == w.job.To:
		b.counts.Current++
		return nil
	case len(w.job.From) > 0 && !slices.Contains(w.job.From, key):
		b.counts.Other++
		return nil
	}
	start := len(w.results)
	out, err := w.rewrap.Rewrap(ctx, w.results, o.Wrapped, o.Context)
	switch {
	case err != nil && stops(ctx, err):
		return fmt.Errorf("rewrap: %.64q: %w", o.ID, err)
	case err != nil:
		w.opts.Logger.WarnContext(ctx, "rewrap: an object does not open", "objects", w.job.Name, "id", o.ID, "key", key, "error", err)
		b.spoil(o.ID, key)
		return nil
	}
	w.results = out
	made := out[start:len(out):len(out)]
	if now, ok := w.rewrap.KeyID(made); !ok || now != w.job.To {
		return fmt.Errorf("rewrap: the ring protects with key %d, the job is to go to %d: %w", now, w.job.To, keymgmt.ErrStale)
	}
	w.changes, w.places = append(w.changes, Change{o, made}), append(w.places, i)
	return nil
}

func (b *batch) spoil(id string, key uint32) {
	b.counts.Poisoned++
	b.bad = append(b.bad, Bad{id, key})
}

// swap returns the places of what others have changed meanwhile.
func (w *worker) swap(ctx context.Context, b *batch) (lost []int, err error) {
	done, err := w.objects.Swap(ctx, w.changes)
	if err != nil {
		return nil, fmt.Errorf("rewrap: %w", err)
	}
	if len(done) != len(w.changes) {
		return nil, invalid("objects: Swap of %d says what became of %d", len(w.changes), len(done))
	}
	for k, ok := range done {
		if ok {
			b.counts.Rewrapped++
		} else {
			lost = append(lost, w.places[k])
		}
	}
	return lost, nil
}

// again reads one object of a batch anew. It may be gone.
func (w *worker) again(ctx context.Context, b *batch, i int) (Object, bool, error) {
	before := b.before
	if i > 0 {
		before = b.objects[i-1].ID
	}
	for o, err := range ordered(ctx, w.objects, before) {
		if err != nil {
			return Object{}, false, err
		}
		if o.ID >= b.objects[i].ID {
			return o, o.ID == b.objects[i].ID, nil
		}
	}
	return Object{}, false, nil
}

// stops reports whether an error is about the work, and not about an object: to go on would call all others bad too.
func stops(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	if errors.Is(err, keymgmt.ErrDestroyed) {
		return false
	}
	for _, now := range []error{
		keymgmt.ErrUnavailable, keymgmt.ErrSealed, keymgmt.ErrStale, opsec.ErrDenied, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, now) {
			return true
		}
	}
	return false
}
