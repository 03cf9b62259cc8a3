package metric

import (
	"cmp"
	"fmt"
	"math"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// class is how a moment counts.
type class uint8

const (
	absent class = iota // not deployed
	unknown
	good
	bad
)

// sweep goes through a period from change to change.
type sweep struct {
	period                                 timeline.Span
	down, degraded, up, excluded, deployed cursor
	worse                                  class // what degraded time is
}

// newSweep checks evidence of a period, and begins a sweep. Of the states it takes none if counts are the evidence.
func newSweep(in *Input, period timeline.Span, counted bool) (s sweep, err error) {
	if period.Start >= period.End || uint64(period.End)-uint64(period.Start) > longest {
		return s, fault("period", "from %d to %d: want 1 ms to 100 years", period.Start, period.End)
	}
	var seen States
	if !counted {
		seen = in.States
	}
	s = sweep{period: period, worse: bad}
	err = cmp.Or(
		s.down.begin(seen.Down, "states.down", period.Start),
		s.degraded.begin(seen.Degraded, "states.degraded", period.Start),
		s.up.begin(seen.Up, "states.up", period.Start),
		s.excluded.begin(in.Excluded, "excluded", period.Start),
		s.deployed.begin(in.Deployed, "deployed", period.Start),
	)
	if in.Deployed == nil {
		s.deployed = cursor{in: true, until: math.MaxInt64}
	}
	return s, err
}

// cursor walks along a line.
type cursor struct {
	rest  timeline.Line
	in    bool  // the moment is in the line
	until int64 // so long that stays so
}

// begin checks a line, and goes to where a period starts. What is not in order is refused wherever it is: else what is in
// the period may not be found.
func (c *cursor) begin(l timeline.Line, name string, start int64) error {
	for i := range l {
		if l[i].Start >= l[i].End || i > 0 && l[i].Start < l[i-1].End {
			return fault(fmt.Sprintf("%s[%d]", name, i), "the span from %d to %d is empty, or not after that before it", l[i].Start, l[i].End)
		}
	}
	c.rest = l
	c.move(start)
	return nil
}

// move goes on to a moment.
func (c *cursor) move(at int64) {
	for len(c.rest) > 0 && c.rest[0].End <= at {
		c.rest = c.rest[1:]
	}
	switch {
	case len(c.rest) == 0:
		c.in, c.until = false, math.MaxInt64
	case c.rest[0].Start <= at:
		c.in, c.until = true, c.rest[0].End
	default:
		c.in, c.until = false, c.rest[0].Start
	}
}

// next returns one moment if it is in the line (or is not), or else when that may be so next: of spans that touch, when the
// second begins.
func (c *cursor) next(at int64, in bool) int64 {
	if c.until <= at {
		c.move(at)
	}
	if c.in == in {
		return at
	}
	return c.until
}

// each calls yield for the stretches of the period in order, in each of which all is alike.
func (s *sweep) each(yield func(ms uint64, c class, excluded bool)) {
	cursors := [...]*cursor{&s.down, &s.degraded, &s.up, &s.excluded, &s.deployed}
	for at := s.period.Start; at < s.period.End; {
		until := s.period.End
		for _, c := range cursors {
			if c.until <= at {
				c.move(at)
			}
			until = min(until, c.until)
		}
		c := unknown
		switch {
		case !s.deployed.in:
			c = absent
		case s.down.in:
			c = bad
		case s.degraded.in:
			c = s.worse
		case s.up.in:
			c = good
		}
		yield(uint64(until-at), c, s.excluded.in)
		at = until
	}
}

// time adds up a sweep for the method Time.
func (s *sweep) time(r *Result) {
	var sum [bad + 1][2]uint64 // by class, and whether it is excluded
	s.each(func(ms uint64, c class, excluded bool) {
		if excluded {
			sum[c][1] += ms
		} else {
			sum[c][0] += ms
		}
	})
	up := sum[good][0] + sum[good][1]
	r.Raw = Tally{Good: up, Bad: sum[bad][0] + sum[bad][1], Unknown: sum[unknown][0] + sum[unknown][1]}
	r.Counted = Tally{Good: up, Bad: sum[bad][0], Excluded: sum[bad][1], Unknown: sum[unknown][0], ExcludedUnknown: sum[unknown][1]}
}
