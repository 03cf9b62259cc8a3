package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/internal/slot"
)

// markers make commits certain over a driver whose answer can be lost. Each commit takes a slot, a key of this handle
// alone, and writes a fresh number there under a check that the slot is as the last commit left it. After an
// indeterminate commit the slot is burnt: a commit of nothing but another number, under the same check. Either that
// succeeds, and the lost commit can never happen any more, or the slot holds the number of the lost commit, and it has.
// Slots are used again, so they do not pile up; [DB.Sweep] removes those of handles that are gone.
type markers struct {
	driver Driver
	now    func() time.Time
	slots  *slot.Slots
}

func newMarkers(driver Driver, now func() time.Time) *markers {
	return &markers{driver: driver, now: now, slots: slot.Of(string(opsec.NewID()))}
}

// take returns a slot that is there. It is made before the first commit that counts on it: the absence of a key, unlike
// a Rev, comes back when the key is swept, and a commit that was long on its way would find its checks hold again.
func (m *markers) take(ctx context.Context) (*slot.Slot, error) {
	s := m.slots.Take()
	if s.Rev != 0 {
		return s, nil
	}
	rev, err := m.driver.Commit(ctx, m.mark(s, Batch{}))
	if _, isConflict := errors.AsType[*ConflictError](err); isConflict || errors.Is(err, ErrIndeterminate) {
		err = errLost // of the slot nothing is known, but nothing has been written with it
	}
	s.Rev = uint64(rev)
	return s, err
}

// mark returns b with the number of the slot.
func (m *markers) mark(s *slot.Slot, b Batch) Batch {
	return Batch{
		Checks: append(slices.Clip(b.Checks), Check{Key: s.Key, Rev: Rev(s.Rev)}),
		Ops:    append(slices.Clip(b.Ops), Op{Key: s.Key, Value: slot.Value(s.Number, m.now())}),
	}
}

// errLost says that a commit certainly did not happen: it is to be tried again.
var errLost = errors.New("store: the commit did not happen")

// commit commits b and knows how it ended, or is in doubt as settle is.
func (m *markers) commit(ctx context.Context, b Batch) (doubt *slot.Slot, err error) {
	s, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	s.Number++
	rev, err := m.driver.Commit(ctx, m.mark(s, b))
	conflict, isConflict := errors.AsType[*ConflictError](err)
	switch {
	case err == nil:
		s.Rev = uint64(rev)
	case errors.Is(err, ErrIndeterminate):
		s.Number++ // of the commit of nothing
		return m.settle(ctx, s)
	case isConflict && slices.Contains(conflict.Keys, s.Key):
		m.slots.Drop()      // when one was swept, most of them were
		return nil, errLost // try again with another
	}
	m.slots.Give(s)
	return nil, err
}

// settle finds out what became of the commit with the number before the slot's: nil, errLost, or ErrIndeterminate when
// the driver ended or somebody has tampered with the slot. When ctx ends before, the slot is in doubt still, and settle
// may be called again. A slot in doubt is not used for anything else.
func (m *markers) settle(ctx context.Context, s *slot.Slot) (doubt *slot.Slot, err error) {
	burn := m.mark(s, Batch{})
	for attempt := 1; ; attempt++ {
		rev, err := m.driver.Commit(ctx, burn)
		if err == nil {
			s.Rev = uint64(rev)
			m.slots.Give(s)
			return nil, errLost
		}
		if _, isConflict := errors.AsType[*ConflictError](err); isConflict {
			var items []Item
			if items, err = m.driver.Get(ctx, s.Key); err == nil && items[0].Rev != burn.Checks[0].Rev {
				happened, sound := s.Says(items[0].Value)
				if !sound {
					return nil, errors.Join(ErrIndeterminate, &CorruptError{Collection: "marker", Reason: "was removed or overwritten"})
				}
				if !happened {
					err = errLost
				}
				s.Rev = uint64(items[0].Rev)
				m.slots.Give(s)
				return nil, err
			}
		}
		if errors.Is(err, ErrClosed) {
			return nil, errors.Join(ErrIndeterminate, err)
		}
		if pause.Before(ctx, attempt+1) != nil {
			return s, errors.Join(ErrIndeterminate, context.Cause(ctx), err)
		}
	}
}

// markerAge is how long a slot must have been still before it is swept: far longer than anybody tries to settle.
const markerAge = 24 * time.Hour

// markerGone reports whether a slot may go. Should it belong to a handle that only sleeps, the next commit finds out and
// takes another.
func (db *DB) markerGone(item Item) bool {
	_, at, ok := slot.Parse(item.Value)
	return ok && db.now().Sub(at) >= markerAge
}
