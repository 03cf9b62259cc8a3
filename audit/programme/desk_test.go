package programme_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// cabinet keeps audits as the contract says, and as badly as it may: it calls every function twice.
type cabinet struct {
	mu     sync.Mutex
	log    opsec.Recorder
	audits map[string]string
	twice  bool  // the first call is kept, and its answer lost
	broken error // after so many Updates
	left   int
}

func (c *cabinet) Update(ctx context.Context, id string, fn func(programme.Audit) (programme.Audit, []opsec.Event, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		if c.left == 0 {
			return c.broken
		}
		c.left--
	}
	again := c.twice
	for {
		var a programme.Audit
		if s, ok := c.audits[id]; ok {
			if err := json.Unmarshal([]byte(s), &a); err != nil {
				return err
			}
		}
		next, events, err := fn(a)
		if err != nil {
			return err
		}
		for i := range events {
			if _, err := c.log.Record(ctx, &events[i]); err != nil {
				return err
			}
		}
		if next.ID != "" {
			b, err := json.Marshal(next)
			if err != nil {
				return err
			}
			c.audits[id] = string(b)
		}
		if !again {
			return nil
		}
		again = false
	}
}

func (c *cabinet) IDs(context.Context) iter.Seq2[string, error] {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := slices.Sorted(maps.Keys(c.audits))
	return func(yield func(string, error) bool) {
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// office is a desk with all that is around it.
type office struct {
	*programme.Desk
	t       testing.TB
	ctx     context.Context
	ledger  *ledger
	cabinet *cabinet
	opts    programme.Options
	now     time.Time
	org     independence.Organisation
	known   func(person string) []competence.Record
	denied  map[string]bool // actions
	sent    []opsec.Message
	deaf    error
}

func newOffice(t testing.TB, policy programme.Policy) *office {
	o := &office{t: t, ctx: context.Background(), now: noon, known: records, denied: map[string]bool{}}
	o.ledger = &ledger{t: t, now: func() time.Time { return o.now }}
	o.cabinet = &cabinet{log: o.ledger, audits: map[string]string{}}
	o.opts = programme.Options{
		Authorizer: o, Ledger: o.ledger, Verifier: verifier(t), Notifier: o,
		Organisation: func(context.Context) (independence.Organisation, error) { return o.org, nil },
		Records:      func(_ context.Context, person string) ([]competence.Record, error) { return o.known(person), nil },
		Now: func() time.Time {
			o.now = o.now.Add(time.Second)
			return o.now
		},
	}
	o.reopen(policy)
	return o
}

func (o *office) reopen(policy programme.Policy) {
	d, err := programme.NewDesk(o.cabinet, policy, o.opts)
	require.NoError(o.t, err)
	o.Desk = d
}

func (o *office) Authorize(_ context.Context, who opsec.Actor, action string, what opsec.Resource) error {
	require.Equal(o.t, opsec.Provider, what.Tenant)
	require.Equal(o.t, "audit", what.Type)
	if o.denied[action] {
		return opsec.ErrDenied
	}
	return nil
}

func (o *office) Notify(_ context.Context, m opsec.Message) error {
	if o.deaf == nil {
		o.sent = append(o.sent, m)
	}
	return o.deaf
}

func (o *office) take(person string, s programme.Step) programme.Audit {
	o.t.Helper()
	a, err := o.Take(o.ctx, actor(person), "2026-1", s)
	require.NoError(o.t, err)
	return a
}

// last is the newest event.
func (o *office) last() opsec.Event { return o.ledger.events[len(o.ledger.events)-1] }

// open has an audit that is frozen.
func (o *office) freeze() programme.Audit {
	o.t.Helper()
	_, err := o.Open(o.ctx, actor("lea"), "2026-1", plan())
	require.NoError(o.t, err)
	_, err = o.Assign(o.ctx, actor("lea"), "2026-1", team()...)
	require.NoError(o.t, err)
	o.take("mia", programme.Guarantee{Resource: "A room"})
	for _, c := range []string{"virtualisation", "operation", "iam", "emergency"} {
		o.take("mia", programme.Waive{Category: c, Reason: "audited in autumn"})
	}
	o.take("mia", programme.Release{})
	return o.take("lea", programme.Fix{Frames: commitments(o.t)})
}

func (o *office) fieldwork() programme.Audit {
	o.t.Helper()
	o.freeze()
	o.now = o.now.Add(minute)
	a, err := o.Draw(o.ctx, actor("tom"), "2026-1", populations()...)
	require.NoError(o.t, err)
	return a
}

func (o *office) lend() {
	o.t.Helper()
	g := programme.Grant{
		ID: "g1", Tool: "backup.verify", Person: "tom", Targets: []string{"volume/*"}, From: o.now, Until: o.now.Add(day), Uses: 10,
	}
	o.take("lea", programme.Lend{Grant: g})
}

func TestFromPlanToFollowUp(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	a := o.fieldwork()
	o.lend()
	a, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", passes(), items(), time.Second)
	require.NoError(t, err)
	require.Len(t, a.Results, 3)
	var rest []programme.Result
	for _, item := range a.Draw.Items["rotation"] {
		rest = append(rest, programme.Result{
			Procedure: "rotation", Item: item, Status: programme.Failed, Detail: "too old", Evidence: evidence(item, o.now),
		})
	}
	o.take("tim", programme.Perform{Results: rest})
	o.take("tim", programme.Raise{Finding: programme.Finding{
		ID: "f1", Procedure: "rotation", Requirements: []string{"8.3-1"}, Items: a.Draw.Items["rotation"], Criterion: "A year.",
		Condition: "Two.", Cause: "Nobody looks.", Effect: "More to decrypt.", Risk: opsec.SeverityHigh, Subject: "age of keys",
	}})
	o.take("lea", programme.Agree{Action: programme.Action{ID: "a1", Finding: "f1", Text: "Rotate.", Owner: "olaf", Due: o.now.Add(20 * day)}})
	o.take("lea", programme.Issue{})
	o.take("olaf", programme.Complete{Action: "a1", Evidence: evidence("log", o.now)})
	o.take("tim", programme.Verify{Action: "a1", Done: true})
	a = o.take("lea", programme.Close{})
	require.Equal(t, programme.Closed, a.Stage)

	shown, err := o.Audit(o.ctx, actor("auditor"), "2026-1")
	require.NoError(t, err)
	require.Equal(t, a, shown)
	for i, entry := range a.History {
		require.Equal(t, entry.Event, o.ledger.events[i].ID, "every step is in the log, in order")
	}
	require.Len(t, o.ledger.events, len(a.History))
}

func TestDeskWantsWhatItCannotDoWithout(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	for _, change := range []func(*programme.Options){
		func(p *programme.Options) { p.Authorizer = nil },
		func(p *programme.Options) { p.Verifier = sample.CheckpointVerifier{} },
	} {
		opts := o.opts
		change(&opts)
		_, err := programme.NewDesk(o.cabinet, programme.Policy{}, opts)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := programme.NewDesk(nil, programme.Policy{}, o.opts)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = programme.NewDesk(o.cabinet, programme.Policy{LongestRisk: -1}, o.opts)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	o.freeze()
	o.opts = programme.Options{Authorizer: o, Verifier: verifier(t)}
	o.reopen(programme.Policy{})
	_, err = o.Assign(o.ctx, actor("lea"), "2026-1", team()...)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = o.Draw(o.ctx, actor("lea"), "2026-1")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = o.Sweep(o.ctx)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestWhoeverIsNotAuthorizedLeavesATrace(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.fieldwork()
	o.lend()
	before := o.cabinet.audits["2026-1"]
	for action, try := range map[string]func() error{
		programme.ActionOpen:   func() error { _, err := o.Open(o.ctx, actor("eve"), "2026-2", plan()); return err },
		programme.ActionAssign: func() error { _, err := o.Assign(o.ctx, actor("eve"), "2026-1", team()...); return err },
		programme.ActionDraw:   func() error { _, err := o.Draw(o.ctx, actor("eve"), "2026-1"); return err },
		programme.ActionCancel: func() error {
			_, err := o.Take(o.ctx, actor("eve"), "2026-1", programme.Cancel{Reason: "x"})
			return err
		},
		programme.ActionUse: func() error {
			_, err := o.Run(o.ctx, actor("eve"), "2026-1", "restore", "g1", passes(), items(), time.Second)
			return err
		},
		programme.ActionPerform: func() error {
			_, err := o.Run(o.ctx, actor("eve"), "2026-1", "restore", "g1", passes(), items(), time.Second)
			return err
		},
	} {
		o.denied = map[string]bool{action: true}
		require.ErrorIs(t, try(), opsec.ErrDenied, action)
		e := o.last()
		require.Equal(t, []any{action, opsec.Denied, "eve"}, []any{e.Action, e.Outcome, e.Actor.Person})
	}
	require.Equal(t, before, o.cabinet.audits["2026-1"])
	require.NotContains(t, o.cabinet.audits, "2026-2")

	o.denied = map[string]bool{programme.ActionRead: true}
	n := len(o.ledger.events)
	_, err := o.Audit(o.ctx, actor("eve"), "2026-1")
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.Len(t, o.ledger.events, n)
	o.denied = nil
	_, err = o.Audit(o.ctx, actor("eve"), "2026-2")
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = o.Take(o.ctx, actor("eve"), "2026-2", programme.Issue{})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = o.Take(o.ctx, actor("eve"), "../x", programme.Issue{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// What the desk finds out cannot be handed to it.
func TestTakeRefusesWhatTheDeskFindsOut(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	a := o.fieldwork()
	h := &house{t: t, audit: a, now: o.now}
	automated := h.result("restore", 0, programme.Passed)
	automated.Automated = true
	type mine struct{ programme.Assign }
	assign := h.assign(member("eve", programme.Technical))
	for _, s := range []programme.Step{
		assign, &assign, mine{assign}, programme.Seed{}, nil, programme.Perform{Results: []programme.Result{automated}},
	} {
		_, err := o.Take(o.ctx, actor("tom"), "2026-1", s)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	after, err := o.Audit(o.ctx, actor("tom"), "2026-1")
	require.NoError(t, err)
	require.Equal(t, a, after)
}

func TestPlansAreHeldAgainstWhatIsAroundThem(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	open := func(change func(*programme.Plan)) error {
		p := plan()
		change(&p)
		_, err := o.Open(o.ctx, actor("lea"), "x", p)
		return err
	}
	require.ErrorContains(t, open(func(p *programme.Plan) { p.Procedures[0].Requirements = []string{"8.2-99"} }), "catalogue does not have")
	require.ErrorContains(t, open(func(p *programme.Plan) { p.Catalogue = "x1642/0" }), "catalogue unknown")
	require.ErrorIs(t, open(func(p *programme.Plan) { p.Follows = "2025-1" }), opsec.ErrNotFound)
	o.opts.Blackouts = func(from, until time.Time) error {
		if from.Before(noon.Add(3*day)) && until.After(noon.Add(2*day)) {
			return errors.New("end of the quarter")
		}
		return nil
	}
	o.opts.Catalogue = func(name string) (*catalogue.Catalogue, error) {
		require.Equal(t, "x1642/1", name)
		return catalogue.X1642(), nil
	}
	o.reopen(programme.Policy{})
	require.ErrorContains(t, open(func(*programme.Plan) {}), "end of the quarter")
	good := func(p *programme.Plan) { p.From = noon.Add(3 * day) }
	require.NoError(t, open(good))
	require.ErrorContains(t, open(good), "there is an audit with this id")
	_, err := o.Take(o.ctx, actor("lea"), "x", programme.Revise{Plan: plan()})
	require.ErrorContains(t, err, "end of the quarter")

	o.opts.Blackouts = nil
	o.reopen(programme.Policy{})
	_, err = o.Take(o.ctx, actor("lea"), "x", programme.Revise{Plan: plan()})
	require.NoError(t, err)
	o.opts.Blackouts = func(from, until time.Time) error { return errors.New("declared since") }
	o.reopen(programme.Policy{})
	_, err = o.Take(o.ctx, actor("mia"), "x", programme.Release{})
	require.ErrorContains(t, err, "declared since")
}

// Who did something to what is audited does not get in, nor whose manager did.
func TestAssignLooksIntoTheLog(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	_, err := o.Open(o.ctx, actor("lea"), "2026-1", plan())
	require.NoError(t, err)
	act := func(person, system string, at time.Time) independence.Act {
		return independence.Act{
			Time: at, Tenant: opsec.Provider, Action: "backup.delete", System: system, Actor: actor(person), Ref: "r", Outcome: opsec.Success,
		}
	}
	o.ledger.acts = []independence.Act{
		act("olaf", "backup", noon.Add(-100*day)), act("tim", "mail", noon.Add(-day)), act("boss", "kms", noon.Add(-day)),
		act("tom", "backup", noon.Add(-366*day)),
	}
	o.org.Lines = []independence.Line{{Person: "bea", Manager: "boss"}}
	for _, person := range []string{"olaf", "boss", "bea"} {
		_, err := o.Assign(o.ctx, actor("lea"), "2026-1", append(team(), member(person, programme.Technical, "keys"))...)
		var conflict *independence.ConflictError
		require.ErrorAs(t, err, &conflict, person)
		require.Equal(t, person, conflict.Person)
		e := o.last()
		require.Equal(t, []any{programme.ActionAssign, opsec.Denied}, []any{e.Action, e.Outcome})
		a, err := o.Audit(o.ctx, actor("lea"), "2026-1")
		require.NoError(t, err)
		require.Empty(t, a.Team, "all or none")
	}
	a, err := o.Assign(o.ctx, actor("lea"), "2026-1", team()...)
	require.NoError(t, err)
	require.Len(t, a.Team, 4)
	require.Len(t, o.ledger.asked, 4, "the log is read once for all")
	asked := o.ledger.asked[3]
	require.GreaterOrEqual(t, asked[1].Sub(asked[0]), 365*day)

	o.known = func(string) []competence.Record { return nil }
	_, err = o.Assign(o.ctx, actor("lea"), "2026-1", member("max", programme.Technical, "keys"))
	var unqualified *competence.UnqualifiedError
	require.ErrorAs(t, err, &unqualified)
	o.opts.Records = func(context.Context, string) ([]competence.Record, error) { return nil, errors.New("down") }
	o.reopen(programme.Policy{})
	_, err = o.Assign(o.ctx, actor("lea"), "2026-1", member("max", programme.SeniorManagement))
	require.ErrorContains(t, err, "down")
	o.opts.Organisation = func(context.Context) (independence.Organisation, error) { return o.org, errors.New("no chart") }
	o.reopen(programme.Policy{})
	_, err = o.Assign(o.ctx, actor("lea"), "2026-1", member("max", programme.SeniorManagement))
	require.ErrorContains(t, err, "no chart")
}

func TestDrawWaitsForTheLog(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	_, err := o.Open(o.ctx, actor("lea"), "early", plan())
	require.NoError(t, err)
	_, err = o.Draw(o.ctx, actor("lea"), "early")
	require.ErrorIs(t, err, programme.ErrStage)
	o.freeze()
	o.ledger.behind = true
	_, err = o.Draw(o.ctx, actor("tom"), "2026-1", populations()...)
	require.ErrorIs(t, err, programme.ErrStage)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	o.ledger.behind = false
	a, err := o.Draw(o.ctx, actor("tom"), "2026-1", populations()...)
	require.NoError(t, err)
	require.Equal(t, programme.Fieldwork, a.Stage)
	_, err = o.Draw(o.ctx, actor("tom"), "2026-1", populations()...)
	require.ErrorIs(t, err, programme.ErrStage)
}

func TestProofsAreVerified(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	a := o.fieldwork()
	h := &house{t: t, audit: a, now: o.now}
	r := h.result("restore", 0, programme.Passed)
	r.Evidence[0].Proof = "good"
	_, err := o.Take(o.ctx, actor("tom"), "2026-1", programme.Perform{Results: []programme.Result{r}})
	require.ErrorIs(t, err, opsec.ErrInvalid, "nothing to verify it with")
	o.opts.Proofs = func(_ context.Context, e programme.Evidence) error {
		if e.Proof != "good" {
			return errors.New("not in the log")
		}
		return nil
	}
	o.reopen(programme.Policy{})
	o.take("tom", programme.Perform{Results: []programme.Result{r}})
	r.Evidence[0].Proof = "bad"
	_, err = o.Take(o.ctx, actor("tom"), "2026-1", programme.Perform{Results: []programme.Result{r}, Reason: "x"})
	require.ErrorContains(t, err, "not in the log")
	_, err = o.Take(o.ctx, actor("olaf"), "2026-1", programme.Complete{Action: "a1", Evidence: r.Evidence})
	require.ErrorContains(t, err, "not in the log")
}

// The same finding in the audit before weighs more; what was cancelled in between does not hide it.
func TestRepeatsAreFoundInTheAuditThatThisOneFollows(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	keep := func(a programme.Audit) { o.cabinet.audits[a.ID] = text(t, a) }
	first := reported(t).audit
	first.ID = "2025-1"
	keep(first)
	between := approved(t).audit
	between.ID, between.Stage, between.Plan.Follows = "2025-2", programme.Cancelled, "2025-1"
	keep(between)
	for follows, want := range map[string]int{"": 0, "2025-1": 1, "2025-2": 1} {
		h := fieldwork(t)
		h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 0, programme.Failed)}})
		h.audit.Plan.Follows = follows
		keep(h.audit)
		forged := programme.Finding{Subject: "backup of volumes", Repeats: 7}
		a := o.take("tom", programme.Raise{Finding: finding(h), Previous: &forged})
		require.Equal(t, want, a.Findings[0].Repeats, follows)
		require.Equal(t, programme.Escalate(opsec.SeverityMedium, want), a.Findings[0].Risk)
	}
	dropped := reported(t)
	dropped.take("mia", programme.Cancel{Reason: "It looks bad."})
	dropped.audit.ID = "2025-3"
	keep(dropped.audit)
	h := fieldwork(t)
	h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 0, programme.Failed)}})
	h.audit.Plan.Follows = "2025-3"
	keep(h.audit)
	require.Equal(t, 1, o.take("tom", programme.Raise{Finding: finding(h)}).Findings[0].Repeats, "issued is issued")
	h.audit.Plan.Follows = "2025-1"
	keep(h.audit)
	other := finding(h)
	other.Subject = "backup of keys"
	require.Zero(t, o.take("tom", programme.Raise{Finding: other}).Findings[0].Repeats)

	delete(o.cabinet.audits, "2025-1")
	other.ID, other.Subject = "f2", "x"
	_, err := o.Take(o.ctx, actor("tom"), "2026-1", programme.Raise{Finding: other})
	require.ErrorIs(t, err, opsec.ErrNotFound, "not known whether it is a repeat")
	between.Plan.Follows = "2025-2" // a circle
	keep(between)
	h.audit.Plan.Follows = "2025-2"
	keep(h.audit)
	_, err = o.Take(o.ctx, actor("tom"), "2026-1", programme.Raise{Finding: other})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestAnAnswerThatIsLostTakesNoStepTwice(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.cabinet.twice = true
	a := o.fieldwork()
	require.Len(t, a.Freezes, 1)
	o.lend()
	a = o.take("tom", programme.Use{Grant: "g1", Target: volume})
	require.Equal(t, 1, a.Grants[0].Used)
	require.Len(t, o.ledger.events, len(a.History))
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	a := o.fieldwork()
	o.lend()
	before := o.cabinet.audits["2026-1"]
	o.cabinet.log = dead{}
	_, err := o.Take(o.ctx, actor("tom"), "2026-1", programme.Use{Grant: "g1", Target: volume})
	require.ErrorIs(t, err, errDead)
	_, err = o.Take(o.ctx, actor("tim"), "2026-1", programme.Use{Grant: "g1", Target: volume})
	require.ErrorIs(t, err, errDead)
	require.ErrorIs(t, err, opsec.ErrDenied, "refused, and not recorded")
	called := false
	check := programme.CheckFunc(func(context.Context, programme.Item) (programme.Verdict, error) {
		called = true
		return programme.Verdict{}, nil
	})
	after, err := o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", check, items(), time.Second)
	require.ErrorIs(t, err, errDead)
	require.False(t, called)
	require.Zero(t, after.Grants[0].Used)
	require.Equal(t, before, o.cabinet.audits["2026-1"])
	require.Equal(t, programme.Fieldwork, a.Stage)
}

var errDead = errors.New("the log is full")

type dead struct{}

func (dead) Record(context.Context, *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{}, errDead
}
