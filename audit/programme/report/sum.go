package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
)

// sum returns the document of an audit that its audience may see as it is.
func (src *Source) sum(who Audience) Document {
	d := Document{
		Audience: who, At: src.At, Audit: src.Audit, Catalogue: src.Catalogue.Title, Issued: issued(src.Audit),
		Procedures: src.procedures(),
	}
	d.Categories = src.categories(d.Procedures)
	for _, k := range d.Categories {
		d.Total.add(k.Counts)
	}
	d.Customers = src.customers(d.Total.Missing)
	d.Findings = src.findings()
	d.Risks = risks(d.Findings)
	d.Requirements = src.requirements(d.Procedures)
	d.Certificates = src.certificates()
	return d
}

// share returns the document of a customer.
func (src *Source) share(tenant opsec.TenantID) (Document, error) {
	s, err := newSharing(src.Audit, tenant)
	if err != nil {
		return Document{}, err
	}
	shared := Source{Audit: s.audit(src.Audit), At: src.At}
	shared.Catalogue = s.catalogue(src.Catalogue, &shared.Audit)
	for _, c := range src.Certificates {
		shared.Certificates = append(shared.Certificates, competence.Certificate{
			ID: s.text(c.ID), Name: s.text(c.Name), Scope: s.text(c.Scope), Body: s.text(c.Body),
			Issued: c.Issued, Expires: c.Expires, Withdrawn: c.Withdrawn,
		})
	}
	d := shared.sum(Tenant(tenant))
	if d.Issued = issued(src.Audit); d.Issued {
		var own []Finding
		for _, f := range src.findings() {
			if len(f.Tenants) == 0 {
				own = append(own, f)
			}
		}
		d.Provider = risks(own)
		d.Customers[0].Findings = len(own)
	}
	d.Withheld = s.withheld
	return d, nil
}

// procedures returns the procedures of the plan, and then those that results alone know.
func (src *Source) procedures() (list []Procedure) {
	place := map[string]int{}
	for _, p := range src.Audit.Plan.Procedures {
		place[p.ID] = len(list)
		list = append(list, Procedure{Procedure: p})
	}
	for _, r := range src.Audit.Results {
		i, ok := place[r.Procedure]
		if !ok {
			i = len(list)
			place[r.Procedure] = i
			list = append(list, Procedure{Procedure: programme.Procedure{ID: r.Procedure}})
		}
		list[i].count(r.Status)
	}
	if n := len(src.Audit.Freezes); n > 0 {
		for _, f := range src.Audit.Freezes[n-1].Frames {
			if i, ok := framed(f.Procedure, place); ok {
				list[i].Population += f.Size
				switch {
				case list[i].Sample == 0:
					list[i].Drawn += f.Size
				case src.Audit.Draw != nil:
					list[i].Drawn += len(src.Audit.Draw.Samples[f.Procedure])
				}
			}
		}
	}
	for i := range list {
		list[i].Missing = max(0, list[i].Drawn-list[i].Items())
	}
	return list
}

// framed returns the place of the procedure that a frame is of: that of its name, or that which it is a stratum of.
func framed(name string, place map[string]int) (i int, ok bool) {
	for {
		if i, ok = place[name]; ok {
			return i, true
		}
		cut := strings.LastIndexByte(name, '/')
		if cut < 0 {
			return 0, false
		}
		name = name[:cut]
	}
}

// categories returns the categories of the catalogue, and then those that the plan alone knows.
func (src *Source) categories(procedures []Procedure) (list []Category) {
	place := map[string]int{}
	add := func(id, title string) {
		if _, ok := place[id]; !ok {
			place[id] = len(list)
			list = append(list, Category{ID: id, Title: title})
		}
	}
	for _, k := range src.Catalogue.Categories {
		add(k.ID, k.Title)
	}
	for _, p := range procedures {
		add(p.Category, cmp.Or(p.Category, "Without a category"))
		k := &list[place[p.Category]]
		k.Procedures++
		k.add(p.Counts)
	}
	for _, w := range src.Audit.Waivers {
		add(w.Category, w.Category)
		list[place[w.Category]].Waived = w.Reason
	}
	return list
}

// customers returns the provider, and then all customers. What has no result yet is not known to be anybody's, and counts
// for the provider.
func (src *Source) customers(missing int) []Customer {
	list := []Customer{{Counts: Counts{Missing: missing}}}
	place := map[opsec.TenantID]int{"": 0, opsec.Provider: 0}
	at := func(t opsec.TenantID) *Customer {
		i, ok := place[t]
		if !ok {
			i = len(list)
			place[t] = i
			list = append(list, Customer{Tenant: t})
		}
		return &list[i]
	}
	for _, t := range src.Audit.Plan.Customers {
		at(t)
	}
	for _, r := range src.Audit.Results {
		at(r.Tenant).count(r.Status)
	}
	for _, f := range src.Audit.Findings {
		if len(f.Tenants) == 0 {
			at("").Findings++
		}
		for _, t := range f.Tenants {
			at(t).Findings++
		}
	}
	slices.SortStableFunc(list[1:], func(a, b Customer) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return list
}

// findings returns the findings with their actions: the gravest first, then those found most often.
func (src *Source) findings() (list []Finding) {
	type key struct{ finding, action string }
	overdue := map[key]bool{}
	for _, a := range src.Audit.Overdue(src.At) {
		overdue[key{a.Finding, a.ID}] = true
	}
	for _, f := range src.Audit.Findings {
		g := Finding{Finding: f}
		g.Risk = risk(f.Risk)
		for _, a := range src.Audit.Actions {
			if a.Finding == f.ID {
				g.Actions = append(g.Actions, Action{Action: a, State: acted(a, overdue[key{f.ID, a.ID}])})
			}
		}
		g.State = g.state(src.At)
		list = append(list, g)
	}
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Risk.Rank(), a.Risk.Rank()), cmp.Compare(b.Repeats, a.Repeats))
	})
	return list
}

func acted(a programme.Action, overdue bool) State {
	switch {
	case !a.Verified.IsZero():
		return Verified
	case overdue:
		return Overdue
	case !a.Completed.IsZero():
		return Waiting
	}
	return Open
}

func (f *Finding) state(at time.Time) State {
	worst := Verified
	for _, a := range f.Actions {
		switch {
		case a.State == Overdue, a.State == Open && worst != Overdue, a.State == Waiting && worst == Verified:
			worst = a.State
		}
	}
	switch {
	case len(f.Actions) > 0 && worst == Verified:
		return Verified
	case f.Accepted != nil && at.Before(f.Accepted.Until):
		return Accepted
	case worst == Overdue:
		return Overdue
	case f.Accepted != nil:
		return Lapsed
	case len(f.Actions) == 0:
		return NoAction
	}
	return worst
}

// risks counts findings that are in the order of their risks.
func risks(findings []Finding) (list []Risk) {
	for _, f := range findings {
		if len(list) == 0 || list[len(list)-1].Risk != f.Risk {
			list = append(list, Risk{Risk: f.Risk})
		}
		r := &list[len(list)-1]
		r.Findings++
		switch f.State {
		case Verified:
			r.Verified++
		case Accepted:
			r.Accepted++
		case Overdue:
			r.Overdue++
			r.Open++
		default:
			r.Open++
		}
		if f.Repeats > 0 {
			r.Repeated++
		}
	}
	return list
}

func (src *Source) requirements(procedures []Procedure) (list []Requirement) {
	audited := map[string]bool{}
	for _, p := range procedures {
		audited[p.Category] = true
	}
	place := map[string]int{}
	add := func(r catalogue.Requirement) {
		place[r.ID] = len(list)
		list = append(list, Requirement{Requirement: r})
	}
	named := map[string]bool{}
	for _, p := range procedures {
		for _, id := range p.Requirements {
			named[id] = true
		}
	}
	for _, f := range src.Audit.Findings {
		for _, id := range f.Requirements {
			named[id] = true
		}
	}
	for _, r := range src.Catalogue.Requirements {
		if named[r.ID] || slices.ContainsFunc(r.Categories, func(k string) bool { return audited[k] }) {
			add(r)
		}
	}
	at := func(id string) *Requirement {
		if _, ok := place[id]; !ok {
			add(catalogue.Requirement{ID: id})
		}
		return &list[place[id]]
	}
	for _, p := range procedures {
		for _, id := range p.Requirements {
			r := at(id)
			r.Procedures = append(r.Procedures, p.ID)
			r.add(p.Counts)
		}
	}
	for _, f := range src.Audit.Findings {
		for _, id := range f.Requirements {
			r := at(id)
			r.Findings = append(r.Findings, f.ID)
		}
	}
	return list
}

func (src *Source) certificates() (list []Certificate) {
	for _, c := range src.Certificates {
		shown := Certificate{Certificate: c, State: "in force"}
		switch {
		case !c.Withdrawn.IsZero() && !src.At.Before(c.Withdrawn):
			shown.State = "withdrawn"
		case !src.At.Before(c.Expires):
			shown.State = "expired"
		case src.At.Before(c.Issued):
			shown.State = "not yet in force"
		}
		for _, w := range src.Warnings {
			if w.Certificate == c.ID {
				shown.Warnings = append(shown.Warnings, w)
			}
		}
		list = append(list, shown)
	}
	return list
}
