package dataaccess

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Subject is what an auditor must be qualified for.
const Subject = "audit of operations on customers' data"

// ActionJudge is the action of the event of a verdict.
const ActionJudge = "dataaccess.judge"

// Qualifications knows which certificates are on record.
type Qualifications interface {
	// Qualified returns the reference of what qualifies somebody for a subject at a time. An error that wraps
	// [opsec.ErrDenied] or [opsec.ErrNotFound] says that nothing does; after any other error nobody knows. Both refuse.
	Qualified(ctx context.Context, who opsec.Actor, subject string, at time.Time) (ref string, err error)
}

// Lines knows who reports to whom.
type Lines interface {
	// Related reports whether either of two people reports to the other, directly or through others, or they are one. An
	// error refuses.
	Related(ctx context.Context, a, b opsec.Actor, at time.Time) (bool, error)
}

// Judgement is what an auditor wants to say about a case.
type Judgement struct {
	Verdict Verdict
	By      opsec.Actor // with a person: how the caller has authenticated the auditor
	Reason  string      // required
}

// Judge adds a verdict. Only a person may give one who is qualified at that time, who is not the operator, and whom no
// reporting line connects with the operator. About an operator behind whom nobody is known, anybody could be that person:
// such a case can be called a violation, and never justified.
//
// Unless the judgement itself is malformed ([opsec.ErrInvalid], no event), it returns an event to record, also with an
// error: that somebody who may not judge has tried is worth knowing. After an error the case is as it was; one that
// wraps [opsec.ErrDenied] is a refusal, any other means that a register did not answer.
func (c Case) Judge(ctx context.Context, j Judgement, q Qualifications, l Lines, now time.Time) (Case, *opsec.Event, error) {
	if err := c.Validate(); err != nil {
		return c, nil, err
	}
	if q == nil || l == nil {
		return c, nil, invalid("judge: want qualifications and lines")
	}
	last := c.Opened
	if n := len(c.Steps); n > 0 {
		last = c.Steps[n-1].Time
	}
	if now.Before(last) || len(c.Steps) == maxSteps {
		return c, nil, invalid("judge: the clock went back, or there are %d steps already", maxSteps)
	}
	s := Step{Verdict: j.Verdict, By: j.By, Reason: j.Reason, Time: now}
	err := c.allowed(&s, c.Steps)
	if errors.Is(err, opsec.ErrInvalid) {
		return c, nil, err
	}
	if err == nil {
		s.Qualification, err = c.fit(ctx, j.By, q, l, now)
	}
	if err == nil {
		c.Steps = append(slices.Clip(slices.Clone(c.Steps)), s)
	}
	return c, c.event(&s, err), err
}

// fit returns the auditor's qualification, or why there is none, or no independence.
func (c *Case) fit(ctx context.Context, who opsec.Actor, q Qualifications, l Lines, now time.Time) (string, error) {
	ref, err := q.Qualified(ctx, who, Subject, now)
	switch {
	case errors.Is(err, opsec.ErrDenied):
		return "", fmt.Errorf("dataaccess: the auditor is not qualified: %w", err)
	case errors.Is(err, opsec.ErrNotFound), err == nil && ref == "":
		return "", fmt.Errorf("dataaccess: no qualification of the auditor is on record: %w", opsec.ErrDenied)
	case err != nil:
		return "", fmt.Errorf("dataaccess: qualification of the auditor: %w", err)
	}
	o := c.Finding.Operator
	if o.Person == "" {
		return ref, nil // whom nobody knows has no line
	}
	related, err := l.Related(ctx, who, opsec.Actor{Tenant: o.Tenant, Account: o.Account, Person: o.Person}, now)
	if err != nil {
		return "", fmt.Errorf("dataaccess: reporting lines of the auditor: %w", err)
	}
	if related {
		return "", fmt.Errorf("dataaccess: auditor and operator are of one reporting line: %w", opsec.ErrDenied)
	}
	return ref, nil
}

// event tells of a step. If it was refused, the case is as it was before.
func (c *Case) event(s *Step, err error) *opsec.Event {
	f := &c.Finding
	e := opsec.NewEvent(ActionJudge, s.Time)
	e.Tenant, e.Class, e.Outcome = f.Tenant, opsec.Critical, opsec.OutcomeOf(err)
	e.Actor, e.Reason = s.By, s.Reason
	e.Resource = opsec.Resource{Tenant: f.Tenant, Type: "finding", ID: f.Digest()}
	add := func(key, value string, mark opsec.Sensitivity) {
		if value != "" {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: key, Value: value, Mark: mark})
		}
	}
	add("verdict", string(s.Verdict), opsec.Tenant)
	add("kind", string(f.Kind), opsec.Tenant)
	add("state", string(c.State()), opsec.Tenant)
	add("qualification", s.Qualification, opsec.Personal)
	add("operator", f.Operator.String(), opsec.Personal)
	if err != nil {
		add("error", err.Error(), opsec.Tenant)
	}
	return e
}
