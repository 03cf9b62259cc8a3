package calendar

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Holidays says which dates are holidays. It must answer alike for ever, and to many goroutines at once.
type Holidays interface {
	Holiday(Date) (name string, ok bool)
}

// Holiday is a day, or a day of each year, that has hours of its own or none.
type Holiday struct {
	Name string  `json:"name"`
	On   DayRule `json:"on"`
	// Days is how many days it lasts, up to 366; 0 is one day.
	Days int `json:"days,omitempty"`
	// Observed says when a day off is given instead. The day itself stays a holiday.
	Observed Observed `json:"observed,omitempty"`
	// Open are the hours of that day: none means closed. An entry for a single date may open a day that is closed by
	// its weekday (an extra Saturday); one for each year does not (the half day of 24 December, on a Sunday).
	Open []Span `json:"open,omitempty"`
}

// Observed says on which day a holiday at a weekend is given.
type Observed string

// The customs. The zero value moves nothing.
const (
	// ObservedNext gives the next working day that is not a holiday for one on a Saturday or Sunday (United Kingdom).
	ObservedNext Observed = "next"
	// ObservedNearest gives Friday for Saturday and Monday for Sunday (federal holidays of the United States).
	ObservedNearest Observed = "nearest"
	// ObservedSunday gives the next day that is not a holiday for one on a Sunday (Japan).
	ObservedSunday Observed = "sunday"
)

// DayRule says in words which day of each year is meant, or which day of one year:
//
//	2026-11-25               this day
//	12-25                    each year; 02-29 in leap years alone
//	easter-2, easter+39      days from Easter Sunday, western
//	julian-easter+1          days from Easter Sunday, eastern
//	4th Thu of Nov           the first to the fifth (if there is one), or last
//	Sat on or after 06-20    and Mon on or before 05-24
//
// Days of the week and months are the first three letters of their English names.
type DayRule string

// dayRule is a DayRule that was read.
type dayRule struct {
	once    Date               // set: this day
	easter  func(year int) int // set: offset days from it
	offset  int                //
	month   time.Month         // else a day of each year,
	day     int                // where 0 is the last of the month
	weekday time.Weekday       // moved to this day of the week
	move    int                // forwards (+1), backwards (-1), or not at all (0)
	stay    bool               // but not out of the month
}

func (r DayRule) parse() (rule dayRule, err error) {
	bad := invalid("day %.64q is not as in 2026-11-25, 12-25, easter-2, 4th Thu of Nov or Sat on or after 06-20", string(r))
	word := strings.Split(string(r), " ")
	ok, ok2 := true, true
	switch {
	case len(r) > 64:
		ok = false
	case len(word) == 4 && word[2] == "of":
		n := slices.Index([]string{"last", "1st", "2nd", "3rd", "4th", "5th"}, word[0])
		rule.weekday, ok = parseWeekday(word[1])
		rule.month, ok2 = parseMonth(word[3])
		ok = ok && n >= 0
		rule.day, rule.move, rule.stay = 7*n-6, +1, true
		if n == 0 {
			rule.day, rule.move = 0, -1
		}
	case len(word) == 5 && word[1] == "on" && word[2] == "or" && (word[3] == "after" || word[3] == "before"):
		rule.weekday, ok = parseWeekday(word[0])
		rule.month, rule.day, ok2 = parseMonthDay(word[4])
		rule.move = +1
		if word[3] == "before" {
			rule.move = -1
		}
	case strings.HasPrefix(string(r), "easter"):
		rule.easter = easter
		rule.offset, ok = parseOffset(string(r[len("easter"):]))
	case strings.HasPrefix(string(r), "julian-easter"):
		rule.easter = julianEaster
		rule.offset, ok = parseOffset(string(r[len("julian-easter"):]))
	case len(r) == len("12-25"):
		rule.month, rule.day, ok = parseMonthDay(string(r))
	default:
		var err error
		rule.once, err = ParseDate(string(r))
		ok = err == nil
	}
	if !ok || !ok2 {
		return dayRule{}, bad
	}
	return rule, nil
}

func parseMonth(text string) (time.Month, bool) {
	for m := time.January; m <= time.December; m++ {
		if text == m.String()[:3] {
			return m, true
		}
	}
	return 0, false
}

func parseMonthDay(text string) (time.Month, int, bool) {
	d, err := ParseDate("2000-" + text) // a leap year
	return d.Month, d.Day, err == nil
}

func parseOffset(text string) (int, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && (text[0] == '+' || text[0] == '-') && -180 <= n && n <= 180
}

// in returns the day of the year that is meant, if there is one.
func (r *dayRule) in(year int) (day int, ok bool) {
	switch {
	case r.once != Date{}:
		return r.once.day(), r.once.Year == year
	case r.easter != nil:
		return r.easter(year) + r.offset, true
	}
	date := Date{year, r.month, r.day}
	if r.day == 0 {
		date = Date{year, r.month + 1, 0}
	}
	day = date.day()
	if dateOf(day).Month != r.month {
		return 0, false // 02-29
	}
	for r.move != 0 && weekday(day) != r.weekday {
		day += r.move
	}
	return day, !r.stay || dateOf(day).Month == r.month
}

// easter is the Gregorian computus of Meeus, Jones and Butcher (J. Meeus, Astronomical Algorithms, chapter 8), for the
// years from 1583.
func easter(year int) int {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 19*l) / 433
	month := (h + l - 7*m + 90) / 25
	return Date{year, time.Month(month), (h + l - 7*m + 33*month + 19) % 32}.day()
}

// julianEaster is the Julian computus (Meeus, the same chapter), as a day of the Gregorian calendar.
func julianEaster(year int) int {
	a, b, c := year%4, year%7, year%19
	d := (19*c + 15) % 30
	e := (2*a + 4*b - d + 34) % 7
	month, day := (d+e+114)/31, (d+e+114)%31+1
	return Date{year, time.Month(month), day + year/100 - year/400 - 2}.day()
}

// table holds the holidays of a policy.
type table struct {
	holidays []Holiday
	rules    []dayRule
	years    [256]atomic.Pointer[map[int]special] // from firstYear, filled as they are asked for
}

const firstYear = 1900

// special is a day with hours of its own.
type special struct {
	name string
	open []Span
	once bool
}

func newTable(holidays []Holiday) (*table, error) {
	t := &table{}
	for i, h := range holidays {
		rule, err := h.On.parse()
		switch {
		case err != nil:
		case !goodName(h.Name):
			err = invalid("name %.64q is not 1 to 200 bytes of printable text", h.Name)
		case h.Days < 0 || h.Days > 366:
			err = invalid("days is %d, want 0 (one) to 366", h.Days)
		case h.Observed != "" && h.Observed != ObservedNext && h.Observed != ObservedNearest && h.Observed != ObservedSunday:
			err = invalid("observed %.32q is none of next, nearest and sunday", string(h.Observed))
		case h.Observed != "" && (h.Days > 1 || len(h.Open) > 0):
			err = invalid("what is observed on another day lasts one day, and is closed")
		}
		for _, s := range h.Open {
			if err == nil {
				err = s.check()
			}
		}
		if err == nil {
			h.Open, err = sorted(h.Open)
		}
		if err != nil {
			return nil, invalid("holidays[%d]: %w", i, err)
		}
		t.holidays, t.rules = append(t.holidays, h), append(t.rules, rule)
	}
	return t, nil
}

// at returns what the table says of a day.
func (t *table) at(day int) (special, bool) {
	if len(t.holidays) == 0 {
		return special{}, false
	}
	year := dateOf(day).Year
	if year < firstYear || year >= firstYear+len(t.years) {
		s, ok := t.expand(year)[day]
		return s, ok
	}
	slot := &t.years[year-firstYear]
	days := slot.Load()
	if days == nil { // two goroutines may work out the same
		fresh := t.expand(year)
		days = &fresh
		slot.Store(days)
	}
	s, ok := (*days)[day]
	return s, ok
}

// expand returns the special days of a year. Neighbouring years have a say: a holiday may last into the next, and New
// Year's Day may be observed on 31 December.
func (t *table) expand(year int) map[int]special {
	days := map[int]special{}
	add := func(day int, s special) {
		if _, taken := days[day]; !taken {
			days[day] = s
		}
	}
	for i, h := range t.holidays {
		for y := year - 1; y <= year+1; y++ {
			if day, ok := t.rules[i].in(y); ok {
				for n := range max(h.Days, 1) {
					add(day+n, special{h.Name, h.Open, t.rules[i].once != Date{}})
				}
			}
		}
	}
	for y := year - 1; y <= year+1; y++ {
		for i, h := range t.holidays {
			if day, ok := t.rules[i].in(y); ok {
				if to := h.Observed.instead(day, days); to != day {
					add(to, special{name: h.Name + " (observed)"})
				}
			}
		}
	}
	for day := range days {
		if dateOf(day).Year != year {
			delete(days, day)
		}
	}
	return days
}

// instead returns the day that is given for a holiday on this one, or the same.
func (o Observed) instead(day int, days map[int]special) int {
	on := weekday(day)
	switch {
	case o == ObservedNearest && on == time.Saturday:
		return day - 1
	case o == ObservedNearest && on == time.Sunday:
		return day + 1
	case o == ObservedSunday && on == time.Sunday, o == ObservedNext && (on == time.Saturday || on == time.Sunday):
		for {
			day++
			_, taken := days[day]
			rest := o == ObservedNext && (weekday(day) == time.Saturday || weekday(day) == time.Sunday)
			if !taken && !rest {
				return day
			}
		}
	}
	return day
}
