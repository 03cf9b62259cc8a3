package composition_test

import (
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	c "github.com/cloudopsec/opsec/sla/composition"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// TestWhateverHoldsWhateverPartsHaveInCommon draws any joint distribution of the states of parts.
func TestWhateverHoldsWhateverPartsHaveInCommon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		ids := slices.Sorted(maps.Keys(s.Parts))
		weight := rapid.SliceOfN(rapid.Uint64Max(9), 1<<len(ids), 1<<len(ids)).Draw(t, "weights")
		if rapid.Bool().Draw(t, "few") {
			for i := range weight {
				if rapid.IntRange(0, 7).Draw(t, "kept") > 0 {
					weight[i] = 0
				}
			}
		}
		var all, working uint64
		up := map[string]uint64{}
		for bits, n := range weight {
			all += n
			state := map[string]bool{}
			for i, id := range ids {
				if state[id] = bits>>i&1 > 0; state[id] {
					up[id] += n
				}
			}
			if works(s.Top, state) {
				working += n
			}
		}
		if all == 0 {
			return
		}
		for _, id := range ids {
			r, _ := ratio.New(up[id], all)
			s.Parts[id] = ratio.Range{Low: r, High: r}
		}
		f, err := s.Whatever()
		require.NoError(t, err)
		got := new(big.Rat).SetFrac(new(big.Int).SetUint64(working), new(big.Int).SetUint64(all))
		require.LessOrEqual(t, f.Low.Cmp(got), 0)
		require.GreaterOrEqual(t, f.High.Cmp(got), 0)
	})
}

// TestWhateverContainsIndependence: independent parts are one of all that may be.
func TestWhateverContainsIndependence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		f, err := s.Availability()
		require.NoError(t, err)
		w, err := s.Whatever()
		require.NoError(t, err)
		require.LessOrEqual(t, w.Low.Cmp(f.Low), 0)
		require.GreaterOrEqual(t, w.High.Cmp(f.High), 0)
	})
}

func TestWhateverOfKnownSystems(t *testing.T) {
	s := c.System{Parts: known(t, map[string]string{"a": "99%", "b": "98%", "c": "97%"})}
	for name, k := range map[string]struct {
		top       c.Node
		low, high *big.Rat
	}{
		"serial":       {c.Serial(list("a b c")...), big.NewRat(94, 100), big.NewRat(97, 100)}, // 1 - the sum of failures; the worst
		"parallel":     {c.Parallel(list("a b c")...), big.NewRat(99, 100), big.NewRat(1, 1)},  // the best
		"two of three": {c.AtLeast(2, list("a b c")...), big.NewRat(97, 100), big.NewRat(1, 1)},
	} {
		s.Top = k.top
		f, err := s.Whatever()
		require.NoError(t, err)
		require.Zero(t, f.Low.Cmp(k.low), "%s: %v", name, f.Low)
		require.Zero(t, f.High.Cmp(k.high), "%s: %v", name, f.High)
	}
}

// TestWhateverIsTheClosest makes states that reach the upper bound: events that are more probable than the bound happen in
// all of them, and the others one after the other, from the start again at the end (McNaughton 1959), so that the same number
// of them happens everywhere.
func TestWhateverIsTheClosest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const den = 60
		n := rapid.IntRange(1, 6).Draw(t, "n")
		need := rapid.IntRange(1, n).Draw(t, "need")
		s := c.System{Parts: map[string]ratio.Range{}}
		var nums []int64
		for i := range n {
			num := rapid.Int64Range(0, den).Draw(t, "num")
			r, _ := ratio.New(uint64(num), den)
			s.Parts[string(rune('a'+i))] = ratio.Range{Low: r, High: r}
			s.Top.Of = append(s.Top.Of, c.Part(string(rune('a'+i))))
			nums = append(nums, num*420) // 1/60 is 420 units, which 1 to 7 divide
		}
		s.Top.Need = need
		f, err := s.Whatever()
		require.NoError(t, err)
		if f.High.Cmp(big.NewRat(1, 1)) == 0 || f.High.Sign() == 0 {
			return
		}
		bound := new(big.Rat).Mul(f.High, big.NewRat(den*420, 1))
		require.True(t, bound.IsInt())
		b := bound.Num().Int64()
		hits := make([]int, b)
		at := int64(0)
		for _, num := range nums {
			if num >= b {
				for i := range hits {
					hits[i]++
				}
				continue
			}
			for range num {
				hits[at]++
				at = (at + 1) % b
			}
		}
		for _, h := range hits {
			require.GreaterOrEqual(t, h, need)
		}
	})
}

// TestMoreEvidenceNeverWidens narrows the bounds of one part.
func TestMoreEvidenceNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		id := rapid.SampledFrom(slices.Sorted(maps.Keys(s.Parts))).Draw(t, "id")
		wide := s.Parts[id]
		for name, reckon := range map[string]func() (c.Figure, error){
			"Availability": func() (c.Figure, error) { return s.Availability() }, "Whatever": func() (c.Figure, error) { return s.Whatever() },
		} {
			s.Parts[id] = wide
			before, err := reckon()
			require.NoError(t, err)
			for _, r := range []ratio.Range{{Low: wide.Low, High: wide.Low}, {Low: wide.High, High: wide.High}} {
				s.Parts[id] = r
				after, err := reckon()
				require.NoError(t, err)
				require.GreaterOrEqual(t, after.Low.Cmp(before.Low), 0, name)
				require.LessOrEqual(t, after.High.Cmp(before.High), 0, name)
			}
		}
	})
}
