package calendar

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// daySeconds is the length of a day on the clock; what it lasts in a zone is the business of clock.instant.
const daySeconds = 24 * 60 * 60

// invalid returns an error of this package that wraps [opsec.ErrInvalid].
func invalid(format string, args ...any) error {
	return fmt.Errorf("calendar: %w: %w", fmt.Errorf(format, args...), opsec.ErrInvalid)
}

// Date is a day of the Gregorian calendar, in the years 1 to 9999, wherever one may be. Its text is "2026-11-25".
// The zero Date is none.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the date that t shows in its own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads "2026-11-25". The error wraps [opsec.ErrInvalid].
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return Date{}, invalid("date %.32q is not a day as in 2026-11-25", text)
	}
	return DateOf(t), nil
}

// dateOf returns the date of a day, counted from 1970-01-01.
func dateOf(day int) Date { return DateOf(time.Unix(int64(day)*daySeconds, 0).UTC()) }

// day counts from 1970-01-01. A day beyond its month's last counts on into the next.
func (d Date) day() int {
	return int(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix() / daySeconds)
}

func weekday(day int) time.Weekday { return time.Weekday(((day+4)%7 + 7) % 7) } // 1970-01-01 was a Thursday

// Valid reports whether there is such a day in the years 1 to 9999.
func (d Date) Valid() bool { return d.Year >= 1 && d.Year <= 9999 && dateOf(d.day()) == d }

// AddDays returns the date n days later, or earlier if n is negative.
func (d Date) AddDays(n int) Date { return dateOf(d.day() + n) }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return weekday(d.day()) }

// Compare returns -1, 0 or +1 as d is before, the same as or after e.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Year, e.Year), cmp.Compare(d.Month, e.Month), cmp.Compare(d.Day, e.Day))
}

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText implements [encoding.TextMarshaler]. A date that is not valid is an error.
func (d Date) MarshalText() ([]byte, error) {
	if !d.Valid() {
		return nil, invalid("date %s does not exist", d)
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseDate].
func (d *Date) UnmarshalText(text []byte) error { return parseInto(d, text, ParseDate) }

// TimeOfDay is what a clock shows, in seconds after its 00:00; 86,400 is 24:00, the end of the day. Its text is
// "08:30", or "08:30:15" where there are seconds.
type TimeOfDay int

// Clock returns the time of day at an hour and a minute.
func Clock(hour, minute int) TimeOfDay { return TimeOfDay(hour*3600 + minute*60) }

// ParseTimeOfDay reads "08:30", "08:30:15" or "24:00". The error wraps [opsec.ErrInvalid].
func ParseTimeOfDay(text string) (TimeOfDay, error) {
	t, err := time.Parse("15:04", text)
	if len(text) == len("15:04:05") {
		t, err = time.Parse("15:04:05", text)
	}
	switch {
	case text == "24:00":
		return daySeconds, nil
	case err != nil || len(text) != len("15:04") && len(text) != len("15:04:05"):
		return 0, invalid("time of day %.32q is not as in 08:30 or 24:00", text)
	}
	h, m, s := t.Clock()
	return Clock(h, m) + TimeOfDay(s), nil
}

func (t TimeOfDay) String() string {
	h, m, s := int(t)/3600, int(t)/60%60, int(t)%60
	if s != 0 {
		return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
	}
	return fmt.Sprintf("%02d:%02d", h, m)
}

// MarshalText implements [encoding.TextMarshaler]. A time before 00:00 or after 24:00 is an error.
func (t TimeOfDay) MarshalText() ([]byte, error) {
	if t < 0 || t > daySeconds {
		return nil, invalid("time of day of %d seconds is not between 00:00 and 24:00", int(t))
	}
	return []byte(t.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseTimeOfDay].
func (t *TimeOfDay) UnmarshalText(text []byte) error { return parseInto(t, text, ParseTimeOfDay) }

// Local is a date and a time of day without a zone, as in "2026-11-25T08:30".
type Local struct {
	Date Date
	Time TimeOfDay
}

// ParseLocal reads "2026-11-25T08:30". The error wraps [opsec.ErrInvalid].
func ParseLocal(text string) (Local, error) {
	date, clock, ok := strings.Cut(text, "T")
	d, err := ParseDate(date)
	t, err2 := ParseTimeOfDay(clock)
	if !ok || err != nil || err2 != nil {
		return Local{}, invalid("local time %.32q is not as in 2026-11-25T08:30", text)
	}
	return Local{d, t}, nil
}

// seconds counts from the 00:00 of 1970-01-01 on the same wall clock.
func (l Local) seconds() int64 { return int64(l.Date.day())*daySeconds + int64(l.Time) }

func (l Local) valid() bool { return l.Date.Valid() && l.Time >= 0 && l.Time <= daySeconds }

func (l Local) String() string { return l.Date.String() + "T" + l.Time.String() }

// MarshalText implements [encoding.TextMarshaler].
func (l Local) MarshalText() ([]byte, error) {
	if !l.valid() {
		return nil, invalid("local time %s does not exist", l)
	}
	return []byte(l.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseLocal].
func (l *Local) UnmarshalText(text []byte) error { return parseInto(l, text, ParseLocal) }

// parseInto leaves the value as it was when the text is wrong.
func parseInto[T any](v *T, text []byte, parse func(string) (T, error)) error {
	read, err := parse(string(text))
	if err == nil {
		*v = read
	}
	return err
}
