package dataaccess

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// State is where a case stands.
type State string

// The states.
const (
	Open      State = "open"      // to be judged
	Explained State = "justified" // an auditor found nothing wrong with it
	Confirmed State = "violation" // an auditor found it wrong
)

// Verdict is what an auditor says about a case.
type Verdict string

// The verdicts. A case that is judged can only be reopened; one that is open cannot.
const (
	Justified Verdict = "justified"
	Violation Verdict = "violation"
	Unclear   Verdict = "unclear"  // it stays open, and the record shows that somebody has looked
	Reopened  Verdict = "reopened" // the verdict was wrong
)

// Case is a finding and what auditors have said about it. It is a value: keep it where your other state is, under
// Finding.Digest, and save it conditionally (of two writers that start from one case, the second must fail).
type Case struct {
	Finding Finding   `json:"finding"`
	Opened  time.Time `json:"opened"`
	Steps   []Step    `json:"steps,omitempty"`
}

// Step is one verdict that was given.
type Step struct {
	Verdict       Verdict     `json:"verdict"`
	By            opsec.Actor `json:"by"`
	Reason        string      `json:"reason"`
	Qualification string      `json:"qualification"` // the reference of the auditor's qualification, as it was then
	Time          time.Time   `json:"time"`
}

// maxSteps bounds a case.
const maxSteps = 64

// OpenCase makes a case of a finding, and the event that tells of it. The error wraps [opsec.ErrInvalid].
func OpenCase(f Finding, now time.Time) (Case, *opsec.Event, error) {
	f.Evidence = slices.Clone(f.Evidence)
	c := Case{Finding: f, Opened: now}
	if err := c.Validate(); err != nil {
		return Case{}, nil, err
	}
	return c, f.Event(now), nil
}

// State returns where the case stands.
func (c *Case) State() State { return stateAfter(c.Steps) }

func stateAfter(steps []Step) State {
	state := Open
	for _, s := range steps {
		switch s.Verdict {
		case Justified:
			state = Explained
		case Violation:
			state = Confirmed
		case Reopened:
			state = Open
		}
	}
	return state
}

// Validate returns an error wrapping [opsec.ErrInvalid] if no course of events could have made the case.
func (c *Case) Validate() error {
	f := &c.Finding
	switch {
	case !slices.Contains(kinds, f.Kind) || (f.Kind == Untested) != (f.Of != ""):
		return invalid("finding: kind %.40q of %.40q", f.Kind, f.Of)
	case f.Tenant.Validate() != nil || f.Operator.Tenant.Validate() != nil || f.Operator.Account == "":
		return invalid("finding: want a tenant and an operator")
	case f.Count == 0 || f.Since.IsZero() || f.Until.Before(f.Since):
		return invalid("finding: want accesses and their times")
	case c.Opened.Before(f.Until):
		return invalid("opened before the accesses were over")
	case len(c.Steps) > maxSteps:
		return invalid("%d steps, want at most %d", len(c.Steps), maxSteps)
	}
	last := c.Opened
	for i := range c.Steps {
		s := &c.Steps[i]
		if err := c.allowed(s, c.Steps[:i]); err != nil {
			return invalid("step %d: %w", i+1, err)
		}
		if s.Time.Before(last) || s.Qualification == "" {
			return invalid("step %d: want a qualification, and a time not before the last", i+1)
		}
		last = s.Time
	}
	return nil
}

// allowed checks what can be seen from a step and those before it.
func (c *Case) allowed(s *Step, before []Step) error {
	state := stateAfter(before)
	switch s.Verdict {
	case Justified, Violation, Unclear:
		if state != Open {
			return invalid("the case is judged already: reopen it first")
		}
	case Reopened:
		if state == Open {
			return invalid("the case is open")
		}
	default:
		return invalid("verdict: unknown")
	}
	if s.Reason == "" || len(s.Reason) > opsec.MaxValueLen {
		return invalid("reason: want 1 to %d bytes", opsec.MaxValueLen)
	}
	if s.By.Person == "" || s.By.Account == "" || s.By.Tenant.Validate() != nil {
		return invalid("by: want a tenant, an account and a person")
	}
	o := c.Finding.Operator
	operator := opsec.Actor{Tenant: o.Tenant, Account: o.Account, Person: o.Person}
	switch {
	case s.By.Kind == opsec.Service || s.By.Kind == opsec.System:
		return fmt.Errorf("dataaccess: no person: %w", opsec.ErrDenied)
	case s.By.Tenant == operator.Tenant && s.By.Account == operator.Account:
		return fmt.Errorf("dataaccess: the auditor is the operator: %w", opsec.ErrDenied)
	case operator.Person != "" && !s.By.DistinctFrom(operator):
		return fmt.Errorf("dataaccess: the auditor is the operator: %w", opsec.ErrDenied)
	case operator.Person == "" && s.Verdict != Violation && s.Verdict != Unclear:
		return fmt.Errorf("dataaccess: the auditor may be the operator: %w", opsec.ErrDenied)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("dataaccess: case: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// UnmarshalJSON implements [encoding/json.Unmarshaler]. It refuses unknown fields, validates, and leaves c as it was when it
// fails.
func (c *Case) UnmarshalJSON(data []byte) error {
	type plain Case // without this method
	var read plain
	if err := strictjson.Decode(data, &read); err != nil {
		return fmt.Errorf("dataaccess: case: %w: %w", err, opsec.ErrInvalid)
	}
	if err := (*Case)(&read).Validate(); err != nil {
		return err
	}
	*c = Case(read)
	return nil
}
