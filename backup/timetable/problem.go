package timetable

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// The bounds of a [Problem]. They keep sums within 63 bits, and the search short.
const (
	MaxSlots   = 10_000
	MaxJobs    = 100_000
	MaxLinks   = 1_000
	MaxBytes   = 1 << 60    // of all jobs together, and of a link in all slots together
	MaxWindows = 1_000_000  // of all jobs together
	maxPairs   = 50_000_000 // of a job and a slot that it may use
)

// Goal is what is made least.
type Goal string

// The goals. Peak is the default.
const (
	Peak   Goal = "peak"   // the greatest share of a link that is used at any time, what it carries besides included
	Finish Goal = "finish" // the end of the last job
)

// Duration is a [time.Duration] whose JSON is a text such as "36h" or "15m".
type Duration = strictjson.Duration

// Problem is what is to be arranged. Time is in slots of one length, from Start on; a rate is of bytes a second.
type Problem struct {
	Goal  Goal      `json:"goal,omitempty"`
	Start time.Time `json:"start"`
	Slot  Duration  `json:"slot"`  // whole seconds
	Slots int       `json:"slots"` // 1 to MaxSlots
	Links []Link    `json:"links"`
	Jobs  []Job     `json:"jobs"`
	Caps  []Cap     `json:"caps,omitempty"`
}

// Link is what jobs share: a line, the port of an array, a backup server.
type Link struct {
	ID   string `json:"id"`
	Rate int64  `json:"rate"` // that it carries
	// Traffic is what others send through it, a rate for each slot: their 95th percentile, say. One that is shorter repeats, so that 24 rates
	// serve a week of hours; none: nothing.
	Traffic []int64 `json:"traffic,omitempty"`
}

// Window is a time in which a job may run.
type Window struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Job is a backup that is to run once.
type Job struct {
	ID     string   `json:"id"`
	Tenant string   `json:"tenant,omitempty"`
	Host   string   `json:"host,omitempty"`  // that is read
	Array  string   `json:"array,omitempty"` // that is written
	Bytes  int64    `json:"bytes"`           // 1 or more: what has nothing to send needs no place
	Rate   int64    `json:"rate"`            // at which it runs, and at most
	Links  []string `json:"links"`           // all that its bytes go through
	// Windows are when it may run: slots that are wholly in one of them. None: always.
	Windows []Window `json:"windows,omitempty"`
	// Divisible says that it may run more slowly, stop and go on, in any of its slots. Otherwise it runs once, at its rate, in slots that follow each
	// other.
	Divisible bool `json:"divisible,omitempty"`
}

// Kind is what a [Cap] is of.
type Kind string

// The kinds.
const (
	Tenant Kind = "tenant"
	Host   Kind = "host"
	Array  Kind = "array"
)

// Cap bounds what runs at the same time for a tenant, on a host or to an array.
type Cap struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id,omitempty"`   // empty: each of the kind, by itself
	Jobs int    `json:"jobs,omitempty"` // in one slot; 0: not bounded by this cap
	Rate int64  `json:"rate,omitempty"` // of all of them, on average over a slot; 0: not bounded
}

// Validate returns an error wrapping opsec.ErrInvalid that names the field.
func (p *Problem) Validate() error {
	seconds := time.Duration(p.Slot) / time.Second
	switch {
	case p.Goal != "" && p.Goal != Peak && p.Goal != Finish:
		return invalid("goal %q: want peak or finish", p.Goal)
	case p.Start.IsZero():
		return invalid("start: not set")
	case seconds < 1 || seconds > 24*3600 || time.Duration(p.Slot)%time.Second != 0:
		return invalid("slot: want whole seconds, up to a day")
	case p.Slots < 1 || p.Slots > MaxSlots:
		return invalid("slots: %d, want 1 to %d", p.Slots, MaxSlots)
	case len(p.Jobs) > MaxJobs || len(p.Links) > MaxLinks || len(p.Caps) > MaxJobs:
		return invalid("jobs, links, caps: more than %d, %d or %d", MaxJobs, MaxLinks, MaxJobs)
	}
	links := map[string]bool{}
	for i, l := range p.Links {
		switch {
		case l.ID == "" || links[l.ID]:
			return invalid("links[%d]: id: empty, or a second time", i)
		case l.Rate < 1 || l.Rate > MaxBytes/(int64(seconds)*int64(p.Slots)):
			return invalid("links[%d]: rate: %d, want 1 up to what makes %d bytes in all slots", i, l.Rate, int64(MaxBytes))
		case len(l.Traffic) > p.Slots:
			return invalid("links[%d]: traffic: more than the slots", i)
		}
		for t, r := range l.Traffic {
			if r < 0 || r > l.Rate {
				return invalid("links[%d]: traffic[%d]: %d, want 0 to the rate of the link", i, t, r)
			}
		}
		links[l.ID] = true
	}
	jobs, left, pairs, windows := map[string]bool{}, int64(MaxBytes), int64(0), 0
	for i, j := range p.Jobs {
		switch {
		case j.ID == "" || jobs[j.ID]:
			return invalid("jobs[%d]: id: empty, or a second time", i)
		case j.Bytes < 1 || j.Bytes > left:
			return invalid("jobs[%d]: bytes: %d, want 1 or more, and up to %d of all jobs", i, j.Bytes, int64(MaxBytes))
		case j.Rate < 1 || j.Rate > MaxBytes/int64(seconds):
			return invalid("jobs[%d]: rate: %d, want 1 or more", i, j.Rate)
		case len(j.Links) == 0 || len(j.Links) > 16:
			return invalid("jobs[%d]: links: want 1 to 16", i)
		case len(j.Windows) > MaxWindows-windows:
			return invalid("jobs[%d]: windows: more than %d of all jobs", i, MaxWindows)
		}
		twice := map[string]bool{}
		for _, id := range j.Links {
			if !links[id] || twice[id] {
				return invalid("jobs[%d]: links: %q is not there, or stands twice", i, id)
			}
			twice[id] = true
		}
		for k, w := range j.Windows {
			if w.From.IsZero() || !w.From.Before(w.Until) {
				return invalid("jobs[%d]: windows[%d]: want a beginning, and an end after it", i, k)
			}
		}
		jobs[j.ID] = true
		left -= j.Bytes
		pairs += int64(p.Slots)
		windows += len(j.Windows)
	}
	if pairs > maxPairs {
		return invalid("jobs and slots: %d pairs, want up to %d: take longer slots", pairs, maxPairs)
	}
	for i, c := range p.Caps {
		if c.Kind != Tenant && c.Kind != Host && c.Kind != Array || c.Jobs < 0 || c.Rate < 0 || c.Rate > MaxBytes/int64(seconds) || c.Jobs == 0 && c.Rate == 0 {
			return invalid("caps[%d]: want tenant, host or array, and a bound of jobs or rate", i)
		}
	}
	return nil
}

// Nightly returns the windows of so many days from the day of first on, in its zone: each from a time of day until a later one, or until that
// of the next day. Times of day are by the clock on the wall, and each is when the clock first shows it or more: one that a change of the
// clock leaves out is the moment of the change, and one that comes twice the first. A window of which nothing is left is left out.
func Nightly(first time.Time, days int, from, until time.Duration) []Window {
	y, m, d := first.Date()
	at := func(day int, t time.Duration) time.Time {
		return shown(time.Date(y, m, d+day, int(t/time.Hour), int(t/time.Minute)%60, int(t/time.Second)%60, 0, time.UTC), first.Location())
	}
	var list []Window
	for day := range max(days, 0) {
		end := day
		if until <= from {
			end++
		}
		if w := (Window{at(day, from), at(end, until)}); w.From.Before(w.Until) {
			list = append(list, w)
		}
	}
	return list
}

// shown returns when the clock of a place first shows what one of UTC shows at wall, or more.
func shown(wall time.Time, place *time.Location) time.Time {
	clock := func(t time.Time) time.Time {
		_, offset := t.Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	h, m, s := wall.Clock()
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), h, m, s, 0, place)
	start, end := t.ZoneBounds()
	switch clock(t).Compare(wall) {
	case -1: // left out; t is from before the change
		return end
	case 1:
		return start
	}
	if start.IsZero() {
		return t
	}
	before := start.Add(-1)
	if again := t.Add(clock(t).Sub(t.UTC()) - clock(before).Sub(before.UTC())); again.Before(start) {
		return again
	}
	return t
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("timetable: %w: %s", opsec.ErrInvalid, fmt.Sprintf(format, args...))
}
