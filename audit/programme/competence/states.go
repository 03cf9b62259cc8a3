package competence

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// MaxState bounds the JSON of a [State] in bytes, so that every store can hold it.
const MaxState = 200 << 10

// State is what a [Register] keeps under one key: the records of one person, or the certificates of the provider.
type State struct {
	Records      []Record      `json:"records,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`
}

func (s State) clone() State {
	s.Records, s.Certificates = slices.Clone(s.Records), slices.Clone(s.Certificates)
	for i := range s.Certificates {
		s.Certificates[i].Surveillance = slices.Clone(s.Certificates[i].Surveillance)
	}
	return s
}

// fits returns an error when the state is too large to be kept.
func (s State) fits() error {
	text, err := json.Marshal(s)
	if err == nil && len(text) > MaxState {
		err = invalid("%d records and %d certificates: more than %d bytes", len(s.Records), len(s.Certificates), MaxState)
	}
	return err
}

// States keeps the state of a [Register]. [Memory] and [Stored] are two; over a database of your own it is a few lines.
type States interface {
	// Update gives fn the state under a key, the zero State when there is none, and keeps what it returns together
	// with the events, which it records at least once: all or nothing. Of two at once, one goes after the other; fn may
	// be called again for that, and keeps nothing of what it is given. An error of fn is returned, and nothing is kept.
	// Without events the state is as it was, and need not be written.
	Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error
}

// Memory keeps states as long as the program runs: for tests and scripts. It may be used by many goroutines.
type Memory struct {
	recorder opsec.Recorder
	mu       sync.Mutex
	states   map[string]State
}

// NewMemory returns a Memory whose events go to a recorder.
func NewMemory(recorder opsec.Recorder) *Memory {
	return &Memory{recorder: recorder, states: map[string]State{}}
}

// Update implements [States]. When an event cannot be recorded, nothing is kept.
func (m *Memory) Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, events, err := fn(m.states[key].clone())
	if err != nil {
		return err
	}
	for i := range events {
		if _, err := m.recorder.Record(ctx, &events[i]); err != nil {
			return err
		}
	}
	if reflect.DeepEqual(next, State{}) {
		delete(m.states, key) // who asks for what is not there leaves nothing
		return nil
	}
	m.states[key] = next.clone()
	return nil
}

// Stored keeps states in a store, in the part of [opsec.Provider]. Its keys hold the ids of persons, which a sealed store
// does not hide.
type Stored struct{ db *store.DB }

// NewStored returns a Stored over a store. Events leave it by its outbox.
func NewStored(db *store.DB) *Stored { return &Stored{db} }

// row is a State in the store.
type row struct {
	Key string `json:"key"`
	State
}

var rows = store.NewCollection(store.Schema[row]{
	Name: "competence",
	ID:   func(r *row) store.Key { return store.Text(r.Key) },
})

// Update implements [States].
func (s *Stored) Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(opsec.Provider)
		have, err := rows.Get(sub, store.Text(key))
		if errors.Is(err, opsec.ErrNotFound) {
			have, err = &row{Key: key}, nil
		}
		if err != nil {
			return err
		}
		next, events, err := fn(have.clone())
		if err != nil {
			return err
		}
		for i := range events {
			if err := tx.Emit(&events[i]); err != nil {
				return err
			}
		}
		if reflect.DeepEqual(next, have.State) {
			return nil
		}
		return rows.Put(sub, &row{key, next})
	})
}
