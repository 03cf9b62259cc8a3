package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/internal/htmlreport"
)

// However many steps there are, the worst of them is in the curve, and where it is.
func TestCurveKeepsTheWorst(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var e plan.Exposure
		at := start
		gaps := rapid.SliceOfN(rapid.IntRange(1, 100), 1, 20).Draw(t, "gaps")
		n := rapid.SampledFrom([]int{1, 10, buckets, buckets + 1, 3 * buckets}).Draw(t, "steps")
		for i := range n {
			e.Steps = append(e.Steps, plan.Step{At: at, Newest: at.Add(-time.Duration(gaps[i%len(gaps)]) * time.Minute)})
			at = at.Add(time.Duration(gaps[(i+1)%len(gaps)]) * time.Minute)
		}
		e.Until = at
		worst, _, ok := e.Worst()
		require.True(t, ok)
		list := curve(e)
		require.LessOrEqual(t, len(list), htmlreport.MostSamples)
		var most int64
		for i, s := range list {
			most = max(most, s.Value)
			require.True(t, i == 0 || !s.At.Before(list[i-1].At))
		}
		require.Equal(t, int64(worst/time.Second), most)
		require.Equal(t, start, list[0].At)
		require.WithinDuration(t, e.Until, list[len(list)-1].At, time.Second)
	})
}

func TestATimeWithoutAnyPointCountsFromItsBeginning(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	require.Equal(t, []htmlreport.Sample{{At: start, Value: 0}, {At: start.Add(time.Minute), Value: 60}},
		curve(plan.Exposure{Steps: []plan.Step{{At: start}}, Until: start.Add(time.Minute)}))
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<30 - 1: "1023.9 MiB", 100 << 30: "100.0 GiB", 1<<63 - 1: "7.9 EiB"} {
		require.Equal(t, want, size(n))
	}
}
