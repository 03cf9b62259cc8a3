package opsec

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Recorder writes events where they stay. Record returns nil when the event is as safe as its [Class] asks: for
// [Critical] it is durable, for the others it is durable or queued. After any error of a Critical event the caller
// must not act. Record does not keep or change e. It may be called by many goroutines, and twice with one event:
// recorders tell repeated deliveries by Event.ID.
type Recorder interface {
	Record(ctx context.Context, e *Event) (Receipt, error)
}

// Receipt is what a [Recorder] hands back: evidence, from outside the recorded act, of when it was known.
type Receipt struct {
	Event   ID        `json:"event"`   // the event recorded
	Time    time.Time `json:"time"`    // when, by the recorder's clock
	Durable bool      `json:"durable"` // on stable storage, not only queued
}

// Operation is what stands between an intent and its end; see [Begin].
type Operation struct {
	recorder Recorder
	intent   Event
	began    time.Time
	ended    atomic.Bool
}

// Format implements [fmt.Formatter]: the action and the intent's id, under every verb.
func (o *Operation) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "%s %s", o.intent.Action, o.intent.ID)
}

// Begin records e as an intent, with [Pending] for its outcome, before an effect outside the process. When Begin
// fails, nothing may be done. An intent that never gets its end is visible in the log, as it should be.
func Begin(ctx context.Context, r Recorder, e *Event) (*Operation, error) {
	intent := *e
	intent.Outcome, intent.Attrs = Pending, slices.Clone(e.Attrs)
	if _, err := r.Record(ctx, &intent); err != nil {
		return nil, fmt.Errorf("opsec: intent %s not recorded: %w", e.Action, err)
	}
	return &Operation{recorder: r, intent: intent, began: time.Now()}, nil
}

// End records how the operation ended, as an event of its own that names the intent's id and start. The time passed
// since Begin is added to the intent's time, so that End needs no clock of its own. A second End is [ErrInvalid] and
// records nothing; after an error from the recorder End may be called again.
func (o *Operation) End(ctx context.Context, outcome Outcome, attrs ...Attr) error {
	if !o.ended.CompareAndSwap(false, true) {
		return fmt.Errorf("opsec: operation %s has ended already: %w", o.intent.ID, ErrInvalid)
	}
	e := o.intent
	e.ID, e.Intent, e.Outcome = NewID(), o.intent.ID, outcome
	e.Began, e.Time = o.intent.Time, o.intent.Time.Add(time.Since(o.began))
	e.Attrs = slices.Concat(o.intent.Attrs, attrs)
	if _, err := o.recorder.Record(ctx, &e); err != nil {
		o.ended.Store(false)
		return fmt.Errorf("opsec: end of %s not recorded: %w", e.Action, err)
	}
	return nil
}
