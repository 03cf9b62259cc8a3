package programme

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
)

// Escalate returns the risk of a finding that so many audits in a row had before: a grade more for each, up to critical.
func Escalate(risk opsec.Severity, repeats int) opsec.Severity {
	grades := [...]opsec.Severity{
		opsec.SeverityInfo, opsec.SeverityLow, opsec.SeverityMedium, opsec.SeverityHigh, opsec.SeverityCritical,
	}
	rank := risk.Rank()
	if rank == 0 || repeats <= 0 {
		return risk
	}
	return grades[min(rank-1+min(repeats, len(grades)), len(grades)-1)]
}

func (a *Audit) finding(id string) *Finding {
	return find(a.Findings, func(f *Finding) bool { return f.ID == id })
}

func (a *Audit) action(id string) *Action {
	return find(a.Actions, func(x *Action) bool { return x.ID == id })
}

// mended reports whether there are actions about the finding, all of them verified.
func (a *Audit) mended(finding string) bool {
	about := func(x Action) bool { return x.Finding == finding }
	open := func(x Action) bool { return about(x) && x.Verified.IsZero() }
	return slices.ContainsFunc(a.Actions, about) && !slices.ContainsFunc(a.Actions, open)
}

// borne reports whether the risk is accepted at an instant.
func (f *Finding) borne(now time.Time) bool { return f.Accepted != nil && now.Before(f.Accepted.Until) }

// followed refuses a step about a finding that is followed up no more: once the audit is closed, only a risk that was
// accepted is.
func (t *taking) followed(f *Finding) error {
	if t.Stage == Closed && f != nil && f.Accepted != nil && !t.mended(f.ID) {
		return nil
	}
	return t.at(Fieldwork, Reported)
}

func (s Raise) apply(t *taking) error {
	if err := t.at(Fieldwork); err != nil {
		return err
	}
	x := t.Plan.procedure(s.Finding.Procedure)
	if x == nil {
		return invalid("finding: of no procedure of the plan")
	}
	if m := t.member(t.person); m == nil || !m.Lead && x.Person != t.person {
		return denied("procedure %s: another one answers for it", x.ID)
	}
	if err := s.Finding.validate(x); err != nil {
		return err
	}
	f := s.Finding
	f.Tenants = slices.Clone(f.Tenants)
	for _, o := range t.Findings {
		if o.ID == f.ID || o.Subject == f.Subject {
			return invalid("finding %s: another one has its id or its subject", f.ID)
		}
	}
	for _, item := range f.Items {
		r := t.result(f.Procedure, item)
		if r == nil || r.Status != Failed {
			return invalid("finding %s: an item that has not failed", f.ID)
		}
		if r.Tenant != "" && r.Tenant != opsec.Provider && !slices.Contains(f.Tenants, r.Tenant) {
			f.Tenants = append(f.Tenants, r.Tenant)
		}
	}
	slices.Sort(f.Tenants)
	f, err := own("finding", f, maxElement)
	if err != nil {
		return err
	}
	f.Repeats = 0
	if s.Previous != nil {
		if s.Previous.Subject != f.Subject || s.Previous.Repeats < 0 {
			return invalid("finding %s: the previous one has another subject", f.ID)
		}
		f.Repeats = s.Previous.Repeats + 1
	}
	f.Risk, f.Raised, f.Accepted = Escalate(f.Risk, f.Repeats), t.by.Time, nil
	t.note(opsec.Tenant, "procedure", f.Procedure, "risk", string(f.Risk), "repeats", strconv.Itoa(f.Repeats))
	t.Findings = append(t.Findings, f)
	return nil
}

func (f *Finding) validate(x *Procedure) error {
	if err := first(
		checkID("finding: id", f.ID),
		checkTexts("finding: requirements", f.Requirements, maxList, maxName),
		checkTexts("finding: items", f.Items, maxElement, maxItem),
		checkTenants("finding: tenants", f.Tenants),
		checkText("finding: criterion", f.Criterion, 1, maxText),
		checkText("finding: condition", f.Condition, 1-min(len(f.Items), 1), maxText),
		checkText("finding: cause", f.Cause, 1, maxText),
		checkText("finding: effect", f.Effect, 1, maxText),
		checkText("finding: subject", f.Subject, 1, maxName),
	); err != nil {
		return err
	}
	if f.Risk.Rank() == 0 {
		return invalid("finding: risk unknown")
	}
	if len(f.Requirements) == 0 {
		return invalid("finding: no requirement that is not met")
	}
	for _, id := range f.Requirements {
		if !slices.Contains(x.Requirements, id) {
			return invalid("finding: a requirement that procedure %s is not about", x.ID)
		}
	}
	return nil
}

func (s Agree) apply(t *taking) error {
	if err := first(
		t.at(Fieldwork, Reported, Closed), t.byAny(),
		checkID("action: id", s.Action.ID),
		checkText("action: text", s.Action.Text, 1, maxText),
		checkText("action: owner", s.Action.Owner, 1, maxName),
		checkTime("action: due", s.Action.Due),
	); err != nil {
		return err
	}
	f := t.finding(s.Action.Finding)
	if f == nil || t.action(s.Action.ID) != nil {
		return invalid("action %s: about no finding, or its id is taken", s.Action.ID)
	}
	if err := t.followed(f); err != nil {
		return err
	}
	due, longest := at(s.Action.Due), t.due(f.Risk)
	switch {
	case f.borne(t.by.Time) && f.Accepted.Person == s.Action.Owner:
		return invalid("action %s: the owner bears its risk", s.Action.ID)
	case !due.After(t.by.Time) || due.After(t.by.Time.Add(longest)):
		return invalid("action %s: due: want a time within the %v that a finding of risk %s has", s.Action.ID, longest, f.Risk)
	}
	t.note(opsec.Tenant, "finding", f.ID, "due", due.Format(time.RFC3339))
	t.note(opsec.Personal, "owner", s.Action.Owner)
	t.Actions = append(t.Actions, Action{ID: s.Action.ID, Finding: f.ID, Text: s.Action.Text, Owner: s.Action.Owner, Due: due})
	return nil
}

func (s Complete) apply(t *taking) error {
	if err := t.at(Fieldwork, Reported, Closed); err != nil {
		return err
	}
	x := t.action(s.Action)
	switch {
	case x == nil:
		return invalid("complete: no such action")
	case x.Owner != t.person:
		return denied("action %s: another one owns it", x.ID)
	case !x.Completed.IsZero():
		return notNow("action %s is completed already", x.ID)
	case len(s.Evidence) == 0 || len(x.Evidence)+len(s.Evidence) > maxList:
		return invalid("action %s: want evidence, at most %d with what is there", x.ID, maxList)
	}
	evidence, err := t.evidence(s.Evidence)
	if err = first(t.followed(t.finding(x.Finding)), err); err != nil {
		return err
	}
	x.Completed, x.Evidence = t.by.Time, append(x.Evidence, evidence...)
	if _, err := own("action", *x, maxElement); err != nil {
		return err
	}
	t.note(opsec.Tenant, "finding", x.Finding)
	return nil
}

func (s Verify) apply(t *taking) error {
	if err := t.at(Fieldwork, Reported, Closed); err != nil {
		return err
	}
	x := t.action(s.Action)
	if x == nil {
		return invalid("verify: no such action")
	}
	if err := first(t.byAny(), t.followed(t.finding(x.Finding))); err != nil {
		return err
	}
	switch {
	case x.Owner == t.person:
		return denied("action %s: nobody verifies their own", x.ID)
	case x.Completed.IsZero():
		return notNow("action %s is not completed", x.ID)
	case !x.Verified.IsZero():
		return notNow("action %s is verified already", x.ID)
	}
	t.note(opsec.Tenant, "finding", x.Finding, "done", strconv.FormatBool(s.Done))
	if s.Done {
		x.Verified, x.Verifier, t.reason = t.by.Time, t.person, s.Reason
		return checkText("verify: reason", s.Reason, 0, maxReason)
	}
	x.Completed = time.Time{}
	x.Rejected++
	return t.because("verify: reason", s.Reason)
}

func (s Accept) apply(t *taking) error {
	if err := first(t.at(Fieldwork, Reported, Closed), t.bySenior()); err != nil {
		return err
	}
	f := t.finding(s.Finding)
	if f == nil {
		return invalid("accept: no such finding")
	}
	if s.Person != "" && s.Person != t.person {
		return invalid("accept: in somebody else's name")
	}
	for _, x := range t.Actions {
		if x.Finding == f.ID && x.Owner == t.person {
			return denied("finding %s: who owns an action about it does not accept its risk", f.ID)
		}
	}
	if err := first(t.followed(f), t.because("accept: reason", s.Acceptance.Reason)); err != nil {
		return err
	}
	until, longest := at(s.Until), orElse(t.LongestRisk, 365)
	if !until.After(t.by.Time) || until.After(t.by.Time.Add(longest)) {
		return invalid("finding %s: until: want a time within %v", f.ID, longest)
	}
	f.Accepted = &Acceptance{Person: t.person, Reason: s.Acceptance.Reason, Until: until}
	t.note(opsec.Tenant, "risk", string(f.Risk), "until", until.Format(time.RFC3339))
	return nil
}

func (s Close) apply(t *taking) error {
	if err := first(t.at(Reported), t.byLead()); err != nil {
		return err
	}
	var missing []string
	for _, f := range t.Findings {
		if !t.mended(f.ID) && !f.borne(t.by.Time) {
			missing = append(missing, "finding "+f.ID+": neither are actions about it all verified, nor is its risk accepted")
		}
	}
	t.Stage = Closed
	return incomplete(missing)
}

// Overdue returns the actions that should be completed and verified by now, and, as an Action without an ID, each accepted
// risk whose time is over. What is about a finding whose risk is accepted by now is not overdue.
func (a Audit) Overdue(now time.Time) []Action {
	if a.Stage == Cancelled {
		return nil
	}
	var list []Action
	for _, f := range a.Findings {
		if f.borne(now) {
			continue
		}
		for _, x := range a.Actions {
			if x.Finding == f.ID && x.Verified.IsZero() && !now.Before(x.Due) {
				list = append(list, x)
			}
		}
		if f.Accepted != nil && !a.mended(f.ID) {
			text := fmt.Sprintf("The risk of finding %s was accepted until %s.", f.ID, f.Accepted.Until.Format(time.RFC3339))
			list = append(list, Action{Finding: f.ID, Text: text, Owner: f.Accepted.Person, Due: f.Accepted.Until})
		}
	}
	return list
}
