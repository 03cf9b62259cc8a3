package oscal

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/audit/programme"
)

// The states of a risk that OSCAL names and that are used here.
const (
	open        = "open"
	remediating = "remediating"
	deviation   = "deviation-approved"
	closed      = "closed"
)

func (b *builder) actions(f programme.Finding) (all []programme.Action) {
	for _, a := range b.a.Actions {
		if a.Finding == f.ID {
			all = append(all, a)
		}
	}
	return all
}

// accepted reports whether a risk is accepted at the audit's last step.
func (b *builder) accepted(f programme.Finding) bool {
	return f.Accepted != nil && b.asOf.Before(f.Accepted.Until)
}

// state is how a risk stands.
func (b *builder) state(f programme.Finding) string {
	actions := b.actions(f)
	verified := 0
	for _, a := range actions {
		if !a.Verified.IsZero() {
			verified++
		}
	}
	switch {
	case len(actions) > 0 && verified == len(actions):
		return closed
	case b.accepted(f):
		return deviation
	case len(actions) > 0:
		return remediating
	}
	return open
}

// deadline is when the last of what is open is due: an action, or the end of the acceptance.
func (b *builder) deadline(f programme.Finding) string {
	var last time.Time
	switch b.state(f) {
	case closed:
		return ""
	case deviation:
		last = f.Accepted.Until
	default:
		for _, a := range b.actions(f) {
			if a.Verified.IsZero() && a.Due.After(last) {
				last = a.Due
			}
		}
	}
	if last.IsZero() {
		return ""
	}
	return b.time(last)
}

func (b *builder) risk(f programme.Finding) risk {
	r := risk{
		UUID: b.id("risk", f.ID), Title: text(or(line(f.Subject), f.ID)),
		Description: or(prose(f.Condition, labelled("Cause", f.Cause)), "-"),
		Statement:   or(prose(f.Effect), "-"),
		Status:      b.state(f), Deadline: b.deadline(f),
		Origins:             b.origins(f.Procedure),
		RelatedObservations: b.observationsOf(f),
	}
	if rank := f.Risk.Rank(); rank > 0 {
		r.Props = append(r.Props, property{Name: "priority", Value: fmt.Sprint(6 - rank)})
		grade := facet{Name: "risk", System: nist, Value: string(f.Risk)}
		if f.Repeats > 0 {
			grade.Props = []property{{Name: "state", Value: "adjusted", Remarks: "Raised, since audits before have found it."}}
		}
		r.Characterizations = []characterization{{origin{Actors: []actor{b.lead()}}, []facet{grade}}}
	}
	r.Props = append(r.Props, props("finding", f.ID, "repeats", count(f.Repeats))...)
	for _, a := range b.actions(f) {
		r.Remediations = append(r.Remediations, b.remediation(a))
	}
	if f.Accepted != nil {
		if b.accepted(f) {
			r.Props = append(r.Props, property{Name: "accepted", Value: "yes"})
		}
		r.Props = append(r.Props, props("accepted-until", b.time(f.Accepted.Until))...)
		r.Remediations = append(r.Remediations, response{
			UUID: b.id("acceptance", f.ID), Lifecycle: "completed", Title: "Risk accepted",
			Description: or(prose(f.Accepted.Reason, "Until "+b.time(f.Accepted.Until)+"."), "-"),
			Props:       []property{{Name: "type", Value: "accept"}},
			Origins:     []origin{{Actors: []actor{b.by(f.Accepted.Person, accepts)}}},
		})
	}
	if l := b.riskLog(f); len(l.Entries) > 0 {
		r.Log = &l
	}
	return r
}

// remediation is an action: completed when it is verified, and not when its owner says so.
func (b *builder) remediation(a programme.Action) response {
	r := response{
		UUID: b.id("action", a.ID), Lifecycle: "planned", Title: text(a.ID), Description: or(prose(a.Text), "-"),
		Props:   []property{{Name: "type", Value: "mitigate"}},
		Links:   b.links(a.Evidence),
		Origins: []origin{{Actors: []actor{b.by(a.Owner, owns)}}},
		Tasks: []task{{
			UUID: b.id("milestone", a.ID), Type: "milestone", Title: text("Due: " + a.ID),
			Timing: &timing{On: &onDate{b.time(a.Due)}}, Roles: b.responsible(a.Owner, owns),
		}},
	}
	state := "agreed"
	switch {
	case !a.Verified.IsZero():
		r.Lifecycle, state = "completed", "verified"
	case !a.Completed.IsZero():
		state = "awaiting-verification"
	case a.Due.Before(b.asOf):
		state = "overdue"
	}
	r.Props = append(r.Props, props("status", state, "rejected", count(a.Rejected))...)
	return r
}

// riskLog is what became of it.
func (b *builder) riskLog(f programme.Finding) (l assessmentLog) {
	add := func(e logEntry, id, kind string, at time.Time, by actor) {
		if at.IsZero() {
			return
		}
		e.UUID, e.Start, e.End = b.id("risk log", id, kind), b.time(at), b.time(at)
		e.Props = []property{{Name: "type", Value: kind}}
		e.By = []loggedBy{{by.UUID, by.Role}}
		l.Entries = append(l.Entries, e)
	}
	add(logEntry{Title: "Raised", Status: open}, f.ID, "status-update", f.Raised, b.lead())
	for _, a := range b.actions(f) {
		done := logEntry{Title: text(a.ID + ": done, says its owner"), Responses: []answered{{b.id("action", a.ID)}}}
		add(done, a.ID, "mitigation", a.Completed, b.by(a.Owner, owns))
		if !a.Verified.IsZero() {
			done.Title = text(a.ID + ": verified")
			add(done, a.ID, "remediated", a.Verified, b.by(a.Verifier, verifies))
		}
	}
	return l
}
