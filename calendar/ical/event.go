package ical

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
)

// event is an Event on its way.
type event struct {
	Event
	raw       raw
	loc       *time.Location
	cancelled bool
	instead   *stamp // of which time of its series it is
}

// stamp is a DATE or DATE-TIME (RFC 5545, sections 3.3.4 and 3.3.5).
type stamp struct {
	calendar.Local
	date bool
	zone string // "" if it is a date, and none was given
	loc  *time.Location
}

// in returns what the clock of another zone shows. A date is the same everywhere.
func (s stamp) in(zone string, loc *time.Location) calendar.Local {
	if s.date || s.zone == zone || loc == nil { // without a zone is a whole day, which any time of that date means
		return s.Local
	}
	d, h, m, sec := s.Date, int(s.Time)/3600, int(s.Time)/60%60, int(s.Time)%60
	t := time.Date(d.Year, d.Month, d.Day, h, m, sec, 0, s.loc).In(loc)
	h, m, sec = t.Clock()
	return calendar.Local{Date: calendar.DateOf(t), Time: calendar.Clock(h, m) + calendar.TimeOfDay(sec)}
}

// zones are those of a file.
type zones struct {
	own    string            // for times that name none
	names  map[string]string // as in Options
	loaded map[string]*time.Location
}

func (z *zones) load(name string) (*time.Location, error) {
	if loc := z.loaded[name]; loc != nil {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, refuse("zone %.64q has no IANA name that is known here; Options.Zones can give one", name)
	}
	z.loaded[name] = loc
	return loc, nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}

func (r raw) wrong(err error) error {
	uid, _, _ := r.one("UID")
	summary, _, _ := r.one("SUMMARY")
	return &EventError{UID: uid.value, Summary: plain(summary.value), Line: r.number, Err: err}
}

// one returns a property that may stand once.
func (r raw) one(name string) (l line, ok bool, err error) {
	switch list := r.props[name]; len(list) {
	case 0:
		return line{}, false, nil
	case 1:
		return list[0], true, nil
	default:
		return line{}, false, refuse("%s stands %d times", name, len(list))
	}
}

func (z *zones) parse(r raw) (e event, err error) {
	e.raw = r
	once := map[string]line{}
	for _, name := range []string{"UID", "SUMMARY", "STATUS", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "RRULE"} {
		l, ok, err := r.one(name)
		if err != nil {
			return e, err
		}
		if ok {
			once[name] = l
		}
	}
	for _, name := range []string{"RDATE", "EXRULE"} {
		if len(r.props[name]) > 0 {
			return e, refuse("%s is not supported", name)
		}
	}
	e.UID = once["UID"].value
	e.cancelled = strings.EqualFold(once["STATUS"].value, "CANCELLED")
	if l, ok := once["RECURRENCE-ID"]; ok {
		at, err := z.stamp(l, l.value)
		if err == nil && l.params["RANGE"] != "" {
			err = refuse("RECURRENCE-ID with RANGE is not supported")
		}
		if err != nil {
			return e, err
		}
		e.instead = &at
	}
	if e.cancelled {
		return e, nil
	}
	l, ok := once["DTSTART"]
	if !ok {
		return e, refuse("no DTSTART")
	}
	start, err := z.stamp(l, l.value)
	if err != nil {
		return e, err
	}
	e.AllDay, e.loc = start.date, start.loc
	e.Window = calendar.Window{
		Name: cmp.Or(plain(once["SUMMARY"].value), plain(e.UID), "event at line "+strconv.Itoa(r.number)),
		Zone: start.zone, Start: start.Local, Rule: strings.ToUpper(once["RRULE"].value),
	}
	if e.Window.End, err = z.end(start, once); err != nil {
		return e, err
	}
	e.Window.Except, err = z.except(start, r.props["EXDATE"])
	return e, err
}

// end takes DTEND, or DURATION, or, of a date, the end of that day.
func (z *zones) end(start stamp, once map[string]line) (calendar.Local, error) {
	l, ok := once["DTEND"]
	length, ok2 := once["DURATION"]
	switch {
	case ok && ok2:
		return calendar.Local{}, refuse("DTEND and DURATION exclude each other")
	case ok:
		at, err := z.stamp(l, l.value)
		if err != nil {
			return calendar.Local{}, err
		}
		if at.date != start.date {
			return calendar.Local{}, refuse("DTEND %.20q is not of the kind of DTSTART", l.value)
		}
		return at.in(start.zone, start.loc), nil
	case ok2:
		days, seconds, err := parseDuration(length.value)
		if err == nil && start.date && seconds != 0 {
			err = refuse("DURATION %.20q is not one of days", length.value)
		}
		seconds += int(start.Time)
		date := start.Date.AddDays(days + seconds/86400)
		return calendar.Local{Date: date, Time: calendar.TimeOfDay(seconds % 86400)}, err
	case start.date:
		return calendar.Local{Date: start.Date.AddDays(1)}, nil
	}
	return calendar.Local{}, refuse("no DTEND, no DURATION: it takes no time")
}

// except reads the EXDATE properties.
func (z *zones) except(start stamp, lines []line) (dates []calendar.Date, err error) {
	for _, l := range lines {
		for value := range strings.SplitSeq(l.value, ",") {
			at, err := z.stamp(l, value)
			if err != nil {
				return nil, err
			}
			local := at.in(start.zone, start.loc)
			if !at.date && !start.date && local.Time != start.Time {
				return nil, refuse("EXDATE %.20q is not a time at which it starts", value)
			}
			dates = append(dates, local.Date)
		}
	}
	return dates, nil
}

// stamp reads one value of a property, in the zone of its TZID, in UTC, or in the zone of the options.
func (z *zones) stamp(l line, value string) (s stamp, err error) {
	bad := refuse("%s %.40q is not a date or time", l.name, value)
	t, err := time.Parse("20060102", value)
	if err == nil {
		if v := l.params["VALUE"]; v != "" && !strings.EqualFold(v, "DATE") || t.Year() < 1 {
			return s, bad
		}
		return stamp{Local: calendar.Local{Date: calendar.DateOf(t)}, date: true, zone: z.own, loc: z.loaded[z.own]}, nil
	}
	clock, utc := strings.CutSuffix(value, "Z")
	t, err = time.Parse("20060102T150405", clock)
	if err != nil || len(clock) != len("20060102T150405") || t.Year() < 1 || strings.EqualFold(l.params["VALUE"], "DATE") {
		return s, bad
	}
	h, m, sec := t.Clock()
	s.Local = calendar.Local{Date: calendar.DateOf(t), Time: calendar.Clock(h, m) + calendar.TimeOfDay(sec)}
	tzid := l.params["TZID"]
	switch known, ok := z.names[tzid]; {
	case utc:
		s.zone = "UTC"
	case tzid == "" && z.own == "":
		return s, refuse("%s %s names no zone, and Options.Zone is empty", l.name, value)
	case tzid == "":
		s.zone = z.own
	case ok:
		s.zone = known
	default:
		s.zone = tzid
	}
	s.loc, err = z.load(s.zone)
	return s, err
}

var durations = regexp.MustCompile(`^\+?P(?:(\d{1,2})W|(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,8})S)?)?)$`)

// parseDuration reads a DURATION (RFC 5545, section 3.3.6) that is not negative.
func parseDuration(text string) (days, seconds int, err error) {
	m := durations.FindStringSubmatch(text)
	if m == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, 0, refuse("DURATION %.20q is not as in P1D or PT4H", text)
	}
	var n [6]int
	for i, digits := range m[1:] {
		n[i+1], _ = strconv.Atoi(cmp.Or(digits, "0"))
	}
	return 7*n[1] + n[2], n[3]*3600 + n[4]*60 + n[5], nil
}

// plain is a TEXT (RFC 5545, section 3.3.11) on one line, cut to what a window's name may be.
func plain(text string) string {
	text = strings.NewReplacer(`\\`, `\`, `\n`, " ", `\N`, " ", `\;`, ";", `\,`, ",").Replace(text)
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	for len(text) > 200 {
		text = text[:strings.LastIndexFunc(text, func(rune) bool { return true })]
	}
	return text
}
