package metric

import (
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

// cursor walks along a line.
type cursor struct {
	line timeline.Line
	i    int
}

// at reports whether a moment, not before the last that was asked for, is in the line, and until when that stays so.
func (c *cursor) at(ms int64) (in bool, until int64) {
	for c.i < len(c.line) && c.line[c.i].End <= ms {
		c.i++
	}
	switch {
	case c.i == len(c.line):
		return false, math.MaxInt64
	case c.line[c.i].Start <= ms:
		return true, c.line[c.i].End
	}
	return false, c.line[c.i].Start
}

// sweep goes through a period from change to change.
type sweep struct {
	period   timeline.Span
	cursors  [5]cursor // down, degraded, up, excluded, deployed
	bare     bool      // deployed is not looked at
	degraded class     // what degraded time is
}

// each calls yield for the stretches of the period in order, in each of which all is alike.
func (s *sweep) each(yield func(ms uint64, c class, excluded bool)) {
	for at := s.period.Start; at < s.period.End; {
		down, until := s.cursors[0].at(at)
		degraded, u := s.cursors[1].at(at)
		until = min(until, u)
		up, u := s.cursors[2].at(at)
		until = min(until, u)
		excluded, u := s.cursors[3].at(at)
		until = min(until, u, s.period.End)
		c := unknown
		switch {
		case down:
			c = bad
		case degraded:
			c = s.degraded
		case up:
			c = good
		}
		if !s.bare {
			there, u := s.cursors[4].at(at)
			until = min(until, u)
			if !there {
				c = absent
			}
		}
		yield(uint64(until-at), c, excluded)
		at = until
	}
}

// time adds up a sweep for the method Time.
func (o Objective) time(s *sweep, r *Result) {
	s.each(func(ms uint64, c class, excluded bool) {
		switch c {
		case good:
			r.Raw.Good += ms
			r.Counted.Good += ms
		case bad:
			r.Raw.Bad += ms
			if excluded {
				r.Counted.Excluded += ms
			} else {
				r.Counted.Bad += ms
			}
		case unknown:
			r.Raw.Unknown += ms
			if excluded {
				r.Counted.ExcludedUnknown += ms
			} else {
				r.Counted.Unknown += ms
			}
		}
	})
}
