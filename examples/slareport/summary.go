package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
)

// summary is what is printed: the report in short.
type summary struct {
	Agreement recompute.Cited `json:"agreement"`
	Period    string          `json:"period"`
	AsOf      time.Time       `json:"as_of"`
	Services  []service       `json:"services"`
	Responses []promise       `json:"responses,omitempty"`
	Findings  []string        `json:"findings,omitempty"`
	Digest    string          `json:"digest"` // of the whole report

	Other *other `json:"other,omitempty"` // the report of the other party
}

type other struct {
	Digest      string                 `json:"digest"`
	Differences []recompute.Difference `json:"differences"`
}

type service struct {
	ID           string            `json:"id"`
	Availability figure            `json:"availability"`     // of its first objective
	Excluded     float64           `json:"excluded_seconds"` // likewise; of requests there are none
	Credits      []credit.Total    `json:"credits"`
	Metrics      map[string]figure `json:"metrics"` // all its objectives, by id
}

// figure is the two ends of an availability in per cent, rounded down; met is null where it is not decided.
type figure struct {
	Low    string `json:"low"`
	High   string `json:"high"`
	Target string `json:"target"`
	Met    *bool  `json:"met"`
}

func figureOf(o recompute.Objective) figure {
	return figure{
		Low: o.Figure.Availability.Low.Percent(6), High: o.Figure.Availability.High.Percent(6), Target: o.Target.String(),
		Met: met(o.Figure.Verdict),
	}
}

// excluded returns how much bad time was left out, in seconds.
func excluded(o recompute.Objective) float64 {
	n := float64(o.Tally.Counted.Excluded)
	switch {
	case o.Method == metric.Time:
		return n / 1000
	case o.Method == metric.Slices:
		return n * time.Duration(o.Slice).Seconds()
	}
	return 0
}

func met(v ratio.Verdict) *bool {
	yes, no := true, false
	switch v {
	case ratio.Met:
		return &yes
	case ratio.Breach:
		return &no
	}
	return nil
}

// promise is how a target for incidents was kept.
type promise struct {
	Target    string `json:"target"`
	Incidents int    `json:"incidents"`
	Open      int    `json:"open"`
	Mean      string `json:"mean"`
	Met       *bool  `json:"met"`
}

func summarise(r *recompute.Report) (*summary, error) {
	s := &summary{Agreement: r.Agreement, Period: r.Period.Name, AsOf: r.AsOf}
	var err error
	if s.Digest, err = r.Digest(); err != nil {
		return nil, err
	}
	for _, own := range r.Services {
		out := service{ID: own.ID, Metrics: map[string]figure{}, Credits: slices.Concat([]credit.Total{}, own.Totals)}
		for i, o := range own.Objectives {
			out.Metrics[o.ID] = figureOf(o)
			if i == 0 {
				out.Availability, out.Excluded = figureOf(o), excluded(o)
			}
		}
		s.Services = append(s.Services, out)
	}
	for _, p := range r.Responses {
		s.Responses = append(s.Responses, promise{p.Target, p.Incidents, p.Open, mean(p.Mean), met(p.Verdict)})
	}
	for _, f := range r.Findings {
		s.Findings = append(s.Findings, f.Path+": "+f.Text)
	}
	return s, nil
}

func mean(b response.Bounds) string {
	low := (time.Duration(b.Low) * time.Millisecond).String()
	switch {
	case b.Unbounded:
		return low + " or more"
	case b.High > b.Low:
		return low + " to " + (time.Duration(b.High) * time.Millisecond).String()
	}
	return low
}

// kept says whether all targets are met.
func (s *summary) kept() bool {
	for _, own := range s.Services {
		for _, f := range own.Metrics {
			if f.Met == nil || !*f.Met {
				return false
			}
		}
	}
	return !slices.ContainsFunc(s.Responses, func(p promise) bool { return p.Met == nil || !*p.Met }) &&
		(s.Other == nil || len(s.Other.Differences) == 0)
}

// beside compares the report with that of the other party.
func (s *summary) beside(r, theirs *recompute.Report) (err error) {
	s.Other = &other{Differences: []recompute.Difference{}}
	if s.Other.Digest, err = theirs.Digest(); err != nil {
		return err
	}
	found, err := recompute.Diff(theirs, r)
	s.Other.Differences = append(s.Other.Differences, found...)
	return err
}

// WriteText writes what people read.
func (s *summary) WriteText(to io.Writer) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s, version %d, in %s, as of %s\n", s.Agreement.ID, s.Agreement.Version, s.Period, s.AsOf.Format(time.RFC3339))
	for _, own := range s.Services {
		fmt.Fprintf(w, "\n%s\n", own.ID)
		for _, id := range slices.Sorted(maps.Keys(own.Metrics)) {
			f := own.Metrics[id]
			fmt.Fprintf(w, "  %-20s %s %%, wanted %s: %s\n", id, between(f.Low, f.High), f.Target, word(f.Met))
		}
		for _, c := range own.Credits {
			fmt.Fprintf(w, "  credit: %s of the fee", between(c.Credit.Low.String(), c.Credit.High.String()))
			if c.Amount[1] != "" {
				fmt.Fprintf(w, ", %s", between(c.Amount[0], c.Amount[1]))
			}
			fmt.Fprintln(w)
		}
	}
	if len(s.Responses) > 0 {
		fmt.Fprintln(w, "\nincidents")
	}
	for _, p := range s.Responses {
		fmt.Fprintf(w, "  %-20s %d, %d of them open, mean %s: %s\n", p.Target, p.Incidents, p.Open, p.Mean, word(p.Met))
	}
	for _, f := range s.Findings {
		fmt.Fprintf(w, "\nnote: %s\n", f)
	}
	fmt.Fprintf(w, "\nreport %s\n", s.Digest)
	if s.Other != nil {
		fmt.Fprintf(w, "theirs %s, %d differences\n", s.Other.Digest, len(s.Other.Differences))
		for _, d := range s.Other.Differences {
			fmt.Fprintf(w, "  %s: theirs %s, ours %s\n", d.Path, d.A, d.B)
		}
	}
	return w.Flush()
}

func between(low, high string) string {
	if low == high {
		return low
	}
	return low + " to " + high
}

func word(met *bool) string {
	switch {
	case met == nil:
		return "not decided"
	case *met:
		return "met"
	}
	return "missed"
}
