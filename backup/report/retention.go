package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/retention"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// Retention is what becomes of points, in words that a report shows, whatever has decided it; see [Retained].
type Retention struct {
	Policy string `json:"policy,omitempty"` // in words
	Points []Kept `json:"points"`
	Notes  []Note `json:"notes,omitempty"`
}

// Kept is what becomes of a point.
type Kept struct {
	ID    string    `json:"id"`
	Time  time.Time `json:"time"` // by which it was judged
	Keep  bool      `json:"keep"`
	Guard bool      `json:"guard,omitempty"` // no rule of the policy keeps it: it is held, locked, or needed
	Why   string    `json:"why,omitempty"`
}

// Note is something that a person should look at.
type Note struct {
	Severity opsec.Severity `json:"severity"`
	Text     string         `json:"text"`
}

// Retained returns what package retention has decided, as a report shows it; policy is the policy in words. Results of several policies
// are shown together when they are given together.
func Retained(policy string, results ...retention.Result) *Retention {
	r := &Retention{Policy: policy, Points: []Kept{}}
	for _, result := range results {
		for _, d := range result.Decisions {
			r.Points = append(r.Points, Kept{ID: d.ID, Time: d.Time, Keep: d.Keep, Guard: d.Keep && !d.ByRule(), Why: d.Explain()})
		}
		for _, f := range result.Findings {
			r.Notes = append(r.Notes, Note{f.Severity, f.Text})
		}
	}
	return r
}

// retained shows the points that are kept and those that go: by day, and why.
func (r *Report) retained() (s htmlreport.Section, ok bool) {
	if r.Retention == nil {
		return s, false
	}
	s = htmlreport.Section{ID: "retention", Title: "What is kept"}
	var guarded, dropped []Kept
	for _, d := range r.Retention.Points {
		switch {
		case !d.Keep:
			dropped = append(dropped, d)
		case d.Guard:
			guarded = append(guarded, d)
		}
	}
	if r.Retention.Policy != "" {
		s.Blocks = append(s.Blocks, htmlreport.Facts{{Label: "Policy", Value: plain(r.Retention.Policy)}})
	}
	all := len(r.Retention.Points)
	s.Blocks = append(s.Blocks, htmlreport.Paragraph(plain(fmt.Sprintf("Of %s, the policy keeps %d, guards keep %d more, and %d go.",
		count(all, "point"), all-len(guarded)-len(dropped), len(guarded), len(dropped)))))
	if days := calendar(r.Retention.Points); len(days) > 0 {
		s.Blocks = append(s.Blocks, htmlreport.Calendar{Caption: "Points by the day that they are of", Days: days})
	}
	var notes htmlreport.List
	for _, n := range r.Retention.Notes[:min(most, len(r.Retention.Notes))] {
		notes = append(notes, htmlreport.Text{{Text: string(n.Severity), Mark: tone(n.Severity)}, {Text: " " + n.Text}})
	}
	if len(notes) > 0 {
		s.Blocks = append(s.Blocks, notes)
		s = leftOut(s, len(r.Retention.Notes))
	}
	if len(guarded) > 0 {
		t := htmlreport.Table{Caption: "Kept by guards", Columns: []htmlreport.Column{{Title: "Point"}, {Title: "Of", Short: true}, {Title: "Why"}}}
		for _, d := range guarded[:min(most, len(guarded))] {
			t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Code(d.ID), plain(instant(d.Time)), plain(d.Why)})
		}
		s.Blocks = append(s.Blocks, t)
		s = leftOut(s, len(guarded))
	}
	if len(dropped) > 0 {
		t := htmlreport.Table{Caption: "These go", Columns: []htmlreport.Column{{Title: "Point"}, {Title: "Of", Short: true}}}
		for _, d := range dropped[:min(most, len(dropped))] {
			t.Rows = append(t.Rows, []htmlreport.Text{htmlreport.Code(d.ID), plain(instant(d.Time))})
		}
		s.Blocks = append(s.Blocks, t)
		s = leftOut(s, len(dropped))
	}
	return s, true
}

// calendar counts points by day (UTC). Points without a time are in none.
func calendar(list []Kept) (days []htmlreport.Day) {
	list = slices.DeleteFunc(slices.Clone(list), func(d Kept) bool { return d.Time.IsZero() })
	slices.SortStableFunc(list, func(a, b Kept) int { return a.Time.Compare(b.Time) })
	for _, d := range list {
		at := d.Time.UTC()
		if n := len(days); n == 0 || days[n-1].Date.Format("2006-01-02") != at.Format("2006-01-02") {
			days = append(days, htmlreport.Day{Date: at, Parts: []htmlreport.Part{
				{Label: "kept", Tone: htmlreport.Good}, {Label: "kept by guards", Tone: htmlreport.Calm}, {Label: "dropped", Tone: htmlreport.Neutral}}})
		}
		part := 2
		switch {
		case d.Keep && d.Guard:
			part = 1
		case d.Keep:
			part = 0
		}
		days[len(days)-1].Parts[part].Count++
	}
	return days
}
