package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// Withheld stands where a text mentions another customer. An id or item that does is "withheld-" and a number, so that what
// belongs together can still be told.
const Withheld = "[withheld: it names another customer]"

// Share returns an audit as a customer may see it, and how many texts of it are withheld; see the package. Nobody's name
// stands in its fields. Results about the provider's own items keep their procedure, status and time, and no item; before
// the audit is issued there are neither results nor findings. A customer whom the audit does not concern gets an error
// that wraps [opsec.ErrNotFound].
func Share(a programme.Audit, tenant opsec.TenantID) (programme.Audit, int, error) {
	s, err := newSharing(a, tenant)
	if err != nil {
		return programme.Audit{}, 0, err
	}
	out := s.audit(a)
	return out, s.withheld, nil
}

// sharing is what is left out for one customer.
type sharing struct {
	tenant   opsec.TenantID
	terms    *terms
	withheld int
	aliases  map[string]string
}

func newSharing(a programme.Audit, tenant opsec.TenantID) (*sharing, error) {
	if ours(tenant) || !slices.Contains(a.Plan.Customers, tenant) {
		return nil, fmt.Errorf("report: an audit that concerns customer %.40q: %w", tenant, opsec.ErrNotFound)
	}
	s := &sharing{tenant: tenant, terms: newTerms(string(tenant)), aliases: map[string]string{}}
	for _, t := range slices.Concat(a.Plan.Customers, a.Plan.Scope.Tenants) {
		s.owner(t, "")
	}
	for _, r := range a.Plan.Scope.Resources {
		s.owner(r.Tenant, r.ID)
	}
	known := map[string]bool{}
	for _, r := range a.Results {
		s.owner(r.Tenant, r.Item)
		known[r.Item] = true
	}
	for _, e := range a.History {
		for _, r := range e.Replaced { // whose an item was taken to be
			s.owner(r.Tenant, "")
		}
	}
	for _, f := range a.Findings {
		for _, t := range f.Tenants {
			s.owner(t, "")
		}
		s.unknown(f, known)
	}
	return s, nil
}

// ours says whether something is the provider's own.
func ours(t opsec.TenantID) bool { return t == "" || t == opsec.Provider }

// owner notes whose an item is.
func (s *sharing) owner(t opsec.TenantID, item string) {
	if item == "*" {
		item = ""
	}
	switch {
	case ours(t):
	case t == s.tenant:
		s.terms.ownItems.add(item)
	default:
		s.terms.others.add(term(string(t)))
		s.terms.items.add(term(item))
	}
}

// unknown notes the items of a finding that no result knows: when it is not the reader's alone they may be anybody's.
func (s *sharing) unknown(f programme.Finding, known map[string]bool) {
	for _, item := range f.Items {
		for _, t := range f.Tenants {
			if !known[item] && (t != s.tenant || len(f.Tenants) == 1) {
				s.owner(t, item)
			}
		}
	}
}

func term(s string) string { return strings.TrimSpace(fold(s).text) }

// text returns a text, or the note that it is withheld.
func (s *sharing) text(text string) string {
	if !s.terms.mentioned(text) {
		return text
	}
	s.withheld++
	return Withheld
}

func (s *sharing) texts(list []string) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = s.text(t)
	}
	return out
}

// id returns an id, or what stands for it; an id of the same kind always has the same.
func (s *sharing) id(kind, id string) string {
	if id == "" || !s.terms.mentioned(id) {
		return id
	}
	key := kind + "\x00" + id
	if s.aliases[key] == "" {
		s.withheld++
		s.aliases[key] = fmt.Sprintf("withheld-%d", len(s.aliases)+1)
	}
	return s.aliases[key]
}

// alias returns what stands for an id already, or the id.
func (s *sharing) alias(kind, id string) string {
	if to := s.aliases[kind+"\x00"+id]; to != "" {
		return to
	}
	return id
}

func (s *sharing) ids(kind string, list []string) (out []string) {
	for _, id := range list {
		out = append(out, s.id(kind, id))
	}
	return out
}

// The kinds of ids.
const (
	audits      = "audit"
	categories  = "category"
	criteria    = "requirement"
	procedures  = "procedure"
	findings    = "finding"
	actions     = "action"
	items       = "item"
	catalogueID = "catalogue"
)

func (s *sharing) audit(a programme.Audit) programme.Audit {
	out := programme.Audit{
		ID:    s.id(audits, a.ID),
		Stage: a.Stage,
		Plan: programme.Plan{
			Title:      s.text(a.Plan.Title),
			Objectives: s.texts(a.Plan.Objectives),
			Catalogue:  s.id(catalogueID, a.Plan.Catalogue),
			Scope:      independence.Scope{Tenants: []opsec.TenantID{s.tenant}},
			Customers:  []opsec.TenantID{s.tenant},
			From:       a.Plan.From,
			Until:      a.Plan.Until,
			Follows:    s.id(audits, a.Plan.Follows),
		},
	}
	if !knownStage(a.Stage) {
		out.Stage = ""
	}
	for _, p := range a.Plan.Procedures {
		out.Plan.Procedures = append(out.Plan.Procedures, programme.Procedure{
			ID: s.id(procedures, p.ID), Title: s.text(p.Title), Category: s.id(categories, p.Category),
			Requirements: s.ids(criteria, p.Requirements), Sample: p.Sample,
		})
	}
	for _, m := range a.Team {
		out.Team = append(out.Team, programme.Member{
			Function: programme.Function(s.text(string(m.Function))), Lead: m.Lead, Categories: s.ids(categories, m.Categories),
		})
	}
	for _, w := range a.Waivers {
		out.Waivers = append(out.Waivers, programme.Waiver{Category: s.id(categories, w.Category), Reason: s.text(w.Reason)})
	}
	if issued(a) {
		s.results(a, &out)
		s.findings(a, &out)
	}
	return out
}

// issued says whether the results of an audit are final.
func issued(a programme.Audit) bool {
	return a.Stage == programme.Reported || a.Stage == programme.Closed || a.Stage == programme.Cancelled &&
		slices.ContainsFunc(a.History, func(e programme.Entry) bool { return e.Action == programme.ActionIssue })
}

func knownStage(s programme.Stage) bool {
	switch s {
	case programme.Planned, programme.Approved, programme.Frozen, programme.Fieldwork, programme.Reported,
		programme.Closed, programme.Cancelled:
		return true
	}
	return false
}

func (s *sharing) results(a programme.Audit, out *programme.Audit) {
	for _, r := range a.Results {
		if r.Tenant != s.tenant && !ours(r.Tenant) {
			continue
		}
		shown := programme.Result{
			Procedure: s.id(procedures, r.Procedure), Status: status(r.Status), Time: r.Time, Automated: r.Automated,
		}
		if r.Tenant == s.tenant {
			shown.Tenant, shown.Item, shown.Detail = r.Tenant, s.id(items, r.Item), s.text(r.Detail)
			for _, e := range r.Evidence {
				shown.Evidence = append(shown.Evidence, programme.Evidence{
					Name: s.text(e.Name), Digest: s.text(e.Digest), Collected: e.Collected,
				})
			}
		}
		out.Results = append(out.Results, shown)
	}
}

// status returns a status; what is none that is known is not tested.
func status(s programme.Status) programme.Status {
	switch s {
	case programme.Passed, programme.Failed, programme.NotApplicable:
		return s
	}
	return programme.NotTested
}

func (s *sharing) findings(a programme.Audit, out *programme.Audit) {
	shown := map[string]bool{}
	for _, f := range a.Findings {
		if !slices.Contains(f.Tenants, s.tenant) {
			continue
		}
		shown[f.ID] = true
		g := programme.Finding{
			ID: s.id(findings, f.ID), Procedure: s.id(procedures, f.Procedure), Requirements: s.ids(criteria, f.Requirements),
			Tenants: []opsec.TenantID{s.tenant}, Criterion: s.text(f.Criterion), Condition: s.text(f.Condition),
			Cause: s.text(f.Cause), Effect: s.text(f.Effect), Risk: risk(f.Risk), Subject: s.text(f.Subject), Repeats: f.Repeats,
		}
		for _, item := range f.Items {
			if s.terms.ownItems.has(item) {
				g.Items = append(g.Items, s.id(items, item))
			}
		}
		if f.Accepted != nil {
			g.Accepted = &programme.Acceptance{Reason: s.text(f.Accepted.Reason), Until: f.Accepted.Until}
		}
		out.Findings = append(out.Findings, g)
	}
	for _, act := range a.Actions {
		if shown[act.Finding] {
			out.Actions = append(out.Actions, programme.Action{
				ID: s.id(actions, act.ID), Finding: s.id(findings, act.Finding), Text: s.text(act.Text), Due: act.Due,
				Completed: act.Completed, Verified: act.Verified, Rejected: act.Rejected,
			})
		}
	}
}

// risk returns a grade; what is none is not rated.
func risk(r opsec.Severity) opsec.Severity {
	if r.Rank() == 0 {
		return ""
	}
	return r
}

// catalogue returns what a customer sees of a catalogue: titles of categories, and of the requirements that the audit, as
// it was shared, names.
func (s *sharing) catalogue(c *catalogue.Catalogue, out *programme.Audit) *catalogue.Catalogue {
	used := map[string]bool{}
	for _, p := range out.Plan.Procedures {
		for _, id := range p.Requirements {
			used[id] = true
		}
	}
	for _, f := range out.Findings {
		for _, id := range f.Requirements {
			used[id] = true
		}
	}
	shared := &catalogue.Catalogue{ID: c.ID, Version: c.Version, Title: s.text(c.Title)}
	for _, k := range c.Categories {
		shared.Categories = append(shared.Categories, catalogue.Category{ID: s.id(categories, k.ID), Title: s.text(k.Title)})
	}
	for _, r := range c.Requirements {
		if id := s.alias(criteria, r.ID); used[id] {
			shared.Requirements = append(shared.Requirements, catalogue.Requirement{ID: id, Title: s.text(r.Title)})
		}
	}
	return shared
}
