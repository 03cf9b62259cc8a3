package comparison

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
)

// objectives are the promises of the availability of a service.
func objectives(service string) *kind[metric.Objective] {
	return &kind[metric.Objective]{
		path:    fmt.Sprintf("services[id=%s].objectives", service),
		clause:  "7.2.2.1",
		id:      func(o *metric.Objective) string { return "id=" + o.ID },
		key:     func(o *metric.Objective) string { return "" },
		compare: compareObjectives,
		show:    showObjective,
		came:    "an objective more",
		went:    "nothing promises it",
		empty:   func(o *metric.Objective) bool { return o.Target.Num() == 0 },
	}
}

func showObjective(o *metric.Objective) string {
	s := o.Target.String()
	if o.Method != "" {
		s += " by " + string(o.Method)
	}
	if w := window(o.Window); w != "" {
		s += " in a " + w
	}
	if o.Scope != "" {
		s += " for each " + o.Scope
	}
	return s
}

func compareObjectives(t *terms, a, b *metric.Objective) {
	t.share("target", a.Target, b.Target)
	t.reckoning(a, b, true)
}

// reckoning compares how two objectives reckon availability: b is stronger if, whatever was seen, its figure is not above
// that of a. What is reached in each window, and by each resource, is reached by all together; of credits, which are parts of
// a fee, neither parts nor wholes are more (nested is false).
func (t *terms) reckoning(a, b *metric.Objective, nested bool) {
	t.alike("method", method(a), method(b), "another method gives another figure")
	const judged = "what is judged as one differs"
	if nested || a.Method == "" || b.Method == "" {
		t.alike("scope", a.Scope, b.Scope, judged)
	} else if a.Scope != b.Scope && t.differ(0) {
		t.write("scope", a.Scope, b.Scope, 0, judged)
	}
	rel := relation(0)
	if window(a.Window) == "" || makesUp(b.Window, a.Window, nested && additive(b)) {
		rel |= atLeast
	}
	if window(b.Window) == "" || makesUp(a.Window, b.Window, nested && additive(a)) {
		rel |= atMost
	}
	if t.differ(rel) {
		why := "windows that do not lie in each other"
		switch rel {
		case atLeast:
			why = "a bad time cannot be made up for over so long"
		case atMost:
			why = "a bad time can be made up for over longer"
		}
		if !nested {
			why = "credits are of the fee of another time"
		}
		t.write("window", window(a.Window), window(b.Window), rel, why)
	}
	if a.Method == "" || b.Method == "" {
		return // availability however it is reckoned: no policy is asked for
	}
	if a.Slice != b.Slice && t.differ(0) {
		t.write("slice", length(positive(a.Slice)), length(positive(b.Slice)), 0, "slices of another length give another figure")
	}
	if a.Good.Num() > 0 && b.Good.Num() > 0 {
		t.share("good", a.Good, b.Good)
	}
	t.empties(a, b)
	if rel := ordered(max(b.Run, 1), max(a.Run, 1)); t.differ(rel) {
		t.write("minConsecutive", fmt.Sprint(max(a.Run, 1)), fmt.Sprint(max(b.Run, 1)), rel,
			gained(rel, "shorter runs of bad slices count", "shorter runs of bad slices do not count"))
	}
	t.policy("partial", string(a.Partial), string(b.Partial), string(metric.PartialBad), string(metric.PartialGood))
	t.policy("degraded", string(a.Degraded), string(b.Degraded), string(metric.DegradedDown), string(metric.DegradedUp))
}

func method(o *metric.Objective) string {
	if o.Method == metric.Slices && o.Good.Num() > 0 {
		return "slices of requests"
	}
	return string(o.Method)
}

// policy compares a word of two, of which the first is strict, and that of the zero value.
func (t *terms) policy(name, a, b, strict, lax string) {
	if a == "" {
		a = strict
	}
	if b == "" {
		b = strict
	}
	rel := literally(a, b)
	switch {
	case a == lax && b == strict:
		rel = atLeast
	case a == strict && b == lax:
		rel = atMost
	}
	if t.differ(rel) {
		t.write(name, a, b, rel, gained(rel, "more counts as bad", "less counts as bad"))
	}
}

// empties compares what becomes of slices with few requests: that they are good is the laxest. To leave them out, or to know
// nothing of them, are both stricter, each in its way.
func (t *terms) empties(a, b *metric.Objective) {
	empty := func(o *metric.Objective) metric.Empty {
		if o.Empty == "" {
			return metric.EmptyUnknown
		}
		return o.Empty
	}
	ea, eb := empty(a), empty(b)
	rel := relation(0)
	if ea == eb || ea == metric.EmptyGood && known(eb) {
		rel |= atLeast
	}
	if ea == eb || eb == metric.EmptyGood && known(ea) {
		rel |= atMost
	}
	if t.differ(rel) {
		why := "neither is stricter"
		if rel != 0 {
			why = gained(rel, "without requests it is not good of itself", "without requests it is good of itself")
		}
		t.write("empty", string(ea), string(eb), rel, why)
	}
	la, lb := max(a.Least, 1), max(b.Least, 1)
	if la == lb {
		return
	}
	rel = 0
	if ea == metric.EmptyGood || eb == metric.EmptyGood { // fewer slices are good of themselves
		rel = ordered(lb, la)
	}
	if t.differ(rel) {
		why := "other slices count"
		if rel != 0 {
			why = gained(rel, "fewer slices are too empty to count", "more slices are too empty to count")
		}
		t.write("minRequests", fmt.Sprint(la), fmt.Sprint(lb), rel, why)
	}
}

func known(e metric.Empty) bool {
	return e == metric.EmptyUnknown || e == metric.EmptySkip || e == metric.EmptyGood
}

// additive reports whether the figure of a window is between those of its parts: slices do not count across the edges of
// windows, and are not cut by them. A day by the calendar has whole quarters of an hour, whatever the clock does.
func additive(o *metric.Objective) bool {
	whole := o.Window.Rolling
	if o.Window.Calendar != "" {
		whole = metric.Duration(15 * time.Minute)
	}
	return o.Method != "" && o.Run <= 1 && (o.Slice == 0 || o.Slice > 0 && whole%o.Slice == 0)
}

// makesUp reports whether windows of one sort make up those of another, or are the same: what holds in each of the parts holds
// in the whole.
func makesUp(part, whole metric.Window, nested bool) bool {
	if zone(part) != zone(whole) {
		return false
	}
	if part.Calendar == whole.Calendar && part.Rolling == whole.Rolling {
		return true
	}
	if !nested || window(part) == "" {
		return false
	}
	if part.Calendar == "" && whole.Calendar == "" {
		return part.Rolling > 0 && whole.Rolling > 0 && whole.Rolling%part.Rolling == 0
	}
	up := map[string][]string{"day": {"week", "month", "quarter", "year"}, "month": {"quarter", "year"}, "quarter": {"year"}}
	for _, w := range up[part.Calendar] {
		if w == whole.Calendar {
			return true
		}
	}
	return false
}

func zone(w metric.Window) string {
	if w.Calendar != "" && w.Zone == "" {
		return "UTC"
	}
	return w.Zone
}

func window(w metric.Window) string {
	var parts []string
	if w.Calendar != "" {
		parts = append(parts, w.Calendar)
	}
	if w.Rolling != 0 {
		parts = append(parts, "rolling "+text(w.Rolling))
	}
	if z := zone(w); z != "" {
		parts = append(parts, "of "+z)
	}
	return strings.Join(parts, " ")
}

// services compares what is promised of each service, by its id.
func services(a, b []sla.Service) (out []Difference) {
	sides, done := [2]map[string]*sla.Service{gather(a), gather(b)}, map[string]bool{}
	for i, list := range [][]sla.Service{a, b} {
		for _, s := range list {
			if done[s.ID] {
				continue
			}
			done[s.ID] = true
			x, y := sides[i][s.ID], sides[1-i][s.ID]
			d := Difference{Path: fmt.Sprintf("services[id=%s]", s.ID), Clause: "7.2.2.1"}
			if y != nil {
				out = append(out, weigh(d.Path, d.Clause, func(t *terms) {
					t.places("resources", resources(x), resources(y), "of other resources there is another figure: good ones can make up for bad ones")
				})...)
				out = append(out, objectives(s.ID).differences(x.Objectives, y.Objectives)...)
				continue
			}
			if i == 0 {
				d.Verdict, d.A, d.Reason = Weaker, name(x), "the service is not provided"
			} else {
				d.Verdict, d.B, d.Reason = Stronger, name(x), "a service more"
			}
			out = append(out, d)
		}
	}
	return out
}

// gather returns services by their ids; what stands under one id is of one service.
func gather(list []sla.Service) map[string]*sla.Service {
	out := make(map[string]*sla.Service, len(list))
	for _, s := range list {
		if have := out[s.ID]; have != nil {
			have.Resources = append(resources(have), resources(&s)...)
			have.Objectives = append(have.Objectives[:len(have.Objectives):len(have.Objectives)], s.Objectives...)
			continue
		}
		out[s.ID] = &s
	}
	return out
}

func resources(s *sla.Service) []string {
	if len(s.Resources) == 0 {
		return []string{s.ID}
	}
	return s.Resources[:len(s.Resources):len(s.Resources)]
}

func name(s *sla.Service) string {
	if s.Title != "" {
		return s.Title
	}
	return s.ID
}
