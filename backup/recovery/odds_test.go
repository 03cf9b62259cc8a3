package recovery_test

import (
	"fmt"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/recovery"
)

// atLeast returns the chance of k or more successes in n trials, each with chance p, summed exactly enough.
func atLeast(k, n int, p float64) float64 {
	sum := new(big.Float).SetPrec(300)
	for i := k; i <= n; i++ {
		term := new(big.Float).SetPrec(300).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		for range i {
			term.Mul(term, big.NewFloat(p))
		}
		for range n - i {
			term.Mul(term, new(big.Float).SetPrec(300).Sub(big.NewFloat(1), big.NewFloat(p)))
		}
		sum.Add(sum, term)
	}
	f, _ := sum.Float64()
	return f
}

func TestIntervalIsThatOfClopperAndPearson(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "tests")
		passed := rapid.IntRange(0, n).Draw(t, "passed")
		o := recovery.OddsOf(passed, n-passed)
		if passed > 0 {
			require.InDelta(t, 0.025, atLeast(passed, n, o.Low), 1e-9)
		} else {
			require.Zero(t, o.Low)
		}
		if passed < n {
			require.InDelta(t, 0.025, 1-atLeast(passed+1, n, o.High), 1e-9)
		} else {
			require.Equal(t, 1.0, o.High)
		}
		// The posterior is Beta(passed+1, failed+1), whose distribution function is a binomial tail (DLMF 8.17.5).
		require.InDelta(t, 0.025, atLeast(passed+1, n+1, o.CredibleLow), 1e-9)
		require.InDelta(t, 0.975, atLeast(passed+1, n+1, o.CredibleHigh), 1e-9)
		require.InDelta(t, float64(passed+1)/float64(n+2), o.Mean, 1e-15)
	})
}

func TestOddsOfWellKnownCases(t *testing.T) {
	// 4 of 20 is (0.0573, 0.4366) in the tables of Clopper and Pearson's method; n of n is the n-th root of 0.025.
	o := recovery.OddsOf(4, 16)
	require.InDelta(t, 0.0573, o.Low, 5e-5)
	require.InDelta(t, 0.4366, o.High, 5e-5)
	require.InDelta(t, math.Pow(0.025, 1.0/30), recovery.OddsOf(30, 0).Low, 1e-12)
	require.InDelta(t, math.Pow(0.025, 1e-6), recovery.OddsOf(1_000_000, 0).Low, 1e-9)
	none := recovery.OddsOf(0, 0)
	require.Equal(t, [3]float64{0, 0.5, 1}, [3]float64{none.Low, none.Mean, none.High})
	require.Equal(t, none, recovery.OddsOf(-1, -1))
}

func TestNeededIsTheLeast(t *testing.T) {
	for _, c := range []struct {
		p, confidence float64
		want          int
	}{{0.99, 0.95, 299}, {0.9, 0.95, 29}, {0.5, 0.5, 1}, {0.5, 0.75, 2}, {0.999, 0.95, 2995}} {
		n, err := recovery.Needed(c.p, c.confidence)
		require.NoError(t, err)
		require.Equal(t, c.want, n, "%v", c)
	}
	for _, bad := range [][2]float64{{0, 0.5}, {1, 0.5}, {0.5, 0}, {0.5, 1}, {math.NaN(), 0.5}, {1 - 1e-13, 0.95}} {
		_, err := recovery.Needed(bad[0], bad[1])
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestOverdue(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 3, d, 12, 0, 0, 0, time.UTC) }
	test := func(source string, d int, passed bool) recovery.Result {
		return recovery.Result{
			Point: recovery.Point{Tenant: "acme", Source: source}, Ended: day(d), Passed: passed, Failure: "why", Took: recovery.Duration(time.Hour),
		}
	}
	duty := recovery.Duty{Tenant: "acme", Source: "orders", Every: recovery.Duration(7 * 24 * time.Hour), Since: day(1)}
	strict := duty
	strict.RTO = recovery.Duration(59 * time.Minute)
	for name, c := range map[string]struct {
		duty    recovery.Duty
		results []recovery.Result
		now     time.Time
		want    []string
	}{
		"none, not due yet":    {duty, nil, day(8), nil},
		"none, due":            {duty, nil, day(8).Add(1), []string{recovery.RuleNever}},
		"in time":              {duty, []recovery.Result{test("orders", 8, true)}, day(15), nil},
		"late":                 {duty, []recovery.Result{test("orders", 8, true), test("orders", 3, true)}, day(15).Add(1), []string{recovery.RuleLate}},
		"a failure is no test": {duty, []recovery.Result{test("orders", 8, true), test("orders", 14, false)}, day(16), []string{recovery.RuleLate, recovery.RuleFailed}},
		"it has failed only":   {duty, []recovery.Result{test("orders", 8, false)}, day(16), []string{recovery.RuleNever, recovery.RuleFailed}},
		"mended since":         {duty, []recovery.Result{test("orders", 9, true), test("orders", 8, false)}, day(10), nil},
		"of another source":    {duty, []recovery.Result{test("mail", 14, true)}, day(15), []string{recovery.RuleNever}},
		"one of the future":    {duty, []recovery.Result{test("orders", 20, true)}, day(15), []string{recovery.RuleNever}},
		"slower than promised": {strict, []recovery.Result{test("orders", 8, true)}, day(9), []string{recovery.RuleSlow}},
	} {
		list, err := recovery.Overdue([]recovery.Duty{c.duty}, c.results, c.now)
		require.NoError(t, err)
		var rules []string
		for _, f := range list {
			rules = append(rules, f.Rule)
		}
		require.Equal(t, c.want, rules, name)
	}
	_, err := recovery.Overdue([]recovery.Duty{{Tenant: "acme", Source: "orders"}}, nil, day(1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	o := recovery.OddsFor("acme", "orders", []recovery.Result{test("orders", 2, true), test("orders", 3, false), test("orders", 9, true), test("mail", 3, true)}, day(2), day(4))
	require.Equal(t, [2]int{1, 1}, [2]int{o.Passed, o.Failed})
}

func ExampleOddsOf() {
	fmt.Println(recovery.OddsOf(29, 1))
	n, _ := recovery.Needed(0.99, 0.95)
	fmt.Println(n, "in a row for 99 %, to be 95 % sure")
	// Output:
	// 29 of 30 passed: 93.8 % (95 %: 82.8 to 99.9 %)
	// 299 in a row for 99 %, to be 95 % sure
}
