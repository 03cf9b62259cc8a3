package approval

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Authority is what a case cannot know by itself. It is asked when somebody decides, and again before the use.
type Authority struct {
	// Roles returns the roles and groups that an actor holds now, by the caller's own records and never by what the
	// actor says. When it fails, nothing is decided.
	Roles func(opsec.Actor) ([]string, error)
	// Keys checks signatures. It may be nil where none are given.
	Keys Verifier
}

// New opens a case at the time now, with a fresh ID and nonce, and the policy's defaults filled in. The event is to be
// recorded. The error wraps [opsec.ErrInvalid] and names the field.
func New(r Request, now time.Time) (Case, *opsec.Event, error) {
	r.ID, r.Nonce, r.Time, r.Policy = opsec.NewID(), rand.Text(), now.UTC().Round(0), r.Policy.withDefaults()
	if err := r.validate(); err != nil {
		return Case{}, nil, err
	}
	var c Case // shares nothing with what the caller has, and is what will be read back
	b, err := json.Marshal(Case{Request: r})
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return Case{}, nil, err
	}
	return c, c.event(&Step{Decision: Decision{Verb: ask, By: r.By, Reason: r.Reason}, Time: r.Time}, Standing{Status: Pending}), nil
}

// Decide takes the decision of an approver: [Approve], [Reject] or [Retract].
//
// An approval or rejection is about the open stage and needs a role that this stage asks for, established by a.Roles. A
// person decides once, whatever the number of accounts; never on what the same person asks for or is to benefit from. As
// soon as a stage is met the next one opens, and after the last the case is approved. Rejections end it, as the stage
// says. A retraction is open to whoever has approved, until the use, and ends the case at once.
func (c Case) Decide(d Decision, a Authority, now time.Time) (Case, *opsec.Event, error) {
	if d.Verb != Approve && d.Verb != Reject && d.Verb != Retract {
		return c, nil, invalid("decision.verb: want approve, reject or retract")
	}
	if a.Roles == nil {
		return c, nil, invalid("authority.roles: nil")
	}
	step := Step{Decision: d}
	step.Signature = slices.Clone(d.Signature)
	if d.Verb != Retract && 0 <= d.Stage && d.Stage < len(c.Request.Policy.Stages) {
		held, err := a.Roles(d.By)
		if err != nil {
			return c, nil, err
		}
		step.Roles = c.Request.counting(d.Stage, d.By, held)
	}
	return c.advance(step, now, func() error { return c.Request.verify(c.Request.Digest(), &d, a.Keys) })
}

// Withdraw takes the request back, by the person who made it, with whatever account, until the use.
func (c Case) Withdraw(by opsec.Actor, reason string, now time.Time) (Case, *opsec.Event, error) {
	return c.advance(Step{Decision: Decision{Verb: Withdraw, By: by, Reason: reason}}, now, nil)
}

// Expire notes that time has run out. The other verbs refuse an expired case without it; noting it makes it final also for
// a clock that goes back later.
func (c Case) Expire(now time.Time) (Case, *opsec.Event, error) {
	return c.advance(Step{Decision: Decision{Verb: Expire, By: clock()}}, now, nil)
}

// Use spends the approval: save the case that it returns before you act, so that nobody else can use it, and act on
// nothing but action. If acting fails, the approval is spent all the same. Everything is checked anew: that action is the one approved ([ErrOtherAction]), every signature, and
// that enough approvers still hold the roles they had when they decided ([ErrLapsed]). Who may call it is for the caller
// to decide.
func (c Case) Use(action Action, by opsec.Actor, a Authority, now time.Time) (Case, *opsec.Event, error) {
	if a.Roles == nil {
		return c, nil, invalid("authority.roles: nil")
	}
	return c.advance(Step{Decision: Decision{Verb: Use, By: by}}, now, func() error {
		if action != c.Request.Action {
			return ErrOtherAction
		}
		if err := c.Verify(a.Keys); err != nil {
			return err
		}
		return c.recheck(a.Roles)
	})
}

// recheck reports whether every stage is met by what approvers held then and hold now.
func (c *Case) recheck(roles func(opsec.Actor) ([]string, error)) error {
	approvals := make([][]Step, len(c.Request.Policy.Stages))
	for _, s := range c.History {
		if s.Verb != Approve {
			continue
		}
		held, err := roles(s.By)
		if err != nil {
			return err
		}
		s.Roles = slices.DeleteFunc(slices.Clone(s.Roles), func(role string) bool { return !slices.Contains(held, role) })
		approvals[s.Stage] = append(approvals[s.Stage], s)
	}
	for i, stage := range c.Request.Policy.Stages {
		if !c.Request.met(stage.Rule, approvals[i]) {
			return ErrLapsed
		}
	}
	return nil
}

// advance takes a step after all others, if it can follow and check, if any, agrees.
func (c Case) advance(step Step, now time.Time, check func() error) (Case, *opsec.Event, error) {
	s, err := c.replay()
	if err != nil {
		return c, nil, err
	}
	step.Time, step.SignedAt = now.UTC().Round(0), step.SignedAt.UTC().Round(0)
	if now.Before(s.clock) {
		step.Time = s.clock
	}
	if err := errors.Join(validTime(now), step.validate()); err != nil {
		return c, nil, err
	}
	before := s.Standing
	err = s.take(&c.Request, &step)
	if err == nil && check != nil {
		err = check()
	}
	switch {
	case errors.Is(err, opsec.ErrDenied):
		e := c.event(&step, before)
		e.Outcome, e.Reason = opsec.Denied, err.Error()[:min(len(err.Error()), maxReason)]
		return c, e, err
	case err != nil:
		return c, nil, err
	}
	next := Case{Request: c.Request, History: append(slices.Clip(c.History), step)}
	return next, next.event(&step, s.Standing), nil
}
