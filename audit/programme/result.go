package programme

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

func (s Status) known() bool {
	return s == Passed || s == Failed || s == NotTested || s == NotApplicable
}

// validate checks the form.
func (r *Result) validate() error {
	if !r.Status.known() {
		return invalid("result: status unknown")
	}
	if r.Tenant != "" && r.Tenant.Validate() != nil {
		return invalid("result: tenant: want an id or none")
	}
	if err := checkText("result: detail", r.Detail, 0, maxText); err != nil {
		return err
	}
	if r.Status != Passed && r.Detail == "" {
		return invalid("result: %s: no reason in detail", r.Status)
	}
	if r.Status == Passed && len(r.Evidence) == 0 {
		return invalid("result: passed, and no evidence")
	}
	return checkEvidence(r.Evidence)
}

func checkEvidence(list []Evidence) error {
	if len(list) > maxList {
		return invalid("evidence: %d, want at most %d", len(list), maxList)
	}
	for _, e := range list {
		if err := first(
			checkText("evidence: name", e.Name, 1, maxName),
			checkText("evidence: proof", e.Proof, 0, maxProof),
			checkTime("evidence: collected", e.Collected),
			checkText("evidence: person", e.Person, 1, maxName),
		); err != nil {
			return err
		}
		if !validDigest(e.Digest) {
			return invalid("evidence: digest: want \"sha256:\" and 64 digits of lower-case hexadecimal")
		}
		if len(e.Custody) > maxList {
			return invalid("evidence: custody: %d, want at most %d", len(e.Custody), maxList)
		}
		for _, person := range e.Custody { // who gets it back is there twice
			if err := checkText("evidence: custody", person, 1, maxName); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *taking) evidence(given []Evidence) ([]Evidence, error) {
	if err := checkEvidence(given); err != nil {
		return nil, err
	}
	list, err := own("evidence", given, maxElement)
	for i := range list {
		list[i].Collected = at(list[i].Collected)
	}
	return list, first(err, checkCollected(list, t.by.Time))
}

func checkCollected(list []Evidence, now time.Time) error {
	if slices.ContainsFunc(list, func(e Evidence) bool { return e.Collected.After(now.Add(clockSkew)) }) {
		return invalid("evidence: collected in the future")
	}
	return nil
}

// result returns what is known about an item, or nil.
func (a *Audit) result(procedure, item string) *Result {
	return find(a.Results, func(r *Result) bool { return r.Procedure == procedure && r.Item == item })
}

func (s Perform) apply(t *taking) error {
	if err := t.at(Fieldwork); err != nil {
		return err
	}
	if err := checkText("perform: reason", s.Reason, 0, maxReason); err != nil || len(s.Results) == 0 {
		return first(err, invalid("perform: no results"))
	}
	counts := map[Status]int{}
	for i := range s.Results {
		r, err := t.performed(&s.Results[i])
		if err != nil {
			return err
		}
		if slices.ContainsFunc(s.Results[:i], func(o Result) bool { return o.Procedure == r.Procedure && o.Item == r.Item }) {
			return invalid("perform: procedure %s: an item is there twice", r.Procedure)
		}
		counts[r.Status]++
		old := t.result(r.Procedure, r.Item)
		if old == nil {
			t.Results = append(t.Results, r)
			continue
		}
		if err := t.correctable(old, &r, s.Reason); err != nil {
			return err
		}
		t.replaced = append(t.replaced, *old)
		*old = r
	}
	if _, err := own("perform: corrected results", t.replaced, maxElement); err != nil {
		return err
	}
	t.reason = s.Reason
	for _, status := range []Status{Passed, Failed, NotTested, NotApplicable} {
		if counts[status] > 0 {
			t.note(opsec.Tenant, strings.ReplaceAll(string(status), " ", "_"), strconv.Itoa(counts[status]))
		}
	}
	if len(t.replaced) > 0 {
		t.note(opsec.Tenant, "corrected", strconv.Itoa(len(t.replaced)))
	}
	return nil
}

// performed returns a result as it is kept.
func (t *taking) performed(given *Result) (Result, error) {
	x := t.Plan.procedure(given.Procedure)
	switch {
	case x == nil:
		return Result{}, invalid("result: of no procedure of the plan")
	case given.Automated && x.Check == "":
		return Result{}, invalid("procedure %s: is not automated", x.ID)
	case !given.Automated && x.Person != t.person:
		return Result{}, denied("procedure %s: another one answers for it", x.ID)
	case t.member(t.person) == nil:
		return Result{}, denied("not a member of the team")
	case !t.isDrawn(x.ID, given.Item):
		return Result{}, invalid("procedure %s: an item that was not drawn", x.ID)
	}
	r, err := own("result", *given, maxElement)
	if err = first(given.validate(), err); err != nil {
		return Result{}, err
	}
	r.Evidence, err = t.evidence(given.Evidence)
	r.Person, r.Time = t.person, t.by.Time
	return r, err
}

// correctable refuses to write over a result without a reason; and beneath a finding, which has failures and their tenants.
func (t *taking) correctable(old, next *Result, reason string) error {
	if reason == "" {
		return invalid("procedure %s: an item has a result already; a correction gives a reason", old.Procedure)
	}
	for _, f := range t.Findings {
		if (next.Status != Failed || next.Tenant != old.Tenant) && f.Procedure == old.Procedure && slices.Contains(f.Items, old.Item) {
			return invalid("procedure %s: finding %s rests on the failure of an item", old.Procedure, f.ID)
		}
	}
	return nil
}

func (s Issue) apply(t *taking) error {
	if err := first(t.at(Fieldwork), t.byLead()); err != nil {
		return err
	}
	counts := map[string]int{}
	var missing []string
	for _, r := range t.Results {
		counts[r.Procedure]++
		in := func(f Finding) bool { return f.Procedure == r.Procedure && slices.Contains(f.Items, r.Item) }
		if r.Status == Failed && !slices.ContainsFunc(t.Findings, in) {
			missing = append(missing, "procedure "+r.Procedure+": "+cut(r.Item, 128)+" has failed, and is in no finding")
		}
	}
	for _, x := range t.Plan.Procedures {
		if want := len(t.Draw.Items[x.ID]); counts[x.ID] < want {
			missing = append(missing, "procedure "+x.ID+": "+strconv.Itoa(want-counts[x.ID])+" items without a result")
		}
	}
	if err := errors.Join(t.team(false), incomplete(missing)); err != nil {
		return err
	}
	t.note(opsec.Tenant, "findings", strconv.Itoa(len(t.Findings)))
	t.Stage = Reported
	return nil
}
