package metric_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// moment is what is known of a millisecond.
type moment struct {
	state    byte // 'g', 'd' for degraded, 'b', 'u'
	excluded bool
	there    bool
}

// begin is when the periods of these tests begin: 2026-03-01.
const begin = 1_772_323_200_000

// world is one of the ways in which things may have been: no moment is unknown in it.
func worlds(list []moment, yield func([]moment)) {
	w := append([]moment(nil), list...)
	var unknown []int
	for i, m := range w {
		if m.state == 'u' && m.there {
			unknown = append(unknown, i)
		}
	}
	for bits := range 1 << len(unknown) {
		for k, i := range unknown {
			w[i].state = "gb"[bits>>k&1]
		}
		yield(w)
	}
}

// plainly reckons a world as a contract would, one millisecond after the other.
func plainly(o metric.Objective, w []moment, exclude bool) *big.Rat {
	bad := func(m moment) bool { return m.state == 'b' || m.state == 'd' && o.Degraded != metric.DegradedUp }
	var good, lost int64
	if o.Method == metric.Time {
		for _, m := range w {
			switch {
			case !m.there:
			case !bad(m):
				good++
			case !exclude || !m.excluded:
				lost++
			}
		}
		return share(good, lost)
	}
	type slice struct{ bad, out bool }
	var list []slice
	size := int(time.Duration(o.Slice).Milliseconds())
	for len(w) > 0 {
		cut := w[:min(size, len(w))]
		w = w[len(cut):]
		var there, badOnes, excluded, badExcluded int
		for _, m := range cut {
			if !m.there {
				continue
			}
			there++
			if bad(m) {
				badOnes++
			}
			if m.excluded {
				excluded++
				if bad(m) {
					badExcluded++
				}
			}
		}
		switch {
		case there == 0:
		case o.Partial == metric.PartialGood:
			list = append(list, slice{badOnes == there, exclude && excluded == there})
		default:
			list = append(list, slice{badOnes > 0, exclude && badExcluded == badOnes})
		}
	}
	for i := 0; i < len(list); {
		if !list[i].bad {
			good++
			i++
			continue
		}
		j := i
		for j < len(list) && list[j].bad {
			j++
		}
		for ; i < j; i++ {
			switch {
			case runOf(list, i, func(s slice) bool { return s.bad }) < o.Run:
				good++
			case !list[i].out:
				lost++
			}
		}
	}
	return share(good, lost)
}

func runOf[T any](list []T, i int, in func(T) bool) (n int) {
	for i > 0 && in(list[i-1]) {
		i--
	}
	for ; i < len(list) && in(list[i]); i++ {
		n++
	}
	return n
}

func share(good, lost int64) *big.Rat {
	if good+lost == 0 {
		return big.NewRat(1, 1)
	}
	return big.NewRat(good, good+lost)
}

// line gathers the milliseconds that are in a set.
func line(list []moment, in func(moment) bool) timeline.Line {
	var out timeline.Line
	for i, m := range list {
		at := int64(begin + i)
		switch {
		case !in(m):
		case len(out) > 0 && out[len(out)-1].End == at:
			out[len(out)-1].End++
		default:
			out = append(out, timeline.Span{Start: at, End: at + 1})
		}
	}
	return out
}

func input(list []moment) metric.Input {
	state := func(s byte) timeline.Line { return line(list, func(m moment) bool { return m.state == s }) }
	in := metric.Input{
		States:   metric.States{Up: state('g'), Degraded: state('d'), Down: state('b')},
		Excluded: line(list, func(m moment) bool { return m.excluded }),
		Deployed: line(list, func(m moment) bool { return m.there }),
	}
	if in.Deployed == nil {
		in.Deployed = timeline.Line{}
	}
	return in
}

func period(n int) timeline.Span { return timeline.Span{Start: begin, End: begin + int64(n)} }

// moments draws a period of up to 24 ms, of which at most 9 are unknown, and what is alike tends to be together.
func moments(t *rapid.T) []moment {
	var list []moment
	unknown := 0
	for n := rapid.IntRange(1, 24).Draw(t, "n"); len(list) < n; {
		m := moment{
			state:    rapid.SampledFrom([]byte("gggbbdu")).Draw(t, "state"),
			excluded: rapid.IntRange(0, 2).Draw(t, "excluded") == 0,
			there:    rapid.IntRange(0, 5).Draw(t, "absent") != 0,
		}
		for range rapid.IntRange(1, 6).Draw(t, "length") {
			if m.state == 'u' {
				if unknown++; unknown > 9 {
					m.state = 'g'
				}
			}
			list = append(list, m)
		}
	}
	return list
}

func objective(t *rapid.T) metric.Objective {
	o := metric.Objective{
		Method:   rapid.SampledFrom([]metric.Method{metric.Time, metric.Slices}).Draw(t, "method"),
		Degraded: rapid.SampledFrom([]metric.Degraded{"", metric.DegradedUp}).Draw(t, "degraded"),
	}
	if o.Method == metric.Slices {
		o.Slice = metric.Duration(rapid.IntRange(1, 5).Draw(t, "slice")) * metric.Duration(time.Millisecond)
		o.Run = rapid.IntRange(0, 4).Draw(t, "run")
		o.Partial = rapid.SampledFrom([]metric.Partial{"", metric.PartialGood}).Draw(t, "partial")
	}
	return o
}

func measure(t require.TestingT, o metric.Objective, list []moment) metric.Result {
	r, err := o.Measure(input(list), period(len(list)))
	require.NoError(t, err)
	return r
}

// TestBoundsAreThoseOfAllWorlds tries every way in which the unknown may have been, and reckons it plainly.
func TestBoundsAreThoseOfAllWorlds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, list := objective(t), moments(t)
		r := measure(t, o, list)
		for _, exclude := range []bool{false, true} {
			var low, high *big.Rat
			worlds(list, func(w []moment) {
				got := plainly(o, w, exclude)
				if low == nil || got.Cmp(low) < 0 {
					low = got
				}
				if high == nil || got.Cmp(high) > 0 {
					high = got
				}
			})
			of := r.Raw
			if exclude {
				of = r.Counted
			}
			g := of.Range()
			require.Zero(t, g.Low.Rat().Cmp(low), "low %v, want %v", g.Low, low)
			require.Zero(t, g.High.Rat().Cmp(high), "high %v, want %v", g.High, high)
		}
	})
}

// wider requires that one range is within another.
func wider(t require.TestingT, inner, outer ratio.Range) {
	require.LessOrEqual(t, outer.Low.Cmp(inner.Low), 0, "low %v, before %v", outer.Low, inner.Low)
	require.GreaterOrEqual(t, outer.High.Cmp(inner.High), 0, "high %v, before %v", outer.High, inner.High)
}

func TestLessEvidenceWidensTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, list := objective(t), moments(t)
		before := measure(t, o, list)
		for i := range list {
			if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
				list[i].state = 'u'
			}
		}
		after := measure(t, o, list)
		wider(t, before.Raw.Range(), after.Raw.Range())
		wider(t, before.Counted.Range(), after.Counted.Range())
	})
}

func TestExclusionNeverLowersAvailability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, list := objective(t), moments(t)
		before := measure(t, o, list)
		for i := range list {
			if rapid.IntRange(0, 3).Draw(t, "more") == 0 {
				list[i].excluded = true
			}
		}
		after := measure(t, o, list)
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

func TestTimeOfPartsAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, list := objective(t), moments(t)
		step := 1
		if o.Method == metric.Slices {
			o.Run, step = 0, int(time.Duration(o.Slice).Milliseconds())
		}
		at := rapid.IntRange(0, (len(list)-1)/step).Draw(t, "cut") * step
		whole := measure(t, o, list)
		var sum metric.Result
		for _, p := range []timeline.Span{{Start: begin, End: begin + int64(at)}, {Start: begin + int64(at), End: begin + int64(len(list))}} {
			if p.Start < p.End {
				one, err := o.Measure(input(list), p)
				require.NoError(t, err)
				require.NoError(t, sum.Add(one))
			}
		}
		require.Equal(t, whole, sum)
	})
}
