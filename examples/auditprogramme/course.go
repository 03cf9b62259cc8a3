package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/sample"
	"github.com/cloudopsec/opsec/audit/programme/shelf"
)

// course is an audit on its way: each step is taken by somebody, and the first error ends it.
type course struct {
	ctx  context.Context
	desk *programme.Desk
	a    programme.Audit
	err  error
}

const auditID = "2026-1"

func (c *course) take(person string, steps ...programme.Step) {
	for _, s := range steps {
		if c.err == nil {
			c.a, c.err = c.desk.Take(c.ctx, staffer(person), auditID, s)
		}
	}
}

// staffer is somebody of the provider, as its single sign-on says.
func staffer(person string) opsec.Actor {
	return opsec.Actor{Tenant: opsec.Provider, Account: person, Person: person, Kind: opsec.Human}
}

// hold holds the audit, from the plan to the follow-up, and returns it with what an outsider needs to draw its samples.
func hold(ctx context.Context, p *provider, b *book, o *outcome) (programme.Audit, sample.Dossier, error) {
	now := time.Now()
	for _, did := range []struct{ person, action string }{{"olga", "image.build"}, {"ben", "image.migrate"}, {"olga", "image.sign"}} {
		e := opsec.NewEvent(did.action, now.Add(-time.Hour))
		e.Outcome, e.Actor = opsec.Success, staffer(did.person)
		if _, err := b.Record(ctx, e); err != nil {
			return programme.Audit{}, sample.Dossier{}, err
		}
	}
	c := &course{ctx: ctx}
	c.desk, c.err = programme.NewDesk(shelf.Memory(b), policy(), programme.Options{
		Authorizer: opsec.CallerAuthorized{}, Ledger: b, Verifier: b.keys, Proofs: b.verify,
		Organisation: func(context.Context) (independence.Organisation, error) {
			return independence.Organisation{Lines: []independence.Line{{Person: "olga", Manager: "mia"}, {Person: "ben", Manager: "mia"}}}, nil
		},
		Records: records(now),
	})
	work := procedures(p, b, now)
	if c.err == nil {
		c.a, c.err = c.desk.Open(ctx, staffer("tess"), auditID, plan(work, now))
	}
	team := []programme.Member{
		{Person: "sofia", Function: programme.SeniorManagement},
		{Person: "adam", Function: programme.Administrative, Categories: []string{"operation", "emergency"}},
		{Person: "tess", Function: programme.Technical, Lead: true, Categories: []string{"virtualisation", "iam", "keys"}},
	}
	if c.err == nil { // mia manages who built the images
		_, refused := c.desk.Assign(ctx, staffer("tess"), auditID, programme.Member{Person: "mia", Function: programme.Technical})
		if !errors.Is(refused, opsec.ErrDenied) {
			return c.a, sample.Dossier{}, errors.Join(errors.New("mia could be on the team"), refused)
		}
		o.Refused = refused.Error()
		c.a, c.err = c.desk.Assign(ctx, staffer("sofia"), auditID, team...)
	}
	c.take("sofia",
		programme.Guarantee{Resource: "a quiet hour of the image store"},
		programme.Waive{Category: "platform", Reason: "audited in March, unchanged since"},
		programme.Release{})

	frames := c.fix(work)
	for c.err == nil && c.a.Stage == programme.Frozen { // until there is a checkpoint of after the freeze
		_, err := c.desk.Draw(ctx, staffer("adam"), auditID, frames...)
		if !errors.Is(err, programme.ErrStage) && !errors.Is(err, sample.ErrTooEarly) {
			c.err = err
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if c.err == nil {
		_, refused := c.desk.Take(ctx, staffer("tess"), auditID, programme.Fix{Reason: "another sample would be nicer"})
		if refused == nil {
			return c.a, sample.Dossier{}, errors.New("the scope was frozen after the draw")
		}
		o.Attempt = refused.Error()
	}
	for _, w := range work {
		lender := "tess"
		if w.Person == "tess" {
			lender = "sofia" // nobody lends to themselves
		}
		c.take(lender, programme.Lend{Grant: programme.Grant{
			ID: "use-" + w.ID, Tool: w.Check, Person: w.Person, Targets: []string{w.items[0].Type + "/*"},
			From: now, Until: now.Add(24 * time.Hour), Uses: len(w.items),
		}})
		if c.err == nil {
			c.a, c.err = c.desk.Run(ctx, staffer(w.Person), auditID, w.ID, "use-"+w.ID, w.check, w.items, 10*time.Second)
		}
	}
	c.follow(now)
	if c.err != nil {
		return c.a, sample.Dossier{}, c.err
	}
	d, err := b.dossier(ctx, c.a, frames)
	if err == nil {
		_, err = sample.Recompute(d, b.keys, holds)
	}
	o.Seed = err == nil
	return c.a, d, err
}

// fix freezes the scope: from here on, nobody can change what samples are drawn from.
func (c *course) fix(work []procedure) (frames []sample.Frame) {
	var fix programme.Fix
	for _, w := range work {
		f := sample.Frame{Procedure: w.ID}
		for _, item := range w.items {
			f.Items = append(f.Items, item.ID)
		}
		commitment, err := f.Commit()
		c.err = errors.Join(c.err, err)
		frames, fix.Frames = append(frames, f), append(fix.Frames, commitment)
	}
	c.take("tess", fix)
	return frames
}

// follow raises a finding for each procedure with failures, reports, and sees to it that the worst is mended.
func (c *course) follow(now time.Time) {
	failed := map[string][]string{}
	for _, r := range c.a.Results {
		if r.Status == programme.Failed {
			failed[r.Procedure] = append(failed[r.Procedure], r.Item)
		}
	}
	for _, x := range c.a.Plan.Procedures {
		items := failed[x.ID]
		if len(items) == 0 {
			continue
		}
		c.take(x.Person, programme.Raise{Finding: programme.Finding{
			ID: "F-" + x.ID, Procedure: x.ID, Requirements: x.Requirements[:1], Items: items, Subject: x.Title, Risk: opsec.SeverityHigh,
			Criterion: x.Title, Condition: "it is not so for " + strconv.Itoa(len(items)) + " of those looked at",
			Cause: "nobody looks between audits", Effect: "what is wrong stays so",
		}})
	}
	c.take("tess", programme.Issue{})
	for _, f := range c.a.Findings {
		c.take("tess", programme.Agree{Action: programme.Action{
			ID: "A-" + f.Procedure, Finding: f.ID, Text: "mend it, and look every night", Owner: "olga", Due: now.AddDate(0, 0, 20),
		}})
	}
	if c.err == nil && len(c.a.Actions) > 0 {
		first := c.a.Actions[0].ID
		c.take("olga", programme.Complete{Action: first, Evidence: []programme.Evidence{
			{Name: "restored images", Digest: "sha256:" + noDigest, Collected: now, Person: "olga"},
		}})
		c.take("adam", programme.Verify{Action: first, Done: true})
	}
}
