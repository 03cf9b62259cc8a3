package report

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// SideExposure is what would have been lost over time, from the copies on a side.
type SideExposure struct {
	Side     plan.Site     // empty: from copies anywhere
	Limit    time.Duration // 0: there is no strategy to hold it against
	Worst    time.Duration // while there was a point
	WorstAt  time.Time
	None     bool // there was a time without any point
	Breaches []plan.Breach
	Exposure plan.Exposure
}

// MarshalJSON implements [json.Marshaler].
func (e SideExposure) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Side     plan.Site           `json:"side,omitempty"`
		Limit    strictjson.Duration `json:"limit,omitzero"`
		Worst    strictjson.Duration `json:"worst"`
		WorstAt  time.Time           `json:"worst_at,omitzero"`
		None     bool                `json:"none,omitempty"`
		Breaches []plan.Breach       `json:"breaches,omitempty"`
		Exposure plan.Exposure       `json:"exposure"`
	}{e.Side, strictjson.Duration(e.Limit), strictjson.Duration(e.Worst), e.WorstAt, e.None, e.Breaches, e.Exposure})
}

// exposures returns those from copies anywhere, and from those off the site where there are any or should be.
func exposures(o plan.Observed, s *plan.Strategy) (list []SideExposure) {
	add := func(side plan.Site, limit time.Duration) {
		e := SideExposure{Side: side, Limit: limit, Exposure: o.Exposure(side)}
		for i, step := range e.Exposure.Steps {
			end := e.Exposure.Until
			if i+1 < len(e.Exposure.Steps) {
				end = e.Exposure.Steps[i+1].At
			}
			if e.None = e.None || step.Newest.IsZero(); step.Newest.IsZero() {
				continue
			}
			if d := max(end.Sub(step.Newest), 0); d > e.Worst || e.WorstAt.IsZero() {
				e.Worst, e.WorstAt = d, end
			}
		}
		if limit > 0 {
			e.Breaches = e.Exposure.Over(limit)
		}
		list = append(list, e)
	}
	if s == nil {
		add("", 0)
		if off := o.Exposure(plan.OffSite); len(off.Steps) > 0 {
			add(plan.OffSite, 0)
		}
		return list
	}
	add("", s.Incident().Loss)
	if s.OffSite > 0 {
		add(plan.OffSite, s.Disaster().Loss)
	}
	return list
}

func (r *Report) exposure() (s htmlreport.Section, ok bool) {
	s = htmlreport.Section{ID: "exposure", Title: "What would have been lost"}
	for i, e := range r.Exposure {
		name, id := "From copies anywhere", "exposure-any"
		if e.Side != "" {
			name, id = "From copies "+string(e.Side), "exposure-side"
		}
		sub := htmlreport.Section{ID: fmt.Sprintf("%s-%d", id, i), Title: name}
		sub.Blocks = e.blocks()
		s.Sections = append(s.Sections, sub)
	}
	return s, len(s.Sections) > 0
}

func (e SideExposure) blocks() (list []htmlreport.Block) {
	if len(e.Exposure.Steps) == 0 {
		return []htmlreport.Block{htmlreport.Callout{Tone: htmlreport.Bad, Title: "No point can be restored"}}
	}
	note := "At most " + plan.Period(e.Worst) + ", on " + instant(e.WorstAt)
	if e.WorstAt.IsZero() {
		note = "There was never a point that could be restored"
	}
	if e.Limit > 0 {
		note += fmt.Sprintf("; the limit is %s, and it was passed %s", plan.Period(e.Limit), count(len(e.Breaches), "time"))
	}
	if e.None {
		note += "; there was a time without any point, when all would have been lost"
	}
	if samples := curve(e.Exposure); len(samples) > 1 {
		list = append(list, htmlreport.Curve{Caption: "Time since the newest point that could be restored", Samples: samples,
			Limit: int64(e.Limit / time.Second), Note: note + "."})
	} else {
		list = append(list, htmlreport.Paragraph(plain(note+".")))
	}
	if len(e.Breaches) == 0 {
		return list
	}
	t := htmlreport.Table{Caption: "More than the limit", Columns: []htmlreport.Column{{Title: "From", Short: true}, {Title: "Until", Short: true}, {Title: "Lost at most"}}}
	for _, b := range e.Breaches[:min(most, len(e.Breaches))] {
		until, worst := instant(b.Until), plan.Period(b.Worst)
		if b.Open {
			until = "it goes on"
		}
		if b.None {
			worst = "all: there was no point"
		}
		t.Rows = append(t.Rows, []htmlreport.Text{plain(instant(b.From)), plain(until), plain(worst)})
	}
	s := leftOut(htmlreport.Section{Blocks: append(list, t)}, len(e.Breaches))
	return s.Blocks
}

// buckets is how many pieces a curve has when there are more steps than it can show.
const buckets = htmlreport.MostSamples / 2

// curve returns the exposure as a line: two samples for each step, or the worst of each of so many pieces of time. A time without any
// point counts from its beginning.
func curve(e plan.Exposure) (list []htmlreport.Sample) {
	ends := make([]time.Time, len(e.Steps))
	for i := range e.Steps {
		if ends[i] = e.Until; i+1 < len(e.Steps) {
			ends[i] = e.Steps[i+1].At
		}
	}
	value := func(i int, at time.Time) int64 {
		from := e.Steps[i].Newest
		if from.IsZero() {
			from = e.Steps[i].At
		}
		return max(int64(at.Sub(from)/time.Second), 0) // less by a clock that was ahead of where the copy is
	}
	if len(e.Steps) <= buckets {
		for i, s := range e.Steps {
			list = append(list, htmlreport.Sample{At: s.At, Value: value(i, s.At)}, htmlreport.Sample{At: ends[i], Value: value(i, ends[i])})
		}
		return list
	}
	first := e.Steps[0].At
	span := e.Until.Sub(first)
	i := 0
	for n := range int64(buckets) {
		from, until := first.Add(time.Duration(float64(span)*float64(n)/buckets)), first.Add(time.Duration(float64(span)*float64(n+1)/buckets))
		var worst int64
		for ; i < len(e.Steps); i++ {
			worst = max(worst, value(i, minTime(ends[i], until)))
			if ends[i].After(until) {
				break
			}
		}
		list = append(list, htmlreport.Sample{At: from, Value: worst}, htmlreport.Sample{At: until, Value: worst})
	}
	return list
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
