package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

const (
	defaultWithin = time.Hour
	maxWithin     = 24 * time.Hour
	maxReason     = 2 << 10

	minChallenge, maxChallenge = 16, 64 // as package shares has them
)

// Request is what a ceremony is opened for.
type Request struct {
	Purpose Purpose
	Reason  string        // needed; 2 KiB at most
	Within  time.Duration // from the opening to its end; 0 for one hour; at most 24 hours

	InsecureOpenerHolds bool // who opens it may hand in a share too
}

// Ceremony holds the shares that were handed in. Its methods may be called by many goroutines.
type Ceremony struct {
	o      Options
	roster *Roster
	on     opsec.Resource
	over   chan struct{} // closed when the status is final

	mu     sync.Mutex
	state  State
	shares []shares.Share // copies; nil when they have been used
}

// Open opens a ceremony on a roster, which it does not change and which must not change.
func Open(ctx context.Context, by opsec.Actor, roster *Roster, r Request, o *Options) (*Ceremony, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if r.Within == 0 {
		r.Within = defaultWithin
	}
	switch {
	case roster == nil:
		return nil, invalid("roster: none")
	case r.Purpose != Recover && r.Purpose != Rehearse && r.Purpose != Renew:
		return nil, invalid("purpose: want recover, rehearse or renew")
	case r.Reason == "" || len(r.Reason) > maxReason:
		return nil, invalid("reason: %d bytes, want 1 to %d", len(r.Reason), maxReason)
	case r.Within < 0 || r.Within > maxWithin:
		return nil, invalid("within: %s, want at most %s", r.Within, maxWithin)
	case by.Person == "" && !r.InsecureOpenerHolds:
		return nil, invalid("by: a person must be known")
	}
	if err := roster.Validate(); err != nil {
		return nil, err
	}
	c := &Ceremony{o: *o, roster: roster, over: make(chan struct{})}
	c.on = opsec.Resource{Tenant: roster.Tenant, Type: resourceType, ID: roster.Set.ID.String()}
	if err := c.o.authorize(ctx, by, ActionOpen, c.on, r.Reason); err != nil {
		return nil, err
	}
	now := c.o.now()
	c.state = State{
		ID: opsec.NewID(), Purpose: r.Purpose, Reason: r.Reason, Set: roster.Set.ID,
		Threshold: roster.Set.Threshold, Shares: roster.Set.Shares, By: by, Opened: now, Deadline: now.Add(r.Within),
		InsecureOpenerHolds: r.InsecureOpenerHolds, Status: Waiting,
	}
	if err := c.o.record(ctx, c.event(ActionOpen, by), nil); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Ceremony) event(action string, by opsec.Actor) *opsec.Event {
	e := c.o.event(action, by, c.on, c.state.Reason)
	e.Attrs = []opsec.Attr{
		{Key: "ceremony", Value: string(c.state.ID), Mark: opsec.Tenant},
		{Key: "purpose", Value: string(c.state.Purpose), Mark: opsec.Tenant},
		{Key: "submitted", Value: fmt.Sprint(c.state.Submitted()), Mark: opsec.Tenant},
	}
	return e
}

// State returns where the ceremony stands.
func (c *Ceremony) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view()
}

// view is the state for others, who may change it.
func (c *Ceremony) view() State {
	s := c.state
	s.History = slices.Clone(s.History)
	return s
}

// enter locks, lets the time run out, asks the authorizer, and returns the state that the step leads to. Every refusal is
// recorded. The caller unlocks.
func (c *Ceremony) enter(ctx context.Context, action string, step Step, want Purpose) (State, error) {
	step.Time = c.o.now()
	if err := c.expire(ctx, step.Time); err != nil {
		return c.state, err
	}
	if err := c.o.authorize(ctx, step.By, action, c.on, c.state.Reason); err != nil {
		return c.state, err
	}
	if want != "" && want != c.state.Purpose {
		return c.state, c.o.record(ctx, c.event(action, step.By), ErrPurpose)
	}
	next, err := c.state.Apply(step)
	if err != nil {
		return c.state, c.o.record(ctx, c.event(action, step.By), err)
	}
	return next, nil
}

// become takes a state that is recorded.
func (c *Ceremony) become(next State) {
	c.state = next
	if next.Over() {
		clearAll(c.shares)
		c.shares = nil
		close(c.over)
	}
}

// expire ends the ceremony when its time is over: also when that cannot be recorded, which is an error.
func (c *Ceremony) expire(ctx context.Context, now time.Time) error {
	clock := opsec.Actor{Kind: opsec.System}
	next, err := c.state.Apply(Step{Verb: Expire, By: clock, Time: now})
	if err != nil {
		return nil // not yet, or over already
	}
	c.become(next)
	return c.o.record(ctx, c.event(ActionExpire, clock), nil)
}

// Submit hands in the share of the person behind by. The ceremony keeps a copy until it is over: the caller clears its own. A
// bad share is a [*shares.BadShareError], and its holder may try again.
func (c *Ceremony) Submit(ctx context.Context, by opsec.Actor, share shares.Share) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	index, _ := c.roster.index(by) // 0 is refused
	next, err := c.enter(ctx, ActionSubmit, Step{Verb: Submit, By: by, Index: index}, "")
	if err != nil {
		return c.view(), err
	}
	if err = c.roster.Set.Check(share); err == nil && share.Index() != index {
		err = ErrNotHolder
	}
	e := c.event(ActionSubmit, by)
	e.Attrs = append(e.Attrs, opsec.Attr{Key: "index", Value: itoa(index), Mark: opsec.Tenant})
	if err = c.o.record(ctx, e, err); err != nil {
		return c.view(), err
	}
	b := share.Bytes()
	defer clear(b)
	kept, err := shares.ParseShare(b)
	if err != nil {
		return c.view(), err
	}
	c.shares = append(c.shares, kept)
	c.become(next)
	return c.view(), nil
}

// Recover puts the secret together and hands it to use, once. It is cleared when use returns, which must not keep it. When
// use fails the ceremony has failed, and the custodians start again. The intent is recorded before: when it cannot be, nothing
// is done and the ceremony stands as it did; an end that cannot be is an error although the secret was used.
func (c *Ceremony) Recover(ctx context.Context, by opsec.Actor, use func(ctx context.Context, secret []byte) error) error {
	return c.run(ctx, by, ActionRecover, Recover, func(list []shares.Share) ([]opsec.Attr, error) {
		secret, err := c.roster.Set.Combine(list)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		return nil, use(ctx, secret)
	})
}

// Renew deals new shares of the same secret, to the custodians of the plan, whose tenant and label are those of the roster when
// empty. The old roster and the old shares still open: keep the new roster, rehearse it, and then destroy the old shares.
func (c *Ceremony) Renew(ctx context.Context, by opsec.Actor, plan Plan) (*Roster, error) {
	var roster *Roster
	if plan.Tenant == "" {
		plan.Tenant = c.roster.Tenant
	}
	if plan.Label == "" {
		plan.Label = c.roster.Set.Label
	}
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	if plan.Tenant != c.roster.Tenant {
		return nil, invalid("tenant: not that of the secret")
	}
	err := c.run(ctx, by, ActionRenew, Renew, func(list []shares.Share) (attrs []opsec.Attr, err error) {
		roster, err = deal(plan, func(s shares.Scheme) (*shares.Set, []shares.Share, error) { return c.roster.Set.Refresh(list, s) })
		if err != nil {
			return nil, err
		}
		return describe(roster), nil
	})
	if err != nil {
		return nil, err
	}
	return roster, nil
}

// Rehearse returns a proof that the shares which were handed in open the set, see [shares.Set.Rehearse]. The secret is not put
// together.
func (c *Ceremony) Rehearse(ctx context.Context, by opsec.Actor, challenge []byte) (proof shares.Proof, err error) {
	if len(challenge) < minChallenge || len(challenge) > maxChallenge {
		return proof, invalid("challenge: %d bytes, want %d to %d", len(challenge), minChallenge, maxChallenge)
	}
	err = c.run(ctx, by, ActionRehearse, Rehearse, func(list []shares.Share) (attrs []opsec.Attr, err error) {
		proof, err = c.roster.Set.Rehearse(list, challenge, c.o.now())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(proof.Signature)
		return []opsec.Attr{{Key: "signature_sha256", Value: hex.EncodeToString(sum[:]), Mark: opsec.Tenant}}, nil
	})
	if err != nil {
		return shares.Proof{}, err
	}
	return proof, nil
}

// run takes the shares away, serves the purpose without holding the lock, and records its intent and its end.
func (c *Ceremony) run(ctx context.Context, by opsec.Actor, action string, p Purpose, serve func([]shares.Share) ([]opsec.Attr, error)) (err error) {
	c.mu.Lock()
	next, err := c.enter(ctx, action, Step{Verb: Start, By: by}, p)
	var op *opsec.Operation
	if err == nil {
		op, err = opsec.Begin(ctx, c.o.Recorder, c.event(action, by))
	}
	if err != nil {
		c.mu.Unlock()
		return err
	}
	list := c.shares
	c.shares = nil
	c.become(next)
	c.mu.Unlock()

	outcome, attrs := error(errPanic), []opsec.Attr(nil)
	defer func() { // also when serve panics
		clearAll(list)
		verb := Finish
		if outcome != nil {
			verb = Fail
			outcome = fmt.Errorf("ceremony: %s: %w", p, outcome)
			attrs = append(attrs, errorAttr(outcome))
		}
		err = errors.Join(outcome, op.End(context.WithoutCancel(ctx), opsec.OutcomeOf(outcome), attrs...))
		c.mu.Lock()
		defer c.mu.Unlock()
		if ended, err := c.state.Apply(Step{Verb: verb, By: by, Time: c.o.now()}); err == nil {
			c.become(ended)
		}
	}()
	attrs, outcome = serve(list)
	return nil
}

var errPanic = errors.New("panic")

// Abort ends the ceremony without using the shares: also when that cannot be recorded, which is an error.
func (c *Ceremony) Abort(ctx context.Context, by opsec.Actor, reason string) error {
	if len(reason) > maxReason {
		return invalid("reason: %d bytes, want at most %d", len(reason), maxReason)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	next, err := c.enter(ctx, ActionAbort, Step{Verb: Abort, By: by}, "")
	if err != nil {
		return err
	}
	c.become(next)
	e := c.event(ActionAbort, by)
	e.Reason = reason
	return c.o.record(ctx, e, nil)
}

// Run returns nil when the ceremony is over, and ends it when its time is. When ctx ends first, the ceremony is aborted.
// Without it, the shares stay in memory until somebody calls a method after the deadline.
func (c *Ceremony) Run(ctx context.Context) error {
	for {
		rest := c.State().Deadline.Sub(c.o.now())
		if rest <= 0 { // it is running, and may take longer
			rest = time.Second
		}
		wait := time.NewTimer(rest)
		select {
		case <-c.over:
			wait.Stop()
			return nil
		case <-ctx.Done():
			wait.Stop()
			return errors.Join(ctx.Err(), c.stop(context.WithoutCancel(ctx)))
		case <-wait.C:
			if err := c.tick(ctx); err != nil {
				return err
			}
		}
	}
}

func (c *Ceremony) tick(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expire(ctx, c.o.now())
}

// stop aborts because the process stops.
func (c *Ceremony) stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	system := opsec.Actor{Kind: opsec.System}
	next, err := c.state.Apply(Step{Verb: Abort, By: system, Time: c.o.now()})
	if err != nil {
		return nil // running, or over
	}
	c.become(next)
	e := c.event(ActionAbort, system)
	e.Reason = "the process stops"
	return c.o.record(ctx, e, nil)
}
