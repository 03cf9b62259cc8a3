package metric

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Validate returns nil, or a [*Fault] for each thing that is wrong, joined: what is missing, what cannot be measured, and
// what is set but would have no effect. It loads the zone.
func (o Objective) Validate() error {
	var errs []error
	check := func(ok bool, path, form string, args ...any) {
		if !ok {
			errs = append(errs, fault(path, form, args...))
		}
	}
	check(o.ID != "" && len(o.ID) <= 200, "id", "want 1 to 200 bytes")
	check(len(o.Title) <= 1000, "title", "want at most 1000 bytes")
	check(len(o.Scope) <= 200, "scope", "want at most 200 bytes")
	check(o.Target.Num() > 0 && o.Target.Num() <= o.Target.Den(), "target", "want more than 0 and at most 100%%")
	errs = append(errs, o.Window.faults()...)

	known := true
	switch o.Method {
	case Time:
		check(o.Slice == 0, "slice", "method time has none")
	case Slices, MeanRate:
		check(dividesDay(o.slice()), "slice", "want whole milliseconds that divide a day")
		check(o.Method == Slices || o.slice() <= 0 || o.Window.rolling()/o.slice() < mostSlices, "slice", "2^35 or more in the window")
	case Requests:
		check(o.Slice == 0 || dividesDay(o.slice()), "slice", "want whole milliseconds that divide a day, or none")
	default:
		known = false
		check(false, "method", "%.20q is none of time, slices, requests and mean-rate", o.Method)
	}
	only := func(ok bool, path, rule string) { check(ok || !known, path, "%s", rule) }
	counted := o.byCount()
	check(o.Good.Num() <= o.Good.Den(), "good", "want at most 100%%")
	only(o.Good.Num() == 0 || o.Method == Slices, "good", "only method slices has it")
	only(o.Least == 0 || counted && o.Method != Requests, "minRequests", "only slices of requests have it")
	check(o.Run >= 0, "minConsecutive", "negative")
	only(o.Run == 0 || o.Method == Slices, "minConsecutive", "only method slices has it")
	if o.Method == Slices && o.Run > 0 && o.Slice > 0 {
		check(uint64(o.Run) <= o.Window.shortest()/max(o.size(), 1), "minConsecutive", "longer than the shortest such window, in which nothing would ever count")
	}
	word := func(path, value string, applies bool, rule string, words ...string) {
		switch {
		case value == "":
		case !slices.Contains(words, value):
			check(false, path, "%.20q is none of %s", value, strings.Join(words, ", "))
		default:
			only(applies, path, rule)
		}
	}
	word("empty", string(o.Empty), counted, "only methods by requests have it", "unknown", "good", "skip")
	word("partial", string(o.Partial), o.Method == Slices && !counted, "only slices by states have it", "bad", "good")
	word("degraded", string(o.Degraded), !counted, "only methods by states have it", "down", "up")
	return errors.Join(errs...)
}

func dividesDay(d time.Duration) bool {
	return d >= time.Millisecond && d%time.Millisecond == 0 && 24*time.Hour%d == 0
}

// Validate returns nil, or a [*Fault] for each thing that is wrong, joined. It loads the zone.
func (w Window) Validate() error { return errors.Join(w.faults()...) }

func (w Window) faults() (errs []error) {
	if w.Calendar == "" {
		if d := w.rolling(); d < time.Millisecond || d > longestRolling || d%time.Millisecond != 0 {
			errs = append(errs, fault("window.rolling", "want whole milliseconds up to ten years, or a calendar"))
		}
		if w.Zone != "" {
			errs = append(errs, fault("window.zone", "a rolling window has none"))
		}
		return errs
	}
	if w.shortest() == 0 {
		errs = append(errs, fault("window.calendar", "%.20q is none of day, week, month, quarter and year", w.Calendar))
	}
	if w.Rolling != 0 {
		errs = append(errs, fault("window.rolling", "a window by the calendar does not roll"))
	}
	if _, err := w.location(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// shortest returns how long the window is at least, in milliseconds, or 0 if it is none.
func (w Window) shortest() uint64 {
	if w.Calendar == "" {
		return uint64(max(0, w.rolling().Milliseconds()))
	}
	days := map[string]uint64{"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}[w.Calendar]
	if days == 0 {
		return 0
	}
	return (days*24 - 2) * 3_600_000 // clocks are set forward by an hour, in Antarctica/Troll by two; a day that is skipped is left aside
}
