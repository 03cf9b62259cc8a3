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

// served is what came in a slice.
type served struct {
	good, total     uint64
	there, excluded bool
}

// traffic draws up to 8 slices, of which the last may be shorter, and counts that start anywhere in them or outside.
func traffic(t *rapid.T) (size int, list []moment, counts []metric.Count) {
	size = rapid.IntRange(1, 4).Draw(t, "size")
	list = moments(t)
	list = list[:min(len(list), 8*size)]
	for at := -3; at < len(list)+3; at += rapid.SampledFrom([]int{0, 1, 1, 2, 3, 4, 9}).Draw(t, "gap") {
		total := rapid.Uint64Range(0, 12).Draw(t, "total")
		counts = append(counts, metric.Count{Start: begin + int64(at), Total: total, Good: rapid.Uint64Range(0, total).Draw(t, "good")})
		if rapid.IntRange(0, 9).Draw(t, "end") == 0 {
			break
		}
	}
	return size, list, counts
}

// stretch is what is so of the milliseconds from one on: a resource was there at some, and all at which it was are excluded.
func stretch(list []moment, from, size int) (s served) {
	s.excluded = true
	for _, m := range list[from:min(from+size, len(list))] {
		s.there = s.there || m.there
		s.excluded = s.excluded && (m.excluded || !m.there)
	}
	return s
}

// cut deals counts out to the slices in which they start.
func cut(size int, list []moment, counts []metric.Count) (out []served) {
	for from := 0; from < len(list); from += size {
		s := stretch(list, from, size)
		for _, c := range counts {
			if at := int(c.Start - begin); at >= from && at < min(from+size, len(list)) {
				s.good, s.total = s.good+c.Good, s.total+c.Total
			}
		}
		out = append(out, s)
	}
	return out
}

// rate is that of a slice in a world.
type rate struct {
	of       *big.Rat
	excluded bool
}

// plainRates reckons what slices are in a world: the rates of those of which nothing is known are as given.
func plainRates(o metric.Objective, list []served, unknown []*big.Rat) (out []rate) {
	for _, s := range list {
		r := rate{excluded: s.excluded}
		switch {
		case !s.there:
			continue
		case s.total >= max(o.Least, 1):
			r.of = new(big.Rat).SetFrac64(int64(s.good), int64(s.total))
		case o.Empty == metric.EmptySkip:
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

// rated draws an objective that is judged by the rates of slices.
func rated(t *rapid.T, size int) metric.Objective {
	o := metric.Objective{
		Method: rapid.SampledFrom([]metric.Method{metric.Slices, metric.MeanRate}).Draw(t, "method"),
		Slice:  metric.Duration(time.Duration(size) * time.Millisecond),
		Empty:  rapid.SampledFrom([]metric.Empty{"", metric.EmptyGood, metric.EmptySkip}).Draw(t, "empty"),
		Least:  rapid.Uint64Range(0, 3).Draw(t, "least"),
	}
	if o.Method == metric.Slices {
		o.Run = rapid.IntRange(0, 3).Draw(t, "run")
		o.Good = rapid.SampledFrom([]ratio.Ratio{parse(t, "1/2"), parse(t, "2/3"), ratio.One()}).Draw(t, "good")
	}
	return o
}

// TestRatesAreThoseOfAllWorlds has every slice of which nothing is known be at its worst or best.
func TestRatesAreThoseOfAllWorlds(t *testing.T) {
	decided := map[ratio.Verdict]int{}
	blurred := 0
	rapid.Check(t, func(t *rapid.T) {
		size, moments, counts := traffic(t)
		o := rated(t, size)
		in, p := noisy(t, moments), period(len(moments))
		in.Counts = counts
		list := cut(size, moments, counts)
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
		size, list, counts := traffic(t)
		o := metric.Objective{Method: metric.Requests, Slice: metric.Duration(time.Duration(size) * time.Millisecond)}
		if rapid.Bool().Draw(t, "no slice") {
			o.Slice, size = 0, 1
		}
		in, p := noisy(t, list), period(len(list))
		in.Counts = counts
		r, err := o.Measure(in, p)
		require.NoError(t, err)
		var want metric.Result
		for _, c := range counts {
			if c.Start < p.Start || c.Start >= p.End {
				continue
			}
			s := stretch(list, int(c.Start-begin), size)
			switch {
			case !s.there:
				continue
			case s.excluded:
				want.Counted.Excluded += c.Total - c.Good
			default:
				want.Counted.Bad += c.Total - c.Good
			}
			want.Raw.Good += c.Good
			want.Raw.Bad += c.Total - c.Good
			want.Counted.Good += c.Good
		}
		if s := stretch(list, 0, len(list)); s.there && want.Raw.Good+want.Raw.Bad == 0 {
			want.Raw.Unknown = 1
			if s.excluded {
				want.Counted.ExcludedUnknown = 1
			} else {
				want.Counted.Unknown = 1
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

// TestExclusionNeverLowersRates is as [TestExclusionNeverLowersAvailability], by requests.
func TestExclusionNeverLowersRates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, list, counts := traffic(t)
		o := rated(t, size)
		if rapid.IntRange(0, 2).Draw(t, "requests") == 0 {
			o = metric.Objective{Method: metric.Requests, Slice: o.Slice}
		}
		of := func() metric.Result {
			in := input(list)
			in.Counts = counts
			r, err := o.Measure(in, period(len(list)))
			require.NoError(t, err)
			return r
		}
		before := of()
		for i := range list {
			list[i].excluded = list[i].excluded || rapid.Bool().Draw(t, "more")
		}
		after := of()
		require.Equal(t, before.Raw, after.Raw)
		for _, pair := range [][2]ratio.Range{
			{before.Raw.Range(), before.Counted.Range()},
			{before.Counted.Range(), after.Counted.Range()},
		} {
			require.GreaterOrEqual(t, pair[1].Low.Cmp(pair[0].Low), 0)
			require.GreaterOrEqual(t, pair[1].High.Cmp(pair[0].High), 0)
		}
	})
}

// TestSlicesWithoutCountsWidenTheBounds loses all counts of some slices.
func TestSlicesWithoutCountsWidenTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, list, counts := traffic(t)
		o := rated(t, size)
		o.Empty = metric.EmptyUnknown
		in := input(list)
		in.Counts = counts
		before, err := o.Measure(in, period(len(list)))
		require.NoError(t, err)
		lost := rapid.SliceOfN(rapid.Bool(), 8, 8).Draw(t, "lost")
		in.Counts = nil
		for _, c := range counts {
			if at := int(c.Start - begin); at < 0 || at >= len(list) || !lost[at/size] {
				in.Counts = append(in.Counts, c)
			}
		}
		after, err := o.Measure(in, period(len(list)))
		require.NoError(t, err)
		wider(t, before.Raw.Range(), after.Raw.Range())
		wider(t, before.Counted.Range(), after.Counted.Range())
	})
}

// TestThirdsAreExact has a slice with a rate that no number of bits holds, and one of which nothing is known: what is decided
// depends on whether it is excluded.
func TestThirdsAreExact(t *testing.T) {
	p := timeline.Span{Start: begin, End: begin + 2*minute}
	in := metric.Input{Counts: []metric.Count{{Start: begin, Good: 1, Total: 3}}}
	out := in
	out.Excluded = timeline.Line{{Start: begin + minute, End: begin + 2*minute}}
	for _, c := range []struct {
		in     metric.Input
		target string
		empty  metric.Empty
		want   ratio.Verdict
	}{
		{in, "1/6", "", ratio.Met}, {in, "1/3", "", ratio.Undecided}, {in, "2/3", "", ratio.Undecided}, {in, "6666667/10000000", "", ratio.Breach},
		{out, "1/3", "", ratio.Met}, {out, "3333334/10000000", "", ratio.Undecided}, {out, "2/3", "", ratio.Undecided}, {out, "6666667/10000000", "", ratio.Breach},
		{in, "1/3", metric.EmptySkip, ratio.Met}, {in, "3333334/10000000", metric.EmptySkip, ratio.Breach},
		{in, "2/3", metric.EmptyGood, ratio.Met}, {in, "6666667/10000000", metric.EmptyGood, ratio.Breach},
	} {
		o := metric.Objective{Method: metric.MeanRate, Slice: metric.Duration(time.Minute), Target: parse(t, c.target), Empty: c.empty}
		_, f, err := o.Judge(slices.Values([]metric.Input{c.in}), p)
		require.NoError(t, err)
		require.Equal(t, c.want, f.Verdict, "%+v", c)
	}
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
