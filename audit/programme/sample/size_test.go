package sample_test

import (
	"math/big"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// counted returns how many of the samples of drawn from a population, whose first marked items deviate, have at most found
// of those; and how many samples there are. It looks at every one.
func counted(population, marked, drawn, found int) (few, all int64) {
	for set := range uint(1) << population {
		if bits.OnesCount(set) == drawn {
			all++
			if bits.OnesCount(set&(1<<marked-1)) <= found {
				few++
			}
		}
	}
	return few, all
}

const population = 11

// table has what counted says, for a population of that size.
func table() map[[3]int]*big.Rat {
	t := map[[3]int]*big.Rat{}
	for marked := range population + 1 {
		for drawn := range population + 1 {
			for found := range drawn + 1 {
				few, all := counted(population, marked, drawn, found)
				t[[3]int{marked, drawn, found}] = big.NewRat(few, all)
			}
		}
	}
	return t
}

var shares = []sample.PPM{1, 50_000, 90_000, 90_910, 181_818, 250_000, 500_000, 750_000, 900_000, 909_091, 950_000, 999_999, 1_000_000}

func doubt(confidence sample.PPM) *big.Rat { return big.NewRat(1_000_000-int64(confidence), 1_000_000) }

func TestSizeIsTheLeastThatCountingAllSamplesAllows(t *testing.T) {
	chance := table()
	for _, tolerable := range shares {
		marked := 0
		for big.NewRat(int64(marked), population).Cmp(big.NewRat(int64(tolerable), 1_000_000)) < 0 {
			marked++
		}
		for _, confidence := range shares {
			for allowed := range population + 1 {
				got, err := sample.Size(population, tolerable, confidence, allowed)
				if allowed >= marked {
					require.ErrorIs(t, err, opsec.ErrInvalid)
					continue
				}
				require.NoError(t, err)
				want := allowed + 1
				for chance[[3]int{marked, want, allowed}].Cmp(doubt(confidence)) > 0 {
					want++
				}
				require.Equal(t, want, got, "tolerable %d, confidence %d, allowed %d", tolerable, confidence, allowed)
			}
		}
	}
}

func TestEvaluateIsTheMostThatCountingAllSamplesAllows(t *testing.T) {
	chance := table()
	for _, confidence := range shares {
		for drawn := range population + 1 {
			for found := range drawn + 1 {
				want := found
				for marked := found; marked <= population-(drawn-found); marked++ {
					if chance[[3]int{marked, drawn, found}].Cmp(doubt(confidence)) > 0 {
						want = marked
					}
				}
				got, err := sample.Evaluate(population, drawn, found, confidence)
				require.NoError(t, err)
				require.Equal(t, want, got, "%d found in %d, confidence %d", found, drawn, confidence)
			}
		}
	}
}

// pascal returns the binomial coefficients up to n, by addition alone.
func pascal(n int) [][]*big.Int {
	rows := make([][]*big.Int, n+1)
	for i := range rows {
		rows[i] = make([]*big.Int, i+1)
		for j := range rows[i] {
			if j == 0 || j == i {
				rows[i][j] = big.NewInt(1)
			} else {
				rows[i][j] = new(big.Int).Add(rows[i-1][j-1], rows[i-1][j])
			}
		}
	}
	return rows
}

func TestSizeAndEvaluateAgreeWithPascalsTriangle(t *testing.T) {
	const n = 120
	c := pascal(n)
	chance := func(marked, drawn, found int) *big.Rat {
		sum := new(big.Int)
		for x := max(0, drawn-(n-marked)); x <= min(found, marked, drawn); x++ {
			sum.Add(sum, new(big.Int).Mul(c[marked][x], c[n-marked][drawn-x]))
		}
		return new(big.Rat).SetFrac(sum, c[n][drawn])
	}
	for _, tolerable := range []sample.PPM{10_000, 25_000, 50_000, 100_000, 400_000} {
		marked := int((int64(tolerable)*n + 999_999) / 1_000_000)
		for allowed := range min(3, marked) {
			k, err := sample.Size(n, tolerable, 950_000, allowed)
			require.NoError(t, err)
			require.LessOrEqual(t, chance(marked, k, allowed).Cmp(doubt(950_000)), 0)
			require.Positive(t, chance(marked, k-1, allowed).Cmp(doubt(950_000)))
		}
	}
	for _, drawn := range []int{1, 7, 30, 59, 100} {
		for found := range min(drawn, 8) {
			most, err := sample.Evaluate(n, drawn, found, 950_000)
			require.NoError(t, err)
			require.Positive(t, chance(most, drawn, found).Cmp(doubt(950_000)))
			if most < n-(drawn-found) {
				require.LessOrEqual(t, chance(most+1, drawn, found).Cmp(doubt(950_000)), 0)
			}
		}
	}
}

func TestASampleOfThatSizeWithNothingFoundBoundsTheRate(t *testing.T) {
	for _, n := range []int{1, 20, 1000, 123_456, sample.MaxSize} {
		for _, tolerable := range []sample.PPM{1000, 50_000} {
			k, err := sample.Size(n, tolerable, 950_000, 0)
			require.NoError(t, err)
			most, err := sample.Evaluate(n, k, 0, 950_000)
			require.NoError(t, err)
			require.Less(t, int64(most)*1_000_000, int64(n)*int64(tolerable), "%d of %d", k, n)
		}
	}
}

func TestSizeAndEvaluateRefuseWhatIsNoQuestion(t *testing.T) {
	for _, bad := range [][4]int{{0, 1, 1, 0}, {-1, 1, 1, 0}, {sample.MaxSize + 1, 1, 1, 0}, {10, 0, 1, 0}, {10, 1_000_001, 1, 0}, {10, 1, 0, 0},
		{10, 1, 1_000_001, 0}, {10, 1, 1, -1}, {10, 1, 1, 1}, {sample.MaxSize, 10_000, 900_000, 5000}} {
		_, err := sample.Size(bad[0], sample.PPM(bad[1]), sample.PPM(bad[2]), bad[3])
		require.ErrorIs(t, err, opsec.ErrInvalid, "%v", bad)
	}
	for _, bad := range [][4]int{{0, 0, 0, 1}, {10, 11, 0, 1}, {10, -1, 0, 1}, {10, 5, 6, 1}, {10, 5, -1, 1}, {10, 5, 1, 0}, {10, 5, 1, 1_000_001},
		{sample.MaxSize, 1 << 18, 1 << 12, 1},
		{1_000_000, 1 << 14, 1<<13 + 1, 1}} {
		_, err := sample.Evaluate(bad[0], bad[1], bad[2], sample.PPM(bad[3]))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%v", bad)
	}
}
