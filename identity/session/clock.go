package session

import "time"

// clock tells the time for a Manager. It does not go back while the process runs: when the one that it asks does, it goes
// on from where the process began, as fast as time passes.
type clock struct {
	now   func() time.Time
	start time.Time // with a reading of the monotonic clock
	base  int64     // what now said then, ns since 1970
}

// reading is a time by two clocks: one that may be set, and one that may stand still while a machine is suspended.
type reading struct {
	wall int64 // ns since 1970
	tick int64 // ns since the process began
}

func newClock(now func() time.Time) clock {
	c := clock{now: now, start: time.Now()}
	if c.base = c.start.UnixNano(); now != nil {
		c.base = now().UnixNano()
	}
	return c
}

func (c *clock) read() reading {
	t := time.Now()
	r := reading{t.UnixNano(), int64(t.Sub(c.start))}
	if c.now != nil {
		r.wall = c.now().UnixNano()
	}
	r.wall = max(r.wall, c.base+r.tick)
	return r
}

func (r reading) time() time.Time { return time.Unix(0, r.wall).UTC() }

// within reports whether less than d has passed since an earlier reading, by both clocks.
func (r reading) within(d time.Duration, since reading) bool {
	return r.tick-since.tick < int64(d) && r.wall-since.wall < int64(d)
}
