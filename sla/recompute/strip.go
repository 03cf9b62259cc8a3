package recompute

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// maxStrips is how many parts a strip has at most.
const maxStrips = 400

// strips adds up what each day of the period was like, for charts: in milliseconds where states were seen, else in requests. Of a
// period longer than 400 days it makes none.
func (w *work) strips(ctx context.Context) error {
	period, loc := w.r.Period.Span, w.end.Location()
	var days []timeline.Strip
	for at := period.Start; at < period.End && len(days) <= maxStrips; {
		t := time.UnixMilli(at).In(loc)
		next := min(time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, loc).UnixMilli(), period.End)
		if next <= at { // a zone that skips midnight
			next = min(at+24*time.Hour.Milliseconds(), period.End)
		}
		days = append(days, timeline.Strip{Start: at, End: next})
		at = next
	}
	if len(days) > maxStrips {
		return nil
	}
	for i := range w.r.Services {
		w.r.Services[i].Strip = append([]timeline.Strip(nil), days...)
	}
	for _, seen := range w.evidence(ctx, period) {
		for _, i := range seen.services {
			s := w.r.Services[i].Strip
			excluded := w.excluded[w.r.Services[i].ID]
			states := seen.in.States
			if len(seen.in.Counts) > 0 {
				k := 0
				for _, c := range seen.in.Counts {
					for k < len(s) && s[k].End <= c.Start {
						k++
					}
					if k < len(s) && c.Start >= s[k].Start {
						s[k].Up += c.Good
						s[k].Down += c.Total - c.Good
					}
				}
				continue
			}
			down := states.Down
			degraded := states.Degraded.Without(down)
			up := states.Up.Without(down.Or(degraded))
			spread(s, up, func(d *timeline.Strip) *uint64 { return &d.Up })
			out := down.Or(degraded).And(excluded)
			spread(s, out, func(d *timeline.Strip) *uint64 { return &d.Excluded })
			spread(s, down.Without(excluded), func(d *timeline.Strip) *uint64 { return &d.Down })
			spread(s, degraded.Without(excluded), func(d *timeline.Strip) *uint64 { return &d.Degraded })
			spread(s, timeline.Line{period}.Without(up.Or(down).Or(degraded)), func(d *timeline.Strip) *uint64 { return &d.Unknown })
		}
	}
	return context.Cause(ctx)
}

// spread adds the length of a line to the days that it lies in.
func spread(days []timeline.Strip, l timeline.Line, part func(*timeline.Strip) *uint64) {
	k := 0
	for _, s := range l {
		for k < len(days) && days[k].End <= s.Start {
			k++
		}
		for n := k; n < len(days) && days[n].Start < s.End; n++ {
			if from, to := max(s.Start, days[n].Start), min(s.End, days[n].End); from < to {
				*part(&days[n]) += uint64(to - from)
			}
		}
	}
}
