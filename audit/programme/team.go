package programme

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

const (
	maxClearanceAge = 24 * time.Hour
	clockSkew       = 5 * time.Minute
)

func (f Function) known() bool {
	return f == SeniorManagement || f == Administrative || f == Technical
}

// member returns who is called so, or nil.
func (a *Audit) member(person string) *Member {
	return find(a.Team, func(m *Member) bool { return m.Person == person })
}

func (s Assign) apply(t *taking) error {
	m, err := own("member", s.Member, maxElement)
	if err = first(
		t.at(Planned, Approved, Frozen, Fieldwork, Reported), err,
		checkText("member: person", s.Member.Person, 1, maxName),
		checkIDs("member: categories", m.Categories, maxList),
	); err != nil {
		return err
	}
	if !m.Function.known() {
		return invalid("member: function unknown")
	}
	if m.Lead && slices.ContainsFunc(t.Team, func(o Member) bool { return o.Lead && o.Person != m.Person }) {
		return invalid("member: another one leads")
	}
	released := func(e Entry) bool { return e.Action == ActionRelease && e.Person == m.Person }
	if m.Lead && slices.ContainsFunc(t.History, released) {
		return denied("who released the plan does not lead it")
	}
	t.note(opsec.Tenant, "function", string(m.Function))
	if err := t.cleared(s); err != nil {
		return err
	}
	m.Clearance, m.Cleared = s.Clearance.Digest(), at(s.Clearance.To)
	if m.Qualifications, err = t.qualified(m, s.Records); err != nil {
		return err
	}
	t.note(opsec.Tenant, "clearance", m.Clearance)
	if old := t.member(m.Person); old != nil {
		*old = m
		return nil
	}
	if len(t.Team) == maxList {
		return invalid("team: more than %d", maxList)
	}
	t.Team = append(t.Team, m)
	return nil
}

// cleared checks that the clearance is the one to ask for, and that nothing in it stands against the member.
func (t *taking) cleared(s Assign) error {
	c := &s.Clearance
	switch age := t.by.Time.Sub(c.To); {
	case c.Scope != t.Plan.Scope.Digest():
		return invalid("clearance: of another scope than the plan's")
	case c.Policy != t.Independence.Digest() || c.To.Sub(c.From) < t.lookBack():
		return invalid("clearance: by another policy, or looks back less than %v", t.lookBack())
	case age < -clockSkew || age > maxClearanceAge:
		return invalid("clearance: %v old, want at most %v", age, maxClearanceAge)
	}
	return c.Cleared(s.Member.Person)
}

// qualified returns the records that the member's competence in all categories rests on.
func (t *taking) qualified(m Member, records []competence.Record) (refs []string, err error) {
	var errs []error
	for _, category := range m.Categories {
		basis, err := competence.Qualified(records, m.Person, t.needs(category), t.by.Time)
		if err != nil {
			errs = append(errs, fmt.Errorf("programme: category %s: %w", category, err))
		}
		for _, r := range basis {
			if ref := r.Ref(); !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs, errors.Join(errs...)
}

func (s Dismiss) apply(t *taking) error {
	if err := first(t.at(Planned, Approved, Frozen, Fieldwork), t.because("dismiss: reason", s.Reason)); err != nil {
		return err
	}
	if t.member(s.Person) == nil {
		return invalid("dismiss: no member of the team")
	}
	next := t.member(s.Successor)
	if s.Successor != "" && (next == nil || s.Successor == s.Person) {
		return invalid("dismiss: the successor is no other member of the team")
	}
	for i := range t.Plan.Procedures {
		x := &t.Plan.Procedures[i]
		switch {
		case x.Person != s.Person:
			continue
		case next != nil && !slices.Contains(next.Categories, x.Category):
			return invalid("dismiss: the successor does not audit %s, as procedure %s does", x.Category, x.ID)
		case next != nil:
			x.Person = next.Person
		case t.Stage != Planned:
			return &TeamError{[]string{"procedure " + x.ID + ": nobody to take it over"}}
		default:
			x.Person = ""
		}
	}
	t.note(opsec.Personal, "successor", s.Successor)
	t.Team = without(t.Team, func(m Member) bool { return m.Person == s.Person })
	return nil
}

// team lists what the team lacks; when fresh, clearances that are too old too.
func (t *taking) team(fresh bool) error {
	var missing []string
	has := func(ok func(Member) bool) bool { return slices.ContainsFunc(t.Team, ok) }
	for _, f := range t.functions() {
		if !has(func(m Member) bool { return m.Function == f }) {
			missing = append(missing, "nobody of function "+string(f))
		}
	}
	if !has(func(m Member) bool { return m.Lead }) {
		missing = append(missing, "nobody leads")
	}
	for _, x := range t.Plan.Procedures {
		switch m := t.member(x.Person); {
		case x.Person == "":
			missing = append(missing, "procedure "+x.ID+": nobody answers for it")
		case m == nil:
			missing = append(missing, "procedure "+x.ID+": who answers for it is no member")
		case !slices.Contains(m.Categories, x.Category):
			missing = append(missing, "procedure "+x.ID+": who answers for it does not audit "+x.Category)
		}
	}
	longest := orElse(t.LongestClearance, 30)
	for i, m := range t.Team {
		switch {
		case m.Cleared.IsZero():
			missing = append(missing, fmt.Sprintf("member number %d: not cleared for this scope", i+1))
		case fresh && t.by.Time.Sub(m.Cleared) > longest:
			missing = append(missing, fmt.Sprintf("member number %d: cleared more than %v ago", i+1, longest))
		}
	}
	if len(missing) > 0 {
		return &TeamError{missing}
	}
	return nil
}
