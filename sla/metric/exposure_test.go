package metric_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

func TestExposureIsTheAgeOfTheNewestUsablePoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []metric.Point
		for range rapid.IntRange(0, 6).Draw(t, "points") {
			p := metric.Point{Taken: rapid.Int64Range(1, 40).Draw(t, "taken")}
			p.Usable = p.Taken + rapid.Int64Range(0, 10).Draw(t, "copying")
			if rapid.Bool().Draw(t, "lost") {
				p.Lost = p.Usable + rapid.Int64Range(0, 20).Draw(t, "kept")
			}
			points = append(points, p)
		}
		rpo := rapid.Uint64Range(0, 12).Draw(t, "rpo")
		from := rapid.Int64Range(0, 30).Draw(t, "from")
		p := timeline.Span{Start: from, End: from + rapid.Int64Range(1, 30).Draw(t, "length")}
		var want metric.Exposure
		for at := p.Start; at < p.End; at++ {
			taken := int64(-1)
			for _, p := range points {
				if p.Usable <= at && (p.Lost == 0 || at < p.Lost) {
					taken = max(taken, p.Taken)
				}
			}
			switch {
			case taken < 0:
				want.None++
				want.Kept.Bad++
			case uint64(at+1-taken) <= rpo:
				want.Kept.Good++
			default:
				want.Kept.Bad++
			}
			if taken >= 0 {
				want.Most = max(want.Most, uint64(at+1-taken))
			}
		}
		got, err := metric.Expose(points, rpo, p)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestExposureOfOddPoints(t *testing.T) {
	p := timeline.Span{Start: begin, End: begin + day}
	for _, points := range [][]metric.Point{{{Taken: 2, Usable: 1}}, {{Taken: 1, Usable: 5, Lost: 4}}} {
		_, err := metric.Expose(points, 1, p)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := metric.Expose(nil, 1, timeline.Span{Start: 5, End: 5})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	x, err := metric.Expose([]metric.Point{{Taken: math.MinInt64, Usable: math.MinInt64}}, math.MaxUint64, p)
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Good: day}, x.Kept)
	require.Equal(t, uint64(begin+day)+1<<63, x.Most)
	x, err = metric.Expose([]metric.Point{{Taken: begin + day, Usable: math.MaxInt64}}, 0, p)
	require.NoError(t, err)
	require.Equal(t, metric.Exposure{Kept: metric.Tally{Bad: day}, None: day}, x)
}
