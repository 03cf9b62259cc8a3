package metric_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// twenty is a month of a resource in twenty intervals: outages between times at which it was up, and an exclusion.
func twenty(p timeline.Span) (in metric.Input) {
	step := (p.End - p.Start) / 10
	for i := range int64(10) {
		at := p.Start + i*step
		in.States.Up = append(in.States.Up, timeline.Span{Start: at, End: at + step - 7*minute - i})
		in.States.Down = append(in.States.Down, timeline.Span{Start: at + step - 7*minute - i, End: at + step})
	}
	in.Excluded = timeline.Line{{Start: p.Start + 3*step - 5*minute, End: p.Start + 3*step}}
	return in
}

// BenchmarkMeasure is the time for one resource in a month: of 20 intervals, or of 8,928 slices of requests.
func BenchmarkMeasure(b *testing.B) {
	p, err := metric.Window{Calendar: "month"}.Period("2026-03")
	require.NoError(b, err)
	in := twenty(p)
	for at := p.Start; at < p.End; at += 5 * minute {
		in.Counts = append(in.Counts, metric.Count{Start: at, Good: uint64(at % 100_003), Total: 100_003})
	}
	good, err := ratio.Parse("95%")
	require.NoError(b, err)
	for name, o := range map[string]metric.Objective{
		"time":           {Method: metric.Time},
		"minutes":        {Method: metric.Slices, Slice: metric.Duration(time.Minute), Run: 5},
		"slices-by-rate": {Method: metric.Slices, Slice: metric.Duration(5 * time.Minute), Good: good},
		"mean-rate":      {Method: metric.MeanRate, Slice: metric.Duration(5 * time.Minute)},
		"requests":       {Method: metric.Requests},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.Measure(in, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
