package dr

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cloudopsec/opsec"
)

// States keeps the state of mirrors. Update calls fn with the state of key, the zero State when there is none, and keeps what it
// returns together with the events, or, after an error, neither. Updates of one key are one after the other; fn may be called again.
type States interface {
	Update(ctx context.Context, key string, fn func(State) (State, []opsec.Event, error)) error
}

// PermitObserve is the action that an [opsec.Authorizer] is asked for before a status is taken in. What is seen may cause other events.
const PermitObserve = "dr.observe"

// Options is the wiring of a [Mirror].
type Options struct {
	// Authorizer decides who may do what: the action is that of the event which it would cause, or [PermitObserve]. Nil is refused; a caller that has
	// decided passes [opsec.CallerAuthorized].
	Authorizer opsec.Authorizer
	// Notifier is told of each notice of at least medium severity, after it was recorded; nil is nobody.
	Notifier opsec.Notifier
	// To is whom the Notifier tells.
	To []string
	// Logger hears what the Notifier could not deliver; nil is silent.
	Logger *slog.Logger
	// Now is the clock; nil is that of the system.
	Now func() time.Time
}

// Mirror keeps the state of one mirror. It may be used by many goroutines, and by as many processes as share its [States].
type Mirror struct {
	states States
	key    string
	policy Policy
	o      Options
}

// NewMirror returns a Mirror that is known as key, 1 to 128 bytes, in states. An error wraps [opsec.ErrInvalid].
func NewMirror(states States, key string, p Policy, o *Options) (*Mirror, error) {
	if o == nil {
		o = &Options{}
	}
	switch {
	case states == nil:
		return nil, invalid("no states")
	case key == "" || len(key) > 128:
		return nil, invalid("key of %d bytes: want 1 to 128", len(key))
	case o.Authorizer == nil:
		return nil, invalid("options: no authorizer")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	m := &Mirror{states: states, key: key, policy: p, o: *o}
	if m.o.Now == nil {
		m.o.Now = time.Now
	}
	if m.o.Logger == nil {
		m.o.Logger = slog.New(slog.DiscardHandler)
	}
	return m, nil
}

// Observe takes a status in, in the name of who, the replicator.
func (m *Mirror) Observe(ctx context.Context, who opsec.Actor, s Status) (Verdict, error) {
	return m.do(ctx, who, PermitObserve, Event{Status: &s})
}

// Tick lets time pass when there is no status: patience ends, a status goes stale, an evaluation expires.
func (m *Mirror) Tick(ctx context.Context, who opsec.Actor) (Verdict, error) {
	return m.do(ctx, who, PermitObserve, Event{Tick: true})
}

// Accept puts a risk evaluation in force; who is its By. An error that wraps [opsec.ErrDenied] or [opsec.ErrInvalid] says why not.
func (m *Mirror) Accept(ctx context.Context, r RiskEvaluation) (Verdict, error) {
	return m.do(ctx, r.By, ActionRiskAccepted, Event{Accept: &r})
}

// Degrade lets writes go on without the other site, where the policy says [Ask].
func (m *Mirror) Degrade(ctx context.Context, d Decision) (Verdict, error) {
	return m.do(ctx, d.By, ActionDegraded, Event{Degrade: &d})
}

// FailOver lets the other site take over. What keeps this one from writing is not here: see package fence.
func (m *Mirror) FailOver(ctx context.Context, t Takeover) (Verdict, error) {
	return m.do(ctx, t.By, ActionFailedOver, Event{FailOver: &t})
}

// FailBack ends a failover: the divergence is settled, and the sites copy again, in whichever direction the replicator is told.
func (m *Mirror) FailBack(ctx context.Context, d Decision) (Verdict, error) {
	return m.do(ctx, d.By, ActionFailedBack, Event{FailBack: &d})
}

// State returns what is remembered of the mirror; who may see it is up to the caller.
func (m *Mirror) State(ctx context.Context) (s State, err error) {
	err = m.states.Update(ctx, m.key, func(now State) (State, []opsec.Event, error) {
		s = now
		return now, nil, nil
	})
	return s, err
}

// do is a step: authorised, decided, kept together with its events, and told. After any error the data path has to hold its writes.
func (m *Mirror) do(ctx context.Context, who opsec.Actor, action string, e Event) (Verdict, error) {
	resource := opsec.Resource{Tenant: opsec.Provider, Type: "mirror", ID: m.key}
	if err := m.o.Authorizer.Authorize(ctx, who, action, resource); err != nil {
		return Verdict{Writes: Hold}, fmt.Errorf("dr: %s: %w", action, err)
	}
	var v Verdict
	var events []opsec.Event
	now := m.o.Now()
	err := m.states.Update(ctx, m.key, func(s State) (State, []opsec.Event, error) {
		next, verdict := m.policy.Step(s, e, now)
		v, events = verdict, nil
		for _, n := range v.Notices {
			events = append(events, n.event(next.Now, who, resource))
		}
		if errors.Is(v.Refused, opsec.ErrDenied) { // a refusal is evidence too
			denied := opsec.NewEvent(action, next.Now)
			denied.Class, denied.Outcome, denied.Actor, denied.Resource, denied.Reason = opsec.Critical, opsec.Denied, who, resource, v.Refused.Error()
			events = append(events, *denied)
		}
		return next, events, nil
	})
	if err != nil {
		return Verdict{Writes: Hold}, fmt.Errorf("dr: mirror %s: %w", m.key, err)
	}
	m.notify(ctx, v, events)
	return v, v.Refused
}

// event of a notice: who decided it, or who has seen it.
func (n Notice) event(at time.Time, seen opsec.Actor, r opsec.Resource) opsec.Event {
	e := opsec.NewEvent(n.Action, at)
	e.Class, e.Outcome, e.Actor, e.Resource, e.Reason = opsec.Critical, opsec.Success, seen, r, n.Reason
	if n.By != (opsec.Actor{}) {
		e.Actor = n.By
	}
	e.Attrs = []opsec.Attr{
		{Key: "from", Value: string(n.From), Mark: opsec.Tenant}, {Key: "to", Value: string(n.To), Mark: opsec.Tenant},
		{Key: "severity", Value: string(n.Severity), Mark: opsec.Tenant},
	}
	return *e
}

func (m *Mirror) notify(ctx context.Context, v Verdict, events []opsec.Event) {
	if m.o.Notifier == nil {
		return
	}
	for i, n := range v.Notices {
		if n.Severity.Rank() < opsec.SeverityMedium.Rank() {
			continue
		}
		err := m.o.Notifier.Notify(ctx, opsec.Message{
			ID: opsec.NewID(), Tenant: opsec.Provider, To: m.o.To, Severity: n.Severity, Event: events[i].ID,
			Subject: fmt.Sprintf("mirror %s: %s", m.key, n.Action), Body: fmt.Sprintf("%s, from %q to %q: %s", n.Action, n.From, n.To, n.Reason),
		})
		if err != nil {
			m.o.Logger.ErrorContext(ctx, "dr: not notified", "mirror", m.key, "action", n.Action, "error", err)
		}
	}
}
