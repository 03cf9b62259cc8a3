package budget_test

import (
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/budget"
	"github.com/cloudopsec/opsec/sla/metric"
)

const minute = int64(60_000)

func ring(t require.TestingT, whole uint64, windows ...time.Duration) *budget.Ring {
	r, err := budget.NewRing(time.Minute, windows, whole)
	require.NoError(t, err)
	return r
}

func over(t require.TestingT, r *budget.Ring, d time.Duration) budget.Counts {
	c, err := r.Over(d)
	require.NoError(t, err)
	return c
}

func TestRingSlides(t *testing.T) {
	r := ring(t, 0, 5*time.Minute, time.Minute, 5*time.Minute)
	require.ErrorIs(t, r.Add(0, budget.Counts{Good: 1}), budget.ErrAhead, "it has not come anywhere")
	r.Advance(10 * minute)
	require.NoError(t, r.Add(10*minute, budget.Counts{Good: 3, Bad: 1}))
	require.NoError(t, r.Add(6*minute, budget.Counts{Good: 5}), "late, and still in the window")
	require.ErrorIs(t, r.Add(6*minute-1, budget.Counts{Good: 5}), budget.ErrLate)
	require.ErrorIs(t, r.Add(11*minute, budget.Counts{Good: 5}), budget.ErrAhead)
	require.NoError(t, r.Add(11*minute-1, budget.Counts{Good: 1}))
	require.Equal(t, budget.Counts{Good: 4, Bad: 1}, over(t, r, time.Minute))
	require.Equal(t, budget.Counts{Good: 9, Bad: 1}, over(t, r, 5*time.Minute))
	r.Advance(3 * minute)
	require.Equal(t, budget.Counts{Good: 9, Bad: 1}, over(t, r, 5*time.Minute), "a clock that goes back changes nothing")
	r.Advance(11 * minute)
	require.Equal(t, budget.Counts{}, over(t, r, time.Minute))
	require.Equal(t, budget.Counts{Good: 4, Bad: 1}, over(t, r, 5*time.Minute))
	r.Advance(15 * minute)
	require.Equal(t, budget.Counts{}, over(t, r, 5*time.Minute))
	require.NoError(t, r.Add(15*minute, budget.Counts{Bad: 2}))
	r.Advance(math.MaxInt64)
	require.Equal(t, budget.Counts{}, over(t, r, 5*time.Minute))
	_, err := r.Over(2 * time.Minute)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestRingCountsWhatIsMissingAsUnknown(t *testing.T) {
	r := ring(t, 60_000, 5*time.Minute)
	require.Equal(t, budget.Counts{Unknown: 300_000}, over(t, r, 5*time.Minute))
	r.Advance(0)
	require.NoError(t, r.Add(0, budget.Counts{Good: 59_000, Bad: 1_000}))
	require.ErrorIs(t, r.Add(0, budget.Counts{Good: 1}), opsec.ErrInvalid, "a minute has no more than 60,000 ms")
	require.NoError(t, r.Add(-minute, budget.Counts{Good: 20_000, Unknown: 10_000}))
	require.ErrorIs(t, r.Add(-minute, budget.Counts{Good: 1<<64 - 10_000}), opsec.ErrInvalid)
	require.Equal(t, budget.Counts{Good: 79_000, Bad: 1_000, Unknown: 220_000}, over(t, r, 5*time.Minute))
}

// TestWhatIsStillToComeIsNotUnknown: a healthy service that tells of each second is quiet at every moment, and not undecided
// because a bucket has begun.
func TestWhatIsStillToComeIsNotUnknown(t *testing.T) {
	p := workbook(t, "99.9%", 30*day)
	r, err := p.Ring(1000)
	require.NoError(t, err)
	for at := -72 * 60 * minute; at < 10*minute; at += 1000 {
		r.Advance(at + 999)
		require.NoError(t, r.Add(at, budget.Counts{Good: 1000}))
		if at < 0 {
			continue
		}
		alerts, err := p.Judge(r.Over)
		require.NoError(t, err)
		for _, a := range alerts {
			require.Equal(t, budget.Quiet, a.State, at)
			require.Zero(t, a.Short.High.Num())
		}
	}
	r.Advance(15*minute - 1) // and then it tells of nothing for five minutes
	require.Equal(t, budget.Counts{Unknown: 300_000}, over(t, r, 5*time.Minute))
	alerts, err := p.Judge(r.Over)
	require.NoError(t, err)
	require.Equal(t, budget.Undecided, alerts[0].State)

	r = ring(t, 10, 2*time.Minute) // six seconds each
	for _, c := range []struct {
		at   int64
		want uint64
	}{{0, 10}, {5_998, 10}, {5_999, 11}, {59_998, 19}, {59_999, 20}, {59_000, 20}, {60_000, 10}} {
		r.Advance(c.at)
		require.Equal(t, budget.Counts{Unknown: c.want}, over(t, r, 2*time.Minute), c.at)
	}
	require.NoError(t, r.Add(60_000, budget.Counts{Good: 7}))
	require.Equal(t, budget.Counts{Good: 7, Unknown: 10}, over(t, r, 2*time.Minute), "ahead of the clock, in its bucket")
}

func TestRingFarFromNow(t *testing.T) {
	for _, far := range []int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64 - 1, math.MaxInt64} {
		for _, bucket := range []time.Duration{time.Millisecond, time.Minute, 100 * 365 * day} {
			r, err := budget.NewRing(bucket, []time.Duration{bucket, 2 * bucket}, 0)
			require.NoError(t, err)
			r.Advance(far)
			require.NoError(t, r.Add(far, budget.Counts{Bad: 1}))
			require.Equal(t, budget.Counts{Bad: 1}, over(t, r, 2*bucket))
			f, err := r.Forecast(of(t, "99%"), 2*bucket, bucket)
			require.NoError(t, err)
			require.Equal(t, far > 0, *f.Latest > 0)
			r.Advance(math.MaxInt64)
			want := budget.Counts{}
			if far > 0 {
				want.Bad = 1
			}
			require.Equal(t, want, over(t, r, 2*bucket))
		}
	}
}

func TestRingThatIsFullStaysAsItWas(t *testing.T) {
	r := ring(t, 0, 5*time.Minute)
	r.Advance(0)
	require.ErrorIs(t, r.Add(0, budget.Counts{Good: 1 << 63, Bad: 1 << 63}), opsec.ErrInvalid)
	require.NoError(t, r.Add(0, budget.Counts{Good: 1 << 63}))
	require.ErrorIs(t, r.Add(0, budget.Counts{Bad: 1 << 63}), opsec.ErrInvalid)
	require.ErrorIs(t, r.Add(-minute, budget.Counts{Bad: 1 << 63}), opsec.ErrInvalid)
	require.NoError(t, r.Add(-minute, budget.Counts{Bad: 1<<63 - 1}))
	require.Equal(t, budget.Counts{Good: 1 << 63, Bad: 1<<63 - 1}, over(t, r, 5*time.Minute))
	r.Advance(4 * minute)
	require.Equal(t, budget.Counts{Good: 1 << 63}, over(t, r, 5*time.Minute))
}

func TestRingRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		bucket  time.Duration
		windows []time.Duration
		whole   uint64
	}{
		"no bucket":         {0, []time.Duration{time.Hour}, 0},
		"a finer bucket":    {time.Microsecond, []time.Duration{time.Hour}, 0},
		"no window":         {time.Minute, nil, 0},
		"too many windows":  {time.Minute, slices.Repeat([]time.Duration{time.Hour}, 67), 0},
		"half a bucket":     {time.Minute, []time.Duration{90 * time.Second}, 0},
		"an empty window":   {time.Minute, []time.Duration{0}, 0},
		"a reversed window": {time.Minute, []time.Duration{-time.Minute}, 0},
		"too many buckets":  {time.Millisecond, []time.Duration{(1<<22 + 1) * time.Millisecond}, 0},
		"too much":          {time.Minute, []time.Duration{2 * time.Minute}, 1 << 63},
	} {
		_, err := budget.NewRing(c.bucket, c.windows, c.whole)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	_, err := budget.NewRing(time.Millisecond, []time.Duration{(1 << 22) * time.Millisecond}, 0)
	require.NoError(t, err)
}

func TestRingOfAPolicy(t *testing.T) {
	p := workbook(t, "99.9%", 30*day)
	r, err := p.Ring(1000)
	require.NoError(t, err)
	alerts, err := p.Judge(r.Over)
	require.NoError(t, err)
	for _, a := range alerts {
		require.Equal(t, budget.Undecided, a.State, "nothing is known yet")
	}
	// Three days at the target, and then an outage: buckets of 30 seconds.
	at := int64(0)
	for ; at < 72*60*minute; at += minute / 2 {
		r.Advance(at)
		require.NoError(t, r.Add(at, budget.Counts{Good: 29_970, Bad: 30}))
	}
	alerts, err = p.Judge(r.Over)
	require.NoError(t, err)
	for _, a := range alerts {
		require.Equal(t, budget.Quiet, a.State)
	}
	require.Zero(t, alerts[2].Long.Low.Cmp(of(t, "1")), "a burn of exactly 1")
	for _, want := range [][]budget.State{ // the page comes after 51.84 s, less what was bad before
		{budget.Quiet, budget.Quiet, budget.Firing},
		{budget.Firing, budget.Quiet, budget.Firing},
		{budget.Firing, budget.Quiet, budget.Firing},
		{budget.Firing, budget.Firing, budget.Firing}, // and after 129.6 s
	} {
		r.Advance(at)
		require.NoError(t, r.Add(at, budget.Counts{Bad: 30_000}))
		at += minute / 2
		alerts, err = p.Judge(r.Over)
		require.NoError(t, err)
		for i, a := range alerts {
			require.Equal(t, want[i], a.State)
		}
	}
	p.Rules[0].Short++
	_, err = p.Ring(0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	for _, c := range []struct{ long, short, bucket time.Duration }{
		{10 * time.Second, 10 * time.Second, time.Second},
		{15 * time.Second, 5 * time.Second, 5 * time.Second}, // tenths are no whole seconds
		{4_194_300 * time.Second, 10 * time.Second, time.Second},
		{4_194_310 * time.Second, 10 * time.Second, 10 * time.Second}, // tenths are more than 2^22
		{1 << 22 * time.Minute, time.Minute, time.Minute},
	} {
		p := budget.Policy{Target: of(t, "99.9%"), Window: budget.Duration(c.long), Rules: []budget.Rule{
			{Name: "one", Urgency: budget.Page, Share: of(t, "1%"), Long: budget.Duration(c.long), Short: budget.Duration(c.short)}}}
		r, err := p.Ring(1)
		require.NoError(t, err, c)
		r.Advance(0)
		require.NoError(t, r.Add(c.bucket.Milliseconds()-1, budget.Counts{Good: 1}))
		require.ErrorIs(t, r.Add(c.bucket.Milliseconds(), budget.Counts{Good: 1}), budget.ErrAhead)
	}
	p = workbook(t, "99.9%", 30*day)
	p.Rules[0].Short = budget.Duration(1500 * time.Millisecond)
	_, err = p.Ring(1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = workbook(t, "99.9%", 30*day).Ring(1 << 63)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestRingIsAsAPlainSum compares with the sum of all that was added, in any order.
func TestRingIsAsAPlainSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := rapid.SliceOfN(rapid.IntRange(1, 12), 1, 4).Draw(t, "windows")
		var list []time.Duration
		longest := 0
		for _, w := range windows {
			list = append(list, time.Duration(w)*time.Minute)
			longest = max(longest, w)
		}
		whole := rapid.SampledFrom([]uint64{0, 100}).Draw(t, "whole")
		r := ring(t, whole, list...)
		all := map[int64]budget.Counts{}
		now := rapid.Int64Range(-40, 40).Draw(t, "start")
		latest := now*minute + rapid.Int64Range(0, minute-1).Draw(t, "ms")
		r.Advance(latest)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				to := now + rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64Range(-3, 30)).Draw(t, "move")
				at := to*minute + rapid.Int64Range(0, minute-1).Draw(t, "ms")
				r.Advance(at)
				now, latest = max(now, to), max(latest, at)
				continue
			}
			n := now + rapid.Int64Range(-15, 1).Draw(t, "bucket")
			c := budget.Counts{Good: rapid.Uint64Max(40).Draw(t, "good"), Bad: rapid.Uint64Max(9).Draw(t, "bad"), Unknown: rapid.Uint64Max(3).Draw(t, "unknown")}
			old := all[n]
			err := r.Add(n*minute+rapid.Int64Range(0, minute-1).Draw(t, "ms"), c)
			switch {
			case n > now:
				require.ErrorIs(t, err, budget.ErrAhead)
			case n <= now-int64(longest):
				require.ErrorIs(t, err, budget.ErrLate)
			case whole > 0 && old.Good+old.Bad+old.Unknown+c.Good+c.Bad+c.Unknown > whole:
				require.ErrorIs(t, err, opsec.ErrInvalid)
			default:
				require.NoError(t, err)
				all[n] = budget.Counts{Good: old.Good + c.Good, Bad: old.Bad + c.Bad, Unknown: old.Unknown + c.Unknown}
			}
		}
		for i, w := range windows {
			var want budget.Counts
			for n := now - int64(w) + 1; n <= now; n++ {
				c := all[n]
				if whole > 0 {
					due := whole
					if n == now { // as much of it as is over
						due = max(c.Good+c.Bad+c.Unknown, whole*uint64(latest-now*minute+1)/uint64(minute))
					}
					c.Unknown = due - c.Good - c.Bad
				}
				want = budget.Counts{Good: want.Good + c.Good, Bad: want.Bad + c.Bad, Unknown: want.Unknown + c.Unknown}
			}
			require.Equal(t, want, over(t, r, list[i]))
		}
	})
}

func TestEndsOfACalendarWindow(t *testing.T) {
	const hour = 60 * minute
	left := metric.Budget{All: 2_592_000, Used: 592_000} // 99.9 % of 30 days
	at := func(ms int64) *int64 { return &ms }
	end := 30 * 24 * hour
	for name, c := range map[string]struct {
		b      metric.Budget
		recent budget.Counts
		now    int64
		want   budget.Forecast
	}{
		"nothing is bad":       {left, budget.Counts{Good: 3_600_000}, 0, budget.Forecast{}},
		"one per cent":         {left, budget.Counts{Good: 3_564_000, Bad: 36_000}, 0, budget.Forecast{Earliest: at(200_000_000), Latest: at(200_000_000)}},
		"rounded up":           {left, budget.Counts{Bad: 3_600_000 / 7}, 0, budget.Forecast{Earliest: at(14_000_020), Latest: at(14_000_020)}},
		"at the very end":      {metric.Budget{All: 100}, budget.Counts{Bad: 100}, end - hour, budget.Forecast{Earliest: at(end), Latest: at(end)}},
		"just after the end":   {metric.Budget{All: 101}, budget.Counts{Bad: 100}, end - hour, budget.Forecast{}},
		"unknown":              {left, budget.Counts{Bad: 36_000, Unknown: 36_000}, 0, budget.Forecast{Earliest: at(100_000_000), Latest: at(200_000_000)}},
		"open":                 {metric.Budget{All: 100, Used: 40, Open: 60}, budget.Counts{Good: 1}, 7, budget.Forecast{Earliest: at(7)}},
		"used up":              {metric.Budget{All: 100, Used: 100}, budget.Counts{Good: 1}, 7, budget.Forecast{Earliest: at(7), Latest: at(7)}},
		"more than used up":    {metric.Budget{All: 100, Used: 101, Open: math.MaxUint64}, budget.Counts{Good: 1}, 7, budget.Forecast{Earliest: at(7), Latest: at(7)}},
		"nothing may be bad":   {metric.Budget{}, budget.Counts{}, 7, budget.Forecast{Earliest: at(7), Latest: at(7)}},
		"the greatest":         {metric.Budget{All: math.MaxUint64}, budget.Counts{Bad: 1}, 0, budget.Forecast{}},
		"the greatest at once": {metric.Budget{All: math.MaxUint64}, budget.Counts{Bad: math.MaxUint64}, 0, budget.Forecast{Earliest: at(hour), Latest: at(hour)}},
	} {
		got, err := budget.Ends(c.b, c.recent, time.Hour, c.now, end)
		require.NoError(t, err, name)
		require.Equal(t, c.want, got, name)
	}
	got, err := budget.Ends(metric.Budget{All: math.MaxUint64}, budget.Counts{Bad: 2}, time.Millisecond, math.MinInt64, math.MaxInt64)
	require.NoError(t, err)
	require.Equal(t, at(0), got.Latest)
	// (6 * 2^64 - 5) / 6 milliseconds are 2^64 when they are rounded up
	got, err = budget.Ends(metric.Budget{All: 15_811_494_920_322_472_813}, budget.Counts{Bad: 6}, 7*time.Millisecond, math.MinInt64, math.MaxInt64)
	require.NoError(t, err)
	require.Nil(t, got.Latest)
	path := func(err error) string {
		var f *budget.Fault
		require.ErrorAs(t, err, &f)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		return f.Path
	}
	for _, length := range []time.Duration{0, -time.Millisecond, time.Millisecond + 1} {
		_, err := budget.Ends(left, budget.Counts{}, length, 0, 1)
		require.Equal(t, "length", path(err))
	}
	_, err = budget.Ends(left, budget.Counts{}, time.Hour, 2, 1)
	require.Equal(t, "end", path(err))
	_, err = budget.Ends(left, budget.Counts{Bad: 1 << 63, Good: 1 << 63}, time.Hour, 0, 1)
	require.Equal(t, "recent", path(err))
}

// TestEndsIsAsRationals finds the first millisecond at which the budget is used up.
func TestEndsIsAsRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Uint64Max(9), rapid.Uint64())
		b := metric.Budget{All: n.Draw(t, "all"), Used: n.Draw(t, "used")}
		recent := budget.Counts{Bad: n.Draw(t, "bad")}
		length := time.Duration(rapid.OneOf(rapid.Int64Range(1, 9), rapid.Int64Range(1, math.MaxInt64/1_000_000)).Draw(t, "ms")) * time.Millisecond
		times := rapid.OneOf(rapid.Int64Range(-9, 9), rapid.Int64())
		now, end := times.Draw(t, "now"), times.Draw(t, "end")
		now, end = min(now, end), max(now, end)
		var want *int64
		if b.Used >= b.All {
			want = &now
		} else if recent.Bad > 0 {
			x := new(big.Rat).SetFrac(whole(b.All-b.Used), whole(recent.Bad))
			x.Mul(x, big.NewRat(length.Milliseconds(), 1))
			ms := new(big.Int).Sub(x.Num(), big.NewInt(1)) // rounded up
			ms.Add(ms.Quo(ms, x.Denom()), big.NewInt(1))
			ms.Add(ms, big.NewInt(now))
			if ms.Cmp(big.NewInt(end)) <= 0 {
				at := ms.Int64()
				want = &at
			}
		}
		got, err := budget.Ends(b, recent, length, now, end)
		require.NoError(t, err)
		require.Equal(t, budget.Forecast{Earliest: want, Latest: want}, got)
	})
}

// TestForecastOfARollingWindowComesTrue goes on at the pace, and looks when the budget is used up.
func TestForecastOfARollingWindowComesTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window, pace := rapid.IntRange(1, 20).Draw(t, "window"), rapid.IntRange(1, 20).Draw(t, "pace")
		d := func(n int) time.Duration { return time.Duration(n) * time.Minute }
		unit := rapid.SampledFrom([]uint64{1, 1<<53 - 1}).Draw(t, "unit") // sums are near 2^64
		whole := rapid.SampledFrom([]uint64{0, 60}).Draw(t, "whole") * unit
		r := ring(t, whole, d(window), d(pace))
		target := of(t, rapid.SampledFrom([]string{"90%", "95%", "50%", "99%"}).Draw(t, "target"))
		history := make([]budget.Counts, 20)
		late := rapid.OneOf(rapid.Just(minute-1), rapid.Int64Range(0, minute-1)).Draw(t, "ms") // of the newest bucket
		r.Advance(19*minute + late)
		for i := range history {
			c := budget.Counts{Bad: rapid.SampledFrom([]uint64{0, 0, 0, 1, 20}).Draw(t, "bad") * unit, Good: rapid.SampledFrom([]uint64{0, 38, 40}).Draw(t, "good") * unit}
			if i > 20-max(window, pace)-1 {
				require.NoError(t, r.Add(int64(i)*minute, c))
			}
			if due := whole; whole > 0 {
				if i == 19 {
					part := new(big.Int).Mul(new(big.Int).SetUint64(whole), big.NewInt(late+1))
					due = max(c.Good+c.Bad, part.Quo(part, big.NewInt(minute)).Uint64())
				}
				c.Unknown = due - c.Good - c.Bad
			}
			history[i] = c
		}
		got, err := r.Forecast(target, d(window), d(pace))
		require.NoError(t, err)
		// by rationals, and by sums made anew for each moment
		plain := func(worst bool) *int64 {
			var buckets [][2]*big.Rat // bad and all
			late := [2]*big.Rat{new(big.Rat), new(big.Rat)}
			for i, c := range history {
				bad := c.Bad
				if worst {
					bad += c.Unknown
				}
				b := [2]*big.Rat{new(big.Rat).SetUint64(bad), new(big.Rat).SetUint64(c.Good + c.Bad + c.Unknown)}
				buckets = append(buckets, b)
				for j := range b {
					if i >= 20-pace {
						late[j].Add(late[j], new(big.Rat).Quo(b[j], big.NewRat(int64(pace), 1)))
					}
				}
			}
			for step := range 60 {
				sum := [2]*big.Rat{new(big.Rat), new(big.Rat)}
				for _, b := range buckets[len(buckets)-window:] {
					sum[0].Add(sum[0], b[0])
					sum[1].Add(sum[1], b[1])
				}
				if sum[1].Sign() > 0 && sum[0].Cmp(sum[1].Mul(sum[1], target.Complement().Rat())) >= 0 {
					at := int64(20+step) * minute
					return &at
				}
				buckets = append(buckets, late)
			}
			return nil
		}
		require.Equal(t, budget.Forecast{Earliest: plain(true), Latest: plain(false)}, got)
	})
	r := ring(t, 0, time.Minute, 3*time.Minute)
	r.Advance(9 * minute)
	at := func(ms int64) *int64 { return &ms }
	require.NoError(t, r.Add(8*minute, budget.Counts{Good: 1, Bad: 1}))
	f, err := r.Forecast(of(t, "50%"), time.Minute, 3*time.Minute)
	require.NoError(t, err)
	require.Equal(t, at(11*minute), f.Latest, "nothing is in the window now; then exactly all of the budget is used up")
	f, err = r.Forecast(of(t, "50%"), 3*time.Minute, time.Minute)
	require.NoError(t, err)
	require.Equal(t, at(10*minute), f.Latest, "it is now")
	r = ring(t, 60, 2*time.Minute, 3*time.Minute)
	r.Advance(9*minute + minute/2 - 1)
	for i, c := range []budget.Counts{{Bad: 60}, {Good: 45, Bad: 15}, {Good: 30}} {
		require.NoError(t, r.Add(int64(7+i)*minute, c))
	}
	f, err = r.Forecast(of(t, "50%"), 2*time.Minute, 3*time.Minute)
	require.NoError(t, err)
	require.Equal(t, at(12*minute), f.Latest, "when all of the window is at the pace, which is half")
	r = ring(t, 60, time.Hour)
	_, err = r.Forecast(of(t, "99%"), time.Hour, time.Hour)
	require.ErrorIs(t, err, opsec.ErrInvalid, "it has not come anywhere")
	r.Advance(0)
	_, err = r.Forecast(of(t, "99%"), time.Minute, time.Hour)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = r.Forecast(of(t, "99%"), time.Hour, time.Minute)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
