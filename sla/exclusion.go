package sla

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Ruling says what of an exclusion holds.
type Ruling struct {
	Exclusion
	Services []string      `json:"services,omitempty"` // of those that it is for, the ones that the rule covers, in the agreement's order; in JSON they stand in the place of its own
	Within   timeline.Line `json:"within,omitempty"`   // when it holds; nothing of it does when that is empty
	Why      string        `json:"why,omitempty"`      // not, or not all of it
}

// Valid reports whether anything of the exclusion holds.
func (r Ruling) Valid() bool { return len(r.Within) > 0 }

// Rulings are the rulings on exclusions, one for each, in the order in which they were handed in.
type Rulings []Ruling

// Of returns when a service is excluded: what metric.Input takes.
func (r Rulings) Of(service string) timeline.Line {
	var all []timeline.Span
	for _, one := range r {
		if slices.Contains(one.Services, service) {
			all = append(all, one.Within...)
		}
	}
	return timeline.Union(all)
}

// Judge rules on exclusions by the rules of the agreement, which are the only ones by which time is left out (7.2.1). The
// order in which they come does not matter. An exclusion holds
//
//   - under a rule of the agreement, for services that the rule covers, with an end, a reason, and an id of its own: the
//     same exclusion twice is one, and two that differ under one id are none;
//   - while the agreement is in force;
//   - when the role that the rule names approved, and it was told so long before its begin as the rule asks, or longer;
//   - of category [CustomerAct], when the customer alone answers for the layer of its cause;
//   - for as long from its begin as the rule's Longest: what goes on for a service without a gap under the same rule is
//     one time, however many exclusions it is cut into;
//   - until the times under the rule fill the rule's Yearly in a calendar year of the agreement's zone, the first in time
//     first; what is excluded for several services at once counts once.
//
// Bounds of a year need all exclusions of the year, of a report for a month as well. Times are rounded down to the
// millisecond, as those of evidence are. Which of it was down, and is left out, is for package metric to reckon.
//
// The error is that of a zone that cannot be loaded, or of rules that are not valid; it wraps [opsec.ErrInvalid].
func (a *Agreement) Judge(exclusions []Exclusion) (Rulings, error) {
	zone, err := a.zone()
	if err != nil {
		return nil, err
	}
	c := newChecker(a)
	if c.exclusions(); len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	out := make(Rulings, len(exclusions))
	first := map[string]int{} // of each id
	differ := map[string]bool{}
	for i, e := range exclusions {
		j, again := first[e.ID]
		if !again {
			first[e.ID] = i
		} else if !same(e, exclusions[j]) {
			differ[e.ID] = true
		}
	}
	rules := map[string]*ExclusionRule{}
	for i := range a.Exclusions {
		rules[a.Exclusions[i].ID] = &a.Exclusions[i]
	}
	var order []int // of those that hold so far
	for i, e := range exclusions {
		out[i] = Ruling{Exclusion: e}
		if differ[e.ID] {
			out[i].Why = "several exclusions that differ have this id"
		} else if first[e.ID] == i {
			out[i] = a.admit(e, rules[e.Rule])
			if out[i].Valid() {
				order = append(order, i)
			}
		}
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(out[i].Within[0].Start, out[j].Within[0].Start) })
	runs, paid := map[[2]string]timeline.Span{}, map[string][]timeline.Span{}
	for _, i := range order {
		r := &out[i]
		r.longest(rules[r.Rule], runs)
		paid[r.Rule] = append(paid[r.Rule], r.Within...)
	}
	for id := range paid {
		if bound := rules[id].Yearly; bound > 0 {
			paid[id] = yearly(timeline.Union(paid[id]), time.Duration(bound).Milliseconds(), zone)
		}
	}
	force := timeline.Span{Start: a.Effective.UnixMilli(), End: math.MaxInt64}
	if !a.Expires.IsZero() {
		force.End = a.Expires.UnixMilli()
	}
	for _, i := range order {
		r := &out[i]
		if bound := rules[r.Rule].Yearly; bound > 0 {
			r.keep(r.Within.And(paid[r.Rule]), "the %s of a calendar year are used up", lasts(bound))
		}
		r.keep(r.Within.Within(force), "the agreement was not in force all of the time")
	}
	for i, e := range exclusions { // the same once more
		if j := first[e.ID]; j != i && !differ[e.ID] {
			out[i] = out[j]
		}
	}
	return out, nil
}

// same reports whether two exclusions say the same.
func same(a, b Exclusion) bool {
	if !a.Start.Equal(b.Start) || !a.End.Equal(b.End) || !a.Noticed.Equal(b.Noticed) || !slices.Equal(a.Services, b.Services) {
		return false
	}
	for _, e := range []*Exclusion{&a, &b} {
		e.Start, e.End, e.Noticed, e.Services = time.Time{}, time.Time{}, time.Time{}, nil
	}
	return reflect.DeepEqual(a, b)
}

// admit rules on an exclusion by itself: what is left for the bounds of time.
func (a *Agreement) admit(e Exclusion, rule *ExclusionRule) Ruling {
	r := Ruling{Exclusion: e}
	no := func(form string, args ...any) Ruling {
		r.Why = fmt.Sprintf(form, args...)
		return r
	}
	switch {
	case e.ID == "":
		return no("it has no id")
	case rule == nil:
		return no("no rule of the agreement covers it")
	case strings.TrimSpace(e.Reason) == "":
		return no("it gives no reason")
	case e.Start.IsZero() || e.End.IsZero():
		return no("it has no start, or no end")
	case e.Start.UTC().Year() < 1 || e.End.UTC().Year() > 9999:
		return no("its start or its end is no time of a calendar")
	case !e.Start.Before(e.End):
		return no("it ends before it starts")
	case e.Start.UnixMilli() == e.End.UnixMilli():
		return no("it is shorter than a millisecond")
	case rule.Approver != "" && (e.Role != rule.Approver || strings.TrimSpace(e.Approved) == ""):
		return no("it was not approved by the role of %s", rule.Approver)
	}
	if rule.Notice > 0 {
		switch ahead := e.Start.Sub(e.Noticed); {
		case e.Noticed.IsZero():
			return no("when the customer was told is not said; %s before are agreed", lasts(rule.Notice))
		case ahead == 0:
			return no("the customer was told as it began; %s before are agreed", lasts(rule.Notice))
		case ahead < 0:
			return no("the customer was told when it had begun; %s before are agreed", lasts(rule.Notice))
		case ahead < time.Duration(rule.Notice):
			return no("the customer was told %s before, and %s are agreed", lasts(metric.Duration(ahead)), lasts(rule.Notice))
		}
	}
	if rule.Category == CustomerAct {
		switch who := a.Responsibilities.Attribute(e.Layer); {
		case e.Layer == "":
			return no("the layer of its cause is not said")
		case who != opsec.CSC:
			return no("the customer alone does not answer for the %s layer", e.Layer)
		}
	}
	named, covered := set(e.Services), set(rule.Services)
	for _, s := range a.Services {
		if (len(named) == 0 || named[s.ID]) && (len(covered) == 0 || covered[s.ID]) {
			r.Services = append(r.Services, s.ID)
		}
	}
	switch {
	case len(r.Services) == 0:
		return no("it is for no service that the rule covers")
	case len(r.Services) < len(named):
		r.Why = "not for all services that it names: the rule does not cover them"
	}
	r.Within = timeline.Line{{Start: e.Start.UnixMilli(), End: e.End.UnixMilli()}}
	return r
}

func set(ids []string) map[string]bool {
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// longest cuts what goes on for longer than the rule allows. Rulings come in order of their starts; runs holds, by rule and
// service, from when until when time has been asked for without a gap.
func (r *Ruling) longest(rule *ExclusionRule, runs map[[2]string]timeline.Span) {
	span := r.Within[0]
	begin := span.Start
	for _, s := range r.Services {
		run, ok := runs[[2]string{rule.ID, s}]
		if !ok || run.End < span.Start {
			run = span
		}
		run.End = max(run.End, span.End)
		runs[[2]string{rule.ID, s}] = run
		begin = min(begin, run.Start)
	}
	bound := time.Duration(rule.Longest).Milliseconds()
	if rule.Longest <= 0 || span.End <= begin+bound {
		return
	}
	r.keep(r.Within.Within(timeline.Span{Start: span.Start, End: begin + bound}), "it goes on for longer than %s", lasts(rule.Longest))
}

// keep leaves a part of what holds, and says why the rest does not.
func (r *Ruling) keep(part timeline.Line, form string, args ...any) {
	if part.Length() == r.Within.Length() {
		return
	}
	if r.Why != "" {
		r.Why += "; "
	}
	r.Why += fmt.Sprintf(form, args...)
	r.Within = part
}

// lasts writes a duration exactly, as people read it: "1 d 12 h".
func lasts(d metric.Duration) string {
	var parts []string
	rest := time.Duration(d)
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}, {1, "ns"}} {
		if n := rest / unit.of; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		}
		rest %= unit.of
	}
	return strings.Join(parts, " ")
}

// yearly returns the first so many milliseconds of a line in each calendar year of a zone.
func yearly(l timeline.Line, bound int64, zone *time.Location) timeline.Line {
	var out []timeline.Span
	left := map[int]int64{}
	for _, s := range l {
		for at := s.Start; at < s.End; {
			year := time.UnixMilli(at).In(zone).Year()
			next := time.Date(year+1, 1, 1, 0, 0, 0, 0, zone)
			if next.Year() == year { // midnight was skipped: the year begins when the clock was set
				_, next = next.ZoneBounds()
			}
			end := min(s.End, next.UnixMilli())
			have, ok := left[year]
			if !ok {
				have = bound
			}
			use := min(have, end-at)
			left[year] = have - use
			out = append(out, timeline.Span{Start: at, End: at + use})
			at = end
		}
	}
	return timeline.Union(out)
}
