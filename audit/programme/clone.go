package programme

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
)

// Digest returns what names the audit as it is: the SHA-256 of its JSON, "sha256:" and 64 digits of hexadecimal. The
// event of each step has the digest of the audit after it.
func (a Audit) Digest() string {
	b, _ := json.Marshal(a) // plain values: it cannot fail
	return digestOf(b)
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// clone returns a copy that shares no memory with a.
func (a Audit) clone() Audit {
	a.Plan = a.Plan.clone()
	a.Team = each(a.Team, func(m Member) Member {
		m.Categories, m.Qualifications = slices.Clone(m.Categories), slices.Clone(m.Qualifications)
		return m
	})
	a.Waivers = slices.Clone(a.Waivers)
	a.Freezes = each(a.Freezes, func(f Freeze) Freeze {
		f.Frames = slices.Clone(f.Frames)
		return f
	})
	if a.Draw != nil {
		d := *a.Draw
		d.Samples, d.Items = maps.Clone(d.Samples), maps.Clone(d.Items)
		for p := range d.Samples {
			d.Samples[p] = slices.Clone(d.Samples[p])
		}
		for p := range d.Items {
			d.Items[p] = slices.Clone(d.Items[p])
		}
		a.Draw = &d
	}
	a.Results = each(a.Results, Result.clone)
	a.Findings = each(a.Findings, Finding.clone)
	a.Actions = each(a.Actions, func(x Action) Action {
		x.Evidence = each(x.Evidence, Evidence.clone)
		return x
	})
	a.Grants = each(a.Grants, func(g Grant) Grant {
		g.Targets = slices.Clone(g.Targets)
		return g
	})
	a.History = each(a.History, func(e Entry) Entry {
		e.Replaced = each(e.Replaced, Result.clone)
		return e
	})
	return a
}

func (p Plan) clone() Plan {
	p.Objectives, p.Customers, p.Resources = slices.Clone(p.Objectives), slices.Clone(p.Customers), slices.Clone(p.Resources)
	s := &p.Scope
	s.Tenants, s.Systems, s.Actions, s.Resources =
		slices.Clone(s.Tenants), slices.Clone(s.Systems), slices.Clone(s.Actions), slices.Clone(s.Resources)
	p.Procedures = each(p.Procedures, func(x Procedure) Procedure {
		x.Requirements, x.Steps = slices.Clone(x.Requirements), slices.Clone(x.Steps)
		return x
	})
	return p
}

func (r Result) clone() Result {
	r.Evidence = each(r.Evidence, Evidence.clone)
	return r
}

func (e Evidence) clone() Evidence {
	e.Custody = slices.Clone(e.Custody)
	return e
}

func (f Finding) clone() Finding {
	f.Requirements, f.Items, f.Tenants = slices.Clone(f.Requirements), slices.Clone(f.Items), slices.Clone(f.Tenants)
	if f.Accepted != nil {
		accepted := *f.Accepted
		f.Accepted = &accepted
	}
	return f
}

// each returns what f makes of each element; nil for nil.
func each[T any](list []T, f func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = f(list[i])
	}
	return list
}
