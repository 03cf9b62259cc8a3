package response

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Summary is what a report says of a target. Incidents that are still open are censored: they took so long at least.
type Summary struct {
	Target    string            `json:"target"`              // id
	Incidents int               `json:"incidents"`           // that count
	Open      int               `json:"open"`                // of them, those that have not come to the end of the measure
	Mean      Bounds            `json:"mean"`                // without an upper bound where some are open
	Within    int               `json:"within,omitempty"`    // of those that ended, how many within Each
	Late      int               `json:"late,omitempty"`      // beyond Each, open ones among them
	Quantiles map[string]Bounds `json:"quantiles,omitempty"` // "p50", "p90", "p95", "p99", "max"
	Verdict   ratio.Verdict     `json:"verdict"`
}

// Bounds is two durations in milliseconds between which one lies, both included.
type Bounds struct {
	Low  int64 `json:"low"`
	High int64 `json:"high,omitempty"` // at least Low, unless Unbounded
	// Unbounded says that there is no upper bound yet, because incidents are open.
	Unbounded bool `json:"unbounded,omitempty"`
}

// Summarize judges a target by the incidents whose measure began from one moment until before another, as far as they were
// known at a third.
//
// Each that ended took what it took; one that is open took as long as it has been, at least, and may take for ever: a mean
// or a quantile has no upper bound where that matters. Until the period has ended at asOf, more incidents may come: a target
// is then broken if no more could mend it, and otherwise undecided; figures are of those that came. Exactly as long as
// promised is in time. Without incidents nothing was late: it is met.
//
// An incident that is there twice, alike, counts once. The error wraps [opsec.ErrInvalid]: the target or an incident is not
// valid, an id stands for two, or the period is empty.
func Summarize(t Target, incidents []Incident, from, to, asOf time.Time, holidays ...calendar.Holidays) (Summary, error) {
	c, err := NewClock(t, holidays...)
	if err != nil {
		return Summary{}, err
	}
	return c.Summarize(incidents, from, to, asOf)
}

// Summarize is the function [Summarize] of the clock's target.
func (c *Clock) Summarize(incidents []Incident, from, to, asOf time.Time) (Summary, error) {
	if !from.Before(to) || asOf.IsZero() {
		return Summary{}, fault("period", "empty, or as of no time")
	}
	incidents, err := unique(incidents)
	if err != nil {
		return Summary{}, err
	}
	t := c.target
	s := Summary{Target: t.ID}
	var sum sum
	var took spread
	for _, i := range incidents {
		if start, _ := i.Span(t.Measure); start.Before(from) || !start.Before(to) {
			continue
		}
		d, open, counts := c.Took(i, asOf)
		if !counts {
			continue
		}
		s.Incidents++
		sum.add(d)
		if open {
			s.Open++
		}
		took.add(d, open)
		switch each := time.Duration(t.Each); {
		case each == 0:
		case d > each:
			s.Late++
		case !open:
			s.Within++
		}
	}
	n := uint64(s.Incidents)
	if n > 0 {
		s.Mean = sum.mean(n, s.Open > 0)
		s.Quantiles = took.quantiles()
	}
	ended := !asOf.Before(to)
	verdicts := []ratio.Verdict{}
	if t.Each > 0 {
		verdicts = append(verdicts, c.each(s, ended))
	}
	if t.Mean > 0 {
		v := ratio.Undecided
		switch past := sum.exceeds(time.Duration(t.Mean), n); {
		case !ended:
		case past:
			v = ratio.Breach
		case s.Open == 0:
			v = ratio.Met
		}
		verdicts = append(verdicts, v)
	}
	s.Verdict = worst(verdicts)
	return s, nil
}

// each judges how many were in time.
func (c *Clock) each(s Summary, ended bool) ratio.Verdict {
	if !ended {
		if s.Late > 0 && c.share.Num() == c.share.Den() {
			return ratio.Breach
		}
		return ratio.Undecided
	}
	if s.Incidents == 0 {
		return ratio.Met
	}
	low, _ := ratio.New(uint64(s.Within), uint64(s.Incidents))
	high, _ := ratio.New(uint64(s.Incidents-s.Late), uint64(s.Incidents))
	return ratio.Range{Low: low, High: high}.AtLeast(c.share)
}

// worst returns a breach if there is one, and met only if all are.
func worst(list []ratio.Verdict) ratio.Verdict {
	v := ratio.Met
	for _, one := range list {
		if one == ratio.Breach {
			return one
		}
		if one != ratio.Met {
			v = one
		}
	}
	return v
}

// unique checks incidents, and drops those that are there again.
func unique(list []Incident) ([]Incident, error) {
	seen := make(map[string]int, len(list))
	var out []Incident
	for _, i := range list {
		if err := i.Validate(); err != nil {
			return nil, err
		}
		if at, ok := seen[i.ID]; ok {
			if !alike(out[at], i) {
				return nil, fault(fmt.Sprintf("incident %q", i.ID), "is there twice, and not alike")
			}
			continue
		}
		seen[i.ID] = len(out)
		out = append(out, i)
	}
	return out, nil
}

func alike(a, b Incident) bool {
	return a.Service == b.Service && a.Severity == b.Severity && a.Security == b.Security && a.Occurred.Equal(b.Occurred) &&
		a.Reported.Equal(b.Reported) && a.Accepted.Equal(b.Accepted) && a.Notified.Equal(b.Notified) &&
		a.Restored.Equal(b.Restored) && a.Resolved.Equal(b.Resolved)
}

// sum adds up durations in 128 bits: 292 years in nanoseconds fill 63.
type sum struct{ hi, lo uint64 }

func (s *sum) add(d time.Duration) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(d), 0)
	s.hi += carry
}

// exceeds reports whether the mean of n is more than d.
func (s sum) exceeds(d time.Duration, n uint64) bool {
	hi, lo := bits.Mul64(uint64(d), n)
	return s.hi > hi || s.hi == hi && s.lo > lo
}

// mean returns the mean of n in milliseconds.
func (s sum) mean(n uint64, open bool) Bounds {
	ns, rest := bits.Div64(s.hi, s.lo, n) // the mean is less than 2^63, so that hi < n
	b := Bounds{Low: int64(ns / 1e6), Unbounded: open}
	if !open {
		b.High = b.Low
		if ns%1e6 > 0 || rest > 0 {
			b.High++
		}
	}
	return b
}
