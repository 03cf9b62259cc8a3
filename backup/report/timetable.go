package report

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/timetable"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// Timetable is when runs are, in words and times that a report shows, whoever has arranged them.
type Timetable struct {
	Runs     []Run    `json:"runs"`               // in order
	Peak     string   `json:"peak,omitempty"`     // what is made least: "62 % of link wan at most", or when the last run ends
	Bound    string   `json:"bound,omitempty"`    // that no arrangement can do better than
	Unplaced []string `json:"unplaced,omitempty"` // what has no place, and why
}

// Run is a run of a backup.
type Run struct {
	Job   string    `json:"job"`
	Where string    `json:"where,omitempty"` // the link, or the target
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`           // not before From
	Parts int       `json:"parts,omitempty"` // it stops and goes on: how many there are; 0 and 1: one
	Late  bool      `json:"late,omitempty"`  // it ends after its window, or would
}

// Arranged returns a timetable of package timetable as it is shown.
func Arranged(t *timetable.Timetable) *Timetable {
	out := &Timetable{Runs: []Run{}}
	for _, r := range t.Runs {
		out.Runs = append(out.Runs, Run{Job: r.Job, From: r.From, Until: r.Until, Parts: parts(r.Shares)})
	}
	for _, u := range t.Unplaced {
		out.Unplaced = append(out.Unplaced, u.Job+": "+u.Why)
	}
	if t.Goal == timetable.Finish {
		out.Peak = "the end at " + instant(t.Finish)
		if !t.FinishBound.IsZero() {
			out.Bound = "the end at " + instant(t.FinishBound)
		}
		return out
	}
	out.Peak = t.Peak.String() + " of a link at most"
	for _, l := range t.Loads {
		if l.Peak == t.Peak {
			out.Peak = t.Peak.String() + " of link " + l.Link + " at most"
			break
		}
	}
	out.Bound = t.PeakBound.String()
	if t.Why != nil {
		out.Bound += " of link " + t.Why.Link
	}
	if t.PeakBound.Compare(timetable.Ratio{Num: 1, Den: 1}) > 0 {
		out.Bound += ": not everything fits"
	}
	return out
}

// parts returns how many pieces a run has.
func parts(shares []timetable.Share) (n int) {
	for i, s := range shares {
		if i == 0 || s.Slot != shares[i-1].Slot+1 {
			n++
		}
	}
	return n
}

func (t *Timetable) validate() error {
	for i, r := range t.Runs {
		if r.Job == "" || r.From.IsZero() || r.Until.Before(r.From) {
			return invalid("timetable: runs[%d]: %q from %v until %v, want a job, and an end that is not before its beginning", i, r.Job, r.From, r.Until)
		}
	}
	return nil
}

// late returns how many runs end after their windows.
func (t *Timetable) late() (n int) {
	for _, r := range t.Runs {
		if r.Late {
			n++
		}
	}
	return n
}

func (r *Report) timetable() (s htmlreport.Section, ok bool) {
	t := r.Timetable
	if t == nil {
		return s, false
	}
	s = htmlreport.Section{ID: "timetable", Title: "When it runs"}
	var facts htmlreport.Facts
	if t.Peak != "" {
		facts = append(facts, htmlreport.Fact{Label: "It comes to", Value: plain(t.Peak)})
	}
	if t.Bound != "" {
		facts = append(facts, htmlreport.Fact{Label: "No arrangement can do better than", Value: plain(t.Bound)})
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
		if run.Parts > 1 {
			p.Note += fmt.Sprintf(" in %d parts", run.Parts)
		}
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
