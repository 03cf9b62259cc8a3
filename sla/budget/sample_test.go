package budget_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/budget"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// atLeast is the probability of k or more of n, by its definition.
func atLeast(k, n int64, p *big.Rat) *big.Rat {
	pow := func(x *big.Rat, n int64) *big.Rat {
		e := big.NewInt(n)
		return new(big.Rat).SetFrac(new(big.Int).Exp(x.Num(), e, nil), new(big.Int).Exp(x.Denom(), e, nil))
	}
	q := new(big.Rat).Sub(big.NewRat(1, 1), p)
	sum := new(big.Rat)
	for i := k; i <= n; i++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(n, i))
		sum.Add(sum, term.Mul(term, pow(p, i)).Mul(term, pow(q, n-i)))
	}
	return sum
}

func TestUnlikelyIsTheExactTest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 60).Draw(t, "n")
		k := rapid.Uint64Max(n).Draw(t, "k")
		p := rational(t)
		exact := atLeast(int64(k), int64(n), p.Rat())
		chance := rational(t)
		if exact.Num().IsUint64() && exact.Denom().IsUint64() && rapid.Bool().Draw(t, "tie") {
			chance, _ = ratio.New(exact.Num().Uint64(), exact.Denom().Uint64())
		}
		got, err := budget.Unlikely(k, n, p, chance)
		require.NoError(t, err)
		require.Equal(t, exact.Cmp(chance.Rat()) <= 0, got)
	})
}

func TestUnlikelyAtTiesAndEdges(t *testing.T) {
	for _, c := range []struct {
		bad, all      uint64
		share, chance string
		want          bool
	}{
		{3, 3, "1/2", "1/8", true}, // exactly
		{3, 3, "1/2", "124999/1000000", false},
		{0, 0, "0", "1", true},
		{0, 0, "0", "0.999", false},
		{0, 5, "0", "99%", false},
		{1, 5, "0", "0", true}, // it cannot be
		{1, 5, "1/18446744073709551615", "0", false},
		{20, 20, "1/18446744073709551615", "0", false}, // 2^-1280
		{5, 5, "1", "1", true},
		{5, 5, "1", "18446744073709551614/18446744073709551615", false},
		{1, 3, "0.1%", "1%", true}, // 0.2997 %
		{1, 3, "0.1%", "0.1%", false},
		{1, 3, "0.1%", "2997001/1000000000", true}, // 1 - 0.999^3
		{1, 3, "0.1%", "2997000/1000000000", false},
		{1 << 20, 1 << 20, "1/2", "1/18446744073709551615", true},
		{1, 1 << 20, "18446744073709551614/18446744073709551615", "18446744073709551614/18446744073709551615", false},
		{10_000, 19_999, "1/2", "1/2", true}, // a tie of 20,000 bits
		{9_999, 19_999, "1/2", "1/2", false},
		{16_384, 32_767, "1/2", "1/2", true},       // of 2^16 bits, less two
		{524_288, 1 << 20, "1/2", "50.03%", false}, // 50.039 %
		{524_288, 1 << 20, "1/2", "50.04%", true},
	} {
		got, err := budget.Unlikely(c.bad, c.all, of(t, c.share), of(t, c.chance))
		require.NoError(t, err, c)
		require.Equal(t, c.want, got, "%+v", c)
	}
	for name, c := range map[string]struct {
		bad, all      uint64
		share, chance string
	}{
		"more bad than all":           {2, 1, "1%", "1%"},
		"too many":                    {1, 1<<20 + 1, "1%", "1%"},
		"a share of 2":                {1, 1, "2", "1%"},
		"a chance of 2":               {1, 1, "1%", "2"},
		"a tie of 2^21 bits":          {1 << 19, 1<<20 - 1, "1/2", "1/2"},
		"a tie of 2^16 bits, and two": {16_385, 32_769, "1/2", "1/2"},
	} {
		_, err := budget.Unlikely(c.bad, c.all, of(t, c.share), of(t, c.chance))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func TestClopperPearsonIsProven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(1, 40).Draw(t, "n")
		k := rapid.Uint64Max(n).Draw(t, "k")
		confidence := rapid.SampledFrom([]string{"50%", "90%", "95%", "99.9%"}).Draw(t, "confidence")
		r, err := budget.ClopperPearson(k, n, of(t, confidence))
		require.NoError(t, err)
		beyond := new(big.Rat).Mul(of(t, confidence).Complement().Rat(), big.NewRat(1, 2))
		ulp := big.NewRat(1, 1_000_000_000)
		if low := r.Low.Rat(); k == 0 {
			require.Zero(t, low.Sign())
		} else {
			require.LessOrEqual(t, atLeast(int64(k), int64(n), low).Cmp(beyond), 0, "outward")
			require.Positive(t, atLeast(int64(k), int64(n), new(big.Rat).Add(low, ulp)).Cmp(beyond), "the closest billionth")
		}
		if bad := r.High.Complement().Rat(); k == n {
			require.Zero(t, bad.Sign())
		} else {
			require.LessOrEqual(t, atLeast(int64(n-k), int64(n), bad).Cmp(beyond), 0)
			require.Positive(t, atLeast(int64(n-k), int64(n), new(big.Rat).Add(bad, ulp)).Cmp(beyond))
		}
		w, err := budget.Wilson(k, n, of(t, confidence))
		require.NoError(t, err)
		require.LessOrEqual(t, w.Low.Cmp(w.High), 0)
		share, _ := ratio.New(k, n)
		require.LessOrEqual(t, w.Low.Cmp(share), 0)
		require.GreaterOrEqual(t, w.High.Cmp(share), 0)
	})
}

// TestBoundsOfKnownSamples are figures that anyone can look up: the rule of three, and the closed forms of none and of all.
func TestBoundsOfKnownSamples(t *testing.T) {
	show := func(r ratio.Range) string { return r.Low.Percent(4) + " " + r.High.Percent(4) }
	for _, c := range []struct {
		good, all    uint64
		exact, score string
	}{
		{10, 10, "69.1502 100.0000", "72.2467 100.0000"}, // 0.025^(1/10); 10/(10+z^2)
		{0, 10, "0.0000 30.8497", "0.0000 27.7532"},
		{5, 10, "18.7086 81.2913", "23.6593 76.3406"},
		{1000, 1000, "99.6317 100.0000", "99.6173 100.0000"},
	} {
		r, err := budget.ClopperPearson(c.good, c.all, of(t, "95%"))
		require.NoError(t, err)
		require.Equal(t, c.exact, show(r))
		r, err = budget.Wilson(c.good, c.all, of(t, "95%"))
		require.NoError(t, err)
		require.Equal(t, c.score, show(r))
	}
	r, err := budget.ClopperPearson(1<<20-1, 1<<20, of(t, "95%"))
	require.NoError(t, err)
	require.Equal(t, "99.9994 99.9999", show(r))
	r, err = budget.ClopperPearson(1_028_576, 1<<20, of(t, "95%"))
	require.NoError(t, err)
	require.Equal(t, "980662897 981187469", fmt.Sprint(r.Low.Num(), " ", r.High.Num()), "billionths, by sums of 60 decimals")
	for _, f := range []func(uint64, uint64, ratio.Ratio) (ratio.Range, error){budget.ClopperPearson, budget.Wilson} {
		for _, c := range []struct {
			good, all  uint64
			confidence string
		}{{0, 0, "95%"}, {2, 1, "95%"}, {1, 1, "0"}, {1, 1, "100%"}, {1, 1, "200%"}, {1, 1 << 54, "95%"}} {
			_, err := f(c.good, c.all, of(t, c.confidence))
			require.ErrorIs(t, err, opsec.ErrInvalid)
		}
	}
}

// TestClopperPearsonCovers: of samples of a known share, no more than 5 % have bounds without it, by the exact probability.
func TestClopperPearsonCovers(t *testing.T) {
	for _, share := range []string{"99.9%", "99%", "90%", "50%"} {
		const n = 50
		missed := new(big.Rat)
		for k := range int64(n + 1) {
			r, err := budget.ClopperPearson(uint64(k), n, of(t, "95%"))
			require.NoError(t, err)
			if p := of(t, share); r.Low.Cmp(p) > 0 || r.High.Cmp(p) < 0 {
				missed.Add(missed, new(big.Rat).Sub(atLeast(k, n, p.Rat()), atLeast(k+1, n, p.Rat())))
			}
		}
		require.LessOrEqual(t, missed.Cmp(big.NewRat(5, 100)), 0, share)
	}
}

func TestClusteredBoundsAreWiderWhereFailuresComeTogether(t *testing.T) {
	spread, together := make([]budget.Counts, 30), make([]budget.Counts, 30) // days of minutes: 60 bad ones in all
	for i := range spread {
		spread[i], together[i] = budget.Counts{Good: 1438, Bad: 2}, budget.Counts{Good: 1440}
	}
	together[7] = budget.Counts{Good: 1380, Bad: 60}
	show := func(list []budget.Counts) string {
		r, err := budget.Clustered(list, of(t, "95%"))
		require.NoError(t, err)
		return r.Low.Percent(3) + " " + r.High.Percent(3)
	}
	require.Equal(t, "99.821 99.892", show(spread))
	w, err := budget.Wilson(43_140, 43_200, of(t, "95%"))
	require.NoError(t, err)
	require.Equal(t, show(spread), w.Low.Percent(3)+" "+w.High.Percent(3), "no more than by chance")
	require.Equal(t, "99.216 99.975", show(together), "one bad day of thirty says little of the next thirty")
	perfect := show([]budget.Counts{{Good: 1440}, {Good: 1440}, {}, {Unknown: 5}})
	require.Equal(t, "34.238 100.000", perfect, "two days without a failure are two, not 2880")
	for _, list := range [][]budget.Counts{nil, {{Good: 1}}, {{Good: 1}, {Unknown: 9}}} {
		_, err := budget.Clustered(list, of(t, "95%"))
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err = budget.Clustered(spread, ratio.One())
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestClusteredCovers draws months with outages, of which the share that is good is known, and counts how often the bounds
// contain it: those that take minutes for independent miss it most of the time.
func TestClusteredCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 10))
	const months, days, minutes = 400, 90, 1440
	share := of(t, "9985/10000") // a day in ten has an outage of 0 to 42 minutes, 21.6 on average
	hit, naive := 0, 0
	for range months {
		list := make([]budget.Counts, days)
		var good uint64
		for i := range list {
			bad := uint64(0)
			if random.Float64() < 0.1 {
				bad = uint64(math.Round(random.Float64() * 43.2))
			}
			list[i] = budget.Counts{Good: minutes - bad, Bad: bad}
			good += minutes - bad
		}
		in := func(r ratio.Range, err error) int {
			require.NoError(t, err)
			if r.Low.Cmp(share) <= 0 && r.High.Cmp(share) >= 0 {
				return 1
			}
			return 0
		}
		hit += in(budget.Clustered(list, of(t, "95%")))
		naive += in(budget.Wilson(good, days*minutes, of(t, "95%")))
	}
	require.Greater(t, hit, months*88/100)
	require.Less(t, naive, months/2)
}

// TestUnlikelyBesidePython compares with fractions of Python, which are exact.
func TestUnlikelyBesidePython(t *testing.T) {
	python := tool(t, "python3")
	var script strings.Builder
	script.WriteString("from fractions import Fraction as F\nfrom math import comb\n")
	var want []bool
	for _, p := range []string{"1/1000", "144/10000", "1/3", "999/1000"} {
		for n := range uint64(25) {
			for k := range n + 1 {
				got, err := budget.Unlikely(k, n, of(t, p), of(t, "1%"))
				require.NoError(t, err)
				want = append(want, got)
				fmt.Fprintf(&script, "print(sum(comb(%d,i)*F('%s')**i*(1-F('%s'))**(%d-i) for i in range(%d,%d))<=F(1,100))\n", n, p, p, n, k, n+1)
			}
		}
	}
	cmd := exec.Command(python, "-")
	cmd.Stdin = strings.NewReader(script.String())
	out, err := cmd.Output()
	require.NoError(t, err)
	lines := strings.Fields(string(out))
	require.Len(t, lines, len(want))
	for i, line := range lines {
		require.Equal(t, line == "True", want[i], i)
	}
}
