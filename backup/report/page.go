package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// most is how many rows a table has, at most; how many are left out is said.
const most = 50

func (r *Report) page() *htmlreport.Page {
	p := &htmlreport.Page{Title: r.Title, Facts: htmlreport.Facts{{Label: "As of", Value: plain(instant(r.At))}},
		Footer: "Times are UTC. Money is in the currency of the prices, a month has 30 days."}
	if s := r.Strategy; s != nil {
		p.Facts = append(p.Facts, htmlreport.Fact{Label: "Source", Value: plain(s.Source)})
		if s.Tenant != "" {
			p.Facts = append(p.Facts, htmlreport.Fact{Label: "Tenant", Value: plain(string(s.Tenant))})
		}
	}
	for _, section := range []func() (htmlreport.Section, bool){
		r.summary, r.strategy, r.optimum, r.frontier, r.timetable, r.exposure, r.retained, r.tests, r.mirror,
	} {
		if s, ok := section(); ok {
			p.Sections = append(p.Sections, s)
		}
	}
	return p
}

func (r *Report) summary() (s htmlreport.Section, ok bool) {
	s = htmlreport.Section{ID: "summary", Title: "Summary"}
	if r.Solution != nil {
		if b := r.Solution.Best; b != nil {
			s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Good, Title: "The strategy can be met",
				Text: plain(fmt.Sprintf("At %s a month: a backup every %s, %s lost at most, recovered within %s.",
					plan.Money(b.Cost), plan.Period(b.Incident.Span), plan.Period(b.Incident.Loss), plan.Period(b.Incident.Time)))})
		} else {
			s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: "Nothing meets the strategy",
				Text: plain("What cannot be met together is below.")})
		}
	}
	if list := r.unseen(); len(list) > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: "Needs attention", Text: plain(strings.Join(list, "; ") + ".")})
	}
	if !r.Checked {
		return s, len(s.Blocks) > 0
	}
	if len(r.Findings) == 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Good, Title: "No findings", Text: plain("The backups that are there are as the strategy says.")})
		return s, true
	}
	t := htmlreport.Table{Caption: count(len(r.Findings), "finding"),
		Columns: []htmlreport.Column{{Title: "Severity", Short: true}, {Title: "Rule", Short: true}, {Title: "What"},
			{Title: "Subject", Short: brief(r.Findings, func(f plan.Finding) string { return f.Subject })}, {Title: "From", Short: true}, {Title: "Until", Short: true}}}
	for _, f := range r.Findings[:min(most, len(r.Findings))] {
		t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Mark(tone(f.Severity), string(f.Severity)), plain(string(f.Rule)), plain(f.Text),
			htmlreport.Code(f.Subject), plain(instant(f.At)), plain(instant(f.Until))})
	}
	s.Blocks = append(s.Blocks, t)
	return leftOut(s, len(r.Findings)), true
}

func tone(s opsec.Severity) htmlreport.Tone {
	switch s {
	case opsec.SeverityCritical, opsec.SeverityHigh:
		return htmlreport.Bad
	case opsec.SeverityMedium:
		return htmlreport.Warn
	case opsec.SeverityLow:
		return htmlreport.Mild
	}
	return htmlreport.Calm
}

// leftOut says how many rows of n a table does not have.
func leftOut(s htmlreport.Section, n int) htmlreport.Section {
	if n > most {
		s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(fmt.Sprintf("%d more are left out here.", n-most))))
	}
	return s
}

// brief says that the ids in a column are so short that they need not be divided between lines, which makes others of them.
func brief[T any](rows []T, id func(T) string) bool {
	return !slices.ContainsFunc(rows[:min(most, len(rows))], func(row T) bool { return utf8.RuneCountInString(id(row)) > 20 })
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func plain(s string) htmlreport.Text { return htmlreport.Plain(s) }

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// size writes bytes as people read them, cut to tenths.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	unit := 0
	for unit+1 < len(units) && n>>(10*(unit+1)) > 0 {
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	tenth := n >> (10*unit - 10) & 1023 * 10 / 1024
	return fmt.Sprintf("%d.%d %s", n>>(10*unit), tenth, units[unit])
}
