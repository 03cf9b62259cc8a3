package store

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
)

// Waiting says that events of a node wait for delivery, and which has waited longest.
type Waiting struct {
	Node   string
	Oldest opsec.ID
}

// Undelivered yields each node whose events wait. Package outbox delivers them.
func (db *DB) Undelivered(ctx context.Context) iter.Seq2[Waiting, error] {
	return func(yield func(Waiting, error) bool) {
		for node, err := range db.branches(ctx, Text(layout.Outbox).Encode()) {
			w := Waiting{Node: node}
			if err == nil {
				var oldest string
				for oldest, err = range db.branches(ctx, layout.OutboxOf(node)) {
					break
				}
				w.Oldest = opsec.ID(oldest)
			}
			if err == nil && w.Oldest == "" {
				continue // delivered meanwhile
			}
			if !yield(w, err) || err != nil {
				return
			}
		}
	}
}

// WatchOutbox yields once at first, and again when events of this node may wait.
func (db *DB) WatchOutbox(ctx context.Context) iter.Seq2[struct{}, error] {
	return db.watch(ctx, layout.OutboxOf(db.node))
}

// Deliver hands the events that wait under a node's name to the recorder, once through in the order of their ids, and
// returns how many it has taken. Those are removed; should that fail, they are delivered again, and the recorder knows
// them by their ids. Events that it refuses wait on, and the first of its errors are joined.
func (db *DB) Deliver(ctx context.Context, node string, recorder opsec.Recorder) (n int, err error) {
	prefix := layout.OutboxOf(node)
	var errs []error
	var taken []Op
	flush := func() error {
		if len(taken) == 0 {
			return nil
		}
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second) // what is delivered is removed
		defer cancel()
		_, err := db.driver.Commit(late, Batch{Ops: taken})
		if err == nil {
			n += len(taken)
		}
		taken = nil
		return err
	}
	for item, err := range Scan(ctx, db.driver, Range{Start: prefix, End: layout.Behind(prefix)}) {
		if err == nil && len(taken) == MaxOps {
			err = flush()
		}
		if err != nil {
			return n, errors.Join(append(errs, err)...)
		}
		if err := db.deliverOne(ctx, item, recorder); err == nil {
			taken = append(taken, Op{Key: item.Key, Delete: true})
		} else if len(errs) < 10 {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
	}
	err = errors.Join(append(errs, flush())...)
	return n, err
}

func (db *DB) deliverOne(ctx context.Context, item Item, recorder opsec.Recorder) error {
	payload, err := db.open(item)
	if err != nil {
		return err
	}
	e := new(opsec.Event)
	if err := json.Unmarshal(payload, e); err != nil {
		return &CorruptError{Collection: "outbox", Reason: "is no event"}
	}
	_, err = recorder.Record(ctx, e)
	return err
}

// Sweep removes what the store keeps for itself and needs no more, the commit markers of processes that are gone, and
// returns how many there were. Once an hour is often enough.
func (db *DB) Sweep(ctx context.Context) (removed int, err error) {
	prefix := Text(layout.Marker).Encode()
	for item, err := range Scan(ctx, db.driver, Range{Start: prefix, End: layout.Behind(prefix)}) {
		if err != nil {
			return removed, err
		}
		if !db.markerGone(item) {
			continue
		}
		b := Batch{Checks: []Check{{Key: item.Key, Rev: item.Rev}}, Ops: []Op{{Key: item.Key, Delete: true}}}
		if _, err := db.driver.Commit(ctx, b); err == nil {
			removed++
		} else if _, inUse := errors.AsType[*ConflictError](err); !inUse && !errors.Is(err, ErrIndeterminate) {
			return removed, err
		}
	}
	return removed, nil
}
