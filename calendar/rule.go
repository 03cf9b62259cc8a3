package calendar

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// rule is a recurrence rule of RFC 5545 (section 3.3.10) by days: it says of a day whether it recurs.
type rule struct {
	freq       string
	interval   int
	count      int    // 0: without
	until      string // "": without
	weekStart  time.Weekday
	byMonth    []int
	byMonthDay []int
	byDay      []byDay
	bySetPos   []int
}

// byDay is a day of the week, the nth of its month or year unless n is 0; negative n counts from the end.
type byDay struct {
	n  int
	on time.Weekday
}

const (
	daily   = "DAILY"
	weekly  = "WEEKLY"
	monthly = "MONTHLY"
	yearly  = "YEARLY"
)

// parseRule reads the subset that Window.Rule describes.
func parseRule(text string) (*rule, error) {
	if len(text) > 500 {
		return nil, invalid("of %d bytes, want at most 500", len(text))
	}
	r := &rule{interval: 1, weekStart: time.Monday}
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || seen[name] {
			return nil, invalid("%.40q is not a part, or stands twice", part)
		}
		seen[name] = true
		var err error
		switch name {
		case "FREQ":
			r.freq = value
		case "INTERVAL":
			r.interval, err = number(value, 1, 1000)
		case "COUNT":
			r.count, err = number(value, 1, 2000)
		case "UNTIL":
			r.until = value
			_, _, err = parseStamp(value)
		case "WKST":
			r.weekStart, ok = twoLetters(value)
		case "BYMONTH":
			r.byMonth, err = numbers(value, 1, 12)
		case "BYMONTHDAY":
			r.byMonthDay, err = numbers(value, -31, 31)
		case "BYSETPOS":
			r.bySetPos, err = numbers(value, -31, 31)
		case "BYDAY":
			r.byDay, err = parseByDay(value)
		default:
			return nil, invalid("%.40q is not supported", part)
		}
		if err != nil || !ok {
			return nil, invalid("%.40q has no such value", part)
		}
	}
	return r, r.check(seen)
}

// check refuses the combinations that RFC 5545 leaves without meaning, and those whose meaning is hard to see.
func (r *rule) check(has map[string]bool) error {
	numbered := slices.ContainsFunc(r.byDay, func(d byDay) bool { return d.n != 0 })
	switch {
	case r.freq != daily && r.freq != weekly && r.freq != monthly && r.freq != yearly:
		return invalid("FREQ is %.20q, want DAILY, WEEKLY, MONTHLY or YEARLY", r.freq)
	case has["COUNT"] && has["UNTIL"]:
		return invalid("COUNT and UNTIL exclude each other")
	case r.freq == weekly && has["BYMONTHDAY"]:
		return invalid("BYMONTHDAY has no meaning in a week")
	case numbered && (r.freq == daily || r.freq == weekly):
		return invalid("BYDAY with a number has no meaning in a day or week")
	case numbered && has["BYMONTHDAY"]:
		return invalid("BYDAY with a number and BYMONTHDAY are not supported together")
	case has["BYSETPOS"] && (r.freq != monthly && (r.freq != yearly || len(r.byMonth) != 1) || !has["BYDAY"] && !has["BYMONTHDAY"]):
		return invalid("BYSETPOS is supported in a month alone, with BYDAY or BYMONTHDAY")
	}
	return nil
}

func number(text string, least, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, invalid("%.20q is not a number from %d to %d", text, least, most)
	}
	return n, nil
}

// numbers reads a list without 0.
func numbers(text string, least, most int) (list []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := number(part, least, most)
		if err != nil || n == 0 {
			return nil, invalid("%.20q is not a list of numbers from %d to %d", text, least, most)
		}
		list = append(list, n)
	}
	return list, nil
}

func parseByDay(text string) (list []byDay, err error) {
	for part := range strings.SplitSeq(text, ",") {
		at := max(len(part)-2, 0)
		on, ok := twoLetters(part[at:])
		d := byDay{on: on}
		if ok && at > 0 {
			d.n, err = number(part[:at], -53, 53)
			ok = err == nil && d.n != 0
		}
		if !ok {
			return nil, invalid("%.20q is not a day as in MO, 2TU or -1SU", part)
		}
		list = append(list, d)
	}
	return list, nil
}

func twoLetters(text string) (time.Weekday, bool) {
	i := slices.Index([]string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}, text)
	return time.Weekday(i), i >= 0
}

// parseStamp reads "20261231", the whole day, or "20261231T235959", with a Z for UTC.
func parseStamp(text string) (local Local, utc bool, err error) {
	t, err := time.Parse("20060102", text)
	if err == nil {
		return Local{DateOf(t), daySeconds - 1}, false, nil
	}
	clock, utc := strings.CutSuffix(text, "Z")
	t, err = time.Parse("20060102T150405", clock)
	if err != nil || len(clock) != len("20060102T150405") {
		return Local{}, false, invalid("%.20q is not as in 20261231 or 20261231T235959Z", text)
	}
	h, m, s := t.Clock()
	return Local{DateOf(t), Clock(h, m) + TimeOfDay(s)}, utc, nil
}

// on reports whether the rule, begun on the day first, recurs on another, later one.
func (r *rule) on(day, first int) bool {
	d, f := dateOf(day), dateOf(first)
	var periods int // since the first
	switch r.freq {
	case daily:
		periods = day - first
	case weekly:
		periods = (r.week(day) - r.week(first)) / 7
	case monthly:
		periods = (d.Year-f.Year)*12 + int(d.Month-f.Month)
	case yearly:
		periods = d.Year - f.Year
	}
	if periods%r.interval != 0 || !r.matches(day, d, f) {
		return false
	}
	return r.bySetPos == nil || r.hasPlace(day, d, f)
}

// week is the day on which the week of a day begins.
func (r *rule) week(day int) int { return day - int(7+weekday(day)-r.weekStart)%7 }

// matches tries the parts of the rule on a day of a period that counts. What a part does not say, the first day says.
func (r *rule) matches(day int, d, first Date) bool {
	if r.byMonth != nil && !slices.Contains(r.byMonth, int(d.Month)) {
		return false
	}
	if r.byMonthDay != nil {
		fromEnd := day - Date{d.Year, d.Month + 1, 1}.day() // -1 is the last
		if !slices.Contains(r.byMonthDay, d.Day) && !slices.Contains(r.byMonthDay, fromEnd) {
			return false
		}
	}
	if r.byDay != nil {
		return slices.ContainsFunc(r.byDay, func(b byDay) bool { return r.isNth(day, d, b) })
	}
	if r.byMonthDay != nil {
		return true
	}
	switch r.freq {
	case weekly:
		return weekday(day) == first.Weekday()
	case monthly:
		return d.Day == first.Day
	case yearly:
		return d.Day == first.Day && (r.byMonth != nil || d.Month == first.Month)
	}
	return true
}

// isNth reports whether the day is the nth of its weekday in the month, or in the year if the rule is for years and
// names no month.
func (r *rule) isNth(day int, d Date, b byDay) bool {
	if weekday(day) != b.on {
		return false
	}
	from, to := r.period(d)
	return b.n == 0 || b.n == (day-from)/7+1 || b.n == -((to-1-day)/7+1)
}

// period is the month or year in which BYDAY counts: from its first day to that of the next.
func (r *rule) period(d Date) (from, to int) {
	if r.freq == yearly && r.byMonth == nil {
		return Date{d.Year, 1, 1}.day(), Date{d.Year + 1, 1, 1}.day()
	}
	return Date{d.Year, d.Month, 1}.day(), Date{d.Year, d.Month + 1, 1}.day()
}

// hasPlace applies BYSETPOS: the place of the day, which matches, among those of its month.
func (r *rule) hasPlace(day int, d, first Date) bool {
	before := day - d.Day // the day before the month
	place, all := 0, 0
	for n := 1; n <= (Date{d.Year, d.Month + 1, 1}).day()-1-before; n++ {
		if r.matches(before+n, Date{d.Year, d.Month, n}, first) {
			all++
			if n <= d.Day {
				place++
			}
		}
	}
	return slices.Contains(r.bySetPos, place) || slices.Contains(r.bySetPos, place-all-1)
}
