package audittest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloudopsec/opsec"
)

// Recorder is an [opsec.Recorder] in memory. It keeps what a log would hold: a copy made through JSON, without the
// values of secrets. The zero value is ready; it may be used by many goroutines.
type Recorder struct {
	mu     sync.Mutex
	tb     testing.TB
	fail   error
	events []opsec.Event
}

// New returns a Recorder that also fails the test when it is given an event that is not valid.
func New(tb testing.TB) *Recorder { return &Recorder{tb: tb} }

// Record implements [opsec.Recorder]. An event that comes again is kept once.
func (r *Recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := e.Validate(); err != nil {
		if r.tb != nil {
			r.tb.Helper()
			r.tb.Errorf("audittest: event %q: %v", e.Action, err)
		}
		return opsec.Receipt{}, err
	}
	if r.fail != nil {
		return opsec.Receipt{}, r.fail
	}
	if !slices.ContainsFunc(r.events, func(have opsec.Event) bool { return have.ID == e.ID }) {
		r.events = append(r.events, stored(e.AppendJSON(nil)))
	}
	return opsec.Receipt{Event: e.ID, Time: time.Now(), Durable: true}, nil
}

// Fail makes every later Record return err, and record nothing. Fail(nil) ends it.
func (r *Recorder) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// Events returns all events in the order of their recording, or those of the given actions.
func (r *Recorder) Events(actions ...string) []opsec.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.events), func(e opsec.Event) bool {
		return len(actions) > 0 && !slices.Contains(actions, e.Action)
	})
}

// One returns the event of this action, and ends the test if there is none or more than one.
func (r *Recorder) One(tb testing.TB, action string) opsec.Event {
	tb.Helper()
	found := r.Events(action)
	if len(found) != 1 {
		tb.Fatalf("audittest: %d events %s, want one; recorded: %v", len(found), action, r.actions())
	}
	return found[0]
}

// None fails the test if there is an event of one of these actions, or, without actions, any event.
func (r *Recorder) None(tb testing.TB, actions ...string) {
	tb.Helper()
	if found := r.Events(actions...); len(found) > 0 {
		tb.Errorf("audittest: %d events %v, want none; recorded: %v", len(found), actions, r.actions())
	}
}

// Unclosed returns the intents of [opsec.Begin] that have no end.
func (r *Recorder) Unclosed() []opsec.Event {
	all := r.Events()
	closed := map[opsec.ID]bool{}
	for _, e := range all {
		closed[e.Intent] = true
	}
	return slices.DeleteFunc(all, func(e opsec.Event) bool { return e.Outcome != opsec.Pending || closed[e.ID] })
}

func (r *Recorder) actions() []string {
	var list []string
	for _, e := range r.Events() {
		list = append(list, e.Action)
	}
	return list
}

// stored returns an event as a reader of the log would get it.
func stored(line []byte) opsec.Event {
	var e opsec.Event
	if err := json.Unmarshal(line, &e); err != nil {
		panic("audittest: an event does not read back: " + err.Error())
	}
	return e
}
