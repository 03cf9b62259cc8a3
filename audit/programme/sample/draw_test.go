package sample_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// seeds are as many different ones as asked, the same in every run.
func seeds(n int) func(yield func(sample.Seed) bool) {
	return func(yield func(sample.Seed) bool) {
		for i := range n {
			if !yield(sha256.Sum256(binary.BigEndian.AppendUint64([]byte("seed"), uint64(i)))) {
				return
			}
		}
	}
}

// chiSquare returns the statistic of counts that should all be the same.
func chiSquare(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	want, sum := float64(total)/float64(len(counts)), 0.0
	for _, n := range counts {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

// The seeds are fixed, so the tests of evenness hold for ever or never. Chance alone passes their limits once in a thousand
// times: chi-square's upper 0.1 %, which is 45.3 with 20 degrees of freedom, 148.2 with 99, 172.4 with 119.
func TestEveryPositionIsAsLikely(t *testing.T) {
	c := commit(t, frame("p", 100))
	counts := make([]int, c.Size)
	const k = 10
	for s := range seeds(20_000) {
		drawn, err := s.Draw(c, k)
		require.NoError(t, err)
		for _, i := range drawn {
			counts[i]++
		}
	}
	// Within one draw positions exclude each other: the statistic is (n-k)/(n-1) times a chi-square's of n-1.
	require.Less(t, chiSquare(counts)*float64(c.Size-1)/float64(c.Size-k), 148.2)
}

func TestEverySubsetIsAsLikely(t *testing.T) {
	c := commit(t, frame("p", 10))
	counts := map[[3]int]int{}
	for s := range seeds(60_000) {
		drawn, err := s.Draw(c, 3)
		require.NoError(t, err)
		counts[[3]int(drawn)]++
	}
	require.Len(t, counts, 120)
	var list []int
	for _, n := range counts {
		list = append(list, n)
	}
	require.Less(t, chiSquare(list), 172.4)
}

func TestLargeFramesAreDrawnFromEvenly(t *testing.T) {
	c := sample.Commitment{Procedure: "p", Size: sample.MaxSize, Digest: sha256.Sum256([]byte("many"))}
	counts := make([]int, 21)
	for s := range seeds(500) {
		drawn, err := s.Draw(c, 100)
		require.NoError(t, err)
		for _, i := range drawn {
			counts[int64(i)*21/int64(c.Size)]++
		}
	}
	require.Less(t, chiSquare(counts), 45.3)
}

// Of three quarters of 2^64 the first third would come twice as often, were no word passed over.
func TestNumbersHaveNoBiasOfTheModulus(t *testing.T) {
	below := sample.Below(sample.Seed{1}, commit(t, frame("p", 1)))
	counts := make([]int, 3)
	for range 3000 {
		counts[below(3<<62)>>62]++
	}
	require.Less(t, chiSquare(counts), 13.8) // upper 0.1 %, with 2 degrees of freedom
}

func TestDrawIsASampleWithoutReplacement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		f := frame("p", n)
		c, err := f.Commit()
		require.NoError(t, err)
		s := sample.Seed(sha256.Sum256(rapid.SliceOf(rapid.Byte()).Draw(t, "seed")))
		drawn, err := s.Draw(c, k)
		require.NoError(t, err)
		require.Len(t, drawn, k)
		for i, at := range drawn {
			require.True(t, 0 <= at && at < n && (i == 0 || drawn[i-1] < at), "%v", drawn)
		}
		larger, err := s.Draw(c, rapid.IntRange(k, n).Draw(t, "larger"))
		require.NoError(t, err)
		for _, at := range drawn {
			require.Contains(t, larger, at, "a larger sample keeps what a smaller one has")
		}
	})
}

func TestDrawDependsOnAllThatIsFrozen(t *testing.T) {
	c := commit(t, frame("p", 1000))
	s := sample.Seed(sha256.Sum256([]byte("s")))
	want, err := s.Draw(c, 20)
	require.NoError(t, err)
	other := s
	other[31] ^= 1
	for what, change := range map[string]func(*sample.Commitment, *sample.Seed){
		"seed":      func(_ *sample.Commitment, s *sample.Seed) { *s = other },
		"procedure": func(c *sample.Commitment, _ *sample.Seed) { c.Procedure = "q" },
		"digest":    func(c *sample.Commitment, _ *sample.Seed) { c.Digest[0] ^= 1 },
		"size":      func(c *sample.Commitment, _ *sample.Seed) { c.Size++ },
	} {
		changed, with := c, s
		change(&changed, &with)
		got, err := with.Draw(changed, 20)
		require.NoError(t, err)
		require.NotEqual(t, want, got, what)
	}
	c.Sample = 20 // says how many; it is no chance of its own
	got, err := s.Draw(c, 20)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestDrawRefusesWhatIsNotThere(t *testing.T) {
	var s sample.Seed
	c := commit(t, frame("p", 10))
	for _, k := range []int{-1, 11} {
		_, err := s.Draw(c, k)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	for _, bad := range []sample.Commitment{
		{Procedure: "", Size: 1}, {Procedure: "p", Size: -1}, {Procedure: "p", Size: sample.MaxSize + 1}, {Procedure: "p"}, {Procedure: "p\n", Size: 1},
		{Procedure: "p", Size: 5, Sample: 6},
	} {
		_, err := s.Draw(bad, 0)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%+v", bad)
	}
}

func TestAllocateIsProportionalByLargestRemainder(t *testing.T) {
	tests := []struct {
		sizes    []int
		k, least int
		want     []int
	}{
		{[]int{50, 30, 20}, 10, 0, []int{5, 3, 2}},
		{[]int{1, 1, 1}, 2, 0, []int{1, 1, 0}},    // equal remainders: the first
		{[]int{70, 20, 10}, 5, 0, []int{4, 1, 0}}, // 3.5, 1, 0.5: the first again
		{[]int{60, 25, 15}, 5, 0, []int{3, 1, 1}}, // 3, 1.25, 0.75
		{[]int{1000, 1, 1}, 10, 1, []int{8, 1, 1}},
		{[]int{1000, 1, 0}, 10, 5, []int{9, 1, 0}},
		{[]int{3, 3}, 6, 0, []int{3, 3}},
		{[]int{0, 0}, 0, 7, []int{0, 0}},
		{[]int{2, 3}, 5, 9, []int{2, 3}},
		{nil, 0, 1, []int{}},
		{[]int{sample.MaxSize, sample.MaxSize}, 2 * sample.MaxSize, 0, []int{sample.MaxSize, sample.MaxSize}},
		{[]int{sample.MaxSize, sample.MaxSize}, sample.MaxSize, 0, []int{1 << 30, 1<<30 - 1}},
	}
	for _, test := range tests {
		got, err := sample.Allocate(test.sizes, test.k, test.least)
		require.NoError(t, err)
		require.Equal(t, test.want, got, "%+v", test)
	}
	for _, bad := range []struct {
		sizes    []int
		k, least int
	}{{[]int{3}, 4, 0}, {[]int{3}, -1, 0}, {[]int{3, 3}, 3, 2}, {[]int{-1, 5}, 1, 0}, {[]int{3}, 1, -1}, {nil, 1, 0}, {make([]int, 1025), 0, 0},
		{[]int{sample.MaxSize + 1}, 1, 0}} {
		_, err := sample.Allocate(bad.sizes, bad.k, bad.least)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%+v", bad)
	}
}

func TestAllocateIsWithinOneOfTheQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(0, sample.MaxSize)), 1, 12).Draw(t, "sizes")
		least := rapid.IntRange(0, 3).Draw(t, "least")
		sum, floor := 0, 0
		for _, n := range sizes {
			sum, floor = sum+n, floor+min(n, least)
		}
		k := rapid.IntRange(floor, sum).Draw(t, "k")
		shares, err := sample.Allocate(sizes, k, least)
		require.NoError(t, err)
		total := 0
		for i, n := range sizes {
			total += shares[i]
			require.True(t, min(n, least) <= shares[i] && shares[i] <= n)
			if sum == floor {
				continue
			}
			quota := big.NewRat(int64(n-min(n, least)), int64(sum-floor))
			quota.Mul(quota, big.NewRat(int64(k-floor), 1))
			off := quota.Sub(quota, big.NewRat(int64(shares[i]-min(n, least)), 1))
			require.Negative(t, off.Abs(off).Cmp(big.NewRat(1, 1)))
		}
		require.Equal(t, k, total)
	})
}

func TestStrataAreDrawnEachFromItsOwn(t *testing.T) {
	s := sample.Seed(sha256.Sum256([]byte("s")))
	strata := []sample.Commitment{commit(t, frame("p/asia", 10)), commit(t, frame("p/eu", 500)), commit(t, frame("p/us", 490))}
	drawn, err := s.DrawStrata(strata, 50, 2)
	require.NoError(t, err)
	require.Equal(t, []int{2, 24, 24}, []int{len(drawn[0]), len(drawn[1]), len(drawn[2])})
	for i, c := range strata {
		alone, err := s.Draw(c, len(drawn[i]))
		require.NoError(t, err)
		require.Equal(t, alone, drawn[i])
	}
	_, err = s.DrawStrata(append(slices.Clone(strata), strata[0]), 50, 2)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = s.DrawStrata(append(slices.Clone(strata), sample.Commitment{}), 50, 2)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = s.DrawStrata(strata, 1001, 0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
