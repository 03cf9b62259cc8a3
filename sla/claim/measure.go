package claim

import (
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla"
)

// measure is a promise in words.
type measure struct {
	path string
	is   *sla.Statement
}

// proof reads who has looked at what.
func (c *check) proof() error {
	back := time.Duration(0)
	d, m := c.a.Clause.Data, c.a.Clause.Measures
	for _, s := range []*sla.Statement{d.Physical, d.Medium, d.Access, d.Operations, m.Virtualization, m.Isolation, m.Privileged, m.Authentication,
		m.Traffic, m.Malware, c.a.Clause.Certification.Training} {
		back = max(back, time.Duration(s.Interval))
	}
	list, given, err := collect(c.ctx, "proofs", c.s.Proofs, c.from.Add(-back), c.end)
	if err != nil {
		return err
	}
	c.proven, c.proofs = given, map[string][]Proof{}
	for _, p := range list {
		if p.At.Before(c.end) {
			c.proofs[p.Measure] = append(c.proofs[p.Measure], p)
		}
	}
	return nil
}

// words holds a promise in words beside the proofs of it: none of the period failed, and where it says how often it is
// renewed or checked, that is how often one passed; else one did that is not older than the agreement.
func (c *check) words(m measure) error {
	p := c.promise(m.path)
	proofs := c.proofs[m.path]
	p.Looked += len(proofs)
	var passed []time.Time
	for _, x := range proofs {
		switch {
		case x.Passed:
			passed = append(passed, x.At)
		case !x.At.Before(c.from):
			p.find(Failed, "", x.At, x.Evidence, "looked at, and not as promised")
		}
	}
	switch {
	case !c.proven:
		p.unstated()
		return nil
	case m.is.Interval > 0:
		return c.often(p, "looked at, and found as promised", m.is.Interval, passed)
	case !slices.ContainsFunc(passed, func(t time.Time) bool { return !t.Before(c.a.Effective) }):
		p.unstated()
	}
	return nil
}

// measures looks at clause 7.2.2.4.
func (c *check) measures() error {
	e := c.a.Clause.Measures
	for _, m := range []measure{
		{"clause.measures.virtualization", e.Virtualization}, {"clause.measures.isolation", e.Isolation},
		{"clause.measures.privileged", e.Privileged}, {"clause.measures.authentication", e.Authentication},
		{"clause.measures.traffic", e.Traffic}, {"clause.measures.malware", e.Malware},
	} {
		if err := c.words(m); err != nil {
			return err
		}
	}
	return c.patches()
}
