package metric

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Window is the time over which an objective is judged.
type Window struct {
	// Calendar is "day", "week" (ISO 8601: from Monday), "month", "quarter" or "year" in Zone; empty for a rolling window.
	Calendar string   `json:"calendar,omitempty"`
	Zone     string   `json:"zone,omitempty"`    // IANA name; empty is UTC
	Rolling  Duration `json:"rolling,omitempty"` // whole milliseconds; of a window without Calendar
}

// longestRolling is how long a rolling window may be.
const longestRolling = 3660 * 24 * time.Hour

// Period returns the time of a period by its name: "2026-03-15" of days, "2026-W11" of weeks, "2026-03" of months,
// "2026-Q1" of quarters and "2026" of years, from year 1 to 9998. That of a rolling window is the moment at which it ends, in RFC
// 3339.
//
// A day starts at the first moment at which the clock of the zone shows 00:00 or later, as in package calendar: periods
// touch, and a day is shorter or longer when the clock is changed. The error wraps [opsec.ErrInvalid]; a day that a zone
// skipped (Pacific/Apia, 30 December 2011) is one.
func (w Window) Period(name string) (timeline.Span, error) {
	if w.Calendar == "" {
		end, err := time.Parse(time.RFC3339, name)
		if err != nil {
			return timeline.Span{}, fault("period", "%.40q is not a moment in RFC 3339 at which a rolling window ends", name)
		}
		return w.endingAt(end)
	}
	first, err := w.first(name)
	if err != nil {
		return timeline.Span{}, err
	}
	return w.span(first)
}

// At returns the period in which a moment lies, and its name; of a rolling window, that which ends then.
func (w Window) At(t time.Time) (name string, span timeline.Span, err error) {
	if w.Calendar == "" {
		span, err = w.endingAt(t)
		return t.UTC().Format(time.RFC3339Nano), span, err
	}
	loc, err := w.location()
	if err != nil {
		return "", timeline.Span{}, err
	}
	if w.shortest() == 0 {
		return "", timeline.Span{}, fault("window.calendar", "%.20q is none of day, week, month, quarter and year", w.Calendar)
	}
	first := w.start(calendar.DateOf(t.In(loc)))
	span, err = w.span(first)
	if err == nil && t.UnixMilli() >= span.End { // a clock set back over midnight shows the day before again
		first = w.next(first)
		span, err = w.span(first)
	}
	return w.name(first), span, err
}

func (w Window) endingAt(t time.Time) (timeline.Span, error) {
	d := w.rolling()
	if d < time.Millisecond || d > longestRolling || d%time.Millisecond != 0 {
		return timeline.Span{}, fault("window.rolling", "want whole milliseconds, up to ten years")
	}
	if y := t.UTC().Year(); y < 1 || y > 9998 {
		return timeline.Span{}, fault("period", "want the years 1 to 9998")
	}
	end := t.UnixMilli()
	return timeline.Span{Start: end - d.Milliseconds(), End: end}, nil
}

func (w Window) zone() string {
	if w.Zone == "" {
		return "UTC"
	}
	return w.Zone
}

// location loads the zone, by the rules of package calendar.
func (w Window) location() (*time.Location, error) {
	cal, err := w.weekday(time.Monday)
	if err != nil {
		return nil, err
	}
	return cal.Location(), nil
}

// weekday returns a calendar that is open on one day of the week.
func (w Window) weekday(d time.Weekday) (*calendar.Calendar, error) {
	day := calendar.Shift{Days: calendar.WeekdaysOf(d), Span: calendar.Span{End: calendar.Clock(24, 0)}}
	cal, err := calendar.New(calendar.Policy{Zone: w.zone(), Hours: []calendar.Shift{day}})
	if err != nil {
		return nil, fault("window.zone", "%v", err)
	}
	return cal, nil
}

// midnight returns when a date begins, in milliseconds since 1970: of one that a zone skipped, when the next does.
func (w Window) midnight(d calendar.Date) (int64, error) {
	for range 3 {
		cal, err := w.weekday(d.Weekday())
		if err != nil {
			return 0, err
		}
		utc := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC)
		for day := range cal.Intervals(utc.AddDate(0, 0, -2), utc.AddDate(0, 0, 3)) {
			return day.Start.UnixMilli(), nil
		}
		d = d.AddDays(1)
	}
	return 0, fault("period", "%v does not come in %s", d, w.zone())
}

// span returns the period that begins on a date.
func (w Window) span(first calendar.Date) (timeline.Span, error) {
	if first.Year < 1 || first.Year > 9998 {
		return timeline.Span{}, fault("period", "want the years 1 to 9998")
	}
	start, err := w.midnight(first)
	if err != nil {
		return timeline.Span{}, err
	}
	end, err := w.midnight(w.next(first))
	if err != nil {
		return timeline.Span{}, err
	}
	if start >= end {
		return timeline.Span{}, fault("period", "%v does not come in %s", first, w.zone())
	}
	return timeline.Span{Start: start, End: end}, nil
}

// start returns the first date of the period in which a date is.
func (w Window) start(d calendar.Date) calendar.Date {
	switch w.Calendar {
	case "week":
		return d.AddDays(-(int(d.Weekday()) + 6) % 7)
	case "month":
		d.Day = 1
	case "quarter":
		d.Month, d.Day = (d.Month-1)/3*3+1, 1
	case "year":
		d.Month, d.Day = time.January, 1
	}
	return d
}

// next returns the first date of the period after one.
func (w Window) next(first calendar.Date) calendar.Date {
	switch w.Calendar {
	case "day":
		return first.AddDays(1)
	case "week":
		return first.AddDays(7)
	}
	months := map[string]int{"month": 1, "quarter": 3, "year": 12}[w.Calendar]
	return calendar.DateOf(time.Date(first.Year, first.Month+time.Month(months), 1, 0, 0, 0, 0, time.UTC))
}

// name names the period that begins on a date.
func (w Window) name(first calendar.Date) string {
	switch w.Calendar {
	case "week":
		year, week := time.Date(first.Year, first.Month, first.Day, 0, 0, 0, 0, time.UTC).ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	case "month":
		return fmt.Sprintf("%04d-%02d", first.Year, first.Month)
	case "quarter":
		return fmt.Sprintf("%04d-Q%d", first.Year, (first.Month+2)/3)
	case "year":
		return fmt.Sprintf("%04d", first.Year)
	}
	return first.String()
}

// first returns the first date of the period of a name. A name has one form: it is that which the date has.
func (w Window) first(name string) (calendar.Date, error) {
	bad := func() (calendar.Date, error) {
		want := map[string]string{"day": "2026-03-15", "week": "2026-W11", "month": "2026-03", "quarter": "2026-Q1", "year": "2026"}[w.Calendar]
		if want == "" {
			return calendar.Date{}, fault("window.calendar", "%.20q is none of day, week, month, quarter and year", w.Calendar)
		}
		return calendar.Date{}, fault("period", "%.40q is not a %s as in %s", name, w.Calendar, want)
	}
	if len(name) > 10 {
		return bad()
	}
	year, rest, _ := strings.Cut(name, "-")
	y, err := strconv.Atoi(year)
	if err != nil || y < 1 {
		return bad()
	}
	d := calendar.Date{Year: y, Month: time.January, Day: 1}
	n, err := strconv.Atoi(strings.TrimLeft(rest, "QW"))
	switch w.Calendar {
	case "day":
		d, err = calendar.ParseDate(name)
	case "week": // the week of 4 January is the first
		d = w.start(calendar.Date{Year: y, Month: time.January, Day: 4}).AddDays(7 * (n - 1))
	case "month":
		d.Month = time.Month(n)
	case "quarter":
		d.Month = time.Month(3*n - 2)
	case "year":
		err = nil
	default:
		return bad()
	}
	if err != nil || !d.Valid() || w.name(d) != name {
		return bad()
	}
	return d, nil
}
