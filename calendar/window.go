package calendar

import (
	"fmt"
	"slices"
	"time"
)

// Kind is what a window is for.
type Kind string

// The kinds of windows.
const (
	Maintenance Kind = "maintenance" // planned work is allowed
	Freeze      Kind = "freeze"      // changes are forbidden
)

// Window is a stretch of time by the wall clock of a zone, once or again and again. In JSON, unknown names are refused:
//
//	{"name": "patch Sunday", "kind": "maintenance", "zone": "Europe/Berlin",
//	 "start": "2026-01-04T02:00", "end": "2026-01-04T06:00", "rule": "FREQ=WEEKLY;BYDAY=SU"}
type Window struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Zone is an IANA name; "UTC" is one.
	Zone string `json:"zone"`
	// Start and End are those of the first time, at most 366 days apart; the end is not included. Every later time
	// starts and ends at the same times of the day, so that a night of 02:00 to 06:00 lasts three hours or five when
	// the clock is changed in it (RFC 5545, section 3.8.5.3, has its elapsed time repeated instead).
	Start Local `json:"start"`
	End   Local `json:"end"`
	// Rule says on which days it starts again, as a recurrence rule of RFC 5545 (section 3.3.10): FREQ of DAILY,
	// WEEKLY, MONTHLY or YEARLY, INTERVAL, COUNT (up to 1,000, within 200 years), UNTIL, WKST, BYMONTH, BYMONTHDAY,
	// BYDAY and, within a month, BYSETPOS. Other parts are refused, and so is a start that the rule does not give,
	// which the RFC leaves undefined. Empty: once.
	Rule string `json:"rule,omitempty"`
	// Except are days on which it does not start though the rule says so. Each must be such a day.
	Except []Date `json:"except,omitempty"`
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules. It loads the
// zone.
func (w Window) Validate() error {
	_, err := compile(w)
	return err
}

// UnmarshalJSON implements [json.Unmarshaler]. It validates, and leaves w as it was when it fails.
func (w *Window) UnmarshalJSON(data []byte) error {
	type plain Window // without this method
	return unmarshal(data, (*plain)(w), func(read *plain) error { return Window(*read).Validate() })
}

// window is a Window that was read.
type window struct {
	name   string
	kind   Kind
	loc    *time.Location
	rule   *rule // nil: once
	first  int   // day
	last   int   // on which it may start
	start  TimeOfDay
	length TimeOfDay // from the 00:00 of the day on which it starts to its end
	except map[int]bool
}

const (
	never   = 41 * 366  // days in which a rule has to start: 29 February is on a certain weekday every 28 or 40 years
	longest = 200 * 366 // days in which COUNT has to be reached
)

func compile(w Window) (*window, error) {
	c := &window{name: w.Name, kind: w.Kind, first: w.Start.Date.day(), start: w.Start.Time}
	switch {
	case !goodName(w.Name):
		return nil, invalid("window: name %.64q is not 1 to 200 bytes of printable text", w.Name)
	case w.Kind != Maintenance && w.Kind != Freeze:
		return nil, invalid("window %q: kind is %.20q, want maintenance or freeze", w.Name, string(w.Kind))
	case !w.Start.valid() || w.Start.Time == daySeconds || !w.End.valid():
		return nil, invalid("window %q: start %s or end %s is not a local time", w.Name, w.Start, w.End)
	case w.End.seconds() <= w.Start.seconds() || w.End.Date.day()-c.first > 366:
		return nil, invalid("window %q: end %s is not after start %s, by 366 days at most", w.Name, w.End, w.Start)
	case len(w.Except) > maxExcept || len(w.Except) > 0 && w.Rule == "":
		return nil, invalid("window %q: %d exceptions, want at most %d and a rule", w.Name, len(w.Except), maxExcept)
	}
	var err error
	if c.loc, err = loadZone(w.Zone); err != nil {
		return nil, fmt.Errorf("window %q: %w", w.Name, err)
	}
	c.length, c.last = TimeOfDay(w.End.seconds()-int64(c.first)*daySeconds), c.first
	if w.Rule != "" {
		if c.rule, err = parseRule(w.Rule); err != nil {
			return nil, fmt.Errorf("window %q: rule: %w", w.Name, err)
		}
		if err := c.bound(); err != nil {
			return nil, fmt.Errorf("window %q: rule: %w", w.Name, err)
		}
	}
	for _, d := range w.Except {
		if !d.Valid() || !c.starts(d.day()) {
			return nil, invalid("window %q: exception %s is not a day on which it starts", w.Name, d)
		}
	}
	c.except = map[int]bool{}
	for _, d := range w.Except {
		c.except[d.day()] = true
	}
	return c, nil
}

// bound finds the last day of the rule.
func (w *window) bound() error {
	w.last = Date{9999, 12, 31}.day()
	if !w.starts(w.first) {
		next := "never"
		if day, ok := w.next(w.first, w.first+never); ok {
			next = "first on " + dateOf(day).String()
		}
		return invalid("does not start on %s, but %s", dateOf(w.first), next)
	}
	if w.rule.until != "" {
		local, utc, _ := parseStamp(w.rule.until)
		c := clock{loc: w.loc}
		until := local.seconds()
		if !utc {
			until = c.instant(until)
		}
		last := c.day(until) + 1 // more than enough, in any zone
		for last >= w.first && c.instant(int64(last)*daySeconds+int64(w.start)) > until {
			last--
		}
		w.last = last
		if last < w.first {
			return invalid("UNTIL is before the start")
		}
	}
	if w.rule.count != 0 {
		last := w.first
		for range w.rule.count - 1 {
			day, ok := w.next(last+1, w.first+longest)
			if !ok {
				return invalid("COUNT is not reached in 200 years")
			}
			last = day
		}
		w.last = last
	}
	return nil
}

// starts reports whether the window starts on a day.
func (w *window) starts(day int) bool {
	if day < w.first || day > w.last || w.except[day] {
		return false
	}
	return w.rule == nil && day == w.first || w.rule != nil && w.rule.on(day, w.first)
}

// next returns the first day from one to another on which the window starts.
func (w *window) next(from, to int) (day int, ok bool) {
	for day = max(from, w.first); day <= min(to, w.last); day++ {
		if w.starts(day) {
			return day, true
		}
	}
	return 0, false
}

// Occurrence is one time of a window. Its instants are in the window's zone.
type Occurrence struct {
	Name       string
	Kind       Kind
	Start, End time.Time
}

// cursor walks through the times of a window, in order.
type cursor struct {
	*window
	clock    clock
	from, to int64
	day, end int // to be tried next, and last
}

// walk returns a cursor at the first time that ends after from, for those that start before to.
func (w *window) walk(from, to int64) *cursor {
	c := &cursor{window: w, clock: clock{loc: w.loc}, from: from, to: to}
	c.end = c.clock.day(to) + 1
	c.day = max(w.first, c.clock.day(from)-int(w.length/daySeconds)-1)
	return c
}

func (c *cursor) next() (o Occurrence, ok bool) {
	for {
		day, ok := c.window.next(c.day, c.end)
		if !ok {
			return Occurrence{}, false
		}
		c.day = day + 1
		midnight := int64(day) * daySeconds
		start, end := c.clock.instant(midnight+int64(c.start)), c.clock.instant(midnight+int64(c.length))
		if start < c.to && end > c.from && start < end { // the clock may have skipped all of it
			return Occurrence{c.name, c.kind, time.Unix(start, 0).In(c.loc), time.Unix(end, 0).In(c.loc)}, true
		}
	}
}

// Days are the dates of whole-day windows, as holidays.
type Days struct {
	once  map[int]string
	again []*window
}

// DaysOf takes windows that start and end at midnight for holidays, whatever their zone and kind; the first that covers
// a date names it. The error wraps [opsec.ErrInvalid].
func DaysOf(windows []Window) (*Days, error) {
	d := &Days{once: map[int]string{}}
	for i, w := range windows {
		w.Kind = Freeze
		c, err := compile(w)
		switch {
		case err != nil:
			return nil, fmt.Errorf("calendar: windows[%d]: %w", i, err)
		case c.start != 0 || c.length%daySeconds != 0:
			return nil, invalid("windows[%d] %q: not from midnight to midnight", i, w.Name)
		case c.rule != nil:
			d.again = append(d.again, c)
			continue
		}
		for n := range int(c.length / daySeconds) {
			if _, taken := d.once[c.first+n]; !taken {
				d.once[c.first+n] = c.name
			}
		}
	}
	return d, nil
}

// Holiday implements [Holidays].
func (d *Days) Holiday(date Date) (name string, ok bool) {
	day := date.day()
	if name, ok := d.once[day]; ok {
		return name, true
	}
	for _, w := range d.again {
		if _, ok := w.next(day-int(w.length/daySeconds)+1, day); ok {
			return w.name, true
		}
	}
	return "", false
}

// compileAll reads windows.
func compileAll(windows []Window) ([]*window, error) {
	if len(windows) > maxWindows {
		return nil, invalid("%d windows, want at most %d", len(windows), maxWindows)
	}
	list := slices.Grow([]*window(nil), len(windows))
	for i, w := range windows {
		c, err := compile(w)
		if err != nil {
			return nil, fmt.Errorf("calendar: windows[%d]: %w", i, err)
		}
		list = append(list, c)
	}
	return list, nil
}
