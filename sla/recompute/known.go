package recompute

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// known leaves of the evidence what was known as of the report's moment, in one order and each piece once, and cites it: who has it in another
// order, or twice, or has heard more since, makes the same report.
func (w *work) known() error {
	cited := &w.r.Evidence
	var err error
	if w.Incidents, cited.Incidents, err = w.r.incidents(w.Incidents); err != nil {
		return err
	}
	if w.Exclusions, cited.Exclusions, err = canonical("exclusions", w.asked()); err != nil {
		return err
	}
	w.Points = maps.Clone(w.Points)
	var all []sourced
	for source, points := range w.Points {
		w.Points[source] = w.taken(points)
		all = append(all, sourced{source, w.Points[source]})
	}
	_, cited.Points, err = canonical("points", all)
	return err
}

// sourced is the recovery points of a source.
type sourced struct {
	Source string         `json:"source"`
	Points []metric.Point `json:"points"`
}

// until forgets a moment that had not come.
func until(t *time.Time, asOf time.Time) {
	if t.After(asOf) {
		*t = time.Time{}
	}
	*t = t.UTC()
}

// Known returns the incidents of which a measure began in the period, with the moments that had come as of the report: those that it cites, in any
// order and with others among them. If it cites others the error wraps [opsec.ErrInvalid].
func (r *Report) Known(incidents []response.Incident) ([]response.Incident, error) {
	known, digest, err := r.incidents(incidents)
	if err != nil {
		return nil, err
	}
	if digest != r.Evidence.Incidents {
		return nil, invalid("the report cites other incidents than those that are given")
	}
	return known, nil
}

func (r *Report) incidents(list []response.Incident) ([]response.Incident, string, error) {
	var out []response.Incident
	period := timeline.Line{r.Period.Span}
	for _, i := range list {
		if i.Occurred.After(r.AsOf) {
			continue
		}
		for _, t := range []*time.Time{&i.Occurred, &i.Reported, &i.Accepted, &i.Notified, &i.Restored, &i.Resolved} {
			until(t, r.AsOf)
		}
		if err := i.Validate(); err != nil {
			return nil, "", invalid("%v", err)
		}
		if period.Has(i.Occurred.UnixMilli()) || period.Has(i.Reported.UnixMilli()) || period.Has(i.Accepted.UnixMilli()) {
			out = append(out, i)
		}
	}
	return canonical("incidents", out)
}

// asked returns the exclusions that had begun. Their ends may be to come, as they were announced.
func (w *work) asked() []sla.Exclusion {
	var out []sla.Exclusion
	for _, e := range w.Exclusions {
		if e.Start.Before(w.AsOf) {
			until(&e.Noticed, w.AsOf)
			e.Start, e.End = e.Start.UTC(), e.End.UTC()
			out = append(out, e)
		}
	}
	return out
}

// taken returns the recovery points that were usable, in order.
func (w *work) taken(points []metric.Point) []metric.Point {
	out := []metric.Point{}
	for _, p := range points {
		if p.Usable < w.asOf {
			if p.Lost >= w.asOf {
				p.Lost = 0
			}
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b metric.Point) int {
		return cmp.Or(cmp.Compare(a.Taken, b.Taken), cmp.Compare(a.Usable, b.Usable), cmp.Compare(a.Lost, b.Lost))
	})
	return slices.Compact(out)
}

// canonical returns a list in order of its texts, each once, and the digest of their JSON list; of an empty list there is none.
func canonical[T any](what string, list []T) ([]T, string, error) {
	texts := make(map[string]T, len(list))
	for _, v := range list {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, "", invalid("%s: %v", what, err)
		}
		texts[string(text)] = v
	}
	if len(texts) == 0 {
		return nil, "", nil
	}
	order := slices.Sorted(maps.Keys(texts))
	out := make([]T, len(order))
	for i, text := range order {
		out[i] = texts[text]
	}
	return out, digest([]byte("[" + strings.Join(order, ",") + "]")), nil
}
