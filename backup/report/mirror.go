package report

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// Mirror is what is known of a second site that is mirrored to. Each part is optional.
type Mirror struct {
	State  *dr.State       `json:"state,omitempty"`
	Meter  *dr.Meter       `json:"meter,omitempty"`  // of its exposure
	Parity *dr.Parity      `json:"parity,omitempty"` // of the security of both sites (8.4)
	Drills *dr.DrillReport `json:"drills,omitempty"`
}

// clean reports whether it needs no attention.
func (m *Mirror) clean() bool {
	return m == nil || (m.State == nil || m.State.Lost.IsZero() && !m.State.Over) && (m.Meter == nil || m.Meter.Over == 0 && m.Meter.Unknown == 0) &&
		(m.Parity == nil || m.Parity.Same) && (m.Drills == nil || len(m.Drills.Findings) == 0)
}

func (r *Report) mirror() (s htmlreport.Section, ok bool) {
	if r.Mirror == nil {
		return s, false
	}
	s = htmlreport.Section{ID: "mirror", Title: "The second site"}
	if st := r.Mirror.State; st != nil {
		facts := htmlreport.Facts{{Label: "Mirror", Value: htmlreport.Mark(modeTone(st), string(st.Mode))}, {Label: "Since", Value: plain(instant(st.Since))}}
		if st.Reason != "" {
			facts = append(facts, htmlreport.Fact{Label: "Because", Value: plain(st.Reason)})
		}
		if st.Risk != nil {
			facts = append(facts, htmlreport.Fact{Label: "Risk accepted", Value: plain(fmt.Sprintf("%s, until %s", st.Risk.ID, instant(st.Risk.Until)))})
		}
		s.Blocks = append(s.Blocks, facts)
	}
	if m := r.Mirror.Meter; m != nil {
		s.Sections = append(s.Sections, metered(m))
	}
	if p := r.Mirror.Parity; p != nil {
		s.Sections = append(s.Sections, parity(p))
	}
	if d := r.Mirror.Drills; d != nil {
		s.Sections = append(s.Sections, drilled(d))
	}
	return s, len(s.Blocks)+len(s.Sections) > 0
}

func modeTone(s *dr.State) htmlreport.Tone {
	switch {
	case s.Mode == "":
		return htmlreport.Unknown
	case s.Over || s.Asked || s.Mode == dr.FailedOver:
		return htmlreport.Bad
	case s.Mode == dr.Synchronous || s.Mode == dr.Asynchronous:
		return htmlreport.Good
	}
	return htmlreport.Warn
}

func metered(m *dr.Meter) htmlreport.Section {
	s := htmlreport.Section{ID: "mirror-exposure", Title: "What the loss of the site would have cost"}
	facts := htmlreport.Facts{
		{Label: "Objective", Value: plain(plan.Period(time.Duration(m.Objective)))},
		{Label: "Worst", Value: plain(plan.Period(time.Duration(m.Worst)))},
	}
	if q, ok := m.Quantile(99, 100); ok {
		facts = append(facts, htmlreport.Fact{Label: "For 99 % of the time at most", Value: plain(plan.Period(q))})
	}
	facts = append(facts, htmlreport.Fact{Label: "Known for", Value: plain(plan.Period(time.Duration(m.Known)))},
		htmlreport.Fact{Label: "Over the objective for", Value: plain(plan.Period(time.Duration(m.Over)))})
	s.Blocks = append(s.Blocks, facts)
	if m.Unknown > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Unknown, Title: "Not known for " + plan.Period(time.Duration(m.Unknown)),
			Text: plain("Nobody looked, or the other site did not say.")})
	}
	if len(m.Breaches) == 0 {
		return s
	}
	t := htmlreport.Table{Caption: "Over the objective", Columns: []htmlreport.Column{{Title: "From", Short: true}, {Title: "Until", Short: true}, {Title: "Most"}}}
	first := max(0, len(m.Breaches)-most)
	for _, b := range m.Breaches[first:] {
		until := instant(b.To)
		if b.Open {
			until = "it goes on"
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(instant(b.From)), plain(until), plain(plan.Period(time.Duration(b.Peak)))})
	}
	s.Blocks = append(s.Blocks, t)
	return leftOut(s, len(m.Breaches)+int(min(m.Dropped, 1<<30)))
}

func parity(p *dr.Parity) htmlreport.Section {
	s := htmlreport.Section{ID: "mirror-parity", Title: "Security of both sites"}
	if p.Same {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Good, Title: "The recovery site is protected at least as well"})
	} else {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: "The recovery site is not known to be protected as well"})
	}
	if len(p.Differences) == 0 {
		return s
	}
	t := htmlreport.Table{Columns: []htmlreport.Column{{Title: "What", Short: brief(p.Differences, func(d dr.Difference) string { return d.Aspect })}, {Title: "Recovery site is", Short: true}, {Title: "Original"}, {Title: "Recovery"}, {Title: "Severity", Short: true}}}
	for _, d := range p.Differences[:min(most, len(p.Differences))] {
		t.Rows = append(t.Rows, []htmlreport.Text{plain(d.Aspect), plain(string(d.Relation)), plain(d.Original), plain(d.Recovery), htmlreport.Mark(tone(d.Severity), string(d.Severity))})
	}
	s.Blocks = append(s.Blocks, t)
	return leftOut(s, len(p.Differences))
}

func drilled(d *dr.DrillReport) htmlreport.Section {
	next := instant(d.Next)
	if d.Next.IsZero() {
		next = "at once: none has succeeded"
	}
	s := htmlreport.Section{ID: "mirror-drills", Title: "Drills", Blocks: []htmlreport.Block{htmlreport.Facts{
		{Label: "Judged", Value: plain(fmt.Sprintf("%d, of which %d failed", d.Judged, d.Failed))},
		{Label: "Slowest", Value: plain(plan.Period(time.Duration(d.Slowest)))},
		{Label: "Most that was lost", Value: plain(plan.Period(time.Duration(d.Largest)))},
		{Label: "Next", Value: plain(next)},
	}}}
	var list htmlreport.List
	for _, f := range d.Findings[:min(most, len(d.Findings))] {
		list = append(list, htmlreport.Text{{Text: string(f.Severity), Mark: tone(f.Severity)}, {Text: " " + f.Text}})
	}
	if len(list) > 0 {
		s.Blocks = append(s.Blocks, list)
	}
	return leftOut(s, len(d.Findings))
}
