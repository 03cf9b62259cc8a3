package document

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// performance is the page of a report.
type performance struct {
	Report
	digest string
	view   *View // nil: for the provider
	clock
}

func (s Report) performance(digest string, view *View) (performance, error) {
	c, err := newClock(s.Report.Period.Zone)
	if span := s.Report.Period.Span; err == nil && span.Start >= span.End {
		err = invalid("the period of the report is empty")
	}
	return performance{s, digest, view, c}, err
}

func (p performance) page() *htmlreport.Page {
	r := p.Report.Report
	page := &htmlreport.Page{
		Title: "Service report " + r.Period.Name + ": " + named(p.Agreement.Title, p.Agreement.ID), Subtitle: "For the provider",
		Facts: facts(
			htmlreport.Fact{Label: "Agreement", Value: append(code(r.Agreement.ID), plain(fmt.Sprintf(", version %d", r.Agreement.Version))...)},
			fact("Period", p.span(r.Period.Span)+", "+p.Location.String()),
			fact("Known up to", p.time(r.AsOf)),
			htmlreport.Fact{Label: "Digest of the report", Value: code(p.digest)},
			htmlreport.Fact{Label: "Restates", Value: code(r.Supersedes)}, fact("Why it is restated", r.Why),
		),
		Sections: []htmlreport.Section{p.summary()},
		Footer:   "Times are of the zone " + p.Location.String() + ". Figures are rounded down; what decides is exact, and stands in the JSON.",
	}
	if p.view != nil {
		page.Subtitle = "For customer " + p.customer()
	}
	for i, s := range r.Services {
		page.Sections = append(page.Sections, p.service(i, s))
	}
	page.Sections = append(append(page.Sections, p.credits(), p.incidents()), p.exposures()...)
	page.Sections = append(page.Sections, p.exclusions(), p.findings(), p.evidence())
	return page
}

func (p performance) customer() string {
	for _, x := range p.Agreement.Parties {
		if x.Tenant == string(p.view.Tenant) {
			return x.Name
		}
	}
	return string(p.view.Tenant)
}

// summary is what a reader in a hurry reads.
func (p performance) summary() htmlreport.Section {
	s := htmlreport.Section{ID: "summary", Title: "Summary"}
	n := map[ratio.Verdict]int{}
	t := htmlreport.Table{Caption: "Availability", Columns: []htmlreport.Column{{Title: "Objective"}, {Title: "Target", Numbers: true, Short: true}, {Title: "Figure", Numbers: true},
		{Title: "Without exclusions", Numbers: true}, {Title: "Verdict", Short: true}}}
	for i, v := range p.Report.Report.Services {
		for _, o := range v.Objectives {
			n[o.Figure.Verdict]++
			t.Rows = append(t.Rows, []htmlreport.Text{
				htmlreport.Link(named(v.Title, v.ID)+": "+named(o.Title, o.ID), fmt.Sprintf("#service-%d", i)),
				plain(percent(o.Target)), plain(p.figure(o)), plain(figure(o.Figure.Raw, o.Target)), verdict(o.Figure.Verdict),
			})
		}
	}
	responses := map[ratio.Verdict]int{}
	for _, x := range p.Report.Report.Responses {
		responses[x.Verdict]++
	}
	s.Blocks = append(s.Blocks, alarms("objective", n)...)
	s.Blocks = append(s.Blocks, alarms("target of response", responses)...)
	missed, sources := 0, p.Report.Report.Exposures
	for _, x := range sources {
		if x.Kept.Bad > 0 {
			missed++
		}
	}
	if missed > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: fmt.Sprintf("%d of %s missed the recovery point", missed, plural(len(sources), "source of backups"))})
	}
	if due, title := p.due(); due != nil {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Warn, Title: title, Text: due})
	}
	s.Blocks = append(s.Blocks, telling(t)...)
	if strip := p.strip(); len(strip.Rows) > 0 {
		s.Blocks = append(s.Blocks, strip)
	}
	return s
}

// figure shows the bounds of an objective; where each resource is judged alone they are of all together.
func (p performance) figure(o recompute.Objective) string {
	text := figure(o.Figure.Availability, o.Target)
	if alone(o) && o.Resources > 0 {
		text = fmt.Sprintf("%s of %s in breach; together %s", grouped(uint64(o.Broken)), grouped(uint64(o.Resources)), text)
	}
	return text
}

func alone(o recompute.Objective) bool { return o.Scope == "instance" }

// alarms say how many targets were missed, how many nobody can tell of, or that all were met.
func alarms(what string, n map[ratio.Verdict]int) (list []htmlreport.Block) {
	all := n[ratio.Met] + n[ratio.Breach] + n[ratio.Undecided]
	if n := n[ratio.Breach]; n > 0 {
		list = append(list, htmlreport.Callout{Tone: htmlreport.Bad, Title: fmt.Sprintf("%d of %s missed", n, plural(all, what))})
	}
	if n := n[ratio.Undecided]; n > 0 {
		list = append(list, htmlreport.Callout{Tone: htmlreport.Unknown, Title: fmt.Sprintf("%d of %s undecided", n, plural(all, what)),
			Text: plain("What is not known decides: it is neither met nor missed.")})
	}
	if n[ratio.Met] == all && all > 0 {
		list = append(list, htmlreport.Callout{Tone: htmlreport.Good, Title: "All of " + plural(all, what) + " met"})
	}
	return list
}

// plural writes "3 objectives", "1 target of response".
func plural(n int, what string) string {
	first, rest, _ := strings.Cut(what, " ")
	return strings.TrimSpace(count(n, first) + " " + rest)
}

// strip is what each day was like, a service a row.
func (p performance) strip() htmlreport.Strip {
	span := p.Report.Report.Period.Span
	out := htmlreport.Strip{Caption: "Each day, all resources of a service together", From: time.UnixMilli(span.Start).In(p.Location), Until: time.UnixMilli(span.End).In(p.Location)}
	for _, s := range p.Report.Report.Services {
		if len(s.Strip) == 0 {
			continue
		}
		lane := htmlreport.Lane{Label: named(s.Title, s.ID)}
		sum := day{}
		for _, d := range s.Strip {
			v := dayOf(d)
			sum.add(v)
			cell := htmlreport.Cell{From: time.UnixMilli(d.Start).In(p.Location), Until: time.UnixMilli(d.End).In(p.Location)}
			for i, part := range v {
				cell.Shares = append(cell.Shares, htmlreport.Share{Size: part, Tone: states[i].tone})
			}
			cell.Title = p.day(d.Start) + ": " + v.words(s)
			lane.Cells = append(lane.Cells, cell)
		}
		if sum == (day{}) {
			lane.Parts = []htmlreport.Part{{Count: 1, Text: "nothing was seen", Tone: htmlreport.Unknown}}
		}
		for i, part := range sum {
			if part > 0 {
				lane.Parts = append(lane.Parts, htmlreport.Part{Count: 1, Text: strings.ToLower(states[i].name) + " " + size(s, part), Tone: states[i].tone})
			}
		}
		out.Rows = append(out.Rows, lane)
	}
	return out
}

// states are what a part of a day may be, the best first.
var states = [...]struct {
	name string
	tone htmlreport.Tone
}{{"Up", htmlreport.Good}, {"Excluded", htmlreport.Neutral}, {"Degraded", htmlreport.Warn}, {"Unknown", htmlreport.Unknown}, {"Down", htmlreport.Bad}}

// day is how much of a day was what, in the order of states.
type day [len(states)]uint64

func dayOf(s timeline.Strip) day { return day{s.Up, s.Excluded, s.Degraded, s.Unknown, s.Down} }

// add adds another day, and stays at the greatest number.
func (d *day) add(o day) {
	for i := range d {
		sum, carry := bits.Add64(d[i], o[i], 0)
		if carry != 0 {
			sum = ^uint64(0)
		}
		d[i] = sum
	}
}

func (d day) words(s recompute.Service) string {
	var parts []string
	for i, n := range d {
		if n > 0 {
			parts = append(parts, strings.ToLower(states[i].name)+" "+size(s, n))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing was seen")
}

// size writes a part of a strip: milliseconds, or requests of a service whose requests were counted.
func size(s recompute.Service, n uint64) string {
	if requests(s) {
		return grouped(n) + nbsp + "requests"
	}
	return length(n)
}

// requests says whether the strip of a service counts requests: all of its objectives do, in some way.
func requests(s recompute.Service) bool {
	for _, o := range s.Objectives {
		if o.Method == metric.Time || o.Method == metric.Slices && o.Good.Num() == 0 {
			return false
		}
	}
	return len(s.Objectives) > 0
}

// due sums up in words what is owed, or may be.
func (p performance) due() (t htmlreport.Text, title string) {
	n, title := 0, "Credits may be due"
	for _, s := range p.Report.Report.Services {
		for _, x := range s.Totals {
			if x.Credit.High.Num() == 0 {
				continue
			}
			if x.Credit.Low.Num() > 0 {
				title = "Credits are due"
			}
			if n++; n > mostNames {
				continue
			}
			if n > 1 {
				t = append(t, plain("; ")...)
			}
			t = append(t, append(code(x.Service), plain(" "+owed(x.Credit, x.Amount))...)...)
		}
	}
	if n > mostNames {
		t = append(t, plain(fmt.Sprintf("; and %s more", grouped(uint64(n-mostNames))))...)
	}
	if n > 0 {
		t = append(t, plain(".")...)
	}
	return t, title
}

// owed writes a credit: the share of the fee, and the money where it is known.
func owed(c ratio.Range, money [2]string) string {
	text := short(c.Low)
	if c.Low.Cmp(c.High) != 0 {
		text += " to " + short(c.High)
	}
	text += " of the fee"
	switch {
	case money[1] == "":
	case money[0] == money[1]:
		text += ", " + money[1]
	default:
		text += ", " + money[0] + " to " + money[1]
	}
	return text
}

// short writes a share, exactly where that is short.
func short(r ratio.Ratio) string {
	if s := r.String(); strings.HasSuffix(s, "%") && len(s) <= 10 {
		return percent(r)
	}
	return r.Percent(4) + nbsp + "%"
}

// mostCredits is how many rows the table of credits has.
const mostCredits = 50

func (p performance) credits() htmlreport.Section {
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "Of"}, {Title: "Table"}, {Title: "Objective"}, {Title: "Verdict", Short: true}, {Title: "Credit"}, {Title: "Claim not after"}, {Title: "Why less"}}}
	total := htmlreport.Table{Caption: "All tables together, under their caps", Columns: []htmlreport.Column{{Title: "Of"}, {Title: "Credit"}}}
	n, sums := 0, 0
	for _, s := range p.Report.Report.Services {
		for _, d := range s.Credits {
			if n++; n <= mostCredits {
				t.Rows = append(t.Rows, []htmlreport.Text{code(d.Service), code(d.Table), code(d.Objective), verdict(d.Verdict), plain(owed(d.Credit, d.Amount)), p.claim(d), plain(d.Why)})
			}
		}
		for _, x := range s.Totals {
			if sums++; sums <= mostCredits {
				total.Rows = append(total.Rows, []htmlreport.Text{code(x.Service), plain(owed(x.Credit, x.Amount))})
			}
		}
	}
	out := leftOut(section("credits", "Credits", "Nothing is due.", kept(t, 0, 1, 2)), n, mostCredits)
	out.Blocks = append(out.Blocks, telling(total)...)
	return leftOut(out, sums, mostCredits)
}

func (p performance) claim(d credit.Due) htmlreport.Text {
	switch {
	case !d.ClaimBy.IsZero():
		return plain(p.time(d.ClaimBy))
	case d.Credit.High.Num() == 0:
		return nil
	}
	return plain("no claim is needed")
}
