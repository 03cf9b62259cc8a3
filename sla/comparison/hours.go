package comparison

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/calendar"
)

// clock is service hours in a form that can be compared.
type clock struct {
	always bool
	zone   string
	text   string             // the same for policies that say the same
	week   []calendar.Span    // from Sunday on, in seconds of the week, sorted, apart
	days   [7][]calendar.Span // by the day on which a shift starts, in seconds of that day; sorted, apart
	closed map[string]bool    // holidays on which there is no service
	odd    bool               // its holidays are too complicated to compare but by text
}

const day, week = calendar.TimeOfDay(86_400), 7 * calendar.TimeOfDay(86_400)

// newClock returns the clock of a policy; that of nil is always on.
func newClock(p *calendar.Policy) *clock {
	if p == nil {
		return &clock{always: true, text: "always"}
	}
	c := &clock{zone: p.Zone, closed: map[string]bool{}}
	var hours []string
	for _, s := range p.Hours {
		hours = append(hours, s.String())
		start, end := s.Span.Start, s.Span.End
		if end <= start {
			end += day
		}
		for d := range calendar.TimeOfDay(7) {
			if s.Days>>d&1 == 0 {
				continue
			}
			c.days[d] = append(c.days[d], calendar.Span{Start: start, End: end})
			from, to := d*day+start, d*day+end
			c.week = append(c.week, calendar.Span{Start: from, End: min(to, week)})
			if to > week {
				c.week = append(c.week, calendar.Span{Start: max(from, week) - week, End: to - week})
			}
		}
	}
	c.week = apart(c.week)
	for d := range c.days {
		c.days[d] = apart(c.days[d])
	}
	if len(p.Holidays) == 0 && len(c.week) == 1 && c.week[0] == (calendar.Span{End: week}) {
		return newClock(nil)
	}
	slices.Sort(hours)
	var text strings.Builder
	fmt.Fprintf(&text, "%s, %s", strings.Join(hours, ", "), p.Zone)
	for _, h := range p.Holidays {
		days := max(h.Days, 1)
		key := fmt.Sprintf("%s +%d", h.On, days)
		if len(h.Open) > 0 || h.Observed != "" {
			c.odd = true
			key += fmt.Sprintf(" %s %v", h.Observed, h.Open)
		}
		c.closed[key] = true
		fmt.Fprintf(&text, "; %s", key)
	}
	c.text = text.String()
	return c
}

// apart sorts spans and joins those that overlap or touch.
func apart(list []calendar.Span) (out []calendar.Span) {
	slices.SortFunc(list, func(a, b calendar.Span) int { return int(a.Start - b.Start) })
	for _, s := range list {
		if s.Start >= s.End {
			continue
		}
		if n := len(out); n > 0 && s.Start <= out[n-1].End {
			out[n-1].End = max(out[n-1].End, s.End)
			continue
		}
		out = append(out, s)
	}
	return out
}

// covers reports whether c is open whenever o is.
func (c *clock) covers(o *clock) bool {
	switch {
	case c.always || c.text == o.text:
		return true
	case o.always || c.odd || o.odd || c.zone != o.zone:
		return false
	case len(c.closed) == 0:
		return within(o.week, c.week)
	}
	for key := range c.closed { // it is closed on no day on which the other is not
		if !o.closed[key] {
			return false
		}
	}
	for d := range c.days { // and a shift belongs to the day on which it starts
		if !within(o.days[d], c.days[d]) {
			return false
		}
	}
	return true
}

// within reports whether all time of part is in whole. Spans of both are sorted and apart.
func within(part, whole []calendar.Span) bool {
	for _, s := range part {
		for len(whole) > 0 && whole[0].End < s.End {
			whole = whole[1:]
		}
		if len(whole) == 0 || whole[0].Start > s.Start {
			return false
		}
	}
	return true
}

// hours compares clocks: longer hours are stronger, for a hotline and for what is promised of time that counts.
func (t *terms) hours(name string, a, b *clock) {
	if a == b {
		return
	}
	rel := relation(0)
	if b.covers(a) {
		rel |= atLeast
	}
	if a.covers(b) {
		rel |= atMost
	}
	if t.differ(rel) {
		why := "hours of which none covers the other"
		if rel != 0 {
			why = gained(rel, "longer hours", "shorter hours")
		}
		t.write(name, a.text, b.text, rel, why)
	}
}
