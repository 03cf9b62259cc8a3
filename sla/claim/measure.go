package claim

import (
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
	list, given, err := collect(c, "proofs", c.s.Proofs, back)
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

// words holds a promise in words beside the proofs of it: none of the period failed, nor was the last before it one that did,
// and where it says how often it is renewed or checked, that is how often one passed; else one did that is not older than the
// agreement.
func (c *check) words(m measure) error {
	p := c.promise(m.path)
	var passed []time.Time
	var last time.Time // that passed
	for _, x := range c.proofs[m.path] {
		if x.Passed {
			passed = append(passed, x.At)
			if x.At.After(last) {
				last = x.At
			}
		}
	}
	for _, x := range c.proofs[m.path] {
		if !x.Passed && x.At.Before(c.from) && !x.At.Before(last) {
			p.find(Stale, "", x.At, x.Evidence, "the last who looked found it not as promised, before the period")
		}
	}
	c.prove(p)
	switch {
	case !c.proven:
		p.unstated()
		return nil
	case m.is.Interval > 0:
		return c.often(p, "looked at, and found as promised", m.is.Interval, passed, c.end)
	case last.Before(c.a.Effective):
		p.unstated()
	}
	return nil
}

// prove takes the proofs of a promise: none of the period failed.
func (c *check) prove(p *Promise) {
	for _, x := range c.proofs[p.Path] {
		p.Looked++
		if !x.Passed && !x.At.Before(c.from) {
			p.find(Failed, "", x.At, x.Evidence, "looked at, and not as promised")
		}
	}
	delete(c.proofs, p.Path)
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
