package dr

import (
	"context"
	"errors"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Memory is a [States] that begins anew with its process.
type Memory struct {
	recorder opsec.Recorder
	mu       sync.Mutex
	states   map[string]State
}

// NewMemory returns a Memory that hands events to recorder. Without one it refuses the first step that has an event.
func NewMemory(recorder opsec.Recorder) *Memory {
	return &Memory{recorder: recorder, states: map[string]State{}}
}

// Update implements [States]. What could not be recorded has not happened.
func (m *Memory) Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, events, err := fn(m.states[key])
	if err != nil {
		return err
	}
	for i := range events {
		if m.recorder == nil {
			return invalid("memory: no recorder")
		}
		if _, err := m.recorder.Record(ctx, &events[i]); err != nil {
			return err
		}
	}
	m.states[key] = next
	return nil
}

type row struct {
	Key   string `json:"key"`
	State State  `json:"state"`
}

var rows = store.NewCollection(store.Schema[row]{Name: "dr/mirrors", ID: func(r *row) store.Key { return store.Text(r.Key) }})

type stored struct{ db *store.DB }

// Stored returns the [States] in db, where all nodes share them. A state and its events are one commit; package store/outbox hands
// the events to a recorder.
func Stored(db *store.DB) States { return stored{db} }

func (s stored) Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(opsec.Provider)
		found, err := rows.GetAll(sub, store.Text(key))
		if err != nil {
			return err
		}
		r := row{Key: key}
		if found[0] != nil {
			r = *found[0]
		}
		next, events, err := fn(r.State)
		if err != nil {
			return err
		}
		r.State = next
		errs := []error{rows.Put(sub, &r)}
		for i := range events {
			errs = append(errs, tx.Emit(&events[i]))
		}
		return errors.Join(errs...)
	})
}
