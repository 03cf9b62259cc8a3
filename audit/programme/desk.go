package programme

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// Audits keeps audits. Package shelf has two; see the documentation of this package for one on a table of your own.
type Audits interface {
	// Update calls fn with the audit as it is (the zero Audit when there is none), saves what it returns and records
	// the events, all or nothing: of two at once, one goes after the other, and fn may be called again for it. An Audit
	// without an ID, or one that is as it was, need not be saved; its events are recorded all the same. An error of fn is
	// returned as it is, and nothing is saved or recorded.
	Update(ctx context.Context, id string, fn func(Audit) (Audit, []opsec.Event, error)) error
	// IDs yields the ids of all audits, in any order.
	IDs(ctx context.Context) iter.Seq2[string, error]
}

// Ledger is what the desk asks of the transparency log that holds its events.
type Ledger interface {
	// Locate returns where the event is. An error wrapping opsec.ErrNotFound says that it is not there yet.
	Locate(ctx context.Context, event opsec.ID) (sample.Anchor, error)
	// Checkpoint returns the newest signed checkpoint, with the witnesses' signatures.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Trail returns what was done in a period, all of it that was recorded before the call: who lags clears the wrong people.
	Trail(ctx context.Context, from, until time.Time) iter.Seq2[independence.Act, error]
}

// Options is what a Desk is wired with. Authorizer and Verifier must be set. A resource that the Authorizer is asked about is
// of type "audit", and the provider's.
type Options struct {
	Authorizer   opsec.Authorizer                                                      // asked for the action of each step, and ActionRead
	Ledger       Ledger                                                                // needed by Assign and Draw
	Verifier     sample.CheckpointVerifier                                             // whose checkpoints a sample may be drawn by
	Organisation func(context.Context) (independence.Organisation, error)              // needed by Assign
	Records      func(ctx context.Context, person string) ([]competence.Record, error) // needed by Assign
	Catalogue    func(name string) (*catalogue.Catalogue, error)                       // by Name; nil: X.1642 alone
	Proofs       func(ctx context.Context, e Evidence) error                           // verifies a proof; nil: evidence with one is refused
	Blackouts    func(from, until time.Time) error                                     // nil when nothing forbids fieldwork then
	Notifier     opsec.Notifier                                                        // needed by Sweep
	Now          func() time.Time
	Logger       *slog.Logger
}

// Desk runs audits: it asks whether somebody may take a step, finds out what the step rests on, and has it kept and
// recorded. It is safe for concurrent use.
type Desk struct {
	audits Audits
	policy Policy
	opts   Options
}

// NewDesk returns a desk. The error wraps [opsec.ErrInvalid].
func NewDesk(audits Audits, p Policy, opts Options) (*Desk, error) {
	if audits == nil || opts.Authorizer == nil {
		return nil, invalid("desk: no Audits, or no Authorizer")
	}
	if err := errors.Join(p.Validate(), opts.Verifier.Validate()); err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Catalogue == nil {
		opts.Catalogue = builtIn
	}
	return &Desk{audits, p, opts}, nil
}

func builtIn(name string) (*catalogue.Catalogue, error) {
	if c := catalogue.X1642(); name == c.Name() {
		return c, nil
	}
	return nil, invalid("plan: catalogue unknown")
}

// Open starts an audit.
func (d *Desk) Open(ctx context.Context, who opsec.Actor, id string, plan Plan) (Audit, error) {
	if err := d.authorize(ctx, who, ActionOpen, id); err != nil {
		return Audit{}, err
	}
	if err := d.plausible(ctx, plan); err != nil {
		return Audit{}, err
	}
	return d.take(ctx, who, id, open{plan})
}

// Audit returns an audit as it is. The error wraps [opsec.ErrNotFound] when there is none.
func (d *Desk) Audit(ctx context.Context, who opsec.Actor, id string) (Audit, error) {
	return d.enter(ctx, who, ActionRead, id)
}

// Take takes a step. What the desk can find out by itself it does not take from the caller: members are put on the team
// by [Desk.Assign], samples drawn by [Desk.Draw], automated results recorded by [Desk.Run], and of a finding the previous
// one is looked up. Errors are those of [Policy.Apply]; what was denied is recorded. After any error but one that wraps
// [opsec.ErrDenied] or [opsec.ErrInvalid], or is [ErrStage], it is for the Audits to say whether the step was taken.
func (d *Desk) Take(ctx context.Context, who opsec.Actor, id string, s Step) (Audit, error) {
	if !plain(s) {
		return Audit{}, invalid("step: want one of this package, by value")
	}
	switch s.(type) {
	case open, Assign, Seed:
		return Audit{}, invalid("step: this one is taken by Desk.Open, Desk.Assign or Desk.Draw")
	}
	action, _ := s.about()
	if err := d.authorize(ctx, who, action, id); err != nil {
		return Audit{}, err
	}
	s, err := d.prepared(ctx, id, s)
	if err != nil {
		return Audit{}, err
	}
	return d.take(ctx, who, id, s)
}

// prepared returns the step with what the desk finds out for it.
func (d *Desk) prepared(ctx context.Context, id string, s Step) (Step, error) {
	switch s := s.(type) {
	case Revise:
		return s, d.plausible(ctx, s.Plan)
	case Release:
		a, err := d.load(ctx, id)
		if err != nil {
			return s, err
		}
		return s, d.open(a.Plan.From, a.Plan.Until)
	case Perform:
		for _, r := range s.Results {
			if r.Automated {
				return s, invalid("perform: automated results are recorded by Desk.Run")
			}
			if err := d.prove(ctx, r.Evidence); err != nil {
				return s, err
			}
		}
	case Complete:
		return s, d.prove(ctx, s.Evidence)
	case Raise:
		previous, err := d.previous(ctx, id, s.Finding.Subject)
		s.Previous = previous
		return s, err
	}
	return s, nil
}

// plausible checks a plan against what is around it.
func (d *Desk) plausible(ctx context.Context, p Plan) error {
	c, err := d.opts.Catalogue(p.Catalogue)
	if err != nil {
		return err
	}
	for _, x := range p.Procedures {
		for _, id := range x.Requirements {
			if _, ok := c.Requirement(id); !ok {
				return invalid("procedure %s: a requirement that the catalogue does not have", short(x.ID))
			}
		}
	}
	if p.Follows != "" {
		if _, err := d.load(ctx, p.Follows); err != nil {
			return fmt.Errorf("programme: plan: follows: %w", err)
		}
	}
	return d.open(p.From, p.Until)
}

// open returns an error when there is to be no fieldwork at some time.
func (d *Desk) open(from, until time.Time) error {
	if d.opts.Blackouts == nil {
		return nil
	}
	return d.opts.Blackouts(from, until)
}

func (d *Desk) prove(ctx context.Context, list []Evidence) error {
	for _, e := range list {
		if e.Proof == "" {
			continue
		}
		if d.opts.Proofs == nil {
			return invalid("evidence: a proof, and nothing to verify it")
		}
		if err := d.opts.Proofs(ctx, e); err != nil {
			return fmt.Errorf("programme: evidence: proof: %w", err)
		}
	}
	return nil
}

const maxFollowed = 64 // cancelled audits between one and the one it follows

// previous returns the finding with this subject in the audit that this one follows; one that was cancelled before its
// results were issued is passed over.
func (d *Desk) previous(ctx context.Context, id, subject string) (*Finding, error) {
	a, err := d.load(ctx, id)
	for range maxFollowed {
		if err != nil || a.Plan.Follows == "" {
			return nil, err
		}
		if a, err = d.load(ctx, a.Plan.Follows); err != nil {
			return nil, fmt.Errorf("programme: the audit that this one follows: %w", err)
		}
		issued := func(e Entry) bool { return e.Action == ActionIssue }
		if a.Stage == Cancelled && !slices.ContainsFunc(a.History, issued) {
			continue
		}
		return find(a.Findings, func(f *Finding) bool { return f.Subject == subject }), nil
	}
	return nil, invalid("plan: follows more than %d cancelled audits", maxFollowed)
}

// Assign looks into what members did, own and answer for, and what they have shown to know, and puts them on the team, all
// or none. The log is read once for all. A conflict of interest is an [independence.ConflictError], and there is no way
// around it.
func (d *Desk) Assign(ctx context.Context, who opsec.Actor, id string, members ...Member) (Audit, error) {
	if d.opts.Ledger == nil || d.opts.Organisation == nil || d.opts.Records == nil || len(members) == 0 {
		return Audit{}, invalid("assign: no members, or the desk has no Ledger, Organisation or Records")
	}
	a, err := d.enter(ctx, who, ActionAssign, id)
	if err != nil {
		return Audit{}, err
	}
	organisation, err := d.opts.Organisation(ctx)
	if err != nil {
		return Audit{}, err
	}
	persons := make([]string, len(members))
	for i, m := range members {
		persons[i] = m.Person
	}
	now := d.opts.Now()
	acts := d.opts.Ledger.Trail(ctx, now.Add(-d.policy.lookBack()), now.Add(clockSkew))
	clearance, err := d.policy.Independence.Examine(ctx, a.Plan.Scope, persons, organisation, acts, now)
	if err != nil {
		return Audit{}, err
	}
	steps := make([]Step, len(members))
	for i, m := range members {
		records, err := d.opts.Records(ctx, m.Person)
		if err != nil {
			return Audit{}, err
		}
		steps[i] = Assign{Member: m, Clearance: clearance, Records: records}
	}
	return d.take(ctx, who, id, steps...)
}

// Draw finds the freeze in the ledger, and draws the samples by its newest checkpoint. It wants the populations that were
// frozen. While the log does not have the freeze the error is [ErrStage]; other errors are those of [sample.Derive].
func (d *Desk) Draw(ctx context.Context, who opsec.Actor, id string, populations ...sample.Frame) (Audit, error) {
	if d.opts.Ledger == nil {
		return Audit{}, invalid("draw: the desk has no Ledger")
	}
	a, err := d.enter(ctx, who, ActionDraw, id)
	if err != nil {
		return Audit{}, err
	}
	if a.Stage != Frozen {
		return a, notNow("the audit is %s", a.Stage)
	}
	freeze := a.Freezes[len(a.Freezes)-1]
	anchor, err := d.opts.Ledger.Locate(ctx, freeze.Event)
	if errors.Is(err, opsec.ErrNotFound) {
		return a, notNow("the log does not have the freeze yet: %w", err)
	}
	if err != nil {
		return a, err
	}
	checkpoint, err := d.opts.Ledger.Checkpoint(ctx)
	if err != nil {
		return a, err
	}
	return d.take(ctx, who, id, Seed{Anchor: anchor, Checkpoint: checkpoint, Verifier: d.opts.Verifier, Frames: populations})
}

// take takes steps, all or none.
func (d *Desk) take(ctx context.Context, who opsec.Actor, id string, steps ...Step) (Audit, error) {
	bys := make([]By, len(steps))
	for i := range bys {
		bys[i] = d.by(who)
	}
	var refused error
	a, err := d.update(ctx, id, func(a Audit) (Audit, []opsec.Event, error) {
		refused = nil
		next, events := a, []opsec.Event(nil)
		for i, s := range steps {
			if slices.ContainsFunc(next.History, func(e Entry) bool { return e.Event == bys[i].Event }) {
				continue // by a call before this one, whose answer was lost
			}
			after, e, err := d.step(next, id, s, bys[i])
			if errors.Is(err, opsec.ErrDenied) {
				refused = err
				return a, []opsec.Event{e}, nil
			}
			if err != nil {
				return a, nil, err
			}
			next, events = after, append(events, e)
		}
		return next, events, nil
	})
	return a, errors.Join(refused, err)
}

func (d *Desk) step(a Audit, id string, s Step, by By) (Audit, opsec.Event, error) {
	first, ok := s.(open)
	switch {
	case ok && a.ID != "":
		return a, opsec.Event{}, invalid("open: there is an audit with this id")
	case ok:
		return d.policy.Open(id, first.plan, by)
	case a.ID == "":
		return a, opsec.Event{}, notFound()
	}
	return d.policy.Apply(a, s, by)
}

func (d *Desk) by(who opsec.Actor) By {
	return By{Actor: who, Time: d.opts.Now(), Event: opsec.NewID()}
}

// update returns the audit as it is kept afterwards.
func (d *Desk) update(ctx context.Context, id string, fn func(Audit) (Audit, []opsec.Event, error)) (Audit, error) {
	var before, after Audit
	err := d.audits.Update(ctx, id, func(a Audit) (next Audit, events []opsec.Event, err error) {
		next, events, err = fn(a)
		before, after = a, next
		return next, events, err
	})
	if err != nil {
		return before, err
	}
	return after, nil
}

// enter returns the audit, if the actor may do something about it.
func (d *Desk) enter(ctx context.Context, who opsec.Actor, action, id string) (Audit, error) {
	if err := d.authorize(ctx, who, action, id); err != nil {
		return Audit{}, err
	}
	return d.load(ctx, id)
}

func (d *Desk) load(ctx context.Context, id string) (Audit, error) {
	if err := checkID("id", id); err != nil {
		return Audit{}, err
	}
	return d.update(ctx, id, func(a Audit) (Audit, []opsec.Event, error) {
		if a.ID == "" {
			return a, nil, notFound()
		}
		return a, nil, a.sound()
	})
}

func notFound() error { return fmt.Errorf("programme: audit: %w", opsec.ErrNotFound) }

// authorize asks whether somebody may take a step. A refusal is recorded.
func (d *Desk) authorize(ctx context.Context, who opsec.Actor, action, id string) error {
	if err := checkID("id", id); err != nil {
		return err
	}
	err := d.opts.Authorizer.Authorize(ctx, who, action, resource(id))
	if err == nil || action == ActionRead || !errors.Is(err, opsec.ErrDenied) {
		return err
	}
	by := d.by(who)
	e := opsec.Event{
		ID: by.Event, Time: at(by.Time), Tenant: opsec.Provider, Class: opsec.Critical, Action: action, Outcome: opsec.Denied,
		Actor: who, Resource: resource(id), Reason: "not authorized",
	}
	_, recording := d.update(ctx, id, func(a Audit) (Audit, []opsec.Event, error) { return a, []opsec.Event{e}, nil })
	return errors.Join(err, recording)
}
