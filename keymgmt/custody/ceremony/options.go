package ceremony

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// The actions that the [opsec.Authorizer] is asked for, and of the events, which belong to the tenant whose secret it is. The
// resource is of type "shares"; its id is that of the set, or the label when there is no set yet.
const (
	ActionDeal     = "ceremony.deal"
	ActionOpen     = "ceremony.open"
	ActionSubmit   = "ceremony.submit"
	ActionRecover  = "ceremony.recover"  // an intent, before the secret is put together, and its end
	ActionRehearse = "ceremony.rehearse" // with the proof's digest
	ActionRenew    = "ceremony.renew"    // an intent and its end, which says what was dealt
	ActionAbort    = "ceremony.abort"
	ActionExpire   = "ceremony.expire" // nobody is asked
)

const (
	resourceType = "shares"
	maxNamed     = 40 // holders that an event names
)

// Options is what ceremonies are wired with. Recorder and Authorizer must be set.
type Options struct {
	Now        func() time.Time // nil for time.Now
	Recorder   opsec.Recorder
	Authorizer opsec.Authorizer
}

func (o *Options) validate() error {
	switch {
	case o == nil || o.Authorizer == nil:
		return invalid("options: no Authorizer: name opsec.CallerAuthorized{} when the caller has decided")
	case o.Recorder == nil:
		return invalid("options: no Recorder")
	}
	return nil
}

func (o *Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o *Options) event(action string, by opsec.Actor, on opsec.Resource, reason string) *opsec.Event {
	e := opsec.NewEvent(action, o.now())
	e.Tenant, e.Class, e.Actor, e.Resource, e.Reason = on.Tenant, opsec.Critical, by, on, reason
	return e
}

// record records how something went, and returns the error, or that of the recorder.
func (o *Options) record(ctx context.Context, e *opsec.Event, err error, attrs ...opsec.Attr) error {
	e.Outcome = opsec.OutcomeOf(err)
	e.Attrs = append(e.Attrs, attrs...)
	if err != nil {
		e.Attrs = append(e.Attrs, errorAttr(err))
	}
	if _, failed := o.Recorder.Record(ctx, e); failed != nil {
		return errors.Join(err, fmt.Errorf("ceremony: %s not recorded: %w", e.Action, failed))
	}
	return err
}

// errorAttr is what an event says of an error, cut to what it takes: errors may come from elsewhere.
func errorAttr(err error) opsec.Attr {
	text := err.Error()
	return opsec.Attr{Key: "error", Value: strings.ToValidUTF8(text[:min(len(text), maxReason)], ""), Mark: opsec.Tenant}
}

// authorize asks, and records a refusal.
func (o *Options) authorize(ctx context.Context, by opsec.Actor, action string, on opsec.Resource, reason string) error {
	if err := o.Authorizer.Authorize(ctx, by, action, on); err != nil {
		return o.record(ctx, o.event(action, by, on, reason), fmt.Errorf("ceremony: %s: %w", action, err))
	}
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }
