package report

import (
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

func (d *Document) plan() htmlreport.Section {
	s := htmlreport.Section{ID: "plan", Title: "Plan"}
	p := d.Audit.Plan
	facts := htmlreport.Facts{
		{Label: "Title", Value: plain(p.Title)},
		{Label: "Objectives", Value: plain(join(p.Objectives, "\n"))},
		{Label: "Fieldwork", Value: plain(day(p.From) + " to " + day(p.Until))},
	}
	if p.Follows != "" {
		facts = append(facts, htmlreport.Fact{Label: "Follows audit", Value: code(p.Follows)})
	}
	if !d.shared() {
		facts = append(facts, d.scope()...)
	}
	s.Blocks = append(s.Blocks, facts)
	if !d.shared() && len(p.Resources) > 0 {
		t := htmlreport.Table{
			Caption: "What it needs",
			Columns: []htmlreport.Column{{Title: "Resource"}, {Title: "Guaranteed by"}},
		}
		for _, n := range p.Resources {
			by := plain(n.Guaranteed)
			if n.Guaranteed == "" {
				by = htmlreport.Mark(htmlreport.Warn, "not guaranteed")
			}
			t.Rows = append(t.Rows, []htmlreport.Text{plain(n.Name), by})
		}
		s.Blocks = append(s.Blocks, t)
	}
	if len(d.Procedures) > 0 {
		s.Blocks = append(s.Blocks, d.procedures())
	}
	if len(d.Audit.Waivers) > 0 {
		s.Blocks = append(s.Blocks, d.waivers())
	}
	return s
}

func (d *Document) scope() htmlreport.Facts {
	scope := d.Audit.Plan.Scope
	var resources []string
	for _, r := range scope.Resources {
		resources = append(resources, strings.TrimPrefix(r.String(), "/"))
	}
	all := func(list []string) htmlreport.Text {
		if len(list) == 0 {
			return plain("")
		}
		return plain(strings.Join(list, ", "))
	}
	tenants := "all"
	if len(scope.Tenants) > 0 {
		tenants = customers(scope.Tenants)
	}
	return htmlreport.Facts{
		{Label: "Systems", Value: all(scope.Systems)},
		{Label: "Operations", Value: all(scope.Actions)},
		{Label: "Resources", Value: all(resources)},
		{Label: "Whose", Value: plain(tenants)},
		{Label: "Customers concerned", Value: plain(customers(d.Audit.Plan.Customers))},
	}
}

func (d *Document) procedures() htmlreport.Table {
	t := htmlreport.Table{Caption: "Procedures", Columns: []htmlreport.Column{
		{Title: "Procedure"}, {Title: "Title"}, {Title: "Category"}, {Title: "Criteria"}, {Title: "Sample"},
	}}
	if !d.shared() {
		t.Columns = append(t.Columns, htmlreport.Column{Title: "Carried out"})
	}
	for _, p := range d.Procedures {
		row := []htmlreport.Text{
			plain(p.ID), plain(p.Title), plain(d.category(p.Category)), codes(p.Requirements), plain(sampled(p, d.shared())),
		}
		if !d.shared() {
			how := "by " + p.Person
			if p.Check != "" {
				how += ", automated: " + p.Check
			}
			row = append(row, plain(how))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func sampled(p Procedure, shared bool) string {
	switch {
	case p.Sample == 0 && p.Population == 0:
		return "all"
	case p.Sample == 0:
		return fmt.Sprintf("all %d", p.Population)
	case shared || p.Population == 0:
		return fmt.Sprintf("%d drawn", p.Sample)
	}
	return fmt.Sprintf("%d of %d", p.Drawn, p.Population)
}

// category returns the title of a category.
func (d *Document) category(id string) string {
	for _, k := range d.Categories {
		if k.ID == id {
			return k.Title
		}
	}
	return id
}

func (d *Document) waivers() htmlreport.Table {
	t := htmlreport.Table{Caption: "Left out", Columns: []htmlreport.Column{{Title: "Category"}, {Title: "Why"}}}
	if !d.shared() {
		t.Columns = append(t.Columns, htmlreport.Column{Title: "Decided by"})
	}
	for _, w := range d.Audit.Waivers {
		row := []htmlreport.Text{plain(d.category(w.Category)), plain(w.Reason)}
		if !d.shared() {
			row = append(row, plain(w.Person))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (d *Document) team() htmlreport.Section {
	s := htmlreport.Section{ID: "team", Title: "Team"}
	if len(d.Audit.Team) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("Nobody is assigned yet."))}
		return s
	}
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Function"}, {Title: "Part"}, {Title: "Audits"}}}
	if !d.shared() {
		t.Columns = append([]htmlreport.Column{{Title: "Person"}}, t.Columns...)
	}
	for _, m := range d.Audit.Team {
		t.Rows = append(t.Rows, d.member(m))
	}
	s.Blocks = append(s.Blocks, t)
	if d.Audience == Auditor {
		proof := htmlreport.Table{Caption: "What they rest on, by digest", Columns: []htmlreport.Column{
			{Title: "Person"}, {Title: "Clearance"}, {Title: "Qualifications"},
		}}
		for _, m := range d.Audit.Team {
			proof.Rows = append(proof.Rows, []htmlreport.Text{plain(m.Person), code(m.Clearance), codes(m.Qualifications)})
		}
		s.Blocks = append(s.Blocks, proof)
	}
	return s
}

func (d *Document) member(m programme.Member) (row []htmlreport.Text) {
	part := "member"
	if m.Lead {
		part = "lead"
	}
	var titles []string
	for _, id := range m.Categories {
		titles = append(titles, d.category(id))
	}
	if !d.shared() {
		row = append(row, plain(m.Person))
	}
	return append(row, plain(string(m.Function)), plain(part), plain(join(titles, "\n")))
}

func (d *Document) certificates() htmlreport.Section {
	s := htmlreport.Section{ID: "certificates", Title: "Certificates"}
	if len(d.Certificates) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("None."))}
		return s
	}
	t := htmlreport.Table{Columns: []htmlreport.Column{
		{
			Title: "Certificate",
		}, {Title: "Scope"}, {Title: "Body"}, {Title: "Issued", Short: true}, {Title: "Expires", Short: true}, {Title: "State"},
	}}
	for _, c := range d.Certificates {
		tone := htmlreport.Good
		if c.State != "in force" {
			tone = htmlreport.Bad
		}
		state := htmlreport.Mark(tone, c.State)
		for _, w := range c.Warnings {
			state = append(state, htmlreport.Span{Text: "\n"}, htmlreport.Span{Text: string(w.Reason), Mark: htmlreport.Warn},
				htmlreport.Span{Text: " " + day(w.When)})
		}
		t.Rows = append(t.Rows, []htmlreport.Text{
			append(
				plain(c.Name+" "),
				code(c.ID)...), plain(c.Scope), plain(c.Body), plain(day(c.Issued)), plain(day(c.Expires)), state,
		})
	}
	s.Blocks = append(s.Blocks, t)
	return s
}
