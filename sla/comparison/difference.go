package comparison

import (
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// Difference is one thing in which two agreements differ.
type Difference struct {
	// Path is where it stands in a, or in b if a has nothing there, such as "clause.data.backup.rpo" or
	// "services[id=compute].objectives[id=region].target".
	Path    string  `json:"path"`
	Clause  string  `json:"clause"` // of X.1642, such as "7.2.2.2"
	Verdict Verdict `json:"verdict"`
	A       string  `json:"a,omitempty"` // what a says; empty: nothing
	B       string  `json:"b,omitempty"` // what b says
	Reason  string  `json:"reason"`
}

// Compare returns in what b differs from a, in the order of the clauses; none if they promise the same. What they come to
// is [Overall], and for each clause [Elements].
//
// Neither agreement need be valid or complete: what is not said is not promised. A nil agreement promises nothing. It takes
// time by the square of the promises of a kind, of which it compares up to 256 one by one.
func Compare(a, b *sla.Agreement) []Difference {
	a, b = stated(a), stated(b)
	return compare(a, b, a.Responsibilities, b.Responsibilities)
}

// Meets returns in what an offer falls short of what a customer asks for, which is written down as an agreement that says no
// more than that: none if it meets all of it. Of what is [Weaker] the offer has too little, and what is [Incomparable] is
// for people to weigh, such as texts in other words. A is what was asked, B what is offered.
//
// An offer may leave time out of its figures by the rules that the requirements list; if they list none, that is not asked.
// In the same way what the customer answers for is asked where it is listed, who answers for a layer where it is assigned, and
// which resources a service has where they are named.
func Meets(offer, requirements *sla.Agreement) []Difference {
	offer, asked := stated(offer), stated(requirements)
	matrix := offer.Responsibilities
	matrix.Assignments = slices.DeleteFunc(slices.Clone(matrix.Assignments), func(x responsibility.Assignment) bool {
		return !slices.ContainsFunc(asked.Responsibilities.Assignments, func(y responsibility.Assignment) bool { return x.Layer == y.Layer })
	})
	asked.Services = slices.Clone(asked.Services)
	provided := gather(offer.Services)
	for i := range asked.Services {
		if s := &asked.Services[i]; len(s.Resources) == 0 && provided[s.ID] != nil {
			s.Resources = resources(provided[s.ID])
		}
	}
	if len(asked.Exclusions) == 0 {
		offer.Exclusions = nil
	}
	if !slices.ContainsFunc(asked.Liabilities, func(l sla.Liability) bool { return l.Party == opsec.CSC }) {
		offer.Liabilities = slices.DeleteFunc(slices.Clone(offer.Liabilities), func(l sla.Liability) bool { return l.Party == opsec.CSC })
	}
	return slices.DeleteFunc(compare(asked, offer, asked.Responsibilities, matrix), func(d Difference) bool { return d.Verdict == Stronger })
}

// stated returns a shallow copy.
func stated(a *sla.Agreement) *sla.Agreement {
	if a == nil {
		return new(sla.Agreement)
	}
	c := *a
	return &c
}

func compare(a, b *sla.Agreement, ofA, ofB responsibility.Matrix) (out []Difference) {
	out = weigh("", "7.1", func(t *terms) { t.alike("model", string(a.Model), string(b.Model), "services of another model") })
	out = append(out, responsibilities(ofA, ofB)...)

	out = append(out, weigh("", "7.2.1", func(t *terms) {
		const why = "more is not better: people have to weigh where data may be, and under which law"
		t.places("regions", a.Regions, b.Regions, why)
		t.places("law", a.Law, b.Law, why)
		t.set("profiles", a.Profiles, b.Profiles)
	})...)
	out = append(out, exclusions(a.Exclusions, b.Exclusions)...)
	out = append(out, credits(tables(a), tables(b))...)
	out = append(out, liabilities(a.Liabilities, b.Liabilities, opsec.CSP)...)
	out = append(out, liabilities(a.Liabilities, b.Liabilities, opsec.CSC)...)

	out = append(out, services(a.Services, b.Services)...)
	out = append(out, elements(&a.Clause, &b.Clause)...)
	seen := make(map[Difference]bool, len(out))
	return slices.DeleteFunc(out, func(d Difference) bool { // a target promises a mean and a bound of each on the same hours
		was := seen[d]
		seen[d] = true
		return was
	})
}

// Element is what the differences of a clause come to.
type Element struct {
	Clause      string  `json:"clause"`
	Title       string  `json:"title"`
	Verdict     Verdict `json:"verdict"`
	Differences int     `json:"differences"`
}

// Elements returns what differences come to, clause by clause, also for clauses that have none.
func Elements(list []Difference) []Element {
	out := []Element{
		{Clause: "7.1", Title: "Responsibilities"},
		{Clause: "7.2.1", Title: "Exclusions, credits and liabilities"},
		{Clause: "7.2.2.1", Title: "Business continuity"},
		{Clause: "7.2.2.2", Title: "Data security protection"},
		{Clause: "7.2.2.3", Title: "Emergency response"},
		{Clause: "7.2.2.4", Title: "Security measures"},
		{Clause: "7.2.2.5", Title: "Security audit"},
		{Clause: "7.2.2.6", Title: "Security monitoring"},
		{Clause: "7.2.2.7", Title: "Security certification"},
		{Clause: "7.2.2.8", Title: "Security documents"},
	}
	for i := range out {
		e := &out[i]
		of := slices.DeleteFunc(slices.Clone(list), func(d Difference) bool { return d.Clause != e.Clause })
		e.Verdict, e.Differences = Overall(of), len(of)
	}
	return out
}

// Rename returns a copy of an agreement whose services have other ids, by their ids, so that it can be compared with one of
// another provider, who names them otherwise. It is for comparing alone: its digest is another one.
func Rename(a *sla.Agreement, services map[string]string) *sla.Agreement {
	c := stated(a)
	to := func(id string) string {
		if n, ok := services[id]; ok {
			return n
		}
		return id
	}
	all := func(list []string) []string {
		list = slices.Clone(list)
		for i := range list {
			list[i] = to(list[i])
		}
		return list
	}
	c.Services = slices.Clone(c.Services)
	for i := range c.Services {
		s := &c.Services[i]
		s.ID, s.DependsOn = to(s.ID), all(s.DependsOn)
	}
	c.Exclusions = slices.Clone(c.Exclusions)
	for i := range c.Exclusions {
		c.Exclusions[i].Services = all(c.Exclusions[i].Services)
	}
	scoped := func(s **sla.Statement) {
		if *s != nil {
			n := **s
			n.Scope = all(n.Scope)
			*s = &n
		}
	}
	if d := c.Clause.Data; d != nil {
		n := *d
		scoped(&n.Physical)
		scoped(&n.Medium)
		scoped(&n.Access)
		scoped(&n.Operations)
		c.Clause.Data = &n
	}
	if m := c.Clause.Measures; m != nil {
		n := *m
		for _, s := range []**sla.Statement{&n.Virtualization, &n.Isolation, &n.Privileged, &n.Authentication, &n.Traffic, &n.Malware, &n.Patches} {
			scoped(s)
		}
		c.Clause.Measures = &n
	}
	if e := c.Clause.Certification; e != nil {
		n := *e
		scoped(&n.Training)
		c.Clause.Certification = &n
	}
	return c
}
