package document

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
)

func (p performance) service(i int, v recompute.Service) htmlreport.Section {
	s := htmlreport.Section{ID: fmt.Sprintf("service-%d", i), Title: named(v.Title, v.ID)}
	s.Blocks = p.days(v)
	for k, o := range v.Objectives {
		s.Sections = append(s.Sections, htmlreport.Section{ID: fmt.Sprintf("objective-%d-%d", i, k), Title: named(o.Title, o.ID), Blocks: p.objective(v, o)})
	}
	return s
}

// mostDays is how many rows the table of days has.
const mostDays = 40

// days lists those on which something was not up; those in a row that were alike are one.
func (p performance) days(v recompute.Service) []htmlreport.Block {
	t := htmlreport.Table{Caption: "Days on which not all was up", Columns: []htmlreport.Column{{Title: "Day", Short: true}}}
	sum := day{}
	for _, d := range v.Strip {
		sum.add(dayOf(d))
	}
	switch {
	case len(v.Strip) == 0:
		return nil
	case sum == day{}:
		return []htmlreport.Block{htmlreport.Paragraph(plain("Nothing of it was seen on any day."))}
	}
	for i, s := range states[1:] {
		if sum[i+1] > 0 {
			t.Columns = append(t.Columns, htmlreport.Column{Title: s.name})
		}
	}
	n := 0
	for i, k := 0, 0; i < len(v.Strip); i = k {
		parts := dayOf(v.Strip[i])
		for k = i + 1; k < len(v.Strip) && dayOf(v.Strip[k]) == parts; k++ {
		}
		if parts == (day{parts[0]}) && parts[0] > 0 {
			continue
		}
		if n++; n <= mostDays {
			t.Rows = append(t.Rows, p.alike(v, i, k, sum))
		}
	}
	if n == 0 {
		return []htmlreport.Block{htmlreport.Paragraph(plain("All of it was up on each day."))}
	}
	return leftOut(htmlreport.Section{Blocks: telling(t)}, n, mostDays).Blocks
}

// alike is the row of a day, or of days in a row that were alike.
func (p performance) alike(v recompute.Service, from, until int, sum day) []htmlreport.Text {
	parts, name, each := dayOf(v.Strip[from]), p.day(v.Strip[from].Start), ""
	if until > from+1 {
		name, each = name+" to"+nbsp+p.day(v.Strip[until-1].Start), " each"
	}
	if parts == (day{}) {
		name += ": nothing was seen"
	}
	row := []htmlreport.Text{plain(name)}
	for i, part := range parts[1:] {
		switch {
		case part > 0:
			row = append(row, plain(size(v, part)+each))
		case sum[i+1] > 0:
			row = append(row, nil)
		}
	}
	return row
}

func (p performance) objective(v recompute.Service, o recompute.Objective) (list []htmlreport.Block) {
	c := o.Tally.Counted
	span := ""
	if o.Span != p.Report.Report.Period.Span {
		span = p.span(o.Span)
	}
	list = append(list, facts(
		htmlreport.Fact{Label: "Verdict", Value: verdict(o.Figure.Verdict)},
		htmlreport.Fact{Label: "Objective", Value: code(o.ID)},
		fact("Target", percent(o.Target)), fact("Figure", p.figure(o)), fact("Without exclusions", figure(o.Figure.Raw, o.Target)),
		fact("How it is reckoned", method(o.Objective)), fact("Window", window(o.Window)), fact("That is", span),
		fact("Resources", grouped(uint64(o.Resources))),
		fact("Good", amount(o.Objective, c.Good)), fact("Bad", amount(o.Objective, c.Bad)), fact("Unknown", amount(o.Objective, c.Unknown)),
		fact("Excluded", excluded(o.Objective, c)),
	))
	if o.Budget != nil {
		list = append(list, budget(o))
		if curve, ok := p.burn(v, o); ok {
			list = append(list, curve)
		}
	}
	t := htmlreport.Table{Caption: "Resources that missed it, or may have, the worst first", Columns: []htmlreport.Column{{Title: "Resource"}, {Title: "Figure", Numbers: true}, {Title: "Without exclusions", Numbers: true}, {Title: "Verdict", Short: true}}}
	for _, w := range o.Worst {
		t.Rows = append(t.Rows, []htmlreport.Text{code(w.Resource), plain(figure(w.Figure.Availability, o.Target)), plain(figure(w.Figure.Raw, o.Target)), verdict(w.Figure.Verdict)})
	}
	list = append(list, telling(t)...)
	if alone(o) && o.Broken+o.Open > len(o.Worst) {
		list = append(list, htmlreport.Paragraph(plain(fmt.Sprintf("%s missed it and %s undecided; %s named here.",
			grouped(uint64(o.Broken)), be(o.Open), be(len(o.Worst))))))
	}
	return list
}

// be writes "1 is", "3 are".
func be(n int) string { return grouped(uint64(n)) + " " + were(n) }

func excluded(o metric.Objective, c metric.Tally) string {
	if c.Excluded == 0 && c.ExcludedUnknown == 0 && c.MaybeExcluded == 0 {
		return ""
	}
	text := amount(o, c.Excluded)
	if c.ExcludedUnknown > 0 {
		text += ", and " + amount(o, c.ExcludedUnknown) + " of what is unknown"
	}
	if c.MaybeExcluded > 0 {
		text += ", and it may be " + amount(o, c.MaybeExcluded) + " more"
	}
	return text
}

// parts of a bar of a budget: it is this long.
const full = 10_000

// budget is a bar: what of it was used, what may turn out to be, and what is left.
func budget(o recompute.Objective) htmlreport.Bars {
	b := *o.Budget
	left := uint64(0)
	if b.Used < b.All {
		left = b.All - b.Used
	}
	open := min(b.Open, left)
	bar := htmlreport.Bar{Label: "Of " + amount(o.Objective, b.All)}
	most := max(b.All, b.Used)
	add := func(n uint64, text string, tone htmlreport.Tone) {
		if n > 0 {
			bar.Parts = append(bar.Parts, htmlreport.Part{Count: max(1, share(n, most)), Text: text, Tone: tone})
		}
	}
	add(min(b.Used, b.All), "used "+amount(o.Objective, min(b.Used, b.All)), htmlreport.Warn)
	add(b.Used-min(b.Used, b.All), "beyond it "+amount(o.Objective, b.Used-min(b.Used, b.All)), htmlreport.Bad)
	add(open, "may turn out to be used "+amount(o.Objective, b.Open), htmlreport.Unknown)
	add(left-open, "left "+amount(o.Objective, left-open), htmlreport.Good)
	if open == 0 && b.Open > 0 {
		bar.Note = "may turn out to be used: " + amount(o.Objective, b.Open) + " more"
	}
	return htmlreport.Bars{Caption: "Error budget", Rows: []htmlreport.Bar{bar}}
}

// share returns n of most in parts of a bar.
func share(n, most uint64) int {
	hi, lo := bits.Mul64(n, full)
	q, _ := bits.Div64(hi, lo, most) // n is at most most, so hi is less than it
	return int(q)
}

// burn is how the budget was used, day by day: where the days add up to what the objective has counted, which is so of time and requests
// over the period of the report.
func (p performance) burn(v recompute.Service, o recompute.Objective) (htmlreport.Curve, bool) {
	b := o.Budget
	if len(v.Strip) == 0 || o.Span != p.Report.Report.Period.Span || o.Method != metric.Time && o.Method != metric.Requests || alone(o) {
		return htmlreport.Curve{}, false
	}
	asOf := p.Report.Report.AsOf.UnixMilli()
	at := func(ms int64) time.Time { return time.UnixMilli(ms).In(p.Location) }
	c := htmlreport.Curve{Caption: "Use of the budget", Limit: int64(min(b.All, math.MaxInt64/4)), Samples: []htmlreport.Sample{{At: at(v.Strip[0].Start)}}}
	var used, open uint64
	for _, d := range v.Strip {
		bad := d.Down
		if o.Degraded != metric.DegradedUp {
			bad += d.Degraded
		}
		if used, open = used+bad, open+d.Unknown; used > math.MaxInt64/4 || open > math.MaxInt64/4 {
			return htmlreport.Curve{}, false
		}
		if d.Start >= asOf { // nothing is known of what is to come: it is in the numbers, and is no use of the budget yet
			continue
		}
		c.Samples = append(c.Samples, htmlreport.Sample{At: at(d.End), Value: int64(used), Open: int64(open)})
	}
	if used != b.Used || open != b.Open || len(c.Samples) < 2 {
		return htmlreport.Curve{}, false
	}
	c.Note = fmt.Sprintf("Used: %s of %s (the red line)", amount(o.Objective, b.Used), amount(o.Objective, b.All))
	if b.Open > 0 {
		c.Note += fmt.Sprintf("; %s more may turn out to be used (hatched)", amount(o.Objective, b.Open))
	}
	c.Note += "."
	return c, true
}
