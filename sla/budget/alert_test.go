package budget_test

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/budget"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// states judges a policy of one rule by what was in its windows.
func states(t require.TestingT, p budget.Policy, long, short budget.Counts) []budget.State {
	alerts, err := p.Judge(func(d time.Duration) (budget.Counts, error) {
		for _, r := range p.Rules {
			if d == time.Duration(r.Short) && r.Name == "fast" {
				return short, nil
			}
		}
		return long, nil
	})
	require.NoError(t, err)
	var list []budget.State
	for _, a := range alerts {
		list = append(list, a.State)
	}
	return list
}

func one(p budget.Policy) budget.Policy {
	p.Rules = p.Rules[:1]
	return p
}

// TestExactlyAtTheFactorIsQuiet goes through targets, and through all totals at which the factor is met exactly.
func TestExactlyAtTheFactorIsQuiet(t *testing.T) {
	floats, exact := 0, 0
	for _, target := range []string{"99%", "99.5%", "99.9%", "99.95%", "99.99%", "99.999%"} {
		p := workbook(t, target, 30*day)
		for rule := range p.Rules {
			p := workbook(t, target, 30*day)
			p.Rules = p.Rules[rule : rule+1]
			factor, err := p.Factor(p.Rules[0])
			require.NoError(t, err)
			edge := new(big.Rat).Mul(factor.Rat(), p.Target.Complement().Rat())
			for times := uint64(1); times < 40; times++ {
				all, bad := edge.Denom().Uint64()*times, edge.Num().Uint64()*times
				at := budget.Counts{Good: all - bad, Bad: bad}
				above := budget.Counts{Good: all - bad - 1, Bad: bad + 1}
				judge := func(long, short budget.Counts) budget.State {
					alerts, err := p.Judge(func(d time.Duration) (budget.Counts, error) {
						if d == time.Duration(p.Rules[0].Long) {
							return long, nil
						}
						return short, nil
					})
					require.NoError(t, err)
					return alerts[0].State
				}
				require.Equal(t, budget.Quiet, judge(at, at))
				require.Equal(t, budget.Quiet, judge(above, at))
				require.Equal(t, budget.Quiet, judge(at, above))
				require.Equal(t, budget.Firing, judge(above, above))
				f, _ := factor.Rat().Float64()
				goal, _ := p.Target.Rat().Float64()
				exact++
				if float64(bad)/float64(all) > f*(1-goal) {
					floats++
				}
			}
		}
	}
	require.Equal(t, 702, exact)
	require.Greater(t, floats, exact/4, "floats fire in so many of the cases in which the factor is met exactly")
}

// TestGreatCounts are products on both sides of 2^128.
func TestGreatCounts(t *testing.T) {
	const all = 1<<64 - 16
	p := one(workbook(t, "99.9%", 30*day))
	for _, c := range []struct {
		may, bad uint64 // parts of all
		want     budget.State
	}{
		{all / 80, all / 10 * 3, budget.Firing}, // 18 % is at the factor
		{all / 48, all / 10 * 2, budget.Quiet},  // 30 %
		{all / 80, all / 50 * 9, budget.Quiet},
		{all / 80, all/50*9 + 9, budget.Firing},
	} {
		target, err := ratio.New(all-c.may, all)
		require.NoError(t, err)
		p.Target = target
		counts := budget.Counts{Good: all - c.bad, Bad: c.bad}
		require.Equal(t, []budget.State{c.want}, states(t, p, counts, counts), c)
	}
}

func TestUnknownMakesAnAlertUndecided(t *testing.T) {
	p := one(workbook(t, "99.9%", 30*day))
	fast := budget.Counts{Good: 98, Bad: 2}
	require.Equal(t, []budget.State{budget.Firing}, states(t, p, fast, fast))
	require.Equal(t, []budget.State{budget.Quiet}, states(t, p, fast, budget.Counts{Good: 100}))
	require.Equal(t, []budget.State{budget.Undecided}, states(t, p, fast, budget.Counts{Good: 98, Unknown: 2}))
	require.Equal(t, []budget.State{budget.Undecided}, states(t, p, budget.Counts{Good: 98, Bad: 1, Unknown: 1}, fast))
	require.Equal(t, []budget.State{budget.Undecided}, states(t, p, budget.Counts{Unknown: 1}, budget.Counts{Unknown: 1}))
	require.Equal(t, []budget.State{budget.Quiet}, states(t, p, budget.Counts{Unknown: 1}, budget.Counts{Good: 1}))
	require.Equal(t, []budget.State{budget.Quiet}, states(t, p, budget.Counts{}, budget.Counts{}), "nothing was asked of it, and nothing failed")
}

func TestOneFailureOfThreeMayBeChance(t *testing.T) {
	p := one(workbook(t, "99.9%", 30*day))
	few := budget.Counts{Good: 2, Bad: 1}
	require.Equal(t, []budget.State{budget.Firing}, states(t, p, few, few))
	p.Chance = of(t, "0.1%") // 1 - 0.999^3 is 0.3 %
	require.Equal(t, []budget.State{budget.Chance}, states(t, p, few, few))
	two := budget.Counts{Good: 1, Bad: 2}
	require.Equal(t, []budget.State{budget.Firing}, states(t, p, two, few))
	many := budget.Counts{Good: 1 << 21, Bad: 1 << 20}
	require.Equal(t, []budget.State{budget.Firing}, states(t, p, many, many), "more than 2^20 are not few")
	many = budget.Counts{Good: 1, Bad: 1<<64 - 2, Unknown: 1 << 63}
	require.Equal(t, []budget.State{budget.Firing}, states(t, p, many, many), "and more than 2^64")
}

// TestChanceOfAllWorlds makes of what is unknown all that it may be: the verdict is that of every world, or undecided.
func TestChanceOfAllWorlds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := one(workbook(t, rapid.SampledFrom([]string{"99.9%", "99%", "95%"}).Draw(t, "target"), 30*day))
		p.Chance = of(t, rapid.SampledFrom([]string{"10%", "1%", "0.1%", "0"}).Draw(t, "chance"))
		n := rapid.Uint64Max(4)
		c := budget.Counts{Good: rapid.Uint64Max(30).Draw(t, "good"), Bad: n.Draw(t, "bad"), Unknown: n.Draw(t, "unknown")}
		short := budget.Counts{Bad: 1}
		worlds := map[budget.State]bool{}
		for bad := range c.Unknown + 1 {
			worlds[states(t, p, budget.Counts{Good: c.Good + c.Unknown - bad, Bad: c.Bad + bad}, short)[0]] = true
		}
		got := states(t, p, c, short)[0]
		if len(worlds) > 1 {
			require.Equal(t, budget.Undecided, got)
		} else {
			require.True(t, worlds[got], got)
		}
	})
}

func TestJudgeSaysWhatWentWrong(t *testing.T) {
	p := workbook(t, "99.9%", 30*day)
	boom := errors.New("boom")
	for i := range 2 {
		_, err := p.Judge(func(time.Duration) (budget.Counts, error) {
			i--
			if i < 0 {
				return budget.Counts{}, boom
			}
			return budget.Counts{}, nil
		})
		require.ErrorIs(t, err, boom)
	}
	p.Target = ratio.One()
	_, err := p.Judge(nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// TestJudgeIsAsRationals compares verdicts with big rationals, for any policy and counts.
func TestJudgeIsAsRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		den := rapid.Uint64Min(15).Draw(t, "den")
		target, err := ratio.New(den-rapid.OneOf(rapid.Uint64Range(1, min(den/15, 9)), rapid.Uint64Range(1, den/15)).Draw(t, "may"), den)
		require.NoError(t, err)
		p := budget.Policy{Target: target, Window: budget.Duration(30 * day), Rules: []budget.Rule{{Name: "fast", Urgency: budget.Page,
			Share: of(t, "2%"), Long: budget.Duration(time.Hour), Short: budget.Duration(time.Minute)}}}
		require.NoError(t, p.Validate())
		long, short := counts(t), counts(t)
		factor := big.NewRat(72, 5)
		if rapid.Bool().Draw(t, "near") { // as many bad as are allowed, or one more
			all := rapid.Uint64Min(1).Draw(t, "all")
			edge := new(big.Rat).Mul(factor, target.Complement().Rat())
			bad := new(big.Int).Mul(edge.Num(), whole(all))
			long.Bad = bad.Quo(bad, edge.Denom()).Uint64() + rapid.Uint64Max(1).Draw(t, "more")
			long.Good, long.Unknown = all-min(all, long.Bad), 0
			short = long
		}
		fast := func(c budget.Counts, unknown uint64) bool {
			all := c.Good + c.Bad + c.Unknown
			if all == 0 {
				return false
			}
			bad := new(big.Rat).SetFrac(whole(c.Bad+unknown), whole(all))
			return bad.Cmp(new(big.Rat).Mul(factor, p.Target.Complement().Rat())) > 0
		}
		want := budget.Undecided
		switch {
		case fast(long, 0) && fast(short, 0):
			want = budget.Firing
		case !fast(long, long.Unknown) || !fast(short, short.Unknown):
			want = budget.Quiet
		}
		require.Equal(t, []budget.State{want}, states(t, p, long, short))
	})
}
