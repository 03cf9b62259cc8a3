package calendar

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// ErrHorizon says that what was sought does not come within ten years: a calendar that never opens, or never closes; a
// window that does not come again.
var ErrHorizon = errors.New("calendar: not within ten years")

const tenYears = 3653 // days

// maxAdd bounds what is added, so that no sum of durations overflows.
const maxAdd = 100 * 365 * 24 * time.Hour

// Calendar tells service time from other time. It does not change, and may be used by many goroutines.
type Calendar struct {
	loc     *time.Location
	week    [7][]Span
	table   *table
	sources []Holidays
}

// New returns the calendar of a policy. Holidays may also come from elsewhere, such as an iCalendar file or another
// calendar; what the policy says of a date comes first. The error wraps [opsec.ErrInvalid].
func New(p Policy, holidays ...Holidays) (*Calendar, error) {
	c := &Calendar{sources: append([]Holidays(nil), holidays...)}
	for i, h := range holidays {
		if h == nil {
			return nil, invalid("source %d of holidays is nil", i)
		}
	}
	if len(p.Hours) == 0 || len(p.Hours) > maxShifts {
		return nil, invalid("policy: hours: %d shifts, want 1 to %d", len(p.Hours), maxShifts)
	}
	if len(p.Holidays) > maxHolidays {
		return nil, invalid("policy: %d holidays, want at most %d", len(p.Holidays), maxHolidays)
	}
	var err error
	if c.loc, err = loadZone(p.Zone); err != nil {
		return nil, fmt.Errorf("calendar: policy: %w", err)
	}
	if c.week, err = week(p.Hours); err != nil {
		return nil, fmt.Errorf("calendar: policy: %w", err)
	}
	if c.table, err = newTable(p.Holidays); err != nil {
		return nil, fmt.Errorf("calendar: policy: %w", err)
	}
	return c, nil
}

// Location returns the zone of the calendar.
func (c *Calendar) Location() *time.Location { return c.loc }

// Holiday implements [Holidays]: it names the holiday on which there is no service on a date, whatever its weekday. A
// holiday with hours of its own is none.
func (c *Calendar) Holiday(d Date) (name string, ok bool) {
	if s, ok := c.table.at(d.day()); ok {
		return s.name, len(s.open) == 0
	}
	for _, h := range c.sources {
		if name, ok := h.Holiday(d); ok {
			return name, true
		}
	}
	return "", false
}

// spans returns the spans that start on a day.
func (c *Calendar) spans(day int) []Span {
	usual := c.week[weekday(day)]
	if s, ok := c.table.at(day); ok {
		if len(usual) == 0 && !s.once {
			return nil
		}
		return s.open
	}
	if len(usual) > 0 && len(c.sources) > 0 {
		if _, ok := c.Holiday(dateOf(day)); ok {
			return nil
		}
	}
	return usual
}

// open yields the stretches of service time between two Unix seconds, in order and disjoint, though one may begin where
// another ends. It gives up after so many days without any.
func (c *Calendar) open(from, to int64, patience int) iter.Seq2[int64, int64] {
	return func(yield func(start, end int64) bool) {
		clock := clock{loc: c.loc}
		day := clock.day(from) - 1 // a span of the day before may last until now
		for last, seen := from, day; day-seen <= patience; day++ {
			midnight := int64(day) * daySeconds
			if clock.instant(midnight) >= to {
				return
			}
			for _, s := range c.spans(day) {
				start := max(clock.instant(midnight+int64(s.Start)), last)
				end := min(clock.instant(midnight+int64(s.until())), to)
				if start >= end {
					continue
				}
				if !yield(start, end) {
					return
				}
				last, seen = end, day
			}
		}
	}
}

// Open reports whether t is service time.
func (c *Calendar) Open(t time.Time) bool {
	return t.Unix() == second(t) && c.openAt(t.Unix())
}

func (c *Calendar) openAt(sec int64) bool {
	for range c.open(sec, sec+1, 2) {
		return true
	}
	return false
}

// Between returns the service time from a to b: what elapses of real time while the calendar is open. It is negative if
// b is before a, and saturates at 292 years as [time.Time.Sub] does. A year takes some microseconds.
func (c *Calendar) Between(a, b time.Time) time.Duration {
	if b.Before(a) {
		return -c.Between(b, a)
	}
	from, to := second(a), second(b)
	var sum int64
	for start, end := range c.open(from, to, math.MaxInt) {
		sum += end - start
	}
	if sum >= math.MaxInt64/int64(time.Second) {
		return math.MaxInt64
	}
	// The calendar opens and closes on whole seconds.
	d := time.Duration(sum) * time.Second
	if n := a.Nanosecond(); n != 0 && c.Open(a) {
		d -= time.Duration(n)
	}
	if n := b.Nanosecond(); n != 0 && c.Open(b) {
		d += time.Duration(n)
	}
	return d
}

// Add returns the first instant at which d of service time has passed since t, so that Between(t, Add(t, d)) is d. A
// deadline that falls on the end of a day is that evening, not the next morning. The duration is 0 to 100 years, or the
// error wraps [opsec.ErrInvalid]; if the calendar does not open for ten years, it is [ErrHorizon].
//
// What is left until a deadline is Between(now, deadline), negative when it has passed.
func (c *Calendar) Add(t time.Time, d time.Duration) (time.Time, error) {
	if d < 0 || d > maxAdd {
		return time.Time{}, invalid("duration to add is %v, want 0 to 100 years", d)
	}
	if d == 0 {
		return t, nil
	}
	from := second(t)
	for start, end := range c.open(from, lastSecond, tenYears) {
		if start == from && t.Unix() == from {
			d += time.Duration(t.Nanosecond()) // counted from the whole second
		}
		length := time.Duration(end-start) * time.Second
		if d <= length {
			return time.Unix(start, 0).Add(d).In(t.Location()), nil
		}
		d -= length
	}
	return time.Time{}, fmt.Errorf("%w: %v of service time after %s", ErrHorizon, d, t.Format(time.RFC3339))
}

// NextOpen returns the first instant from t on that is service time: t itself, if it is. The error is [ErrHorizon].
func (c *Calendar) NextOpen(t time.Time) (time.Time, error) {
	from := second(t)
	for start := range c.open(from, lastSecond, tenYears) {
		if start == from && t.Unix() == from {
			return t, nil
		}
		return time.Unix(start, 0).In(t.Location()), nil
	}
	return time.Time{}, fmt.Errorf("%w: service after %s", ErrHorizon, t.Format(time.RFC3339))
}

// NextClose returns the first instant from t on that is not service time: t itself, if it is not. The error is
// [ErrHorizon].
func (c *Calendar) NextClose(t time.Time) (time.Time, error) {
	if !c.Open(t) {
		return t, nil
	}
	from := t.Unix()
	closes := from
	for start, end := range c.open(from, from+tenYears*daySeconds, tenYears) {
		if start > closes {
			break
		}
		closes = end
	}
	if closes-from >= tenYears*daySeconds {
		return time.Time{}, fmt.Errorf("%w: an end of service after %s", ErrHorizon, t.Format(time.RFC3339))
	}
	return time.Unix(closes, 0).In(t.Location()), nil
}

// Interval is the time from Start to End, the end not included.
type Interval struct{ Start, End time.Time }

// Intervals yields the service time from a to b as intervals with closed time between them, in order and in the
// location of a; fractions of the seconds of a and b are cut off.
func (c *Calendar) Intervals(a, b time.Time) iter.Seq[Interval] {
	return func(yield func(Interval) bool) {
		var start, end int64
		interval := func() Interval {
			return Interval{time.Unix(start, 0).In(a.Location()), time.Unix(end, 0).In(a.Location())}
		}
		for s, e := range c.open(second(a), second(b), math.MaxInt) {
			if s > end || start == end {
				if start < end && !yield(interval()) {
					return
				}
				start = s
			}
			end = e
		}
		if start < end {
			yield(interval())
		}
	}
}
