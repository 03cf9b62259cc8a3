package recompute

import (
	"context"
	"fmt"
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
	Period     string       // "2026-03-09", "2026-W11", "2026-03", "2026-Q1" or "2026", in the agreement's zone
	AsOf       time.Time    // what comes after it is not known, whatever the evidence says
	States     meter.Reader // of resources
	Incidents  []response.Incident
	Exclusions []sla.Exclusion
	Points     map[string][]metric.Point // recovery points by source, beside what clause 7.2.2.2 promises of backups; may be empty
	Fees       map[string]string         // in the period, such as "1200.00 EUR", of services, and of resources that are judged alone, as "service/resource"; may be empty
	Supersedes string                    // digest of the report that this one restates
	Why        string                    // it is restated
}

const (
	named       = 10     // resources that broke an objective, by name
	maxFindings = 1000   // of a report
	maxCredits  = 10_000 // of a report
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
		return nil, err
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
	for _, step := range []func() error{w.plan, w.exclusions, func() error { return w.services(ctx) }, w.total, w.responses, w.exposures} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	w.r.Evidence.States = w.States.Digest(w.r.Evidence.Span)
	if err := w.r.readable(); err != nil {
		return nil, err
	}
	return w.r, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("recompute: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}

// Span returns the time of a period in a zone, an IANA name. What kind of period it is its name tells: "2026-03-09", "2026-W11", "2026-03",
// "2026-Q1" or "2026". The error wraps [opsec.ErrInvalid].
func Span(name, zone string) (timeline.Span, error) {
	if kind(name) == "" {
		return timeline.Span{}, invalid("period: %.40q is none; want 2026-03-09, 2026-W11, 2026-03, 2026-Q1 or 2026", name)
	}
	span, err := metric.Window{Calendar: kind(name), Zone: zone}.Period(name)
	if err != nil {
		return timeline.Span{}, fmt.Errorf("recompute: %w", err)
	}
	return span, nil
}

// kind returns what a period is, by its name.
func kind(name string) string {
	switch {
	case len(name) == len("2026-03-09"):
		return "day"
	case len(name) == len("2026-W11"):
		return "week"
	case len(name) == len("2026-Q1") && name[5] == 'Q':
		return "quarter"
	case len(name) == len("2026-03"):
		return "month"
	case len(name) == len("2026"):
		return "year"
	}
	return ""
}

// work is a report on its way.
type work struct {
	Input
	r        *Report
	asOf     int64
	end      time.Time // of the period, in the agreement's zone
	all      []*judged
	credits  int                      // how many are due
	excluded map[string]timeline.Line // by service
}

// find notes a finding, when there is one.
func (w *work) find(when bool, where, rule string, severity opsec.Severity, text string) {
	if when && len(w.r.Findings) < maxFindings {
		w.r.Findings = append(w.r.Findings, Finding{Path: where, Rule: rule, Severity: severity, Text: text})
	}
}

// plan lists the objectives with their windows, and takes the evidence until as-of.
func (w *work) plan() error {
	cited := &w.r.Evidence.Span
	*cited = w.r.Period.Span
	for i, s := range w.Agreement.Services {
		w.r.Services = append(w.r.Services, Service{ID: s.ID, Title: s.Title})
		for k, o := range s.Objectives {
			j := &judged{Objective: Objective{Objective: o}, path: fmt.Sprintf("services[%d].objectives[%d]", i, k), service: i}
			var err error
			if j.Span, err = w.window(o.Window); err != nil {
				return fmt.Errorf("recompute: %s: %w", j.path, err)
			}
			cited.Start, cited.End = min(cited.Start, j.Span.Start), max(cited.End, j.Span.End)
			w.all = append(w.all, j)
		}
	}
	cited.End = max(cited.Start, min(cited.End, w.asOf))
	for who := range w.Fees {
		if !slices.ContainsFunc(w.Agreement.Services, func(s sla.Service) bool { return who == s.ID || strings.HasPrefix(who, s.ID+"/") }) {
			return invalid("fees: %.100q is no service of the agreement", who)
		}
	}
	return w.known()
}

// window returns the window of an objective that the report judges: that of the report's name, that which ends with the period, or in which the
// period ends.
func (w *work) window(o metric.Window) (timeline.Span, error) {
	end := time.UnixMilli(w.r.Period.Span.End)
	switch o.Calendar {
	case kind(w.r.Period.Name): // of the same name, in a zone of its own
		return o.Period(w.r.Period.Name)
	case "":
		_, span, err := o.At(end)
		return span, err
	}
	_, span, err := o.At(end.Add(-time.Millisecond))
	return span, err
}

// exclusions rules on what somebody wants left out.
func (w *work) exclusions() error {
	rulings, err := w.Agreement.Judge(w.Exclusions)
	if err != nil {
		return fmt.Errorf("recompute: %w", err)
	}
	w.excluded = map[string]timeline.Line{}
	for _, s := range w.Agreement.Services {
		w.excluded[s.ID] = rulings.Of(s.ID)
	}
	span := w.r.Evidence.Span
	for _, r := range rulings {
		if r.Exclusion.Start.UnixMilli() < span.End && (r.Exclusion.End.IsZero() || r.Exclusion.End.UnixMilli() > span.Start) {
			w.r.Exclusions = append(w.r.Exclusions, r)
		}
	}
	slices.SortStableFunc(w.r.Exclusions, func(a, b sla.Ruling) int { return strings.Compare(a.Exclusion.ID, b.Exclusion.ID) })
	return nil
}

func (w *work) services(ctx context.Context) error {
	days, err := w.days()
	if err != nil {
		return err
	}
	for i := range w.r.Services {
		w.r.Services[i].Strip = slices.Clone(days)
	}
	spans := []timeline.Span{w.r.Period.Span}
	for _, j := range w.all {
		if !slices.Contains(spans, j.Span) {
			spans = append(spans, j.Span)
		}
	}
	for _, span := range spans {
		same := slices.DeleteFunc(slices.Clone(w.all), func(j *judged) bool { return j.Span != span })
		if err := w.measure(ctx, span, same); err != nil {
			return err
		}
	}
	for _, j := range w.all {
		if err := w.conclude(ctx, j); err != nil {
			return err
		}
	}
	return nil
}

// owe notes what is due for a figure, by each table of the objective.
func (w *work) owe(j *judged, who string, f metric.Figure) error {
	s := &w.r.Services[j.service]
	for i, t := range w.Agreement.Credits {
		if t.Objective != j.ID || f.Verdict == ratio.Met {
			continue
		}
		due, err := t.Due(who, f.Availability, f.Verdict, w.Fees[who], w.end)
		if err != nil {
			return fmt.Errorf("recompute: credits[%d]: %w", i, err)
		}
		if due.Credit.High.Num() == 0 && due.Why == "" {
			continue
		}
		if w.credits++; w.credits > maxCredits {
			w.find(w.credits == maxCredits+1, j.path, "credits", opsec.SeverityHigh, "more than 10000 credits are due: the others are not listed, and not in the totals")
			return nil
		}
		s.Credits = append(s.Credits, due)
	}
	return nil
}

// total adds the credits up under their caps.
func (w *work) total() error {
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
func (w *work) exposures() error {
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
func (w *work) responses() error {
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
