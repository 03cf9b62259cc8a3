package calendar

import (
	"slices"
	"strings"
	"time"
)

// Weekdays is a set of days of the week: bit 0 is Sunday. Its text is a list such as "Mon-Fri" or "Mon,Wed,Sat-Sun".
type Weekdays uint8

// WeekdaysOf returns the set of these days.
func WeekdaysOf(days ...time.Weekday) (w Weekdays) {
	for _, d := range days {
		w |= 1 << d
	}
	return w
}

// Has reports whether d is in the set.
func (w Weekdays) Has(d time.Weekday) bool { return w>>d&1 == 1 }

// ParseWeekdays reads a list of days and ranges of days, each by the three letters of its English name. The error wraps
// [opsec.ErrInvalid].
func ParseWeekdays(text string) (w Weekdays, err error) {
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		d, ok := parseWeekday(from)
		end, ok2 := d, true
		if isRange {
			end, ok2 = parseWeekday(to)
		}
		if !ok || !ok2 {
			return 0, invalid("weekdays %.64q are not as in Mon-Fri or Sat,Sun", text)
		}
		for ; ; d = (d + 1) % 7 {
			w |= 1 << d
			if d == end {
				break
			}
		}
	}
	return w, nil
}

func parseWeekday(text string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if text == d.String()[:3] {
			return d, true
		}
	}
	return 0, false
}

func (w Weekdays) String() string {
	var parts []string
	for i := 1; i <= 7; { // Monday first
		run := 0
		for i+run <= 7 && w.Has(time.Weekday((i+run)%7)) {
			run++
		}
		name := func(i int) string { return time.Weekday(i % 7).String()[:3] }
		if run > 0 {
			text := name(i)
			if run > 1 {
				text += "-" + name(i+run-1)
			}
			parts = append(parts, text)
		}
		i += run + 1
	}
	return strings.Join(parts, ",")
}

// Span is a stretch of a day between two times of its clock, the end not included. One that ends at or before its start
// ends on the next day, and belongs to the day on which it starts. Its text is "09:00-17:00" or "22:00-06:00".
type Span struct{ Start, End TimeOfDay }

// ParseSpan reads "09:00-17:00". The error wraps [opsec.ErrInvalid].
func ParseSpan(text string) (Span, error) {
	from, to, _ := strings.Cut(text, "-")
	start, err := ParseTimeOfDay(from)
	end, err2 := ParseTimeOfDay(to)
	s := Span{start, end}
	if err != nil || err2 != nil || s.check() != nil {
		return Span{}, invalid("span %.32q is not as in 09:00-17:00, 00:00-24:00 or 22:00-06:00", text)
	}
	return s, nil
}

func (s Span) check() error {
	if s.Start < 0 || s.Start >= daySeconds || s.End < 0 || s.End > daySeconds || s.Start == s.End {
		return invalid("span %s does not go from a time of the day to another", s)
	}
	return nil
}

// until is the end, counted from the 00:00 of the day on which the span starts.
func (s Span) until() TimeOfDay {
	if s.End <= s.Start {
		return s.End + daySeconds
	}
	return s.End
}

func (s Span) String() string { return s.Start.String() + "-" + s.End.String() }

// MarshalText implements [encoding.TextMarshaler].
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), s.check() }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseSpan].
func (s *Span) UnmarshalText(text []byte) error { return parseInto(s, text, ParseSpan) }

// Shift is a span on certain days of the week. Its text is "Mon-Fri 09:00-17:00".
type Shift struct {
	Days Weekdays
	Span Span
}

// ParseShift reads "Mon-Fri 09:00-17:00". The error wraps [opsec.ErrInvalid].
func ParseShift(text string) (Shift, error) {
	days, span, _ := strings.Cut(text, " ")
	d, err := ParseWeekdays(days)
	if err != nil {
		return Shift{}, err
	}
	s, err := ParseSpan(span)
	return Shift{d, s}, err
}

func (s Shift) String() string { return s.Days.String() + " " + s.Span.String() }

func (s Shift) check() error {
	if s.Days == 0 || s.Days > 1<<7-1 {
		return invalid("shift %q is on no day of the week", s)
	}
	return s.Span.check()
}

// MarshalText implements [encoding.TextMarshaler].
func (s Shift) MarshalText() ([]byte, error) { return []byte(s.String()), s.check() }

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseShift].
func (s *Shift) UnmarshalText(text []byte) error { return parseInto(s, text, ParseShift) }

// FiveByEight returns the hours of a 5x8 service: from Monday to Friday, eight hours from start, which is 16:00 at the
// latest for the day to end by 24:00; later ones run into the night.
func FiveByEight(start TimeOfDay) []Shift {
	end := start + Clock(8, 0)
	if end > daySeconds {
		end -= daySeconds
	}
	return []Shift{{WeekdaysOf(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday), Span{start, end}}}
}

// AlwaysOn returns the hours of a 7x24 service.
func AlwaysOn() []Shift { return []Shift{{1<<7 - 1, Span{0, daySeconds}}} }

// sorted returns the spans by their starts, and an error if two overlap.
func sorted(spans []Span) ([]Span, error) {
	spans = slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return int(a.Start - b.Start) })
	for i, s := range spans {
		if i > 0 && spans[i-1].until() > s.Start {
			return nil, invalid("%s and %s overlap", spans[i-1], s)
		}
	}
	return spans, nil
}

// week returns the spans that start on each day, sorted.
func week(shifts []Shift) (week [7][]Span, err error) {
	for i, s := range shifts {
		if err := s.check(); err != nil {
			return week, invalid("hours[%d]: %w", i, err)
		}
		for d := range week {
			if s.Days.Has(time.Weekday(d)) {
				week[d] = append(week[d], s.Span)
			}
		}
	}
	for d := range week {
		if week[d], err = sorted(week[d]); err != nil {
			return week, invalid("hours: %s: %w", time.Weekday(d), err)
		}
	}
	for d := range week {
		today, tomorrow := week[d], week[(d+1)%7]
		if len(today) > 0 && len(tomorrow) > 0 && today[len(today)-1].until() > daySeconds+tomorrow[0].Start {
			return week, invalid("hours: %s of %s and %s of the next day overlap", today[len(today)-1], time.Weekday(d), tomorrow[0])
		}
	}
	return week, nil
}
