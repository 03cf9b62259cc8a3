package openslo

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/cloudopsec/opsec/sla/metric"
)

// shorthand is a duration such as "4w".
type shorthand struct {
	n    int64
	unit string // m, h, d, w, M, Q or Y
}

var shorthandForm = regexp.MustCompile(`^([1-9][0-9]{0,8})([mhdwMQY])$`)

func parseShorthand(path, s string) (shorthand, error) {
	m := shorthandForm.FindStringSubmatch(s)
	if m == nil {
		return shorthand{}, invalid("%s: %q is not a duration such as 5m, 4w or 1M", path, clip(s))
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return shorthand{n, m[2]}, nil
}

var units = map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// exact returns the length of a duration, or why it has none.
func (s shorthand) exact() (d metric.Duration, why string) {
	unit, ok := units[s.unit]
	switch {
	case !ok:
		return 0, "months, quarters and years have no length: say it in days or weeks"
	case s.n > math.MaxInt64/int64(unit):
		return 0, "longer than 292 years"
	}
	return metric.Duration(time.Duration(s.n) * unit), ""
}

// short writes a duration with the greatest unit that divides it.
func short(d metric.Duration) (string, bool) {
	for _, unit := range []string{"w", "d", "h", "m"} {
		if length := units[unit]; d > 0 && time.Duration(d)%length == 0 {
			return strconv.FormatInt(int64(time.Duration(d)/length), 10) + unit, true
		}
	}
	return "", false
}

// calendars are the windows that follow the calendar.
var calendars = map[string]string{"d": "day", "w": "week", "M": "month", "Q": "quarter", "Y": "year"}

// begin is a Monday with which a week, a month, a quarter and a year begin.
const begin = "2024-01-01 00:00:00"

// window reads a time window. If it returns a reason there is none that is the same here.
func (r *reader) window(spec *object) (w metric.Window, why string, err error) {
	list, err := spec.list("timeWindow")
	if err != nil {
		return w, "", err
	}
	if len(list) == 0 {
		r.lose(spec.at("timeWindow"), "none is said: set one, or it cannot be measured")
		return w, "", nil
	}
	if len(list) > 1 {
		return w, "", invalid("%s: %d windows, want one", spec.at("timeWindow"), len(list))
	}
	o, err := newObject(spec.at("timeWindow[0]"), list[0])
	if err != nil {
		return w, "", err
	}
	text, err := o.text("duration")
	if err != nil {
		return w, "", err
	}
	d, err := parseShorthand(o.at("duration"), text)
	if err != nil {
		return w, "", err
	}
	rolls, err := o.truth("isRolling")
	if err != nil {
		return w, "", err
	}
	cal := o.get("calendar")
	defer o.lost(r.lose)
	switch {
	case rolls == "true" && cal != nil:
		return w, "", invalid("%s: it rolls, and follows a calendar", o.path)
	case rolls == "true":
		if w.Rolling, why = d.exact(); why != "" {
			return w, why, nil
		}
	case cal == nil && rolls == "":
		return w, "", invalid("%s: want isRolling, or a calendar", o.path)
	default:
		w.Calendar = calendars[d.unit]
		if d.n != 1 || w.Calendar == "" {
			why := "windows of the calendar are 1d, 1w, 1M, 1Q or 1Y"
			if d.unit == "m" {
				why += "; m is minutes, and M is months"
			}
			return w, why, nil
		}
		if w.Zone, why, err = r.calendar(o.at("calendar"), w.Calendar, cal); why != "" || err != nil {
			return w, why, err
		}
	}
	if err := w.Validate(); err != nil {
		return w, err.Error(), nil
	}
	return w, "", nil
}

// calendar reads the zone of a window. If it returns a reason the window does not begin when windows do here.
func (r *reader) calendar(path, kind string, n *yaml.Node) (zone, why string, err error) {
	o, err := newObject(path, n)
	if err != nil {
		return "", "", err
	}
	defer o.lost(r.lose)
	if zone, err = o.text("timeZone"); err != nil {
		return "", "", err
	}
	if zone == "" {
		r.lose(o.at("timeZone"), "none is said: UTC is taken")
		zone = "UTC"
	}
	text, err := o.text("startTime")
	if err != nil || text == "" {
		return zone, "", err
	}
	var start time.Time
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", time.DateOnly} {
		if start, err = time.Parse(layout, text); err == nil {
			break
		}
	}
	if err != nil {
		return "", "", invalid("%s: %q is not a time such as %s", o.at("startTime"), clip(text), begin)
	}
	first := map[string]bool{
		"day":     true,
		"week":    start.Weekday() == time.Monday,
		"month":   start.Day() == 1,
		"quarter": start.Day() == 1 && start.Month()%3 == 1,
		"year":    start.YearDay() == 1,
	}
	if start.Format(time.TimeOnly) != "00:00:00" || !first[kind] {
		why = "with that startTime it is another " + kind + ": here one begins with its first day, a week on Monday, at midnight"
	}
	return zone, why, nil
}

// truth returns "true", "false", or "" for a field that is missing.
func (o *object) truth(name string) (string, error) {
	n := o.get(name)
	if n == nil {
		return "", nil
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
		return "", invalid("%s: line %d: want true or false", o.at(name), n.Line)
	}
	return n.Value, nil
}
