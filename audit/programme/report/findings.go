package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// findingID is where the i-th finding stands in the page.
func findingID(i int) string { return fmt.Sprintf("#finding-%d", i+1) }

// heading is a finding in a line.
func (f *Finding) heading() string {
	if f.Subject != "" {
		return f.Subject
	}
	return f.Condition
}

func (d *Document) findings() htmlreport.Section {
	s := htmlreport.Section{ID: "findings", Title: "Findings"}
	if d.shared() {
		s.Title = "Findings that name you"
	}
	if len(d.Findings) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain(d.unless("None.")))}
		if !d.shared() {
			s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("None."))}
		}
		return s
	}
	bars := htmlreport.Bars{Caption: "By risk"}
	for _, r := range d.Risks {
		bars.Rows = append(bars.Rows, htmlreport.Bar{Label: riskWord(r.Risk), Parts: []htmlreport.Part{
			{Label: "open", Count: r.Open, Tone: riskTone(r.Risk)},
			{Label: "risk accepted", Count: r.Accepted, Tone: htmlreport.Neutral},
			{Label: "verified", Count: r.Verified, Tone: htmlreport.Good},
		}})
	}
	s.Blocks = append(s.Blocks, bars, riskTable("In numbers", d.Risks))
	for i, f := range d.Findings {
		s.Sections = append(s.Sections, d.finding(i, f))
	}
	return s
}

func riskTable(caption string, risks []Risk) htmlreport.Table {
	t := htmlreport.Table{Caption: caption, Columns: []htmlreport.Column{
		{
			Title: "Risk",
		}, {Title: "Findings", Numbers: true}, {Title: "Open", Numbers: true}, {Title: "Of these overdue", Numbers: true},
		{Title: "Risk accepted", Numbers: true}, {Title: "Verified", Numbers: true}, {Title: "Found before", Numbers: true},
	}}
	var all Risk
	row := func(first htmlreport.Text, r Risk) []htmlreport.Text {
		return []htmlreport.Text{
			first, number(r.Findings), number(r.Open), loud(r.Overdue, htmlreport.Bad), number(r.Accepted), number(r.Verified),
			number(r.Repeated),
		}
	}
	for _, r := range risks {
		t.Rows = append(t.Rows, row(riskMark(r.Risk), r))
		all.Findings += r.Findings
		all.Open += r.Open
		all.Overdue += r.Overdue
		all.Accepted += r.Accepted
		all.Verified += r.Verified
		all.Repeated += r.Repeated
	}
	t.Foot = row(plain("All"), all)
	return t
}

func (d *Document) finding(i int, f Finding) htmlreport.Section {
	s := htmlreport.Section{ID: strings.TrimPrefix(findingID(i), "#"), Title: f.ID + ": " + shorten(f.heading(), inHeading)}
	facts := htmlreport.Facts{
		{Label: "Risk", Value: append(riskMark(f.Risk), repeated(f)...)},
		{Label: "State", Value: stateMark(f.State)},
		{Label: "Procedure", Value: code(f.Procedure)},
		{Label: "Requirements", Value: d.criteria(f.Requirements)},
	}
	if !d.shared() {
		facts = append(facts, htmlreport.Fact{Label: "Concerns", Value: plain(customers(f.Tenants))})
		if len(f.Tenants) == 0 {
			facts[len(facts)-1].Value = plain("the provider alone")
		}
	}
	facts = append(facts,
		htmlreport.Fact{Label: "Items", Value: codes(f.Items)},
		htmlreport.Fact{Label: "What should be", Value: plain(f.Criterion)},
		htmlreport.Fact{Label: "What is", Value: plain(f.Condition)},
		htmlreport.Fact{Label: "Why", Value: plain(f.Cause)},
		htmlreport.Fact{Label: "What may come of it", Value: plain(f.Effect)},
	)
	if f.Accepted != nil {
		by := ""
		if f.Accepted.Person != "" {
			by = " by " + f.Accepted.Person
		}
		facts = append(facts, htmlreport.Fact{Label: "Risk accepted",
			Value: plain("until " + day(f.Accepted.Until) + by + ": " + f.Accepted.Reason)})
	}
	s.Blocks = append(s.Blocks, facts)
	if len(f.Actions) > 0 {
		s.Blocks = append(s.Blocks, d.actionTable("Actions", f.Actions))
	}
	if d.Audience == Auditor {
		var list []held
		for _, a := range f.Actions {
			for _, e := range a.Evidence {
				list = append(list, held{a.ID, e})
			}
		}
		s.Blocks = append(s.Blocks, evidenceTable("Action", list)...)
	}
	return s
}

func repeated(f Finding) htmlreport.Text {
	switch f.Repeats {
	case 0:
		return nil
	case 1:
		return plain(" found by the audit before, too")
	}
	return plain(fmt.Sprintf(" found by the %d audits before, too", f.Repeats))
}

// criteria returns requirements with their titles.
func (d *Document) criteria(ids []string) (text htmlreport.Text) {
	for i, id := range ids {
		if i > 0 {
			text = append(text, htmlreport.Span{Text: "\n"})
		}
		text = append(text, htmlreport.Span{Text: id, Code: true})
		at := slices.IndexFunc(d.Requirements, func(r Requirement) bool { return r.ID == id })
		if at >= 0 && d.Requirements[at].Title != "" {
			text = append(text, htmlreport.Span{Text: " " + d.Requirements[at].Title})
		}
	}
	if text == nil {
		return plain("")
	}
	return text
}

func (d *Document) actionTable(caption string, list []Action) htmlreport.Table {
	t := htmlreport.Table{Caption: caption, Columns: []htmlreport.Column{{Title: "Action"}, {Title: "What"}}}
	if !d.shared() {
		t.Columns = append(t.Columns, htmlreport.Column{Title: "Owner"})
	}
	t.Columns = append(t.Columns, htmlreport.Column{Title: "State"}, htmlreport.Column{Title: "Due", Short: true},
		htmlreport.Column{Title: "Done, says the owner", Short: true}, htmlreport.Column{Title: "Verified"})
	for _, a := range list {
		row := []htmlreport.Text{plain(a.ID), plain(a.Text)}
		if !d.shared() {
			row = append(row, plain(a.Owner))
		}
		verified := day(a.Verified)
		if a.Verifier != "" {
			verified += " by " + a.Verifier
		}
		state := stateMark(a.State)
		if a.Rejected > 0 {
			state = append(state, htmlreport.Span{Text: fmt.Sprintf(" found not done: %d×", a.Rejected)})
		}
		t.Rows = append(t.Rows, append(row, state, plain(day(a.Due)), plain(day(a.Completed)), plain(verified)))
	}
	return t
}

// mostPeriods is how many rows a timeline has, at most; the table has all.
const mostPeriods = 40

func (d *Document) actions() htmlreport.Section {
	s := htmlreport.Section{ID: "actions", Title: "Actions"}
	var list []Action
	for _, f := range d.Findings {
		list = append(list, f.Actions...)
	}
	if len(list) == 0 {
		s.Blocks = []htmlreport.Block{htmlreport.Paragraph(plain("None."))}
		return s
	}
	slices.SortStableFunc(list, func(a, b Action) int { return a.Due.Compare(b.Due) })
	line := htmlreport.Timeline{Caption: "From the agreement to the due date, or for as long as it is overdue", Now: d.At}
	for _, a := range list[:min(mostPeriods, len(list))] {
		if !a.Due.IsZero() {
			line.Rows = append(line.Rows, d.period(a))
		}
	}
	if n := len(list) - len(line.Rows); n > 0 {
		line.Caption += fmt.Sprintf("; %d more are in the table", n)
	}
	s.Blocks = append(s.Blocks, line, d.actionTable("All, by due date", list))
	return s
}

func (d *Document) period(a Action) htmlreport.Period {
	p := htmlreport.Period{Label: a.ID + ": " + shorten(a.Text, inHeading), Tone: htmlreport.Mild, Until: a.Due}
	p.Note = "due " + day(a.Due)
	switch a.State {
	case Overdue:
		p.Tone, p.Until = htmlreport.Bad, d.At
		p.Note += ", OVERDUE"
		if !a.Completed.IsZero() {
			p.Note += ", done " + day(a.Completed) + " but not verified"
		}
	case Waiting:
		p.Tone = htmlreport.Calm
		p.Note += ", done " + day(a.Completed) + ", not verified yet"
	case Verified:
		p.Tone, p.Until = htmlreport.Good, a.Verified
		p.Note += ", verified " + day(a.Verified)
	}
	if a.Owner != "" {
		p.Note += ", " + a.Owner
	}
	p.From = d.agreed(a)
	if p.From.IsZero() || p.From.After(p.Until) {
		p.From = p.Until
	}
	return p
}

// agreed returns when an action was agreed, or else when fieldwork ended.
func (d *Document) agreed(a Action) time.Time {
	for _, e := range d.Audit.History {
		if e.Action == programme.ActionAgree && e.What == a.ID {
			return e.Time
		}
	}
	return d.Audit.Plan.Until
}
