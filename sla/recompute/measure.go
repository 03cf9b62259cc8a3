package recompute

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// judged is an objective while its resources are measured.
type judged struct {
	Objective
	path    string // in the agreement
	service int
	blind   bool // requests of a resource are not known
}

// alone says whether each resource is judged by itself.
func (j *judged) alone() bool { return j.Scope == "instance" }

// counts says whether an objective is about requests.
func counts(o metric.Objective) bool {
	return o.Method == metric.Requests || o.Method == metric.MeanRate || o.Method == metric.Slices && o.Good.Num() > 0
}

// evidence hands out each resource of the agreement with what was seen of it in a span until as-of, and the services that it belongs to;
// at the end those that are named in the agreement and that nobody has seen. What yield is given is valid until it returns.
func (w *work) evidence(ctx context.Context, span timeline.Span) iter.Seq2[string, sighting] {
	return func(yield func(string, sighting) bool) {
		m := newMatcher(w.Agreement)
		known := timeline.Span{Start: span.Start, End: max(span.Start, min(span.End, w.asOf))}
		going := true
		if known.Start < known.End {
			w.States.Resources(known, func(resource string, in metric.Input) bool {
				if services := m.of(resource); len(services) > 0 {
					going = ctx.Err() == nil && yield(resource, sighting{in, services})
				}
				return going
			})
		}
		for _, resource := range m.unseen() {
			if !going {
				return
			}
			going = ctx.Err() == nil && yield(resource, sighting{metric.Input{}, m.of(resource)})
		}
	}
}

// sighting is the evidence of a resource, and its services by number.
type sighting struct {
	in       metric.Input
	services []int
}

// measure goes through the evidence of a span once: for all objectives that are judged over it and, of the period, for the days.
func (w *work) measure(ctx context.Context, span timeline.Span, list []*judged) error {
	for resource, seen := range w.evidence(ctx, span) {
		for _, j := range list {
			if slices.Contains(seen.services, j.service) {
				if err := w.resource(j, resource, seen.in); err != nil {
					return err
				}
			}
		}
		if span != w.r.Period.Span {
			continue
		}
		for _, i := range seen.services {
			w.strip(i, seen.in)
		}
	}
	return context.Cause(ctx)
}

// resource measures a resource, and judges it if each is judged by itself.
func (w *work) resource(j *judged, name string, in metric.Input) error {
	s := &w.r.Services[j.service]
	in.Excluded = w.excluded[s.ID]
	o := j.Objective.Objective
	blind := w.blind(o, in, j.Span)
	if blind {
		o.Empty, in.Counts, j.blind = metric.EmptyUnknown, w.whole(o, in.Counts, j.Span), true
	}
	one, err := o.Measure(in, j.Span)
	if err == nil {
		err = j.Tally.Add(one)
	}
	if err != nil {
		return fmt.Errorf("recompute: %s: resource %.100q: %w", j.path, name, err)
	}
	j.Resources++
	if !j.alone() {
		return nil
	}
	f := one.Figure(j.Target)
	switch {
	case blind && o.Method == metric.Requests:
		f = nothing(j.Target)
	case one.Blurred(j.Target):
		_, f, _ = o.Judge(func(yield func(metric.Input) bool) { yield(in) }, j.Span) // it was measured without an error
	}
	if f.Verdict == ratio.Met {
		return nil
	}
	j.rank(name, f)
	return w.owe(j, s.ID+"/"+name, f)
}

// blind says whether requests of a resource may have come that nobody has counted: it was not seen, or the span is not over. How many there were
// is not known then, and that a slice has none does not say that it is good, or is to be left out.
func (w *work) blind(o metric.Objective, in metric.Input, span timeline.Span) bool {
	if !counts(o) {
		return false
	}
	if len(in.Counts) > 0 {
		span.Start = max(span.Start, w.asOf)
	}
	return span.Start < span.End && (in.Deployed == nil || len(in.Deployed.Within(span)) > 0)
}

// whole returns the counts of the slices that were over.
func (w *work) whole(o metric.Objective, counts []metric.Count, span timeline.Span) []metric.Count {
	if o.Slice <= 0 || w.asOf >= span.End || o.Method == metric.Requests {
		return counts
	}
	end := w.asOf - (w.asOf-span.Start)%time.Duration(o.Slice).Milliseconds()
	n, _ := slices.BinarySearchFunc(counts, end, func(c metric.Count, end int64) int { return cmp.Compare(c.Start, end) })
	return counts[:n]
}

// nothing is the figure of what is not known at all.
func nothing(target ratio.Ratio) metric.Figure {
	all := ratio.Range{High: ratio.One()}
	return metric.Figure{Availability: all, Raw: all, Verdict: all.AtLeast(target)}
}

// rank notes a resource that is not met.
func (j *judged) rank(resource string, f metric.Figure) {
	if f.Verdict == ratio.Breach {
		j.Broken++
	} else {
		j.Open++
	}
	at, _ := slices.BinarySearchFunc(j.Worst, Instance{resource, f}, worse)
	if at < named {
		j.Worst = slices.Insert(j.Worst, at, Instance{resource, f})
		j.Worst = j.Worst[:min(len(j.Worst), named)]
	}
}

// worse orders instances: the worst first.
func worse(a, b Instance) int {
	if c := a.Figure.Availability.High.Cmp(b.Figure.Availability.High); c != 0 {
		return c
	}
	if c := a.Figure.Availability.Low.Cmp(b.Figure.Availability.Low); c != 0 {
		return c
	}
	if a.Resource < b.Resource {
		return -1
	}
	return 1
}

// conclude judges an objective when all of its resources are measured.
func (w *work) conclude(ctx context.Context, j *judged) error {
	j.Figure = j.Tally.Figure(j.Target)
	s := &w.r.Services[j.service]
	switch {
	case j.Resources == 0:
		j.Figure = nothing(j.Target)
		w.find(true, j.path, "no-evidence", opsec.SeverityHigh, "no resource of the service was seen")
	case j.blind && j.Method == metric.Requests:
		j.Figure = nothing(j.Target)
	case j.Tally.Blurred(j.Target) && !j.alone() && !j.blind: // once more, exactly
		_, f, err := j.Judge(func(yield func(metric.Input) bool) {
			for _, seen := range w.evidence(ctx, j.Span) {
				seen.in.Excluded = w.excluded[s.ID]
				if slices.Contains(seen.services, j.service) && !yield(seen.in) {
					return
				}
			}
		}, j.Span)
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("recompute: %s: %w", j.path, err)
		}
		j.Figure = f
	}
	switch {
	case !j.alone() || j.Resources == 0:
	case j.Broken > 0:
		j.Figure.Verdict = ratio.Breach
	case j.Open > 0:
		j.Figure.Verdict = ratio.Undecided
	default:
		j.Figure.Verdict = ratio.Met
	}
	b := j.Tally.Counted.Budget(j.Target)
	j.Budget = &b
	w.find(j.Span != w.r.Period.Span, j.path, "window", opsec.SeverityInfo, "the objective is judged over another window than that of the report")
	s.Objectives = append(s.Objectives, j.Objective)
	if j.alone() {
		return nil // each was owed by itself
	}
	return w.owe(j, s.ID, j.Figure)
}
