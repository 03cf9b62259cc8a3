package metric

import (
	"time"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// States is what was seen of a resource: where none of the lines is, nothing is known. Where they overlap the worst holds.
// Lines are in order; spans of one may touch.
type States struct {
	Up       timeline.Line `json:"up,omitempty"`
	Degraded timeline.Line `json:"degraded,omitempty"`
	Down     timeline.Line `json:"down,omitempty"`
}

// Count is the requests that came in a slice of time, or in a part of it.
type Count struct {
	Start int64  `json:"start"` // in milliseconds since 1970
	Good  uint64 `json:"good"`  // at most Total
	Total uint64 `json:"total"`
}

// Input is the evidence of one resource. What of it is outside the period does not count.
type Input struct {
	States States  // for Time, and for Slices without Good
	Counts []Count // for the others, in order of Start; those that start in the same slice add up
	// Excluded is what valid exclusions cover: see [Objective.Measure].
	Excluded timeline.Line
	// Deployed is when the resource was there, or when service was promised: the rest of the period is left out, as if
	// the period were shorter. Nil is all the period; a line that is empty, but not nil, is none of it.
	Deployed timeline.Line
}

// longest is how long a period may be: 100 years and their leap days.
const longest = 36525 * 86_400_000

// Measure reckons the evidence of one resource in a period. The tallies of resources add up, by [Result.Add].
//
// What no evidence covers is unknown. Slices are counted from the start of the period, and one at its end may be shorter.
// A run of bad slices is cut at the ends of the period, and goes on over slices that are left out because they are empty or
// not deployed. It is what it was without the exclusions: an exclusion within it takes out its own slices alone.
//
// A count of requests belongs to the slice in which it starts; of Requests, to the time of Slice from its start on, or to
// its start alone. Where the resource was not deployed in any of that, the count is left out.
//
// An exclusion takes out bad time, never good time, so that it does not lower a figure: what is bad in it is
// [Tally.Excluded], what is unknown in it [Tally.ExcludedUnknown]. By states, a slice is taken out when all that is bad or
// unknown in it is excluded; of Partial good, and by requests, when all of it is. Of Requests and MeanRate what is taken
// out of a slice is its bad requests, or the bad part of its rate.
//
// The error wraps [opsec.ErrInvalid]: the objective does not say how to measure, evidence is not in order, or more than a
// tally holds. It takes time by the pieces of evidence, not by the length of the period, and no memory.
func (o Objective) Measure(in Input, period timeline.Span) (r Result, err error) {
	s, err := o.sweep(&in, period)
	if err != nil {
		return Result{}, err
	}
	switch {
	case o.Method == Time:
		s.time(&r)
	case !o.byCount():
		o.slices(&s, &r)
	default:
		return o.counts(&s, in.Counts)
	}
	return r, nil
}

// byRate reports whether slices are good or bad by their rate of requests.
func (o Objective) byRate() bool { return o.Good.Num() > 0 }

// size returns the length of a slice, in milliseconds.
func (o Objective) size() uint64 { return uint64(o.slice() / time.Millisecond) }

// byCount reports whether counts of requests are the evidence.
func (o Objective) byCount() bool {
	return o.Method == Requests || o.Method == MeanRate || o.Method == Slices && o.byRate()
}

// sweep checks what Measure needs, and begins a sweep.
func (o Objective) sweep(in *Input, period timeline.Span) (sweep, error) {
	switch o.Method {
	case Time:
	case Slices, MeanRate, Requests:
		if d := o.slice(); d < 0 || d%time.Millisecond != 0 || d == 0 && o.Method != Requests {
			return sweep{}, fault("slice", "method %s wants whole milliseconds", o.Method)
		}
	default:
		return sweep{}, fault("method", "%.20q is none of time, slices, requests and mean-rate", o.Method)
	}
	s, err := newSweep(in, period, o.byCount())
	if o.Degraded == DegradedUp {
		s.worse = good
	}
	return s, err
}
