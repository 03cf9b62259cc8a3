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
	given := slices.SortedStableFunc(slices.Values(w.Incidents), func(a, b response.Incident) int { return strings.Compare(a.ID, b.ID) })
	if w.Incidents, err = w.incidents(); err != nil {
		return err
	}
	if w.Incidents, _, err = canonical("incidents", w.Incidents); err != nil {
		return err
	}
	if len(given) > 0 { // package document compares it with what it is given
		text, err := json.Marshal(given)
		if err != nil {
			return invalid("incidents: %v", err)
		}
		cited.Incidents = digest(text)
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
func (w *work) until(t *time.Time) {
	if t.After(w.AsOf) {
		*t = time.Time{}
	}
	*t = t.UTC()
}

// incidents returns those of which a measure began in the period, with the moments that had come.
func (w *work) incidents() ([]response.Incident, error) {
	var out []response.Incident
	period := timeline.Line{w.r.Period.Span}
	for _, i := range w.Incidents {
		if i.Occurred.After(w.AsOf) {
			continue
		}
		for _, t := range []*time.Time{&i.Occurred, &i.Reported, &i.Accepted, &i.Notified, &i.Restored, &i.Resolved} {
			w.until(t)
		}
		if err := i.Validate(); err != nil {
			return nil, invalid("%v", err)
		}
		if period.Has(i.Occurred.UnixMilli()) || period.Has(i.Reported.UnixMilli()) || period.Has(i.Accepted.UnixMilli()) {
			out = append(out, i)
		}
	}
	return out, nil
}

// asked returns the exclusions that had begun. Their ends may be to come, as they were announced.
func (w *work) asked() []sla.Exclusion {
	var out []sla.Exclusion
	for _, e := range w.Exclusions {
		if e.Start.Before(w.AsOf) {
			w.until(&e.Noticed)
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
