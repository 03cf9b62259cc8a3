package document

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/internal/htmlreport"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
)

// spaced writes spaces that do not break as others.
func spaced(s string) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(s)
}

func TestLengths(t *testing.T) {
	for ms, want := range map[uint64]string{
		0: "0 s", 1: "1 ms", 999: "999 ms", 1000: "1 s", 59_999: "59 s 999 ms", 60_000: "1 min", 3_599_999: "59 min 59 s 999 ms", 3_600_000: "1 h",
		3_600_001: "1 h", 86_399_999: "23 h 59 min 59 s", 86_400_000: "1 d", 86_400_000*1000 + 60_000: "1 000 d 1 min", math.MaxUint64: "213 503 982 334 d 14 h 25 min",
	} {
		require.Equal(t, want, spaced(length(ms)), ms)
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", time.Second + time.Millisecond: "1 s 1 ms", 25*time.Hour + time.Minute + time.Second + time.Millisecond: "1 d 1 h 1 min 1 s 1 ms",
		time.Microsecond: "1µs", -time.Second: "-1s", 8760 * time.Hour: "365 d",
	} {
		require.Equal(t, want, spaced(lasts(metric.Duration(d))), d)
	}
	rapid.Check(t, func(t *rapid.T) { // what was agreed is shown exactly
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		require.Equal(t, a == b, lasts(metric.Duration(a)) == lasts(metric.Duration(b)))
	})
}

func TestNumbersAreGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1 000", 1_234_567: "1 234 567"} {
		require.Equal(t, want, spaced(grouped(n)))
	}
	require.Equal(t, "1 day", count(1, "day"))
	require.Equal(t, "0 days", count(0, "day"))
	require.Equal(t, "3 objectives", plural(3, "objective"))
	require.Equal(t, "1 target of response", plural(1, "target of response"))
}

func ratioOf(t require.TestingT, s string) ratio.Ratio {
	r, err := ratio.Parse(s)
	require.NoError(t, err)
	return r
}

// A figure that is short of its target does not look as if it were not.
func TestFiguresDoNotReachATargetThatWasMissed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := ratioOf(t, rapid.SampledFrom([]string{"99%", "99.9%", "99.95%", "99.999%", "99.99999%", "1/3"}).Draw(t, "target"))
		den := rapid.Uint64Range(1, math.MaxUint64).Draw(t, "den")
		r, err := ratio.New(rapid.Uint64Range(0, den).Draw(t, "num"), den)
		require.NoError(t, err)
		if r.Cmp(target) >= 0 {
			t.Skip()
		}
		shown := strings.TrimSuffix(figure(ratio.Range{Low: r, High: r}, target), nbsp+"%")
		require.Negative(t, ratioOf(t, shown+"%").Cmp(target), shown)
	})
}

func TestAmounts(t *testing.T) {
	minute := metric.Duration(time.Minute)
	for _, test := range []struct {
		o    metric.Objective
		n    uint64
		want string
	}{
		{metric.Objective{Method: metric.Time}, 90_000, "1 min 30 s"},
		{metric.Objective{Method: metric.Slices, Slice: minute}, 1234, "1 234 × 1 min"},
		{metric.Objective{Method: metric.MeanRate, Slice: minute}, 7 * metric.SliceUnits / 2, "3.50 × 1 min"},
		{metric.Objective{Method: metric.MeanRate, Slice: minute}, math.MaxUint64, "68 719 476 735.99 × 1 min"},
		{metric.Objective{Method: metric.Requests}, 5, "5 requests"},
	} {
		require.Equal(t, test.want, spaced(amount(test.o, test.n)))
	}
}

func TestBoundsInWords(t *testing.T) {
	for want, b := range map[string]response.Bounds{
		"1 s": {Low: 1000, High: 1000}, "1 s to 2 s": {Low: 1000, High: 2000}, "1 s or more": {Low: 1000, Unbounded: true}, "0 s": {Low: -5, High: -5},
	} {
		require.Equal(t, want, spaced(bounds(b)))
	}
}

// The parts of a bar of a budget are what was used, what may be and what is left, whatever the numbers.
func TestBudgets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Just[uint64](0), rapid.Uint64Range(0, 10), rapid.Uint64())
		b := metric.Budget{All: n.Draw(t, "all"), Used: n.Draw(t, "used"), Open: n.Draw(t, "open")}
		o := recompute.Objective{Objective: metric.Objective{Method: metric.Requests}, Budget: &b}
		bar := budget(o).Rows[0]
		sum, tones := 0, map[htmlreport.Tone]bool{}
		for _, p := range bar.Parts {
			require.Positive(t, p.Count)
			sum += p.Count
			tones[p.Tone] = true
		}
		require.LessOrEqual(t, sum, full+4)
		require.Equal(t, b.Used > b.All, tones[htmlreport.Bad])
		require.Equal(t, b.Used < b.All && b.Open > 0, tones[htmlreport.Unknown])
		require.Equal(t, b.Used < b.All && b.Open < b.All-b.Used, tones[htmlreport.Good])
		require.Equal(t, b.Used >= b.All && b.Open > 0, bar.Note != "")
	})
}

func TestStretchesOfTime(t *testing.T) {
	c, err := newClock("Europe/Berlin")
	require.NoError(t, err)
	noon := time.Date(2026, 3, 9, 11, 0, 0, 0, time.UTC)
	require.Equal(t, "2026-03-09 12:00 to 13:00", spaced(c.between(noon, noon.Add(time.Hour))))
	require.Equal(t, "2026-03-09 12:00 to 2026-03-10 00:00", spaced(c.between(noon, noon.Add(12*time.Hour))))
	require.Equal(t, "2026-03-09 12:00 to", spaced(c.between(noon, time.Time{})))
	for _, zone := range []string{"Local", "Nowhere/At/All", "../UTC"} {
		_, err := newClock(zone)
		require.Error(t, err, zone)
	}
}

func TestDecimalsOfAFigure(t *testing.T) {
	for target, want := range map[string]int{"1": 4, "99%": 4, "99.95%": 4, "99.999%": 5, "99.99999%": 7, "1/3": 12, "99.1234567890%": 11, "99.12345678901%": 12} {
		require.Equal(t, want, decimals(ratioOf(t, target)), target)
	}
}
