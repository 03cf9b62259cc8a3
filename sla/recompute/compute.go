package recompute

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Input is all that a report is made of.
type Input struct {
	Agreement  *sla.Agreement
	Period     string                    // "2026-03-09", "2026-W11", "2026-03", "2026-Q1" or "2026", in the agreement's zone
	AsOf       time.Time                 // what comes after it is not known, whatever the evidence says
	States     meter.Reader              // of resources
	Incidents  []response.Incident       //
	Exclusions []sla.Exclusion           //
	Points     map[string][]metric.Point // recovery points by source, beside what clause 7.2.2.2 promises of backups; may be empty
	Fees       map[string]string         // of services in the period, such as "1200.00 EUR"; may be empty
	Supersedes string                    // digest of the report that this one restates
	Why        string                    // it is restated
}

const (
	named       = 10     // resources that broke an objective, by name
	maxFindings = 1000   // of a report
	maxCredits  = 10_000 // of resources that are judged alone
)

// Compute makes the report. It is a function of its input alone: whoever has the same input gets the same bytes. An agreement that is
// not valid, a period that is none and evidence that cannot be judged are errors that wrap [opsec.ErrInvalid]; what else is amiss is a
// finding of the report.
func Compute(ctx context.Context, in Input) (*Report, error) {
	switch {
	case in.Agreement == nil || in.States == nil || in.AsOf.IsZero():
		return nil, invalid("agreement, states, as of: one is not given")
	case (in.Supersedes == "") != (in.Why == ""):
		return nil, invalid("supersedes, why: a report that restates another says which, and why")
	}
	a := in.Agreement
	if err := a.Validate(); err != nil {
		return nil, fmt.Errorf("recompute: agreement: %w", err)
	}
	digest, err := a.Digest()
	if err != nil {
		return nil, fmt.Errorf("recompute: agreement: %w", err)
	}
	span, err := Span(in.Period, a.Zone)
	if err != nil {
		return nil, fmt.Errorf("recompute: %w", err)
	}
	zone, err := time.LoadLocation(a.Zone)
	if err != nil {
		return nil, invalid("agreement: zone: %v", err)
	}
	w := &work{Input: in, asOf: in.AsOf.UnixMilli(), end: time.UnixMilli(span.End).In(zone), r: &Report{
		Schema:    ReportSchema,
		Agreement: Cited{ID: a.ID, Version: a.Version, Digest: digest},
		Period:    Period{Name: in.Period, Zone: a.Zone, Span: span},
		AsOf:      in.AsOf.UTC(), Supersedes: in.Supersedes, Why: in.Why,
	}}
	w.find(a.Effective.UnixMilli() > span.Start, "agreement", "effective", opsec.SeverityHigh, "the agreement came into force in or after the period")
	w.find(!a.Expires.IsZero() && a.Expires.UnixMilli() < span.End, "agreement", "expired", opsec.SeverityHigh, "the agreement ended in or before the period")
	for _, step := range []func(context.Context) error{w.exclusions, w.services, w.total, w.responses, w.exposures, w.cite} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.r, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("recompute: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}

// Span returns the time of a period in a zone, an IANA name. What kind of period it is its name tells: "2026-03-09", "2026-W11", "2026-03",
// "2026-Q1" or "2026". The error wraps [opsec.ErrInvalid].
func Span(name, zone string) (timeline.Span, error) {
	kind := "year"
	switch {
	case len(name) == len("2026-03-09"):
		kind = "day"
	case len(name) == len("2026-W11"):
		kind = "week"
	case len(name) == len("2026-Q1") && name[5] == 'Q':
		kind = "quarter"
	case len(name) == len("2026-03"):
		kind = "month"
	}
	return metric.Window{Calendar: kind, Zone: zone}.Period(name)
}

// work is a report on its way.
type work struct {
	Input
	r        *Report
	asOf     int64
	end      time.Time                // of the period, in the agreement's zone
	dropped  bool                     // credits, for there are too many
	excluded map[string]timeline.Line // by service
}

// find notes a finding, when there is one.
func (w *work) find(when bool, where, rule string, severity opsec.Severity, text string) {
	if when && len(w.r.Findings) < maxFindings {
		w.r.Findings = append(w.r.Findings, Finding{Path: where, Rule: rule, Severity: severity, Text: text})
	}
}

// judged is an objective while its resources are measured.
type judged struct {
	Objective
	path    string // in the agreement
	service int
}

// alone says whether each resource is judged by itself.
func (j *judged) alone() bool { return j.Scope == "instance" }

// exclusions rules on what somebody wants left out.
func (w *work) exclusions(context.Context) error {
	rulings, err := w.Agreement.Judge(w.Exclusions)
	if err != nil {
		return fmt.Errorf("recompute: %w", err)
	}
	w.excluded = map[string]timeline.Line{}
	for _, s := range w.Agreement.Services {
		w.excluded[s.ID] = rulings.Of(s.ID)
	}
	period := w.r.Period.Span
	for _, r := range rulings {
		if r.Exclusion.Start.UnixMilli() < period.End && (r.Exclusion.End.IsZero() || r.Exclusion.End.UnixMilli() > period.Start) {
			w.r.Exclusions = append(w.r.Exclusions, r)
		}
	}
	slices.SortStableFunc(w.r.Exclusions, func(a, b sla.Ruling) int { return strings.Compare(a.Exclusion.ID, b.Exclusion.ID) })
	return nil
}

func (w *work) services(ctx context.Context) error {
	var all []*judged
	for i, s := range w.Agreement.Services {
		w.r.Services = append(w.r.Services, Service{ID: s.ID, Title: s.Title})
		for k, o := range s.Objectives {
			j := &judged{Objective: Objective{Objective: o}, path: fmt.Sprintf("services[%d].objectives[%d]", i, k), service: i}
			end := time.UnixMilli(w.r.Period.Span.End)
			if o.Window.Calendar != "" {
				end = end.Add(-time.Millisecond) // the window that this is in
			}
			var err error
			if _, j.Span, err = o.Window.At(end); err != nil {
				return fmt.Errorf("recompute: %s: %w", j.path, err)
			}
			all = append(all, j)
		}
	}
	for i, j := range all {
		if slices.ContainsFunc(all[:i], func(o *judged) bool { return o.Span == j.Span }) {
			continue
		}
		same := slices.DeleteFunc(slices.Clone(all), func(o *judged) bool { return o.Span != j.Span })
		if err := w.measure(ctx, j.Span, same); err != nil {
			return err
		}
	}
	if err := w.strips(ctx); err != nil {
		return err
	}
	for _, j := range all {
		if err := w.conclude(ctx, j); err != nil {
			return err
		}
	}
	return nil
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

// measure goes through the evidence of a span once, for all objectives that are judged over it.
func (w *work) measure(ctx context.Context, span timeline.Span, list []*judged) error {
	for resource, seen := range w.evidence(ctx, span) {
		for _, j := range list {
			if !slices.Contains(seen.services, j.service) {
				continue
			}
			s := &w.r.Services[j.service]
			seen.in.Excluded = w.excluded[s.ID]
			one, err := j.Measure(seen.in, span)
			if err == nil {
				err = j.Tally.Add(one)
			}
			if err != nil {
				return fmt.Errorf("recompute: %s: resource %.100q: %w", j.path, resource, err)
			}
			j.Resources++
			if !j.alone() {
				continue
			}
			if f := j.rank(resource, seen.in, one); f.Verdict != ratio.Met {
				if err := w.owe(j, s.ID+"/"+resource, w.Fees[resource], f); err != nil {
					return err
				}
			}
		}
	}
	return context.Cause(ctx)
}

// rank judges a resource by itself, and notes it if it is not met.
func (j *judged) rank(resource string, in metric.Input, one metric.Result) metric.Figure {
	f := one.Figure(j.Target)
	if one.Blurred(j.Target) {
		_, f, _ = j.Judge(func(yield func(metric.Input) bool) { yield(in) }, j.Span) // it was measured without an error
	}
	switch f.Verdict {
	case ratio.Breach:
		j.Broken++
	case ratio.Undecided:
		j.Open++
	default:
		return f
	}
	at, _ := slices.BinarySearchFunc(j.Worst, Instance{resource, f}, worse)
	if at < named {
		j.Worst = slices.Insert(j.Worst, at, Instance{resource, f})
		j.Worst = j.Worst[:min(len(j.Worst), named)]
	}
	return f
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
		j.Figure = metric.Figure{Availability: ratio.Range{High: ratio.One()}, Raw: ratio.Range{High: ratio.One()}, Verdict: ratio.Undecided}
		w.find(true, j.path, "no-evidence", opsec.SeverityHigh, "no resource of the service was seen")
	case j.alone() && j.Broken > 0:
		j.Figure.Verdict = ratio.Breach
	case j.alone() && j.Open > 0:
		j.Figure.Verdict = ratio.Undecided
	case j.alone():
		j.Figure.Verdict = ratio.Met
	case j.Tally.Blurred(j.Target): // once more, exactly
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
	b := j.Tally.Counted.Budget(j.Target)
	j.Budget = &b
	w.find(j.Span != w.r.Period.Span, j.path, "window", opsec.SeverityInfo, "the objective is judged over another window than that of the report")
	s.Objectives = append(s.Objectives, j.Objective)
	if j.alone() {
		return nil // each was owed by itself
	}
	return w.owe(j, s.ID, w.Fees[s.ID], j.Figure)
}

// owe notes what is due for a figure, by each table of the objective.
func (w *work) owe(j *judged, who, fee string, f metric.Figure) error {
	s := &w.r.Services[j.service]
	for i, t := range w.Agreement.Credits {
		if t.Objective != j.ID || f.Verdict == ratio.Met {
			continue
		}
		due, err := t.Due(who, f.Availability, f.Verdict, fee, w.end)
		if err != nil {
			return fmt.Errorf("recompute: credits[%d]: %w", i, err)
		}
		if due.Credit.High.Num() == 0 && due.Why == "" {
			continue
		}
		if len(s.Credits) >= maxCredits {
			w.find(!w.dropped, j.path, "credits", opsec.SeverityHigh, "more than 10000 credits of single resources: the others are not listed")
			w.dropped = true
			return nil
		}
		s.Credits = append(s.Credits, due)
	}
	return nil
}

// total adds the credits up under their caps.
func (w *work) total(context.Context) error {
	for i := range w.r.Services {
		s := &w.r.Services[i]
		if len(s.Credits) == 0 {
			continue
		}
		var err error
		if s.Totals, err = credit.Cap(s.Credits); err != nil {
			return fmt.Errorf("recompute: services[%d]: %w", i, err)
		}
	}
	return nil
}

// exposures says how far each source was from the recovery point that was promised, until as-of.
func (w *work) exposures(context.Context) error {
	b := w.Agreement.Clause.Data.Backup
	if b == nil || b.RPO == nil || len(w.Points) == 0 {
		return nil
	}
	span := w.r.Period.Span
	span.End = max(span.Start, min(span.End, w.asOf))
	if span.Start == span.End {
		return nil
	}
	rpo := uint64(time.Duration(*b.RPO).Milliseconds())
	for _, source := range slices.Sorted(maps.Keys(w.Points)) {
		e, err := metric.Expose(w.Points[source], rpo, span)
		if err != nil {
			return fmt.Errorf("recompute: source %.100q: %w", source, err)
		}
		w.r.Exposures = append(w.r.Exposures, Exposure{Source: source, RPO: rpo, Exposure: e})
	}
	return nil
}

// responses judges the promises about incidents.
func (w *work) responses(context.Context) error {
	c := w.Agreement.Clause
	from, to := time.UnixMilli(w.r.Period.Span.Start), time.UnixMilli(w.r.Period.Span.End)
	for _, list := range []struct {
		path    string
		targets []response.Target
		hotline bool
	}{
		{"clause.continuity.recovery", c.Continuity.Recovery, false},
		{"clause.emergency.targets", c.Emergency.Targets, true},
		{"clause.monitoring.notification", c.Monitoring.Notification, false},
	} {
		for i, t := range list.targets {
			if list.hotline && t.Hours == nil {
				t.Hours = &c.Emergency.Hours
			}
			s, err := response.Summarize(t, w.Incidents, from, to, w.AsOf)
			if err != nil {
				return fmt.Errorf("recompute: %s[%d]: %w", list.path, i, err)
			}
			w.r.Responses = append(w.r.Responses, s)
		}
	}
	return nil
}
