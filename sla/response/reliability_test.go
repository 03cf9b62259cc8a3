package response_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/response"
)

// TestReliabilityIsCountedMomentByMoment has failures of some milliseconds that overlap, are open, or reach over the ends.
func TestReliabilityIsCountedMomentByMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := func(ms int64) time.Time { return march.Add(time.Duration(ms) * time.Millisecond) }
		from := rapid.Int64Range(0, 20).Draw(t, "from")
		to := from + rapid.Int64Range(1, 30).Draw(t, "length")
		asOf := from + rapid.Int64Range(1, 40).Draw(t, "asOf")
		end := min(to, asOf)
		var incidents []response.Incident
		down := map[int64]bool{}
		failures := int64(0)
		for n := range rapid.IntRange(0, 5).Draw(t, "incidents") {
			start := rapid.Int64Range(0, 50).Draw(t, "start")
			stop := start + rapid.Int64Range(0, 20).Draw(t, "length")
			i := response.Incident{ID: fmt.Sprint(n), Occurred: moment(start), Restored: moment(stop)}
			if rapid.IntRange(0, 3).Draw(t, "open") == 0 {
				stop, i.Restored = 100, time.Time{}
			}
			incidents = append(incidents, i)
			if start >= from && start < end {
				failures++
			}
			for at := max(start, from); at < min(stop, end); at++ {
				down[at] = true
			}
		}
		r, err := response.Reliable(incidents, moment(from), moment(to), moment(asOf))
		require.NoError(t, err)
		up := end - from - int64(len(down))
		require.Equal(t, []int64{failures, up, int64(len(down))}, []int64{int64(r.Failures), r.Up, r.Down})
		if failures == 0 {
			require.Equal(t, response.Bounds{Low: up, Unbounded: true}, r.MTBF)
			return
		}
		mean := big.NewRat(up, failures)
		require.LessOrEqual(t, big.NewRat(r.MTBF.Low, 1).Cmp(mean), 0)
		require.GreaterOrEqual(t, big.NewRat(r.MTBF.High, 1).Cmp(mean), 0)
		require.LessOrEqual(t, r.MTBF.High-r.MTBF.Low, int64(1))
	})
	for _, p := range [][3]time.Time{{march, march, april}, {april, march, april}, {march, april, march}, {march.AddDate(-101, 0, 0), april, april}} {
		_, err := response.Reliable(nil, p[0], p[1], p[2])
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestDueIsWhenEachHasPassed(t *testing.T) {
	target := response.Target{ID: "t", Measure: response.Acceptance, Severity: opsec.SeverityHigh, Each: response.Duration(30 * time.Minute)}
	clock, err := response.NewClock(target)
	require.NoError(t, err)
	i := response.Incident{ID: "a", Severity: opsec.SeverityHigh, Occurred: march}
	due, err := clock.Due(i)
	require.NoError(t, err)
	require.Zero(t, due, "not reported yet")
	i.Reported = march.Add(time.Hour)
	due, err = clock.Due(i)
	require.NoError(t, err)
	require.Equal(t, march.Add(90*time.Minute), due)
	i.Severity = opsec.SeverityLow
	due, err = clock.Due(i)
	require.NoError(t, err)
	require.Zero(t, due)
	_, _, counts := clock.Took(i, april)
	require.False(t, counts)
	i.Severity = opsec.SeverityHigh
	_, _, counts = clock.Took(i, march)
	require.False(t, counts, "it was reported later")
	d, open, counts := clock.Took(i, i.Reported)
	require.True(t, open && counts)
	require.Zero(t, d)
	target.Each, target.Mean = 0, 5
	clock, err = response.NewClock(target)
	require.NoError(t, err)
	due, err = clock.Due(i)
	require.NoError(t, err)
	require.Zero(t, due, "no promise about each")
}
