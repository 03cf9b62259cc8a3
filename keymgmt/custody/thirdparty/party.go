package thirdparty

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The actions of the events. Their resource is of type "kek", its id is the handle; they belong to the provider.
const (
	ActionGenerate = "thirdparty.generate" // an intent and its end
	ActionWrap     = "thirdparty.wrap"
	ActionUnwrap   = "thirdparty.unwrap"
	ActionDestroy  = "thirdparty.destroy" // an intent and its end
	ActionSuspend  = "thirdparty.suspend" // the party is left alone
	ActionResume   = "thirdparty.resume"  // it answers again
)

// Options is what a [Party] is wired with. Recorder must be set.
type Options struct {
	Now      func() time.Time // nil for time.Now
	Recorder opsec.Recorder
}

// Party asks an outside party's custodian. It is a [keymgmt.Custodian].
type Party struct {
	theirs keymgmt.Custodian
	policy Policy
	o      Options

	mu      sync.Mutex
	breaker breaker
}

var _ keymgmt.Custodian = (*Party)(nil)

// New returns a custodian that asks theirs by a policy. An error wraps [opsec.ErrInvalid].
func New(theirs keymgmt.Custodian, p Policy, o *Options) (*Party, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	switch {
	case theirs == nil:
		return nil, invalid("custodian: none")
	case o == nil || o.Recorder == nil:
		return nil, invalid("options: no Recorder")
	}
	p.Budget = cmp.Or(p.Budget, DefaultBudget)
	p.Failures = cmp.Or(p.Failures, DefaultFailures)
	p.Pause = cmp.Or(p.Pause, DefaultPause)
	return &Party{theirs: theirs, policy: p, o: *o, breaker: breaker{failures: p.Failures, pause: p.Pause}}, nil
}

// UnansweredError says that the party did not answer within the budget. It wraps [keymgmt.ErrUnavailable].
type UnansweredError struct {
	Party  string
	Budget time.Duration
}

func (e *UnansweredError) Error() string {
	return fmt.Sprintf("thirdparty: %s gave no answer within %s: %v", e.Party, e.Budget, keymgmt.ErrUnavailable)
}

func (e *UnansweredError) Unwrap() error { return keymgmt.ErrUnavailable }

// SuspendedError says that the party has not answered for a while, and is not asked. It wraps [keymgmt.ErrUnavailable].
type SuspendedError struct {
	Party string
	Until time.Time // when one call tries
}

func (e *SuspendedError) Error() string {
	return fmt.Sprintf("thirdparty: %s is left alone until %s: %v", e.Party, e.Until.UTC().Format(time.RFC3339), keymgmt.ErrUnavailable)
}

func (e *SuspendedError) Unwrap() error { return keymgmt.ErrUnavailable }

// Generate implements [keymgmt.Custodian].
func (p *Party) Generate(ctx context.Context, handle string) error {
	return p.change(ctx, ActionGenerate, handle, func(ctx context.Context) ([]opsec.Attr, error) {
		return nil, p.theirs.Generate(ctx, handle)
	})
}

// Wrap implements [keymgmt.Custodian].
func (p *Party) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	return p.use(ctx, ActionWrap, handle, associatedData, func(ctx context.Context) ([]byte, error) {
		return p.theirs.Wrap(ctx, handle, material, associatedData)
	})
}

// Unwrap implements [keymgmt.Custodian].
func (p *Party) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	return p.use(ctx, ActionUnwrap, handle, associatedData, func(ctx context.Context) ([]byte, error) {
		return p.theirs.Unwrap(ctx, handle, wrapped, associatedData)
	})
}

// Destroy implements [keymgmt.Custodian].
func (p *Party) Destroy(ctx context.Context, handle string) (evidence keymgmt.Evidence, err error) {
	err = p.change(ctx, ActionDestroy, handle, func(ctx context.Context) (attrs []opsec.Attr, err error) {
		evidence, err = p.theirs.Destroy(ctx, handle)
		return []opsec.Attr{
			{Key: "method", Value: cut(evidence.Method), Mark: opsec.Tenant},
			{Key: "copies", Value: fmt.Sprint(len(evidence.Copies)), Mark: opsec.Tenant},
			{Key: "left", Value: fmt.Sprint(len(evidence.Left)), Mark: opsec.Tenant},
		}, err
	})
	return evidence, err
}

// cut makes a text of others fit an event.
func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }

// use asks for something that changes nothing at the party, and records it before the result is handed on.
func (p *Party) use(ctx context.Context, action, handle string, associatedData []byte, ask func(context.Context) ([]byte, error)) ([]byte, error) {
	e, err := p.event(ctx, action, handle)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(associatedData)
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "context_sha256", Value: hex.EncodeToString(sum[:]), Mark: opsec.Tenant})
	var got []byte
	began := time.Now()
	asked, err := p.ask(ctx, func(ctx context.Context) (err error) {
		got, err = ask(ctx)
		return err
	})
	if !asked {
		return nil, err
	}
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "took", Value: time.Since(began).String(), Mark: opsec.Tenant})
	if err := p.record(ctx, e, err); err != nil {
		clear(got)
		return nil, err
	}
	return got, nil
}

// change asks for something that changes the party's keys, between an intent and its end.
func (p *Party) change(ctx context.Context, action, handle string, ask func(context.Context) ([]opsec.Attr, error)) error {
	e, err := p.event(ctx, action, handle)
	if err != nil {
		return err
	}
	op, err := opsec.Begin(ctx, p.o.Recorder, e)
	if err != nil {
		return fmt.Errorf("thirdparty: %w", err)
	}
	var attrs []opsec.Attr
	asked, err := p.ask(ctx, func(ctx context.Context) (err error) {
		attrs, err = ask(ctx)
		return err
	})
	outcome := opsec.OutcomeOf(err)
	if err != nil {
		attrs = append(attrs, opsec.Attr{Key: "error", Value: cut(err.Error()), Mark: opsec.Tenant})
		if asked && classify(err) != answered {
			outcome = opsec.Unknown // it may have been done
		}
	}
	return errors.Join(err, op.End(context.WithoutCancel(ctx), outcome, attrs...))
}

// event begins the record of a call. Without a justification the call is refused, and that is recorded.
func (p *Party) event(ctx context.Context, action, handle string) (*opsec.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j, _ := JustificationOf(ctx)
	e := opsec.NewEvent(action, p.now())
	e.Class, e.Actor, e.Reason = opsec.Critical, j.By, cut(j.Reason)
	e.Resource = opsec.Resource{Tenant: opsec.Provider, Type: "kek", ID: handle}
	e.Attrs = []opsec.Attr{{Key: "party", Value: p.policy.Name, Mark: opsec.Tenant}}
	if !j.complete() && !p.policy.SkipJustification {
		return nil, p.record(ctx, e, ErrJustification)
	}
	return e, nil
}

// record records how something went, and returns the error, or that of the recorder.
func (p *Party) record(ctx context.Context, e *opsec.Event, err error) error {
	e.Outcome = opsec.OutcomeOf(err)
	if err != nil {
		e.Attrs = append(e.Attrs, opsec.Attr{Key: "error", Value: cut(err.Error()), Mark: opsec.Tenant})
	}
	if _, failed := p.o.Recorder.Record(context.WithoutCancel(ctx), e); failed != nil {
		return errors.Join(err, fmt.Errorf("thirdparty: %s not recorded: %w", e.Action, failed))
	}
	return err
}

// ask calls the party within the budget, unless it is left alone. It reports whether the party was asked.
func (p *Party) ask(ctx context.Context, call func(context.Context) error) (asked bool, err error) {
	p.mu.Lock()
	ok, probe := p.breaker.admit(p.now())
	until := p.breaker.until
	p.mu.Unlock()
	if !ok {
		return false, &SuspendedError{p.policy.Name, until}
	}
	how := unanswered // if call panics
	defer func() {
		p.mu.Lock()
		opened, closed := p.breaker.note(how, probe, p.now())
		p.mu.Unlock()
		if opened {
			err = p.turn(ctx, ActionSuspend, err)
		} else if closed {
			err = p.turn(ctx, ActionResume, err)
		}
	}()
	within, cancel := context.WithTimeout(ctx, p.policy.Budget)
	defer cancel()
	err = call(within)
	switch how = classify(err); {
	case err == nil && within.Err() != nil && ctx.Err() == nil: // theirs does not heed its context
		how, err = unanswered, &UnansweredError{p.policy.Name, p.policy.Budget}
	case err == nil:
	case ctx.Err() != nil:
		how = withdrawn
	case within.Err() != nil && how == unanswered:
		err = &UnansweredError{p.policy.Name, p.policy.Budget}
	case how == unanswered && !errors.Is(err, keymgmt.ErrUnavailable):
		err = fmt.Errorf("thirdparty: %s: %w: %w", p.policy.Name, keymgmt.ErrUnavailable, err)
	}
	return true, err
}

// classify says whether an error is an answer of the party.
func classify(err error) result {
	for _, answer := range []error{
		opsec.ErrDenied, opsec.ErrNotFound, opsec.ErrInvalid, keymgmt.ErrUnwrap, keymgmt.ErrDestroyed, keymgmt.ErrSealed,
	} {
		if errors.Is(err, answer) {
			return answered
		}
	}
	if err == nil {
		return answered
	}
	return unanswered
}

// turn records that the breaker has opened or closed.
func (p *Party) turn(ctx context.Context, action string, err error) error {
	e := opsec.NewEvent(action, p.now())
	e.Outcome, e.Actor = opsec.Success, opsec.Actor{Kind: opsec.System}
	e.Resource = opsec.Resource{Tenant: opsec.Provider, Type: "party", ID: p.policy.Name}
	if _, failed := p.o.Recorder.Record(context.WithoutCancel(ctx), e); failed != nil {
		return errors.Join(err, fmt.Errorf("thirdparty: %s not recorded: %w", action, failed))
	}
	return err
}

func (p *Party) now() time.Time {
	if p.o.Now == nil {
		return time.Now()
	}
	return p.o.Now()
}
