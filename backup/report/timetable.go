package report

import (
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/timetable"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// Timetable is when runs are, in words and times that a report shows, whoever has arranged them.
type Timetable struct {
	Runs     []Run    `json:"runs"`               // in order
	Peak     string   `json:"peak,omitempty"`     // how much is used at most: "62 % of link wan at 02:00"
	Bound    string   `json:"bound,omitempty"`    // that no arrangement can do better than
	Unplaced []string `json:"unplaced,omitempty"` // what has no place, and why
}

// Run is a run of a backup.
type Run struct {
	Job   string    `json:"job"`
	Where string    `json:"where,omitempty"` // the link, or the target
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`          // not before From
	Late  bool      `json:"late,omitempty"` // it ends after its window, or would
}

// Arranged returns a timetable of package timetable as it is shown.
func Arranged(t *timetable.Timetable) *Timetable {
	out := &Timetable{}
	for _, r := range t.Runs {
		out.Runs = append(out.Runs, Run{Job: r.Job, From: r.From, Until: r.Until})
	}
	for _, u := range t.Unplaced {
		out.Unplaced = append(out.Unplaced, u.Job+": "+u.Why)
	}
	if t.Goal == timetable.Finish {
		out.Peak = "the links until " + t.Finish.UTC().Format(time.RFC3339)
		if !t.FinishBound.IsZero() {
			out.Bound = "those until " + t.FinishBound.UTC().Format(time.RFC3339)
		}
		return out
	}
	out.Peak = t.Peak.String() + " of a link"
	out.Bound = t.PeakBound.String()
	if t.Why != nil {
		out.Bound += " of " + t.Why.Link
	}
	return out
}

func (t *Timetable) validate() error {
	for i, r := range t.Runs {
		if r.Job == "" || r.From.IsZero() || r.Until.Before(r.From) {
			return invalid("timetable: runs[%d]: %q from %v until %v, want a job, and an end that is not before its beginning", i, r.Job, r.From, r.Until)
		}
	}
	return nil
}

func (t *Timetable) clean() bool {
	if t == nil {
		return true
	}
	for _, r := range t.Runs {
		if r.Late {
			return false
		}
	}
	return len(t.Unplaced) == 0
}

func (r *Report) timetable() (s htmlreport.Section, ok bool) {
	t := r.Timetable
	if t == nil {
		return s, false
	}
	s = htmlreport.Section{ID: "timetable", Title: "When it runs"}
	var facts htmlreport.Facts
	if t.Peak != "" {
		facts = append(facts, htmlreport.Fact{Label: "Used at most", Value: plain(t.Peak)})
	}
	if t.Bound != "" {
		facts = append(facts, htmlreport.Fact{Label: "No arrangement uses less than", Value: plain(t.Bound)})
	}
	if len(facts) > 0 {
		s.Blocks = append(s.Blocks, facts)
	}
	for _, u := range t.Unplaced[:min(most, len(t.Unplaced))] {
		s.Blocks = append(s.Blocks, htmlreport.Callout{Tone: htmlreport.Bad, Title: "No place", Text: plain(u)})
	}
	s = leftOut(s, len(t.Unplaced))
	if len(t.Runs) == 0 {
		return s, true
	}
	line := htmlreport.Timeline{Caption: "Runs"}
	for _, run := range t.Runs[:min(most, len(t.Runs))] {
		p := htmlreport.Period{Label: run.Job, From: run.From.UTC(), Until: run.Until.UTC(), Tone: htmlreport.Calm,
			Note: instant(run.From) + " to " + instant(run.Until) + ", " + plan.Period(run.Until.Sub(run.From))}
		if run.Where != "" {
			p.Note += ", " + run.Where
		}
		if run.Late {
			p.Tone, p.Note = htmlreport.Bad, p.Note+": after its window"
		}
		line.Rows = append(line.Rows, p)
	}
	s.Blocks = append(s.Blocks, line)
	return leftOut(s, len(t.Runs)), true
}
