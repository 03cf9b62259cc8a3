package metric_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

const (
	minute = 60_000
	day    = 24 * 60 * minute
)

func parse(t require.TestingT, text string) ratio.Ratio {
	r, err := ratio.Parse(text)
	require.NoError(t, err)
	return r
}

// edges returns targets of published agreements (Amazon S3, EC2; Azure; Google Compute Engine), and the edges of all bands of
// package credit.
func edges(t *testing.T) []string {
	list := []string{"95%", "98%", "99%", "99.5%", "99.9%", "99.95%", "99.99%", "99.999%"}
	for _, table := range credit.Published() {
		for _, b := range table.Bands {
			if text := b.Below.String(); !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	require.GreaterOrEqual(t, len(list), 8)
	return list
}

// TestExactlyAtTargetIsMet goes through windows of minutes, slices and milliseconds at every edge: what may be bad may be,
// and one more is a breach. A comparison of floats errs in many of these.
func TestExactlyAtTargetIsMet(t *testing.T) {
	floats, exact := 0, 0
	for _, text := range edges(t) {
		target := parse(t, text)
		value, _ := target.Rat().Float64()
		for _, all := range []uint64{
			28 * 1440, 29 * 1440, 30 * 1440, 31 * 1440, 365 * 1440, 8064, 8352, 8640, 8928, 20160, 10080, 1000, 10_000, 100_000,
			1_000_000, 43_200_000, 28 * day, 30 * day, 31 * day, 366 * day, 31 * day * 1_000_000,
		} {
			may, whole := target.Complement().Of(all)
			b := metric.Tally{Good: all - may, Bad: may}.Budget(target)
			require.Equal(t, metric.Budget{All: may, Used: may}, b)
			for bad, want := range map[uint64]ratio.Verdict{may: ratio.Met, may + 1: ratio.Breach} {
				r := metric.Result{Counted: metric.Tally{Good: all - bad, Bad: bad}}
				require.Equal(t, want, r.Figure(target).Verdict, "%d of %d at %s", bad, all, text)
				if whole && want == ratio.Met {
					exact++
					if float64(bad)/float64(all) > 1-value {
						floats++
					}
				}
			}
		}
	}
	require.Greater(t, exact, 60)
	require.Greater(t, floats, exact/4, "floats err in so many of the cases in which the budget is used up exactly")
	t.Logf("floats err in %d of %d", floats, exact)
}

// TestEveryMethodIsExactAtEveryEdge measures evidence of which just as much is bad as may be, and evidence of which one unit
// more is: a millisecond, a minute, a request, or a request of one slice of 8,928.
func TestEveryMethodIsExactAtEveryEdge(t *testing.T) {
	p := timeline.Span{Start: begin, End: begin + 31*day}
	const requests = 12_345_600_000 // all of the edges are whole of it
	for _, text := range edges(t) {
		target := parse(t, text)
		may := func(all uint64) int64 {
			n, _ := target.Complement().Of(all)
			return int64(n)
		}
		downFor := func(ms int64) metric.Input {
			const at int64 = begin + 3*day
			return metric.Input{States: metric.States{Up: timeline.Line{p}, Down: timeline.Line{{Start: at, End: at + ms}}}}
		}
		_, whole := target.Of(requests)
		require.True(t, whole, text)
		rates := func(less uint64) metric.Input {
			var in metric.Input
			for at := p.Start; at < p.End; at += 5 * minute {
				in.Counts = append(in.Counts, metric.Count{Start: at, Good: target.Num(), Total: target.Den()})
			}
			in.Counts[5000].Good -= less
			return in
		}
		failed := func(n int64) metric.Input {
			return metric.Input{Counts: []metric.Count{
				{Start: begin, Good: 1, Total: 1}, {Start: begin + day, Good: requests - uint64(n) - 1, Total: requests - 1}}}
		}
		time5, time1 := metric.Duration(5*time.Minute), metric.Duration(time.Minute)
		for _, c := range []struct {
			o             metric.Objective
			met, breached metric.Input
		}{
			{metric.Objective{Method: metric.Time}, downFor(may(31 * day)), downFor(may(31*day) + 1)},
			{metric.Objective{Method: metric.Slices, Slice: time1}, downFor(may(44640) * minute), downFor(may(44640)*minute + 1)},
			{metric.Objective{Method: metric.Slices, Slice: time1, Partial: metric.PartialGood},
				downFor((may(44640)+1)*minute - 1), downFor((may(44640) + 1) * minute)},
			{metric.Objective{Method: metric.Requests}, failed(may(requests)), failed(may(requests) + 1)},
			{metric.Objective{Method: metric.MeanRate, Slice: time5}, rates(0), rates(1)},
		} {
			c.o.Target = target
			for _, pair := range []struct {
				in   metric.Input
				want ratio.Verdict
			}{{c.met, ratio.Met}, {c.breached, ratio.Breach}} {
				if len(pair.in.States.Down) > 0 && pair.in.States.Down[0].Start == pair.in.States.Down[0].End {
					pair.in.States.Down = nil
				}
				_, f, err := c.o.Judge(slices.Values([]metric.Input{pair.in}), p)
				require.NoError(t, err)
				require.Equal(t, pair.want, f.Verdict, "%s %s %s", c.o.Method, c.o.Partial, text)
			}
		}
	}
}

// TestExamplesOfOpenSLO are those of its examples/budgeting-method and examples/treat-low-traffic-as-equally-important.
func TestExamplesOfOpenSLO(t *testing.T) {
	fortnight := timeline.Span{Start: begin, End: begin + 14*day}
	verdict := func(o metric.Objective, p timeline.Span, counts []metric.Count) ratio.Verdict {
		_, f, err := o.Judge(slices.Values([]metric.Input{{Counts: counts}}), p)
		require.NoError(t, err)
		return f.Verdict
	}
	// minutes are good but for some at the start.
	minutes := func(n, bad int, badly, well metric.Count) (list []metric.Count) {
		for i := range n {
			c := well
			if i < bad {
				c = badly
			}
			c.Start = begin + int64(i)*minute
			list = append(list, c)
		}
		return list
	}
	t.Run("Occurrences", func(t *testing.T) { // 336,000 requests, of which 5 % may fail
		o := metric.Objective{Method: metric.Requests, Target: parse(t, "95%")}
		require.Equal(t, ratio.Met, verdict(o, fortnight, []metric.Count{{Start: begin, Good: 336_000 - 16_800, Total: 336_000}}))
		require.Equal(t, ratio.Breach, verdict(o, fortnight, []metric.Count{{Start: begin, Good: 336_000 - 16_801, Total: 336_000}}))
	})
	t.Run("Timeslices", func(t *testing.T) { // 20,160 minutes: 16 hours and 48 minutes may be bad
		o := metric.Objective{Method: metric.Slices, Slice: metric.Duration(time.Minute), Good: parse(t, "95%"), Target: parse(t, "95%")}
		bad, good := metric.Count{Good: 1, Total: 100}, metric.Count{Good: 99, Total: 100}
		require.Equal(t, ratio.Met, verdict(o, fortnight, minutes(20160, 16*60+48, bad, good)))
		require.Equal(t, ratio.Breach, verdict(o, fortnight, minutes(20160, 16*60+49, bad, good)))
	})
	t.Run("RatioTimeslices", func(t *testing.T) { // about 13 hours and 45 minutes at 1 % use the budget of 95 % up
		o := metric.Objective{Method: metric.MeanRate, Slice: metric.Duration(time.Minute), Target: parse(t, "95%")}
		bad, good := metric.Count{Good: 1, Total: 100}, metric.Count{Good: 99, Total: 100}
		require.Equal(t, ratio.Met, verdict(o, fortnight, minutes(20160, 13*60+42, bad, good)))
		require.Equal(t, ratio.Breach, verdict(o, fortnight, minutes(20160, 13*60+43, bad, good)))
	})
	t.Run("low traffic", func(t *testing.T) { // 5 minutes 2.4 seconds of a week
		week := timeline.Span{Start: begin, End: begin + 7*day}
		o := metric.Objective{Method: metric.Slices, Slice: metric.Duration(time.Minute), Good: parse(t, "95%"), Target: parse(t, "99.95%")}
		bad, good := metric.Count{Good: 94, Total: 99}, metric.Count{Good: 95, Total: 100} // five of less than 100 fail
		require.Equal(t, ratio.Met, verdict(o, week, minutes(10080, 5, bad, good)))
		require.Equal(t, ratio.Breach, verdict(o, week, minutes(10080, 6, bad, good)))
		b := metric.Tally{Good: 7 * day}.Budget(o.Target)
		require.Equal(t, uint64(5*60_000+2_400), b.All)
	})
}

func TestTallyThatCannotHoldASumStaysAsItWas(t *testing.T) {
	full := metric.Tally{Good: math.MaxUint64 - 3, Bad: 3}
	for _, more := range []metric.Tally{{Good: 1}, {Bad: 1}, {Unknown: 1}, {Excluded: 1}, {ExcludedUnknown: 1}, {MaybeExcluded: 1}} {
		sum := full
		require.ErrorIs(t, sum.Add(more), opsec.ErrInvalid)
		require.Equal(t, full, sum)
		r := metric.Result{Raw: metric.Tally{Good: 7}, Counted: full}
		require.ErrorIs(t, r.Add(metric.Result{Raw: metric.Tally{Good: 1}, Counted: more}), opsec.ErrInvalid)
		require.Equal(t, metric.Result{Raw: metric.Tally{Good: 7}, Counted: full}, r)
		r = metric.Result{Raw: full, Counted: metric.Tally{Good: 7}}
		require.ErrorIs(t, r.Add(metric.Result{Raw: more}), opsec.ErrInvalid)
	}
	sum := metric.Tally{Blur: math.MaxUint64}
	require.ErrorIs(t, sum.Add(metric.Tally{Blur: 1}), opsec.ErrInvalid)
	sum = metric.Tally{Good: math.MaxUint64 - 1}
	require.NoError(t, sum.Add(metric.Tally{Good: 1}))
	require.Equal(t, metric.Tally{Good: math.MaxUint64}, sum)
	forged := metric.Tally{Good: math.MaxUint64, Bad: math.MaxUint64, Unknown: 9, Blur: 9} // from a report of another party
	g := forged.Range()
	require.LessOrEqual(t, g.Low.Cmp(g.High), 0)
	require.LessOrEqual(t, g.High.Cmp(ratio.One()), 0)
}

func TestNothingThatCountsIsAllGood(t *testing.T) {
	for _, nothing := range []metric.Tally{{}, {Excluded: 5}, {ExcludedUnknown: 5}} {
		g := nothing.Range()
		require.Zero(t, g.Low.Cmp(ratio.One()), "%v", nothing)
		require.Zero(t, g.High.Cmp(ratio.One()), "%v", nothing)
	}
	for _, c := range []struct {
		inputs []metric.Input
		want   ratio.Verdict
	}{{nil, ratio.Undecided}, {[]metric.Input{{}}, ratio.Undecided}, {[]metric.Input{{Deployed: timeline.Line{}}}, ratio.Met}} {
		_, f, err := metric.Objective{Method: metric.Time, Target: ratio.One()}.Judge(slices.Values(c.inputs), timeline.Span{End: day})
		require.NoError(t, err)
		require.Equal(t, c.want, f.Verdict, "%v", c.inputs)
		require.Zero(t, f.Availability.High.Cmp(ratio.One()))
	}
	require.Equal(t, metric.Budget{All: 5, Used: 1, Open: 5}, metric.Tally{Bad: 1, Unknown: 2, MaybeExcluded: 3, Good: 4, Excluded: 7, ExcludedUnknown: 8}.Budget(parse(t, "1/2")))
	g := metric.Tally{Unknown: 5}.Range()
	require.Zero(t, g.Low.Cmp(ratio.Ratio{}))
	require.Zero(t, g.High.Cmp(ratio.One()))
}

func TestEvidenceThatIsNotInOrderIsRefused(t *testing.T) {
	slice := metric.Duration(time.Minute)
	p := timeline.Span{Start: begin, End: begin + day}
	odd := []timeline.Line{
		{{Start: begin + 5, End: begin + 5}},
		{{Start: begin + 5, End: begin + 4}},
		{{Start: begin + 5, End: begin + 9}, {Start: begin + 8, End: begin + 12}},
		{{Start: begin + 50, End: begin + 90}, {Start: begin + 8, End: begin + 12}},
		{{Start: begin + 5, End: begin + 9}, {Start: begin + 5, End: begin + 9}},
	}
	for _, l := range odd {
		for _, in := range []metric.Input{
			{States: metric.States{Up: l}}, {States: metric.States{Down: l}}, {States: metric.States{Degraded: l}}, {Excluded: l}, {Deployed: l},
		} {
			for _, o := range []metric.Objective{{Method: metric.Time}, {Method: metric.Slices, Slice: slice}} {
				_, err := o.Measure(in, p)
				var f *metric.Fault
				require.ErrorAs(t, err, &f, "%v", l)
				require.ErrorIs(t, err, opsec.ErrInvalid)
			}
		}
	}
	// What is outside the period must be in order too, or what is inside might not be found.
	for _, l := range []timeline.Line{
		{{Start: begin + 2*day, End: begin + 3*day}, {Start: begin, End: begin + 5}},
		{{Start: begin - 50, End: begin - 40}, {Start: begin + 5, End: begin + 9}, {Start: begin - 30, End: begin - 20},
			{Start: begin - 10, End: begin - 5}, {Start: begin - 4, End: begin - 3}},
	} {
		_, err := metric.Objective{Method: metric.Time}.Measure(metric.Input{States: metric.States{Down: l}}, p)
		var f *metric.Fault
		require.ErrorAs(t, err, &f, "%v", l)
		require.Regexp(t, `^states\.down\[[12]\]$`, f.Path)
	}
	touching := timeline.Line{{Start: begin, End: begin + 5}, {Start: begin + 5, End: begin + day}}
	r, err := metric.Objective{Method: metric.Time}.Measure(metric.Input{States: metric.States{Up: touching}}, p)
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Good: day}, r.Counted)

	for _, o := range []metric.Objective{
		{Method: metric.Requests}, {Method: metric.MeanRate, Slice: slice}, {Method: metric.Slices, Slice: slice, Good: ratio.One()},
	} {
		for _, counts := range [][]metric.Count{
			{{Start: begin, Good: 2, Total: 1}},
			{{Start: begin + minute, Total: 1}, {Start: begin, Total: 1}},
			{{Start: begin + 2*day, Total: 1}, {Start: begin, Total: 1}},
			{{Start: begin - 9, Total: 1}, {Start: begin, Total: 1}, {Start: begin - 8, Total: 1}, {Start: begin - 7, Total: 1}, {Start: begin - 6, Total: 1}},
			{{Start: begin, Total: math.MaxUint64}, {Start: begin, Total: 1}},
		} {
			_, err := o.Measure(metric.Input{Counts: counts}, p)
			require.ErrorIs(t, err, opsec.ErrInvalid, "%s %v", o.Method, counts)
		}
	}
}

func TestObjectiveThatCannotBeMeasuredIsRefused(t *testing.T) {
	p := timeline.Span{Start: begin, End: begin + day}
	for _, o := range []metric.Objective{
		{}, {Method: "uptime"}, {Method: metric.Slices}, {Method: metric.MeanRate}, {Method: metric.Slices, Slice: -1},
		{Method: metric.Slices, Slice: 999}, {Method: metric.Requests, Slice: -1}, {Method: metric.Requests, Slice: 999},
		{Method: metric.MeanRate, Slice: 1_500_000}, {Method: metric.Slices, Slice: -metric.Duration(time.Minute)},
	} {
		_, err := o.Measure(metric.Input{}, p)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%+v", o)
	}
	for _, p := range []timeline.Span{{}, {Start: 1}, {Start: begin, End: begin}, {Start: math.MinInt64, End: math.MaxInt64}, {End: 36525*day + 1}} {
		_, err := metric.Objective{Method: metric.Time}.Measure(metric.Input{}, p)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%v", p)
	}
	for slices, ok := range map[int64]bool{1<<35 - 1: true, 1 << 35: false, 36525 * day: false} {
		r, err := metric.Objective{Method: metric.MeanRate, Slice: metric.Duration(time.Millisecond)}.Measure(metric.Input{}, timeline.Span{End: slices})
		if !ok {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, metric.Tally{Unknown: uint64(slices) * metric.SliceUnits}, r.Raw)
	}
	century := timeline.Span{Start: begin, End: begin + 36525*day}
	r, err := metric.Objective{Method: metric.Time}.Measure(metric.Input{}, century)
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Unknown: 36525 * day}, r.Raw)
	x, err := metric.Expose(nil, 0, century)
	require.NoError(t, err)
	require.Equal(t, uint64(36525*day), x.None)
	r, err = metric.Objective{Method: metric.Time}.Measure(metric.Input{}, timeline.Span{Start: math.MaxInt64 - 5, End: math.MaxInt64})
	require.NoError(t, err)
	require.Equal(t, uint64(5), r.Raw.Unknown)
	far := metric.Input{States: metric.States{Up: timeline.Line{{Start: math.MinInt64, End: math.MaxInt64}}}}
	r, err = metric.Objective{Method: metric.Time}.Measure(far, timeline.Span{Start: math.MinInt64, End: math.MinInt64 + day})
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Good: day}, r.Raw)
}

func TestPeriodIsHalfOpen(t *testing.T) {
	p := timeline.Span{Start: begin, End: begin + 10*minute}
	var counts []metric.Count
	for _, at := range []int64{begin - 1, begin, begin + 10*minute - 1, begin + 10*minute} {
		counts = append(counts, metric.Count{Start: at, Good: 1, Total: 1})
	}
	r, err := metric.Objective{Method: metric.Requests}.Measure(metric.Input{Counts: counts}, p)
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Good: 2}, r.Raw)
	r, err = metric.Objective{Method: metric.MeanRate, Slice: metric.Duration(time.Minute)}.Measure(metric.Input{Counts: counts}, p)
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Good: 2 * metric.SliceUnits, Unknown: 8 * metric.SliceUnits}, r.Raw)
	l := timeline.Line{{Start: begin - 5, End: begin}, {Start: begin + 10*minute, End: begin + 11*minute}}
	r, err = metric.Objective{Method: metric.Time}.Measure(metric.Input{States: metric.States{Up: l}}, p)
	require.NoError(t, err)
	require.Equal(t, metric.Tally{Unknown: 10 * minute}, r.Raw)
}

// TestOutsideServiceHoursNothingCounts is of a service that was promised from the second minute until before the fifth.
func TestOutsideServiceHoursNothingCounts(t *testing.T) {
	p := timeline.Span{Start: begin, End: begin + 6*minute}
	in := metric.Input{Deployed: timeline.Line{{Start: begin + minute, End: begin + 4*minute}}}
	for i, good := range []uint64{0, 10, 10, 5, 0, 0} {
		in.Counts = append(in.Counts, metric.Count{Start: begin + int64(i)*minute, Good: good, Total: 10})
	}
	slice := metric.Duration(time.Minute)
	for name, c := range map[string]struct {
		o    metric.Objective
		want metric.Tally
	}{
		"requests":            {metric.Objective{Method: metric.Requests}, metric.Tally{Good: 25, Bad: 5}},
		"requests of minutes": {metric.Objective{Method: metric.Requests, Slice: slice}, metric.Tally{Good: 25, Bad: 5}},
		"requests, longer":    {metric.Objective{Method: metric.Requests, Slice: 2 * slice}, metric.Tally{Good: 25, Bad: 15}}, // the first goes on into it
		"minutes":             {metric.Objective{Method: metric.Slices, Slice: slice, Good: ratio.One()}, metric.Tally{Good: 2, Bad: 1}},
		"rates":               {metric.Objective{Method: metric.MeanRate, Slice: slice}, metric.Tally{Good: 5 * metric.SliceUnits / 2, Bad: metric.SliceUnits / 2}},
		"rates, longer":       {metric.Objective{Method: metric.MeanRate, Slice: 2 * slice}, metric.Tally{Good: 5 * metric.SliceUnits / 4, Bad: 3 * metric.SliceUnits / 4}},
	} {
		r, err := c.o.Measure(in, p)
		require.NoError(t, err)
		require.Equal(t, c.want, r.Raw, name)
	}
	in.Deployed = in.Deployed.Within(timeline.Span{Start: begin + 5*minute, End: begin + 6*minute}) // none of it
	r, err := metric.Objective{Method: metric.Requests}.Measure(in, p)
	require.NoError(t, err)
	require.Equal(t, metric.Result{}, r)
}

// TestRatesOfAMillionResourcesAddUp is of a month of five-minute slices each, and of minutes.
func TestRatesOfAMillionResourcesAddUp(t *testing.T) {
	for _, slices := range []uint64{31 * 288, 31 * 1440} {
		one := metric.Result{Raw: metric.Tally{Good: slices*metric.SliceUnits - 1, Bad: 1, Blur: slices}}
		one.Counted = one.Raw
		var sum metric.Result
		for range 1_000_000 {
			if err := sum.Add(one); err != nil {
				t.Fatal(err)
			}
		}
		require.Equal(t, ratio.Met, sum.Figure(parse(t, "99.999999%")).Verdict)
	}
}
