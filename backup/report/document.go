package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
)

// Source is what a report is made of. What is not given is left out.
type Source struct {
	Title     string
	At        time.Time // of what the report tells; there is no clock here
	Strategy  *plan.Strategy
	Solution  *plan.Solution
	Observed  *plan.Observed // its findings need Strategy
	Timetable *Timetable
	Retention *Retention
	Mirror    *Mirror
}

// Report is what a report says.
type Report struct {
	Title     string              `json:"title"`
	At        time.Time           `json:"at"`
	Strategy  *plan.Strategy      `json:"strategy,omitempty"`
	Solution  *plan.Solution      `json:"solution,omitempty"`
	Checked   bool                `json:"checked"` // what is observed was compared with the strategy
	Findings  []plan.Finding      `json:"findings,omitempty"`
	Exposure  []SideExposure      `json:"exposure,omitempty"`
	Tests     []plan.ObservedTest `json:"tests,omitempty"`
	Timetable *Timetable          `json:"timetable,omitempty"`
	Retention *Retention          `json:"retention,omitempty"`
	Mirror    *Mirror             `json:"mirror,omitempty"`
}

// New makes a report. The error wraps [opsec.ErrInvalid].
func New(s Source) (*Report, error) {
	if strings.TrimSpace(s.Title) == "" || s.At.IsZero() {
		return nil, invalid("title, at: %q at %v, want both", s.Title, s.At)
	}
	r := &Report{Title: s.Title, At: s.At.UTC(), Strategy: s.Strategy, Solution: s.Solution, Timetable: s.Timetable, Retention: s.Retention, Mirror: s.Mirror}
	if s.Strategy != nil {
		if err := s.Strategy.Validate(); err != nil {
			return nil, err
		}
	}
	if s.Timetable != nil {
		if err := s.Timetable.validate(); err != nil {
			return nil, err
		}
	}
	if s.Observed != nil {
		if err := r.observe(*s.Observed); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Report) observe(o plan.Observed) (err error) {
	if s := r.Strategy; s != nil {
		if r.Findings, err = plan.Check(*s, o); err != nil {
			return err
		}
		r.Checked = true
	}
	r.Exposure = exposures(o, r.Strategy)
	r.Tests = o.Tests
	return nil
}

// Clean reports whether the report tells of nothing that needs attention: no findings, a strategy that can be met, points that can be
// restored, a place for each job in its window, no notes on what is kept, a mirror that keeps what it should.
func (r *Report) Clean() bool {
	return len(r.Findings) == 0 && (r.Solution == nil || r.Solution.Best != nil) && len(r.unseen()) == 0
}

// unseen returns what needs attention and is not in the findings.
func (r *Report) unseen() (list []string) {
	for _, e := range r.Exposure {
		if len(e.Exposure.Steps) == 0 && !r.Checked {
			list = append(list, "no point can be restored")
		}
	}
	if t := r.Timetable; t != nil {
		if n := len(t.Unplaced); n > 0 {
			list = append(list, count(n, "job")+" without a place in the timetable")
		}
		if n := t.late(); n > 0 {
			list = append(list, count(n, "run")+" after the window")
		}
	}
	if r.Retention != nil && len(r.Retention.Notes) > 0 {
		list = append(list, count(len(r.Retention.Notes), "note")+" on what is kept")
	}
	if !r.Mirror.clean() {
		list = append(list, "the second site is not as it should be")
	}
	return list
}

// JSON writes the report as one indented document.
func (r *Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// HTML writes the report as one file that loads nothing and has no script.
func (r *Report) HTML(w io.Writer) error { return r.page().HTML(w) }

// Markdown writes the report in GitHub Flavored Markdown.
func (r *Report) Markdown(w io.Writer) error { return r.page().Markdown(w) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("report: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
