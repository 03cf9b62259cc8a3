package recompute

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// days returns the days of the period, in the agreement's zone.
func (w *work) days() ([]timeline.Strip, error) {
	period, day := w.r.Period.Span, metric.Window{Calendar: "day", Zone: w.Agreement.Zone}
	var out []timeline.Strip
	for at := period.Start; at < period.End; at = out[len(out)-1].End {
		_, span, err := day.At(time.UnixMilli(at))
		if err != nil {
			return nil, fmt.Errorf("recompute: %w", err)
		}
		out = append(out, timeline.Strip{Start: at, End: min(span.End, period.End)})
	}
	return out, nil
}

// strip adds what was seen of a resource in the period to the days of a service: requests where all its objectives count them, else milliseconds.
func (w *work) strip(service int, in metric.Input) {
	s := &w.r.Services[service]
	in.Excluded = w.excluded[s.ID]
	if slices.ContainsFunc(w.Agreement.Services[service].Objectives, func(o metric.Objective) bool { return !counts(o) }) {
		stripOfStates(s.Strip, in)
	} else {
		stripOfCounts(s.Strip, in)
	}
}

// stripOfCounts adds requests to the days in which their slices start.
func stripOfCounts(days []timeline.Strip, in metric.Input) {
	k := 0
	for _, c := range in.Counts {
		for k < len(days) && days[k].End <= c.Start {
			k++
		}
		if k == len(days) || c.Start < days[k].Start {
			continue
		}
		bad := &days[k].Down
		if in.Excluded.Has(c.Start) {
			bad = &days[k].Excluded
		}
		add(&days[k].Up, c.Good)
		add(bad, c.Total-c.Good)
	}
}

// stripOfStates adds the time of each day to what the resource was in it: the worst where several hold.
func stripOfStates(days []timeline.Strip, in metric.Input) {
	lines := [...]timeline.Line{in.States.Down, in.States.Degraded, in.States.Up, in.Excluded, in.Deployed}
	for k, at := 0, days[0].Start; k < len(days); {
		d := &days[k]
		next := d.End
		var on [len(lines)]bool
		for i, l := range lines {
			for len(l) > 0 && l[0].End <= at {
				l = l[1:]
			}
			lines[i] = l
			switch {
			case len(l) == 0:
			case l[0].Start <= at:
				on[i], next = true, min(next, l[0].End)
			default:
				next = min(next, l[0].Start)
			}
		}
		down, degraded, up, excluded, there := on[0], on[1], on[2], on[3], on[4]
		part := &d.Unknown
		switch {
		case !there && in.Deployed != nil:
			part = nil
		case excluded && (down || degraded):
			part = &d.Excluded
		case down:
			part = &d.Down
		case degraded:
			part = &d.Degraded
		case up:
			part = &d.Up
		}
		if part != nil {
			add(part, uint64(next-at))
		}
		if at = next; at == d.End {
			k++
		}
	}
}

// add adds, up to what 64 bits hold.
func add(sum *uint64, n uint64) {
	var carry uint64
	if *sum, carry = bits.Add64(*sum, n, 0); carry > 0 {
		*sum = math.MaxUint64
	}
}
