package sketch_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/internal/sketch"
)

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func TestEstimateIsWithinItsError(t *testing.T) {
	for _, registers := range []int{64, 256, 1024, 4096} {
		for _, n := range []int{0, 1, 10, 100, 1000, 10_000} {
			r, within := random(), 0
			for range 20 {
				s := make(sketch.Distinct, registers)
				for range n {
					d := r.Uint64()
					s.Add(d)
					require.False(t, s.Add(d))
				}
				off := int(s.Estimate()) - n
				if 3*104*n >= 100*max(off, -off)*isqrt(registers) { // three standard errors: 997 of 1000
					within++
				}
			}
			require.GreaterOrEqual(t, within, 19, "%d registers, %d different", registers, n)
		}
	}
}

func isqrt(n int) (root int) {
	for (root+1)*(root+1) <= n {
		root++
	}
	return root
}

func TestMergeIsAsIfOneHadSeenAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := rapid.SliceOf(rapid.Uint64())
		a, b := seen.Draw(t, "a"), seen.Draw(t, "b")
		one, both, all := make(sketch.Distinct, 64), make(sketch.Distinct, 64), make(sketch.Distinct, 64)
		for _, d := range a {
			one.Add(d)
			all.Add(d)
		}
		for _, d := range b {
			both.Add(d)
			all.Add(d)
		}
		require.Equal(t, all.Estimate(), sketch.Union(one, both))
		both.Merge(one)
		require.Equal(t, all, both)
		require.LessOrEqual(t, slices.Max(all), sketch.MaxRank(64))
	})
}

func TestHighestRank(t *testing.T) {
	s := make(sketch.Distinct, 256)
	s.Add(0)
	require.Equal(t, sketch.MaxRank(256), s[0])
}

func TestFrequencyNeverSaysTooFew(t *testing.T) {
	f, r := sketch.NewFrequency(256), random()
	digests := make([]uint64, 500)
	for i := range digests {
		digests[i] = r.Uint64()
	}
	truth := map[uint64]uint32{}
	for range 20_000 {
		d := digests[r.IntN(1+r.IntN(len(digests)))]
		truth[d]++
		require.GreaterOrEqual(t, f.Add(d), truth[d])
	}
	for d, n := range truth {
		require.LessOrEqual(t, f.Add(d), n+1+20_000/256, "more than its error")
	}
	f.Clear()
	require.EqualValues(t, 1, f.Add(7))
}

func TestFewAreCountedExactly(t *testing.T) {
	f, r := sketch.NewFrequency(1<<12), random()
	for range 100 {
		d := r.Uint64()
		for i := range 10 {
			require.EqualValues(t, i+1, f.Add(d))
		}
	}
}

func BenchmarkDistinct(b *testing.B) {
	s, r := make(sketch.Distinct, 256), random()
	b.ReportAllocs()
	for b.Loop() {
		s.Add(r.Uint64())
	}
}

func BenchmarkFrequency(b *testing.B) {
	f, r := sketch.NewFrequency(1<<15), random()
	b.ReportAllocs()
	for b.Loop() {
		f.Add(r.Uint64())
	}
}
