package dr_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
)

func meter(t require.TestingT) *dr.Meter {
	m, err := dr.NewMeter(10*time.Second, 30*time.Second)
	require.NoError(t, err)
	return m
}

func exposed(t time.Time, d time.Duration) dr.Status {
	return dr.Status{At: t, Newest: t, Safe: t.Add(-d)}
}

func TestMeterCountsTimeAndBreaches(t *testing.T) {
	m := meter(t)
	for i, d := range []time.Duration{0, 4, 14, 24, 2, 0} {
		require.NoError(t, m.Add(exposed(at(10*i), d*time.Second)))
	}
	require.Equal(t, seconds(50), m.Known)
	require.Equal(t, seconds(24), m.Worst)
	// 14 s at 20 s: it passed 10 s at 16 s; seen to be over at 40 s
	require.Equal(t, []dr.Breach{{From: at(16), To: at(40), Peak: seconds(24)}}, m.Breaches)
	require.Equal(t, seconds(24), m.Over)

	require.NoError(t, m.Add(exposed(at(200), 0)))
	require.Equal(t, seconds(150), m.Unknown, "too far apart")
	require.NoError(t, m.Add(dr.Status{At: at(210), Newest: at(210)}))
	require.Equal(t, seconds(160), m.Unknown, "never copied: not known, and not none")
	require.NoError(t, m.Add(exposed(at(220), 30*time.Second)))
	require.True(t, m.Breaches[1].Open)
	require.ErrorIs(t, m.Add(exposed(at(220), 0)), opsec.ErrInvalid)

	text, err := json.Marshal(m)
	require.NoError(t, err)
	var read dr.Meter
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, *m, read)
}

// Quantile is never below the true one and at most 1/32 above; merging parts gives what the parts give together, in any order.
func TestMeterAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(48*time.Hour)), 2, 60).Draw(t, "values")
		m := meter(t)
		var times []int64 // exposure of each second
		for i, v := range values {
			require.NoError(t, m.Add(exposed(at(i), time.Duration(v))))
			if i > 0 {
				times = append(times, max(v, values[i-1]))
			}
		}
		slices.Sort(times)
		q := rapid.Int64Range(0, 100).Draw(t, "q")
		rank := max((int64(len(times))*q+99)/100, 1)
		want := time.Duration(times[rank-1])
		got, ok := m.Quantile(q, 100)
		require.True(t, ok)
		require.GreaterOrEqual(t, got, want)
		require.LessOrEqual(t, got, want+want/32)

		parts := []*dr.Meter{meter(t), meter(t), meter(t)}
		for i, v := range values {
			require.NoError(t, parts[i%3].Add(exposed(at(i), time.Duration(v))))
		}
		sum := func(order ...int) *dr.Meter {
			s := meter(t)
			for _, i := range order {
				require.NoError(t, s.Merge(parts[i]))
			}
			return s
		}
		require.Equal(t, sum(0, 1, 2), sum(2, 0, 1))
		require.Equal(t, sum(0, 1, 2), sum(1, 2, 0))
		require.Equal(t, parts[0].Known+parts[1].Known+parts[2].Known, sum(0, 1, 2).Known)
	})
}

func TestBreachBeginsAfterASampleThatWasWithin(t *testing.T) {
	m := meter(t)
	require.NoError(t, m.Add(exposed(at(0), 0)))
	require.NoError(t, m.Add(exposed(at(10), 24*time.Second))) // idle before: the newest write there is older than the last sample
	require.Equal(t, at(0), m.Breaches[0].From)
	require.Equal(t, seconds(10), m.Over)
}

func TestMeterIsBounded(t *testing.T) {
	m := meter(t)
	for i := range 5000 {
		require.NoError(t, m.Add(exposed(at(20*i), time.Duration(i%2)*15*time.Second)))
	}
	require.Len(t, m.Breaches, dr.MaxBreaches)
	require.EqualValues(t, 2500-dr.MaxBreaches, m.Dropped)
	sum := meter(t)
	require.NoError(t, sum.Merge(m))
	require.ErrorIs(t, sum.Add(exposed(at(200_000), 0)), opsec.ErrInvalid)
	other, err := dr.NewMeter(time.Second, time.Second)
	require.NoError(t, err)
	require.ErrorIs(t, sum.Merge(other), opsec.ErrInvalid)
	_, err = dr.NewMeter(0, 1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, ok := other.Quantile(1, 2)
	require.False(t, ok)
}

func BenchmarkMeterAdd(b *testing.B) {
	b.ReportAllocs()
	m := meter(b)
	for i := 0; b.Loop(); i++ {
		if err := m.Add(exposed(at(i+1), time.Duration(i%977)*time.Millisecond)); err != nil {
			b.Fatal(err)
		}
	}
}

// A sample that was within the objective bounds the breach after it, however long it was silent in between, and no time is in two breaches.
func TestBreachesDoNotOverlap(t *testing.T) {
	m := meter(t)
	require.NoError(t, m.Add(exposed(at(0), 0)))
	require.NoError(t, m.Add(exposed(at(100), 200*time.Second))) // silent for longer than stale, and now far behind
	require.Equal(t, at(0), m.Breaches[0].From)
	require.NoError(t, m.Add(exposed(at(101), 0)))
	require.NoError(t, m.Add(dr.Status{At: at(102), Newest: at(102)})) // not known
	require.NoError(t, m.Add(exposed(at(110), 300*time.Second)))
	require.Equal(t, at(101), m.Breaches[1].From)
	require.Equal(t, seconds(110), m.Over)
}

func TestSumsOfAMeterDoNotOverflow(t *testing.T) {
	m := meter(t)
	for i := range 6 {
		require.NoError(t, m.Add(dr.Status{At: noon.AddDate(250*i, 0, 0), Newest: noon.AddDate(250*i, 0, 0), Safe: time.Unix(0, 1)}))
		require.NoError(t, m.Add(dr.Status{At: noon.AddDate(250*i, 0, 1)}))
	}
	require.GreaterOrEqual(t, m.Over, dr.Duration(0))
	require.GreaterOrEqual(t, m.Unknown, dr.Duration(0))
}
