package calendar

import (
	"math/bits"
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
	byMonth    places
	byMonthDay places
	byDay      [7]places // of each day of the week; the zeroth is every
	bySetPos   places
}

// places is a set of places in a row, counted from its start or from its end, up to 63.
type places struct{ plus, minus uint64 }

func (p *places) add(n int) {
	if n >= 0 {
		p.plus |= 1 << n
	} else {
		p.minus |= 1 << -n
	}
}

// hold reports whether the set has the nth place, which is the mth from the end.
func (p places) hold(n, m int) bool { return p.plus>>n&1 == 1 || p.minus>>m&1 == 1 }

func (p places) any() bool { return p != places{} }

// numbered reports whether there is any place but the zeroth.
func (p places) numbered() bool { return p.plus>>1 != 0 || p.minus != 0 }

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
			r.count, err = number(value, 1, 1000)
		case "UNTIL":
			r.until = value
			_, _, err = parseStamp(value)
		case "WKST":
			r.weekStart, ok = twoLetters(value)
		case "BYMONTH":
			err = r.byMonth.parse(value, 1, 12)
		case "BYMONTHDAY":
			err = r.byMonthDay.parse(value, -31, 31)
		case "BYSETPOS":
			err = r.bySetPos.parse(value, -31, 31)
		case "BYDAY":
			err = r.parseByDay(value)
		default:
			return nil, invalid("%.40q is not supported", part)
		}
		if err != nil || !ok {
			return nil, invalid("%.40q has no such value", part)
		}
	}
	return r, r.check()
}

// check refuses the combinations that RFC 5545 leaves without meaning, and those whose meaning is hard to see.
func (r *rule) check() error {
	numbered := slices.ContainsFunc(r.byDay[:], places.numbered)
	switch {
	case r.freq != daily && r.freq != weekly && r.freq != monthly && r.freq != yearly:
		return invalid("FREQ is %.20q, want DAILY, WEEKLY, MONTHLY or YEARLY", r.freq)
	case r.count != 0 && r.until != "":
		return invalid("COUNT and UNTIL exclude each other")
	case r.freq == weekly && r.byMonthDay.any():
		return invalid("BYMONTHDAY has no meaning in a week")
	case numbered && (r.freq == daily || r.freq == weekly):
		return invalid("BYDAY with a number has no meaning in a day or week")
	case numbered && r.byMonthDay.any():
		return invalid("BYDAY with a number and BYMONTHDAY are not supported together")
	case r.bySetPos.any() && (r.freq != monthly && (r.freq != yearly || bits.OnesCount64(r.byMonth.plus) != 1) || !r.onDays() && !r.byMonthDay.any()):
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

// parse reads a list without 0.
func (p *places) parse(text string, least, most int) error {
	for part := range strings.SplitSeq(text, ",") {
		n, err := number(part, least, most)
		if err != nil || n == 0 {
			return invalid("%.20q is not a list of numbers from %d to %d", text, least, most)
		}
		p.add(n)
	}
	return nil
}

func (r *rule) parseByDay(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		at := max(len(part)-2, 0)
		n := 0
		on, ok := twoLetters(part[at:])
		if ok && at > 0 {
			var err error
			n, err = number(part[:at], -53, 53)
			ok = err == nil && n != 0
		}
		if !ok {
			return invalid("%.20q is not a day as in MO, 2TU or -1SU", part)
		}
		r.byDay[on].add(n)
	}
	return nil
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
	return !r.bySetPos.any() || r.hasPlace(day, d, f)
}

// week is the day on which the week of a day begins.
func (r *rule) week(day int) int { return day - int(7+weekday(day)-r.weekStart)%7 }

// matches tries the parts of the rule on a day of a period that counts. What a part does not say, the first day says.
func (r *rule) matches(day int, d, first Date) bool {
	if r.byMonth.any() && !r.byMonth.hold(int(d.Month), 0) {
		return false
	}
	if r.byMonthDay.any() && !r.byMonthDay.hold(d.Day, d.month()-d.Day+1) {
		return false
	}
	switch {
	case r.onDays():
		return r.onWeekday(day, d)
	case r.byMonthDay.any() || r.freq == daily:
		return true
	case r.freq == weekly:
		return weekday(day) == first.Weekday()
	}
	return d.Day == first.Day && (r.freq == monthly || r.byMonth.any() || d.Month == first.Month)
}

// onDays reports whether BYDAY was given.
func (r *rule) onDays() bool { return r.byDay != [7]places{} }

// onWeekday applies BYDAY. Numbers count in the month, or in the year if the rule is for years and names no month.
func (r *rule) onWeekday(day int, d Date) bool {
	on := r.byDay[weekday(day)]
	switch {
	case on.plus&1 == 1:
		return true
	case !on.numbered():
		return false
	case r.freq == yearly && !r.byMonth.any():
		n, m := day-Date{d.Year, 1, 1}.day(), Date{d.Year, 12, 31}.day()-day
		return on.hold(n/7+1, m/7+1)
	}
	return on.hold((d.Day-1)/7+1, (d.month()-d.Day)/7+1)
}

// hasPlace applies BYSETPOS: the place of the day, which matches, among those of its month.
func (r *rule) hasPlace(day int, d, first Date) bool {
	before := day - d.Day // the day before the month
	place, all := 0, 0
	for n := 1; n <= d.month(); n++ {
		if r.matches(before+n, Date{d.Year, d.Month, n}, first) {
			all++
			if n <= d.Day {
				place++
			}
		}
	}
	return r.bySetPos.hold(place, all-place+1)
}

// month is the length of the date's month, in days.
func (d Date) month() int { return time.Date(d.Year, d.Month+1, 0, 0, 0, 0, 0, time.UTC).Day() }
