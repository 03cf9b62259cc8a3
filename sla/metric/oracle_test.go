package metric_test

import (
	"math"
	"math/big"
	"strings"
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
	return share(tell(o, w, exclude))
}

// tell counts what is good in a world, and what is bad.
func tell(o metric.Objective, w []moment, exclude bool) (good, lost int64) {
	bad := func(m moment) bool { return m.state == 'b' || m.state == 'd' && o.Degraded != metric.DegradedUp }
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
		return good, lost
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
	return good, lost
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

// noisy is the same evidence as others may bring it: a better state where a worse one holds, spans in pieces that touch, and
// what is outside the period.
func noisy(t *rapid.T, list []moment) metric.Input {
	better := func(worse string, share int) timeline.Line {
		return line(list, func(m moment) bool {
			return strings.IndexByte(worse, m.state) >= 0 && rapid.IntRange(0, share).Draw(t, "too") == 0
		})
	}
	plain := input(list)
	in := metric.Input{
		States: metric.States{
			Up: plain.States.Up.Or(better("db", 2)), Degraded: plain.States.Degraded.Or(better("b", 2)), Down: plain.States.Down,
		},
		Excluded: plain.Excluded, Deployed: plain.Deployed,
	}
	for _, l := range []*timeline.Line{&in.States.Up, &in.States.Degraded, &in.States.Down, &in.Excluded, &in.Deployed} {
		all := append(timeline.Line{{Start: begin - 9, End: begin - 7}, {Start: begin - 3, End: begin}}, *l...)
		all = append(all, timeline.Span{Start: begin + int64(len(list)), End: math.MaxInt64})
		if rapid.Bool().Draw(t, "outside") {
			*l = all
		}
		var pieces timeline.Line
		for _, s := range *l {
			if cut := rapid.Int64Range(-4, 6).Draw(t, "cut"); 0 < cut && cut < s.End-s.Start {
				pieces = append(pieces, timeline.Span{Start: s.Start, End: s.Start + cut})
				s.Start += cut
			}
			pieces = append(pieces, s)
		}
		if pieces != nil {
			*l = pieces
		}
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
		r, err := o.Measure(noisy(t, list), period(len(list)))
		require.NoError(t, err)
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

// TestResourcesAddUp tries all ways in which two resources may have been.
func TestResourcesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := objective(t)
		var sum metric.Result
		var pairs [2][][2]int64 // of the worlds of each resource, what is good and what is bad
		exclude := rapid.Bool().Draw(t, "exclude")
		for i := range pairs {
			list := moments(t)
			require.NoError(t, sum.Add(measure(t, o, list)))
			seen := map[[2]int64]bool{}
			worlds(list, func(w []moment) {
				good, lost := tell(o, w, exclude)
				if pair := [2]int64{good, lost}; !seen[pair] {
					seen[pair], pairs[i] = true, append(pairs[i], pair)
				}
			})
		}
		low, high := big.NewRat(1, 1), new(big.Rat)
		for _, a := range pairs[0] {
			for _, b := range pairs[1] {
				got := share(a[0]+b[0], a[1]+b[1])
				if got.Cmp(low) < 0 {
					low = got
				}
				if got.Cmp(high) > 0 {
					high = got
				}
			}
		}
		g := sum.Raw.Range()
		if exclude {
			g = sum.Counted.Range()
		}
		require.Zero(t, g.Low.Rat().Cmp(low), "low %v, want %v", g.Low, low)
		require.Zero(t, g.High.Rat().Cmp(high), "high %v, want %v", g.High, high)
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
