package metric_test

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// served is what came in a slice of 10 ms.
type served struct {
	counts      []metric.Count
	excluded    int // how many of its milliseconds, from its start
	good, total uint64
	there       bool
}

// traffic draws up to 8 slices.
func traffic(t *rapid.T) (list []served, in metric.Input, p timeline.Span) {
	in.Deployed = timeline.Line{}
	n := rapid.IntRange(1, 8).Draw(t, "slices")
	length := n * 10
	if rapid.Bool().Draw(t, "short") {
		length -= rapid.IntRange(1, 9).Draw(t, "by")
	}
	for i := range n {
		at := int64(begin + 10*i)
		s := served{there: rapid.IntRange(0, 4).Draw(t, "there") > 0}
		for range rapid.SampledFrom([]int{0, 1, 1, 1, 2}).Draw(t, "counts") {
			total := rapid.Uint64Range(0, 12).Draw(t, "total")
			c := metric.Count{Start: at, Total: total, Good: rapid.Uint64Range(0, total).Draw(t, "good")}
			s.counts = append(s.counts, c)
			s.good, s.total = s.good+c.Good, s.total+c.Total
		}
		s.excluded = rapid.SampledFrom([]int{0, 0, 5, 9, 10}).Draw(t, "excluded")
		if end := begin + int64(length); s.there {
			in.Deployed = timeline.Union(append(in.Deployed, timeline.Span{Start: at, End: at + 10}))
			in.Excluded = timeline.Union(append(in.Excluded, timeline.Span{Start: at, End: min(at+int64(s.excluded), end)}))
		} else {
			s.excluded = 0
		}
		if i == n-1 && at+int64(s.excluded) >= begin+int64(length) { // the last slice ends there
			s.excluded = 10
		}
		in.Counts = append(in.Counts, s.counts...)
		list = append(list, s)
	}
	return list, in, timeline.Span{Start: begin, End: begin + int64(length)}
}

// rate is that of a slice in a world.
type rate struct {
	of       *big.Rat
	excluded bool
}

// plainRates reckons what slices are in a world: the rates of those of which nothing is known are as given.
func plainRates(o metric.Objective, list []served, unknown []*big.Rat) (out []rate) {
	for _, s := range list {
		r := rate{excluded: s.excluded == 10}
		switch {
		case s.total >= max(o.Least, 1):
			r.of = new(big.Rat).SetFrac64(int64(s.good), int64(s.total))
		case !s.there && s.total == 0 || o.Empty == metric.EmptySkip:
			continue
		case o.Empty == metric.EmptyGood:
			r.of = big.NewRat(1, 1)
		default:
			r.of, unknown = unknown[0], unknown[1:]
		}
		out = append(out, r)
	}
	return out
}

// plainFigure reckons the mean of rates, of which the bad part of those that are excluded is left out; or, for slices, the
// share of those that are not bad in runs.
func plainFigure(o metric.Objective, list []rate, exclude bool) *big.Rat {
	good, of := new(big.Rat), new(big.Rat)
	bad := func(r rate) bool { return r.of.Cmp(o.Good.Rat()) < 0 }
	for i, r := range list {
		one := big.NewRat(1, 1)
		part := r.of
		if o.Method == metric.Slices {
			part = one
			if bad(r) && runOf(list, i, bad) >= o.Run {
				part = new(big.Rat)
			}
		}
		good.Add(good, part)
		if exclude && r.excluded {
			one = part
		}
		of.Add(of, one)
	}
	if of.Sign() == 0 {
		return big.NewRat(1, 1)
	}
	return good.Quo(good, of)
}

// TestRatesAreThoseOfAllWorlds has every slice of which nothing is known be at its worst or best.
func TestRatesAreThoseOfAllWorlds(t *testing.T) {
	decided := map[ratio.Verdict]int{}
	blurred := 0
	rapid.Check(t, func(t *rapid.T) {
		o := metric.Objective{
			Method: rapid.SampledFrom([]metric.Method{metric.Slices, metric.MeanRate}).Draw(t, "method"),
			Slice:  metric.Duration(10 * time.Millisecond),
			Empty:  rapid.SampledFrom([]metric.Empty{"", metric.EmptyGood, metric.EmptySkip}).Draw(t, "empty"),
			Least:  rapid.Uint64Range(0, 3).Draw(t, "least"),
		}
		if o.Method == metric.Slices {
			o.Run = rapid.IntRange(0, 3).Draw(t, "run")
			o.Good = rapid.SampledFrom([]ratio.Ratio{parse(t, "1/2"), parse(t, "2/3"), ratio.One()}).Draw(t, "good")
		}
		list, in, p := traffic(t)
		r, err := o.Measure(in, p)
		require.NoError(t, err)
		var bounds [2][2]*big.Rat
		for world := range 1 << len(list) {
			unknown := make([]*big.Rat, len(list))
			for i := range unknown {
				unknown[i] = big.NewRat(int64(world>>i&1), 1)
			}
			rates := plainRates(o, list, unknown)
			for i, exclude := range []bool{false, true} {
				got := plainFigure(o, rates, exclude)
				if b := &bounds[i]; b[0] == nil {
					b[0], b[1] = got, got
				} else if got.Cmp(b[0]) < 0 {
					b[0] = got
				} else if got.Cmp(b[1]) > 0 {
					b[1] = got
				}
			}
		}
		for i, of := range []metric.Tally{r.Raw, r.Counted} {
			g := of.Range()
			if of.Blur == 0 {
				require.Zero(t, g.Low.Rat().Cmp(bounds[i][0]), "low %v, want %v", g.Low, bounds[i][0])
				require.Zero(t, g.High.Rat().Cmp(bounds[i][1]), "high %v, want %v", g.High, bounds[i][1])
				continue
			}
			// Rounded outward, by no more than the blur.
			for _, pair := range [][2]*big.Rat{{g.Low.Rat(), bounds[i][0]}, {bounds[i][1], g.High.Rat()}} {
				off := new(big.Rat).Sub(pair[1], pair[0])
				require.GreaterOrEqual(t, off.Sign(), 0, "%v", pair)
				require.Negative(t, off.Cmp(big.NewRat(1, 1<<20)), "%v", pair)
			}
		}
		// The verdict at the figure itself is exact, and just above it too.
		for _, target := range []*big.Rat{bounds[1][0], bounds[1][1], new(big.Rat).Add(bounds[1][1], big.NewRat(1, 1<<40))} {
			if !target.Num().IsUint64() || !target.Denom().IsUint64() {
				continue
			}
			o.Target, err = ratio.New(target.Num().Uint64(), target.Denom().Uint64())
			require.NoError(t, err)
			want := ratio.Undecided
			if bounds[1][0].Cmp(target) >= 0 {
				want = ratio.Met
			} else if bounds[1][1].Cmp(target) < 0 {
				want = ratio.Breach
			}
			sum, f, err := o.Judge(slices.Values([]metric.Input{in}), p)
			require.NoError(t, err)
			require.Equal(t, r, sum)
			require.Equal(t, want, f.Verdict, "at %v of %v", target, bounds[1])
			decided[want]++
			if r.Blurred(o.Target) {
				require.Equal(t, ratio.Undecided, r.Figure(o.Target).Verdict)
				blurred++
			} else {
				require.Equal(t, want, r.Figure(o.Target).Verdict)
			}
		}
	})
	require.Len(t, decided, 3)
	require.Positive(t, blurred)
}

func TestRequestsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, in, p := traffic(t)
		o := metric.Objective{Method: metric.Requests, Slice: metric.Duration(10 * time.Millisecond)}
		r, err := o.Measure(in, p)
		require.NoError(t, err)
		var want metric.Result
		for _, s := range list {
			want.Raw.Good += s.good
			want.Raw.Bad += s.total - s.good
			want.Counted.Good += s.good
			if s.excluded == 10 {
				want.Counted.Excluded += s.total - s.good
			} else {
				want.Counted.Bad += s.total - s.good
			}
		}
		there, counted := in.Deployed.Length() > 0, in.Deployed.Within(p).Without(in.Excluded).Length() > 0
		if there && want.Raw.Good+want.Raw.Bad == 0 {
			want.Raw.Unknown = 1
			if counted {
				want.Counted.Unknown = 1
			} else {
				want.Counted.ExcludedUnknown = 1
			}
		}
		require.Equal(t, want, r)
		o.Empty = metric.EmptyGood
		want.Raw.Unknown, want.Counted.Unknown, want.Counted.ExcludedUnknown = 0, 0, 0
		r, err = o.Measure(in, p)
		require.NoError(t, err)
		require.Equal(t, want, r)
	})
}

// TestMeanOfManyDenominators is decided by fractions whose common denominator has thousands of digits.
func TestMeanOfManyDenominators(t *testing.T) {
	o := metric.Objective{Method: metric.MeanRate, Slice: metric.Duration(5 * time.Minute), Target: ratio.One()}
	p, err := metric.Window{Calendar: "month"}.Period("2026-03")
	require.NoError(t, err)
	// Two resources whose rates add up to 1 slice by slice: the mean of both is one half.
	var a, b []metric.Count
	for at := p.Start; at < p.End; at += 5 * minute {
		total := uint64(1_000_003 + (at-p.Start)/(5*minute))
		good := uint64(at/7) % (total + 1)
		a = append(a, metric.Count{Start: at, Good: good, Total: total})
		b = append(b, metric.Count{Start: at, Good: total - good, Total: total})
	}
	require.Len(t, a, 8928)
	inputs := slices.Values([]metric.Input{{Counts: a}, {Counts: b}})
	for target, want := range map[string]ratio.Verdict{"1/2": ratio.Met, "500000000000001/1000000000000000": ratio.Breach} {
		o.Target = parse(t, target)
		r, f, err := o.Judge(inputs, p)
		require.NoError(t, err)
		require.True(t, r.Blurred(o.Target))
		require.Equal(t, ratio.Undecided, r.Figure(o.Target).Verdict)
		require.Equal(t, want, f.Verdict)
	}
}
