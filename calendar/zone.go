package calendar

import (
	"math"
	"time"
)

// The first and last second of the years 1 to 9999; outside them there is no service time.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

// loadZone loads a zone by its IANA name. The machine's own zone has none, and would decide differently elsewhere.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, invalid("zone %.64q is not an IANA name as in Europe/Berlin", name)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, invalid("zone %.64q: %v; a machine without a zone database needs a program that imports time/tzdata", name, err)
	}
	return loc, nil
}

// clock turns what the wall clock of a zone shows into instants. It remembers the stretch between two changes of the
// clock in which it last was, so that a walk through days is cheap; it is for one goroutine.
type clock struct {
	loc         *time.Location
	start, end  int64 // Unix seconds
	offset      int64 // from UTC in between
	initialised bool
}

// leap is more than any clock was ever set back: 24 hours, at the date line.
const leap = 26 * 3600

// instant returns the first instant at which the clock shows this local time or a later one, in Unix seconds. So a time
// that was skipped is the instant of the change, a time that comes twice is its first coming, and of two local times
// the earlier is never the later instant.
func (c *clock) instant(local int64) int64 {
	if at := local - c.offset; c.initialised && at >= c.start+leap && at < c.end {
		return at
	}
	t := time.Unix(local-leap, 0).In(c.loc) // its clock shows less: no zone is that far from UTC
	for {
		c.at(t)
		at := local - c.offset
		if at < c.end {
			return max(at, t.Unix()) // if at is before t, the clock jumped over it at t
		}
		t = time.Unix(c.end, 0).In(c.loc)
	}
}

// at moves to the stretch around t.
func (c *clock) at(t time.Time) {
	_, offset := t.Zone()
	from, to := t.ZoneBounds()
	c.start, c.end, c.offset, c.initialised = math.MinInt64/2, math.MaxInt64/2, int64(offset), true
	if !from.IsZero() {
		c.start = from.Unix()
	}
	if !to.IsZero() {
		c.end = to.Unix()
	}
	if sec := t.Unix(); c.end <= sec {
		// Beyond the table of a zone package time (Go 1.26) counts 365 days for every year: on 31 December of a leap
		// year the end that it reports has passed. Clocks are changed on quarters of an hour there.
		c.end = sec - sec%900 + 900
	}
}

// day returns the day that the clock shows at an instant.
func (c *clock) day(sec int64) int {
	c.at(time.Unix(sec, 0).In(c.loc))
	local := sec + c.offset
	day := local / daySeconds
	if local%daySeconds < 0 {
		day--
	}
	return int(day)
}

// second returns the Unix second of t, within the years 1 to 9999.
func second(t time.Time) int64 { return min(max(t.Unix(), firstSecond), lastSecond) }
