package timeline_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla/timeline"
)

// TestUnionOfManyIsThePlainOne goes beside sorting by comparison, at the sizes at which the way to sort changes.
func TestUnionOfManyIsThePlainOne(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	starts := map[string]func(i, n int) int64{
		"a month":        func(int, int) int64 { return 1_772_323_200_000 + r.Int64N(31*86_400_000) },
		"a few moments":  func(int, int) int64 { return r.Int64N(5) },
		"one moment":     func(int, int) int64 { return 7 },
		"all of time":    func(int, int) int64 { return int64(r.Uint64()) },
		"both ends":      func(i, _ int) int64 { return []int64{math.MinInt64, math.MaxInt64 - 1, 0}[i%3] },
		"backwards":      func(i, n int) int64 { return int64(n-i) * 1000 },
		"one far off":    func(i, n int) int64 { return []int64{r.Int64N(1 << 20), 1 << 60}[i/(n-1)] },
		"late ones":      func(i, _ int) int64 { return int64(i)*1000 - []int64{0, 9_999}[i%97/96] },
		"two in a merge": func(i, n int) int64 { return int64(i%(n/2+1)) * 1000 },
		"dense":          func(_, n int) int64 { return r.Int64N(int64(n)) },
		"now and then":   func(i, _ int) int64 { return int64(i>>12%3) * int64(i) * 990 }, // all at once, or gaps at random
		"late, unevenly": func(i, n int) int64 { return int64(i)*1000 - int64(i/(n-1))*9_999 },
		"ever and again": func(i, _ int) int64 { return int64(i) * []int64{10, 1000, 100_000}[i>>11%3] },
	}
	for _, n := range []int{2, 23, 24, 25, 127, 128, 129, 5000, 1<<14 - 1, 1 << 14, 1<<14 + 1, 1 << 17} {
		for name, start := range starts {
			list := make([]Span, n)
			for i := range list {
				at := start(i, n)
				list[i] = Span{at, at + r.Int64N(2000) - 20} // some are empty, and some pass the end of time, and are so too
			}
			want := plain(slices.Clone(list))
			got := timeline.Union(list)
			require.True(t, slices.Equal(want, got), "%s %d", name, n)
		}
	}
}

func TestUnionOfAnyOrderIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Span {
			return Span{rapid.Int64().Draw(t, "start"), rapid.Int64().Draw(t, "end")}
		}), 0, 300).Draw(t, "spans")
		want := plain(slices.Clone(list))
		require.True(t, slices.Equal(want, timeline.Union(rapid.Permutation(list).Draw(t, "order"))))
		require.True(t, slices.Equal(want, timeline.Union(slices.Clone(want))), "once more changes nothing")
	})
}
