package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// incidents are the promises about them, and when they were.
func (p performance) incidents() htmlreport.Section {
	s := htmlreport.Section{ID: "incidents", Title: "Incidents and response"}
	targets := map[string]response.Target{}
	if c := p.Agreement.Clause; c.Continuity != nil && c.Emergency != nil && c.Monitoring != nil {
		for _, t := range slices.Concat(c.Continuity.Recovery, c.Emergency.Targets, c.Monitoring.Notification) {
			targets[t.ID] = t
		}
	}
	t := htmlreport.Table{Caption: "Promises", Columns: []htmlreport.Column{{Title: "Target"}, {Title: "Promised"}, {Title: "Incidents", Numbers: true}, {Title: "Open", Numbers: true},
		{Title: "Mean", Numbers: true}, {Title: "Half within", Numbers: true}, {Title: "Longest", Numbers: true}, {Title: "Late", Numbers: true}, {Title: "Verdict", Short: true}}}
	for _, x := range p.Report.Report.Responses {
		target := targets[x.Target]
		what := plain(measures[target.Measure])
		if target.Severity != "" {
			what = append(what, append(plain(" "), severity(target.Severity)...)...)
		}
		mean, half, longest := "", "", ""
		if x.Incidents > 0 {
			mean = bounds(x.Mean)
			half, longest = quantile(x, "p50"), quantile(x, "max")
		}
		late := ""
		if target.Each > 0 {
			late = fmt.Sprint(x.Late)
		}
		t.Rows = append(t.Rows, []htmlreport.Text{append(what, append(plain(" "), code(x.Target)...)...), plain(promised(target)), plain(fmt.Sprint(x.Incidents)), plain(fmt.Sprint(x.Open)),
			plain(mean), plain(half), plain(longest), plain(late), verdict(x.Verdict)})
	}
	s.Blocks = append(s.Blocks, telling(t)...)
	s.Blocks = append(s.Blocks, p.timeline()...)
	if len(s.Blocks) == 0 {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain("There is nothing to tell of.")))
	}
	return s
}

func quantile(x response.Summary, name string) string {
	if b, ok := x.Quantiles[name]; ok {
		return bounds(b)
	}
	return ""
}

// bounds writes between what lengths something lies, of incidents that are open too.
func bounds(b response.Bounds) string {
	low := length(uint64(max(b.Low, 0)))
	switch {
	case b.Unbounded:
		return low + " or more"
	case b.High <= b.Low:
		return low
	}
	if high := length(uint64(b.High)); high != low {
		return low + " to " + high
	}
	return low
}

// mostIncidents is how many the timeline shows: the gravest.
const mostIncidents = 50

// timeline shows the incidents that were in the period, the gravest if there are many, in the order in which they began.
func (p performance) timeline() []htmlreport.Block {
	if p.Incidents == nil {
		return nil
	}
	span := p.Report.Report.Period.Span
	from, until := time.UnixMilli(span.Start), time.UnixMilli(span.End)
	var list []response.Incident
	for _, i := range p.Incidents {
		if p.ended(i).After(from) || !i.Occurred.Before(from) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return []htmlreport.Block{htmlreport.Paragraph(plain("No incident was reported for the period."))}
	}
	slices.SortFunc(list, func(a, b response.Incident) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), a.Occurred.Compare(b.Occurred), strings.Compare(a.ID, b.ID))
	})
	all := len(list)
	list = list[:min(all, mostIncidents)]
	slices.SortStableFunc(list, func(a, b response.Incident) int { return a.Occurred.Compare(b.Occurred) })
	chart := htmlreport.Timeline{Caption: count(all, "incident"), From: from.In(p.Location), Until: until.Add(-time.Millisecond).In(p.Location)}
	for _, i := range list {
		begin, end := i.Occurred, p.ended(i)
		if begin.Before(from) {
			begin = from
		}
		if end.After(until) {
			end = until.Add(-time.Millisecond)
		}
		if end.Before(begin) {
			end = begin
		}
		chart.Rows = append(chart.Rows, htmlreport.Period{Label: strings.TrimSpace(i.ID + " " + string(i.Severity)), From: begin.In(p.Location), Until: end.In(p.Location), Tone: grave(i.Severity), Note: p.story(i)})
	}
	return leftOut(htmlreport.Section{Blocks: []htmlreport.Block{chart}}, all, mostIncidents).Blocks
}

// ended returns when the service worked again; while it does not, up to when it is known.
func (p performance) ended(i response.Incident) time.Time {
	return cmp.Or(i.Restored, i.Resolved, p.Report.Report.AsOf)
}

func grave(s opsec.Severity) htmlreport.Tone {
	switch s {
	case opsec.SeverityCritical, opsec.SeverityHigh:
		return htmlreport.Bad
	case opsec.SeverityMedium:
		return htmlreport.Warn
	}
	return htmlreport.Calm
}

// story tells an incident in a line, as far as it was known.
func (p performance) story(i response.Incident) string {
	parts := []string{p.time(i.Occurred)}
	if i.Service != "" {
		parts = append(parts, i.Service)
	}
	if i.Security {
		parts = append(parts, "security event")
	}
	step := func(what, not string, from, to time.Time) {
		switch {
		case from.IsZero():
		case to.IsZero():
			if not != "" {
				parts = append(parts, not)
			}
		default:
			parts = append(parts, what+" after "+length(uint64(max(to.Sub(from).Milliseconds(), 0))))
		}
	}
	step("accepted", "not accepted yet", i.Reported, i.Accepted)
	if i.Security {
		step("customer told", "customer not told yet", i.Occurred, i.Notified)
	}
	step("restored", "not restored yet", i.Occurred, i.Restored)
	step("resolved", "", i.Occurred, i.Resolved)
	return strings.Join(parts, ", ")
}

// mostSources is how many rows the table of recovery points has.
const mostSources = 50

// exposures says of each source of backups how much data would have been lost; nothing where nobody has reckoned it.
func (p performance) exposures() []htmlreport.Section {
	list := slices.Clone(p.Report.Report.Exposures)
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b recompute.Exposure) int { return cmp.Compare(b.Kept.Bad, a.Kept.Bad) })
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Source"}, {Title: "Promised (RPO)", Numbers: true}, {Title: "Would have been lost, at most", Numbers: true},
		{Title: "More than promised for", Numbers: true}, {Title: "No recovery point for", Numbers: true}, {Title: "Verdict", Short: true}}}
	for _, x := range list[:min(mostSources, len(list))] {
		v, most := ratio.Met, length(x.Most)
		switch r := p.Report.Report; {
		case x.Kept.Bad > 0:
			v = ratio.Breach
		case r.AsOf.UnixMilli() < r.Period.Span.End:
			v = ratio.Undecided
		}
		if x.None > 0 {
			most = "all"
		}
		t.Rows = append(t.Rows, []htmlreport.Text{code(x.Source), plain(length(x.RPO)), plain(most), plain(length(x.Kept.Bad)), plain(length(x.None)), verdict(v)})
	}
	return []htmlreport.Section{leftOut(htmlreport.Section{ID: "backups", Title: "Recovery points of backups", Blocks: []htmlreport.Block{t}}, len(list), mostSources)}
}

// mostExclusions is how many rows the table of exclusions has.
const mostExclusions = 100

func (p performance) exclusions() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Exclusion"}, {Title: "Rule"}, {Title: "Asked for"}, {Title: "Holds"}, {Title: "Reason"}, {Title: "Told and approved"}, {Title: "Why not, or not all"}}}
	list := p.Report.Report.Exclusions
	for _, x := range list[:min(mostExclusions, len(list))] {
		holds := append(htmlreport.Mark(htmlreport.Good, "holds"), plain(" "+length(x.Within.Length())+" for "+strings.Join(x.Services, ", "))...)
		switch asked := x.End.Sub(x.Start); {
		case !x.Valid():
			holds = htmlreport.Mark(htmlreport.Warn, "does not hold")
		case x.Why != "" || x.Within.Length() < uint64(max(asked.Milliseconds(), 0)):
			holds[0] = htmlreport.Mark(htmlreport.Mild, "in part")[0]
		}
		asked := strings.ReplaceAll(p.between(x.Start, x.End), nbsp, " ") // the column is as narrow as a date
		t.Rows = append(t.Rows, []htmlreport.Text{code(x.ID), p.rule(x.Rule), plain(asked), holds, plain(x.Reason), p.leave(x), plain(x.Why)})
	}
	return leftOut(section("exclusions", "Exclusions", "Nothing was asked to be left out.", kept(t, 0, 1)), len(list), mostExclusions)
}

// rule writes the rule of an exclusion, with its category.
func (p performance) rule(id string) htmlreport.Text {
	for _, r := range p.Agreement.Exclusions {
		if r.ID == id && string(r.Category) != id {
			return append(code(id), plain(" ("+string(r.Category)+")")...)
		}
	}
	return code(id)
}

// leave says when the customer was told, and who approved: to the customer in what role alone.
func (p performance) leave(x sla.Ruling) htmlreport.Text {
	var parts []string
	if !x.Noticed.IsZero() {
		parts = append(parts, "told "+p.time(x.Noticed))
	}
	if who := strings.TrimSuffix(strings.TrimPrefix(x.Approved+" as "+x.Role, " as "), " as "); who != "" {
		parts = append(parts, "approved by "+who)
	}
	if x.Layer != "" {
		parts = append(parts, "cause in layer "+string(x.Layer))
	}
	text := plain(strings.Join(parts, ", "))
	if x.Evidence != "" {
		text = append(text, append(plain(" evidence "), code(x.Evidence)...)...)
	}
	return text
}

func (p performance) findings() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Severity", Short: true}, {Title: "Where"}, {Title: "Rule", Short: true}, {Title: "What"}}}
	list := p.Report.Report.Findings
	for _, f := range list[:min(mostFaults, len(list))] {
		t.Rows = append(t.Rows, []htmlreport.Text{severity(f.Severity), code(f.Path), plain(f.Rule), plain(f.Text)})
	}
	return leftOut(section("findings", "Findings", "There are none.", t), len(list), mostFaults)
}

// evidence says what the report was made from, and how to make it again.
func (p performance) evidence() htmlreport.Section {
	r := p.Report.Report
	s := htmlreport.Section{ID: "evidence", Title: "Evidence", Blocks: telling(
		facts(
			htmlreport.Fact{Label: "Agreement", Value: code(r.Agreement.Digest)}, htmlreport.Fact{Label: "States", Value: code(r.Evidence.States)},
			fact("States of", p.span(r.Evidence.Span)), htmlreport.Fact{Label: "Incidents", Value: code(r.Evidence.Incidents)}, htmlreport.Fact{Label: "Exclusions", Value: code(r.Evidence.Exclusions)},
		),
		htmlreport.Paragraph(plain("Whoever has this evidence and the agreement makes the same report, byte for byte, or finds where it differs. Its digest is at the top.")),
	)}
	if p.view == nil {
		return s
	}
	left := "This document names the customer's own resources alone, and those who approved by their role."
	if n := p.view.Unnamed; n > 0 {
		left += fmt.Sprintf(" %s of other resources %s left out.", count(n, "line"), were(n))
	}
	if n := p.view.Withheld; n > 0 {
		left += fmt.Sprintf(" %s %s withheld.", count(n, "text"), were(n))
	}
	s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(left)))
	return s
}

// were writes "is" of one, "are" of others.
func were(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (p performance) span(s timeline.Span) string {
	if s.Start >= s.End {
		return ""
	}
	return p.between(time.UnixMilli(s.Start), time.UnixMilli(s.End))
}
