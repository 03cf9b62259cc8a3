package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/internal/pause"
)

// markers make commits certain over a driver whose answer can be lost. Each commit takes a slot, a key of this handle
// alone, and writes a fresh number there under a check that the slot is as the last commit left it. After an
// indeterminate commit the slot is burnt: a commit of nothing but another number, under the same check. Either that
// succeeds, and the lost commit can never happen any more, or the slot holds the number of the lost commit, and it has.
// Slots are used again, so they do not pile up; [DB.Sweep] removes those of handles that are gone.
type markers struct {
	driver Driver
	now    func() time.Time
	handle string

	mu   sync.Mutex
	free []*marker
	made uint64
}

// marker is a slot: its key, and its state as the last commit left it.
type marker struct {
	key    string
	rev    Rev
	number uint64
}

func newMarkers(driver Driver, now func() time.Time) *markers {
	return &markers{driver: driver, now: now, handle: string(opsec.NewID())}
}

// take returns a slot that is there. It is made before the first commit that counts on it: the absence of a key, unlike
// a Rev, comes back when the key is swept, and a commit that was long on its way would find its checks hold again.
func (m *markers) take(ctx context.Context) (*marker, error) {
	m.mu.Lock()
	if n := len(m.free); n > 0 {
		slot := m.free[n-1]
		m.free = m.free[:n-1]
		m.mu.Unlock()
		return slot, nil
	}
	m.made++
	slot := &marker{key: Text(layout.Marker).Text(m.handle).Uint(m.made).Encode()}
	m.mu.Unlock()
	var err error
	slot.rev, err = m.driver.Commit(ctx, Batch{Checks: []Check{{Key: slot.key}}, Ops: []Op{{Key: slot.key, Value: m.value(0)}}})
	if _, isConflict := errors.AsType[*ConflictError](err); isConflict || errors.Is(err, ErrIndeterminate) {
		err = errLost // of the slot nothing is known, but nothing has been written with it
	}
	return slot, err
}

// give takes a slot back; nil drops all that are free.
func (m *markers) give(slot *marker) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.free = append(m.free, slot); slot == nil {
		m.free = nil
	}
}

// value is what a slot holds: a number, and when it was written, which tells what may be swept.
func (m *markers) value(number uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, number), uint64(m.now().Unix()))
}

// errLost says that a commit certainly did not happen: it is to be tried again.
var errLost = errors.New("store: the commit did not happen")

// commit commits b and knows how it ended, or returns ErrIndeterminate as settle does.
func (m *markers) commit(ctx context.Context, b Batch) error {
	slot, err := m.take(ctx)
	if err != nil {
		return err
	}
	slot.number++
	marked := Batch{
		Checks: append(slices.Clip(b.Checks), Check{Key: slot.key, Rev: slot.rev}),
		Ops:    append(slices.Clip(b.Ops), Op{Key: slot.key, Value: m.value(slot.number)}),
	}
	rev, err := m.driver.Commit(ctx, marked)
	conflict, isConflict := errors.AsType[*ConflictError](err)
	switch {
	case err == nil:
		slot.rev = rev
	case errors.Is(err, ErrIndeterminate):
		if err = m.settle(ctx, slot); errors.Is(err, ErrIndeterminate) {
			return err // the slot is left as it is, and not used again
		}
	case isConflict && slices.Contains(conflict.Keys, slot.key):
		m.give(nil)    // when one was swept, most of them were
		return errLost // try again with another
	}
	m.give(slot)
	return err
}

// settle finds out what became of the commit with the slot's number: nil, errLost, or ErrIndeterminate when it could not,
// because ctx or the driver ended, or somebody has tampered with the slot.
func (m *markers) settle(ctx context.Context, slot *marker) error {
	lost := slot.number
	slot.number++
	burn := Batch{
		Checks: []Check{{Key: slot.key, Rev: slot.rev}},
		Ops:    []Op{{Key: slot.key, Value: m.value(slot.number)}},
	}
	for attempt := 1; ; attempt++ {
		rev, err := m.driver.Commit(ctx, burn)
		if err == nil {
			slot.rev = rev
			return errLost
		}
		if _, isConflict := errors.AsType[*ConflictError](err); isConflict {
			var items []Item
			if items, err = m.driver.Get(ctx, slot.key); err == nil && items[0].Rev != burn.Checks[0].Rev {
				slot.rev = items[0].Rev
				number := uint64(0)
				if len(items[0].Value) == 16 {
					number = binary.BigEndian.Uint64(items[0].Value)
				}
				switch number {
				case lost:
					return nil
				case slot.number:
					return errLost
				}
				return errors.Join(ErrIndeterminate, &CorruptError{Collection: "marker", Reason: "was removed or overwritten"})
			}
		}
		if errors.Is(err, ErrClosed) || pause.For(ctx, backoff(attempt+1)) != nil {
			return errors.Join(ErrIndeterminate, context.Cause(ctx), err)
		}
	}
}

// markerAge is how long a slot must have been still before it is swept: far longer than anybody tries to settle.
const markerAge = 24 * time.Hour

// markerGone reports whether a slot may go. Should it belong to a handle that only sleeps, the next commit finds out and
// takes another.
func (db *DB) markerGone(item Item) bool {
	return len(item.Value) == 16 && db.now().Sub(written(item.Value)) >= markerAge
}

func written(marker []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(marker[8:])), 0)
}
