package timeline_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla/timeline"
)

type (
	Span = timeline.Span
	Line = timeline.Line
)

func TestUnion(t *testing.T) {
	const low, high = math.MinInt64, math.MaxInt64
	for name, c := range map[string]struct {
		list []Span
		want Line
	}{
		"none":                 {nil, Line{}},
		"none at all":          {[]Span{}, Line{}},
		"empty ones":           {[]Span{{5, 5}, {9, 3}}, Line{}},
		"one":                  {[]Span{{1, 2}}, Line{{1, 2}}},
		"touching":             {[]Span{{1, 2}, {2, 3}}, Line{{1, 3}}},
		"a gap of 1 ms":        {[]Span{{1, 2}, {3, 4}}, Line{{1, 2}, {3, 4}}},
		"within":               {[]Span{{1, 9}, {2, 3}, {8, 10}}, Line{{1, 10}}},
		"the same twice":       {[]Span{{1, 2}, {1, 2}}, Line{{1, 2}}},
		"the longer last":      {[]Span{{1, 2}, {1, 5}, {4, 6}}, Line{{1, 6}}},
		"backwards":            {[]Span{{7, 8}, {4, 5}, {1, 2}}, Line{{1, 2}, {4, 5}, {7, 8}}},
		"reversed are nothing": {[]Span{{1, 2}, {100, 50}, {60, 61}}, Line{{1, 2}, {60, 61}}},
		"reversed first":       {[]Span{{100, 50}, {1, 2}}, Line{{1, 2}}},
		"reversed at the ends": {[]Span{{high, low}, {1, 2}, {low, low}}, Line{{1, 2}}},
		"all of time":          {[]Span{{0, high}, {low, 0}}, Line{{low, high}}},
		"the ends of time":     {[]Span{{high - 1, high}, {low, low + 1}}, Line{{low, low + 1}, {high - 1, high}}},
		"late and before":      {[]Span{{5, 6}, {7, 8}, {5, 7}}, Line{{5, 8}}},
	} {
		got := timeline.Union(slices.Clone(c.list))
		require.Equal(t, c.want, got, name)
		slices.Reverse(c.list)
		require.Equal(t, c.want, timeline.Union(c.list), name)
	}
	require.Equal(t, uint64(math.MaxUint64), timeline.Union([]Span{{low, high}}).Length())
}

const day = 120 // of the small world in which every moment is looked at

// moments is a line as the moments that are in it.
type moments [day]bool

func of(list []Span) (m moments) {
	for _, s := range list {
		for i := max(s.Start, 0); i < min(s.End, day); i++ {
			m[i] = true
		}
	}
	return m
}

func (m moments) line() Line {
	out := Line{}
	for i, in := range m {
		if in && (i == 0 || !m[i-1]) {
			out = append(out, Span{int64(i), int64(i)})
		}
		if in {
			out[len(out)-1].End = int64(i + 1)
		}
	}
	return out
}

func (m moments) with(o moments, op func(a, b bool) bool) Line {
	for i := range m {
		m[i] = op(m[i], o[i])
	}
	return m.line()
}

var spans = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
	at := rapid.Int64Range(0, day).Draw(t, "start")
	return Span{at, min(at+rapid.Int64Range(-3, 12).Draw(t, "length"), day)}
}), 0, 40)

func TestLinesAreAsAllTheirMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := spans.Draw(t, "a"), spans.Draw(t, "b")
		ma, mb := of(a), of(b)
		la, lb := timeline.Union(slices.Clone(a)), timeline.Union(slices.Clone(b))
		equal := func(want, got Line) { t.Helper(); require.Equal(t, want, got) }
		equal(ma.line(), la)
		equal(ma.with(mb, func(a, b bool) bool { return a && b }), la.And(lb))
		equal(ma.with(mb, func(a, b bool) bool { return a || b }), la.Or(lb))
		equal(ma.with(mb, func(a, b bool) bool { return a && !b }), la.Without(lb))
		s := Span{rapid.Int64Range(-5, day+5).Draw(t, "from"), rapid.Int64Range(-5, day+5).Draw(t, "to")}
		equal(ma.with(of([]Span{s}), func(a, b bool) bool { return a && b }), la.Within(s))
		equal(ma.line(), la)
		equal(mb.line(), lb)
		n := uint64(0)
		for i, in := range ma {
			require.Equal(t, in, la.Has(int64(i)))
			if in {
				n++
			}
		}
		require.Equal(t, n, la.Length())
		require.False(t, la.Has(-1) || la.Has(day))
	})
}

func TestLinesAreNotChanged(t *testing.T) {
	l := Line{{1, 5}, {7, 9}}
	part := l.Within(Span{2, 8})
	require.Equal(t, Line{{2, 5}, {7, 8}}, part)
	for _, none := range []Span{{2, 2}, {4, 2}, {8, 2}, {5, 7}, {9, 1 << 40}, {math.MaxInt64, math.MinInt64}} {
		require.Equal(t, Line{}, l.Within(none), "%v", none)
	}
	_ = append(l.Within(Span{0, 3}), Span{100, 101})
	_ = l.Or(Line{{5, 7}})
	require.Equal(t, Line{{1, 5}, {7, 9}}, l)
	require.Equal(t, Line{{1, 9}}, Line{{7, 9}, {1, 5}}.Or(Line{{5, 7}}), "what is not in order is put in order")
}
