package programme

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// validate checks the form; whether all is there, Release does.
func (p *Plan) validate() error {
	if err := first(
		checkText("plan: title", p.Title, 1, maxName),
		checkTexts("plan: objectives", p.Objectives, maxList, maxText),
		checkText("plan: catalogue", p.Catalogue, 1, maxName),
		p.Scope.Validate(),
		checkTenants("plan: customers", p.Customers),
		checkTime("plan: from", p.From), checkTime("plan: until", p.Until),
	); err != nil {
		return err
	}
	switch {
	case !p.From.Before(p.Until):
		return invalid("plan: until: not after from")
	case p.Follows != "" && !validID(p.Follows) || p.Series != "" && !validID(p.Series):
		return invalid("plan: follows, series: want an id or none")
	case p.Turn < 0 || p.Turn > maxTurns || p.Turn > 0 && p.Series == "":
		return invalid("plan: turn %d: want 0 to %d, of a series", p.Turn, maxTurns)
	}
	var names, ids []string
	for _, n := range p.Resources {
		names = append(names, n.Name)
	}
	for i := range p.Procedures {
		if err := p.Procedures[i].validate(); err != nil {
			return err
		}
		ids = append(ids, p.Procedures[i].ID)
	}
	return first(checkTexts("plan: resources", names, maxList, maxName), checkIDs("plan: procedures", ids, maxList))
}

func (x *Procedure) validate() error {
	if err := first(
		checkID("procedure: id", x.ID),
		checkText("procedure: title", x.Title, 1, maxName),
		checkID("procedure: category", x.Category),
		checkTexts("procedure: requirements", x.Requirements, maxList, maxName),
		checkTexts("procedure: steps", x.Steps, maxList, maxText),
		checkText("procedure: person", x.Person, 0, maxName),
		checkText("procedure: check", x.Check, 0, maxName),
	); err != nil {
		return err
	}
	if x.Sample < 0 || x.Sample > maxSample {
		return invalid("procedure %s: sample of %d, want 0 to %d", x.ID, x.Sample, maxSample)
	}
	return nil
}

// Digest returns what a freeze fixes beside the populations: the SHA-256 of "opsec/programme/plan/v1", a zero byte, and
// the JSON of the plan without the persons of its procedures and resources, who may change.
func (p Plan) Digest() sample.Digest {
	p.Procedures, p.Resources = slices.Clone(p.Procedures), slices.Clone(p.Resources)
	for i := range p.Procedures {
		p.Procedures[i].Person = ""
	}
	for i := range p.Resources {
		p.Resources[i].Guaranteed = ""
	}
	b, _ := json.Marshal(p) // plain values: it cannot fail
	return sha256.Sum256(append([]byte("opsec/programme/plan/v1\x00"), b...))
}

func (p *Plan) covers(category string) bool {
	return slices.ContainsFunc(p.Procedures, func(x Procedure) bool { return x.Category == category })
}

func (p *Plan) procedure(id string) *Procedure {
	return find(p.Procedures, func(x *Procedure) bool { return x.ID == id })
}

func (p *Plan) resource(name string) *Need {
	return find(p.Resources, func(n *Need) bool { return n.Name == name })
}

// without returns what is left of a list, nil for nothing, as it will be read back.
func without[T any](list []T, gone func(T) bool) []T {
	if list = slices.DeleteFunc(list, gone); len(list) == 0 {
		return nil
	}
	return list
}

// find returns the first element that is right, or nil.
func find[T any](list []T, right func(*T) bool) *T {
	for i := range list {
		if right(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

// adopt makes a plan that a caller gives that of the audit.
func (t *taking) adopt(given Plan) error {
	if err := given.validate(); err != nil {
		return err
	}
	plan, err := own("plan", given, maxPlan)
	if err != nil {
		return err
	}
	if plan.Follows == t.ID {
		return invalid("plan: follows: the audit itself")
	}
	plan.From, plan.Until = at(plan.From), at(plan.Until)
	for i := range plan.Resources {
		n := &plan.Resources[i]
		was := ""
		if o := t.Plan.resource(n.Name); o != nil {
			was = o.Guaranteed
		}
		if n.Guaranteed != "" && n.Guaranteed != was {
			return invalid("plan: resource number %d: guaranteed by nobody's own step", i)
		}
		n.Guaranteed = was
	}
	t.Plan = plan
	t.note(opsec.Tenant, "plan", hexadecimal(t.Plan.Digest()))
	return nil
}

func (s open) apply(t *taking) error { return t.adopt(s.plan) }

func (s Revise) apply(t *taking) error {
	if err := t.at(Planned); err != nil {
		return err
	}
	scope := t.Plan.Scope.Digest()
	if err := t.adopt(s.Plan); err != nil {
		return err
	}
	if t.Plan.Scope.Digest() != scope {
		for i := range t.Team {
			t.Team[i].Cleared = time.Time{}
		}
	}
	t.Waivers = without(t.Waivers, func(w Waiver) bool { return t.Plan.covers(w.Category) })
	return nil
}

func (s Guarantee) apply(t *taking) error {
	if err := t.at(Planned); err != nil {
		return err
	}
	n := t.Plan.resource(s.Resource)
	if n == nil {
		return invalid("guarantee: no such resource in the plan")
	}
	if n.Guaranteed != "" {
		return notNow("the resource is guaranteed already")
	}
	n.Guaranteed = t.person
	return nil
}

func (s Waive) apply(t *taking) error {
	if err := first(t.at(Planned), t.bySenior(), t.because("waive: reason", s.Reason)); err != nil {
		return err
	}
	waived := func(w Waiver) bool { return w.Category == s.Category }
	if !slices.Contains(t.categories(), s.Category) || t.Plan.covers(s.Category) || slices.ContainsFunc(t.Waivers, waived) {
		return invalid("waive: want a category of the policy that is not covered, and not waived")
	}
	t.Waivers = append(t.Waivers, Waiver{Category: s.Category, Reason: s.Reason, Person: t.person})
	return nil
}

func (s Release) apply(t *taking) error {
	if err := first(t.at(Planned), t.bySenior()); err != nil {
		return err
	}
	if t.member(t.person).Lead {
		return denied("the lead does not release its own plan")
	}
	if err := errors.Join(t.team(true), t.ready()); err != nil {
		return err
	}
	t.Stage = Approved
	return nil
}

// ready lists what the plan lacks.
func (t *taking) ready() error {
	var missing []string
	add := func(lacks bool, what string) {
		if lacks {
			missing = append(missing, what)
		}
	}
	p := &t.Plan
	add(len(p.Objectives) == 0, "no objectives")
	add(len(p.Procedures) == 0, "no procedures")
	add(!t.by.Time.Before(p.Until), "the time of the plan is over")
	for _, n := range p.Resources {
		add(n.Guaranteed == "", "resource "+n.Name+": not guaranteed")
	}
	for _, x := range p.Procedures {
		add(len(x.Steps) == 0, "procedure "+x.ID+": no steps documented")
		add(len(x.Requirements) == 0, "procedure "+x.ID+": no requirements")
	}
	for _, c := range t.categories() {
		waived := slices.ContainsFunc(t.Waivers, func(w Waiver) bool { return w.Category == c })
		add(!p.covers(c) && !waived, "category "+c+": neither covered nor waived")
	}
	return incomplete(missing)
}

func (s Cancel) apply(t *taking) error {
	if t.Stage == Closed || t.Stage == Cancelled {
		return notNow("the audit is %s", t.Stage)
	}
	if err := t.bySenior(); err != nil {
		return err
	}
	t.Stage = Cancelled
	return t.because("cancel: reason", s.Reason)
}
