package session

import "time"

// clock tells the time for a Manager. Times with a reading of the monotonic clock, such as those of [time.Now], do not go back
// while the process runs: when the wall clock is set back, they go on from where the process began.
type clock struct {
	now   func() time.Time
	start time.Time // by now, when the process began
	began time.Time // by time.Now, at the same time
}

// reading is a time by two clocks: one that may be set, and one that may stand still while a machine is suspended.
type reading struct {
	wall int64 // ns since 1970
	tick int64 // ns since the process began
}

func newClock(now func() time.Time) clock {
	c := clock{now: now, began: time.Now()}
	if c.start = c.began; now != nil {
		c.start = now()
	}
	return c
}

func (c *clock) read() (r reading) {
	t := time.Now()
	r.tick = int64(t.Sub(c.began))
	if c.now != nil {
		t = c.now()
	}
	r.wall = max(t.UnixNano(), c.start.UnixNano()+int64(t.Sub(c.start)))
	return r
}

func (r reading) time() time.Time { return time.Unix(0, r.wall).UTC() }

// within reports whether less than d has passed since an earlier reading, by both clocks.
func (r reading) within(d time.Duration, since reading) bool {
	return r.tick-since.tick < int64(d) && r.wall-since.wall < int64(d)
}
