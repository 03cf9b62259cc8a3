package programme

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// Policy is how a provider audits itself: data, strict when zero.
type Policy struct {
	Independence     independence.Policy          `json:"independence"`
	Functions        []Function                   `json:"functions,omitempty"`         // that a team must have; none: all three
	Categories       []string                     `json:"categories,omitempty"`        // to cover or to waive; none: the six of 8.11.2
	Competence       map[string][]competence.Need `json:"competence,omitempty"`        // what a member needs to audit a category
	Due              map[opsec.Severity]Days      `json:"due,omitempty"`               // to mend a finding of a risk; none: 7, 30, 90, 180, 365
	LongestGrant     Days                         `json:"longest_grant,omitempty"`     // of a tool; 0: 14 days
	LongestRisk      Days                         `json:"longest_risk,omitempty"`      // that a risk may be accepted; 0: 365 days
	LongestClearance Days                         `json:"longest_clearance,omitempty"` // at the release of a plan; 0: 30 days
}

// A category without needs in Policy.Competence takes one record of it, of any kind, that ends or is not older than this.
const competent competence.Days = 3 * 365

// Days is a time in days of 24 hours.
type Days int

func (d Days) duration() time.Duration { return time.Duration(d) * 24 * time.Hour }

const maxDays Days = 3660

// MaxAudit is how long an audit may be as JSON, in bytes. What fills it fastest stops earlier, so that there is room for
// findings behind the results, and for an end behind the findings.
const MaxAudit = 900 << 10

// The categories of 8.11.2, as the catalogue of X.1642 has them.
var categories = []string{"virtualisation", "platform", "operation", "iam", "keys", "emergency"}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (p Policy) Validate() error {
	if err := p.Independence.Validate(); err != nil {
		return err
	}
	for i, f := range p.Functions {
		if !f.known() || slices.Contains(p.Functions[:i], f) {
			return invalid("policy: functions: number %d is unknown, or there twice", i)
		}
	}
	if err := checkIDs("policy: categories", p.Categories, maxList); err != nil {
		return err
	}
	for category, needs := range p.Competence {
		if err := checkID("policy: competence: category", category); err != nil {
			return err
		}
		if len(needs) == 0 || len(needs) > maxList {
			return invalid("policy: competence: %s: %d needs, want 1 to %d", category, len(needs), maxList)
		}
	}
	for risk, days := range p.Due {
		if risk.Rank() == 0 || days < 1 || days > maxDays {
			return invalid("policy: due: want known risks, and 1 to %d days", maxDays)
		}
	}
	for name, days := range map[string]Days{
		"longest_grant": p.LongestGrant, "longest_risk": p.LongestRisk, "longest_clearance": p.LongestClearance,
	} {
		if days < 0 || days > maxDays {
			return invalid("policy: %s: %d days, want 0 to %d", name, days, maxDays)
		}
	}
	return nil
}

func (p *Policy) functions() []Function {
	return either(p.Functions, []Function{SeniorManagement, Administrative, Technical})
}

func (p *Policy) categories() []string { return either(p.Categories, categories) }

func either[T any](list, otherwise []T) []T {
	if len(list) == 0 {
		return otherwise
	}
	return list
}

func (p *Policy) needs(category string) []competence.Need {
	kinds := []competence.Kind{competence.Training, competence.Certification, competence.Experience}
	return either(p.Competence[category], []competence.Need{{Subject: category, Kinds: kinds, Within: competent}})
}

func (p *Policy) due(risk opsec.Severity) time.Duration {
	if days := p.Due[risk]; days > 0 {
		return days.duration()
	}
	return [...]Days{0, 365, 180, 90, 30, 7}[risk.Rank()].duration()
}

func (p *Policy) lookBack() time.Duration { return cmp.Or(p.Independence.LookBack, 365*24*time.Hour) }

func orElse(days, otherwise Days) time.Duration { return cmp.Or(days, otherwise).duration() }

// Open returns a new audit, and the event that records it. The error wraps [opsec.ErrInvalid], or [opsec.ErrDenied] when
// nobody of the provider is known to be behind the actor.
func (p Policy) Open(id string, plan Plan, by By) (Audit, opsec.Event, error) {
	if err := checkID("id", id); err != nil {
		return Audit{}, opsec.Event{}, err
	}
	return p.take(Audit{}, Audit{ID: id, Stage: Planned}, open{plan}, by)
}

// Apply takes a step: it returns the audit after it and the event that records it, or an error and the audit as it was.
// It is pure, and what it returns shares no memory with a or with the step. An error that wraps [opsec.ErrDenied] comes with
// an event too, which tells of the attempt; any other comes without. A time before that of the last step counts as that.
func (p Policy) Apply(a Audit, s Step, by By) (Audit, opsec.Event, error) {
	if a.ID == "" || !plain(s) {
		return a, opsec.Event{}, invalid("no audit, or no step of this package, by value")
	}
	if slices.ContainsFunc(a.History, func(e Entry) bool { return e.Event == by.Event }) {
		return a, opsec.Event{}, invalid("step: one with this event was taken before")
	}
	next, err := own("audit", a, MaxAudit)
	if err = first(err, a.sound()); err != nil {
		return a, opsec.Event{}, err
	}
	return p.take(a, next, s, by)
}

func (p *Policy) take(before, next Audit, s Step, by By) (Audit, opsec.Event, error) {
	if err := first(p.Validate(), by.validate()); err != nil {
		return before, opsec.Event{}, err
	}
	by.Time = at(by.Time)
	if n := len(next.History); n > 0 && by.Time.Before(next.History[n-1].Time) {
		by.Time = next.History[n-1].Time
	}
	t := &taking{Policy: p, Audit: &next, by: by, person: by.Actor.Person}
	err := t.take(s)
	switch {
	case err == nil:
		return next, t.event(s, opsec.Success), nil
	case errors.Is(err, opsec.ErrDenied):
		t.reason = refusal(err)
		return before, t.event(s, opsec.Denied), err
	}
	return before, opsec.Event{}, err
}

// taking is a step that is being taken.
type taking struct {
	*Policy
	*Audit   // after it
	by       By
	person   string
	reason   string
	attrs    []opsec.Attr
	replaced []Result
	digest   string // of the audit after it
}

func (t *taking) take(s Step) error {
	if t.person == "" || t.by.Actor.Tenant != opsec.Provider {
		return denied("an account with nobody of the provider known to be behind it")
	}
	if err := s.apply(t); err != nil {
		return err
	}
	action, what := s.about()
	t.History = append(t.History, Entry{
		Time: t.by.Time, Person: t.person, Action: action, What: cut(what, maxItem), Reason: t.reason, Event: t.by.Event,
		Replaced: t.replaced,
	})
	b, err := json.Marshal(t.Audit)
	if err != nil {
		return invalid("audit: %v", err)
	}
	if most := room(s); len(b) > most {
		return invalid("audit: %d bytes of JSON, at most %d for this step", len(b), most)
	}
	t.digest = digestOf(b)
	return nil
}

// room is how large an audit may become by a step.
func room(s Step) int {
	switch s.(type) {
	case Fix, Seed, Perform, Lend, Use:
		return MaxAudit - 192<<10
	case Issue, Close, Cancel, Recall:
		return MaxAudit
	}
	return MaxAudit - 32<<10
}

// at refuses the step unless the audit is at one of these stages.
func (t *taking) at(stages ...Stage) error {
	if !slices.Contains(stages, t.Stage) {
		return notNow("the audit is %s", t.Stage)
	}
	return nil
}

func (t *taking) because(field, reason string) error {
	t.reason = reason
	return checkText(field, reason, 1, maxReason)
}

// byMember refuses the step unless its person is on the team, and such a member.
func (t *taking) byMember(what string, such func(Member) bool) error {
	if m := t.member(t.person); m == nil || !such(*m) {
		return denied("not %s of the team", what)
	}
	return nil
}

func (t *taking) byAny() error  { return t.byMember("a member", func(Member) bool { return true }) }
func (t *taking) byLead() error { return t.byMember("the lead", func(m Member) bool { return m.Lead }) }
func (t *taking) bySenior() error {
	return t.byMember("senior management", func(m Member) bool { return m.Function == SeniorManagement })
}
