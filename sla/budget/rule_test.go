package budget_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/budget"
	"github.com/cloudopsec/opsec/sla/ratio"
)

const day = 24 * time.Hour

func of(t require.TestingT, text string) ratio.Ratio {
	r, err := ratio.Parse(text)
	require.NoError(t, err)
	return r
}

func workbook(t require.TestingT, target string, window time.Duration) budget.Policy {
	p, err := budget.Workbook(of(t, target), window)
	require.NoError(t, err)
	return p
}

func factors(t *testing.T, p budget.Policy) (list []string) {
	for _, r := range p.Rules {
		f, err := p.Factor(r)
		require.NoError(t, err)
		list = append(list, f.Rat().RatString())
	}
	return list
}

func TestWorkbookOfThirtyDays(t *testing.T) {
	p := workbook(t, "99.9%", 30*day)
	require.Equal(t, []string{"72/5", "6", "1"}, factors(t, p)) // 14.4, 6, 1
	windows := func() (list []time.Duration) {
		for _, r := range p.Rules {
			list = append(list, time.Duration(r.Long), time.Duration(r.Short))
		}
		return list
	}
	require.Equal(t, []time.Duration{time.Hour, 5 * time.Minute, 6 * time.Hour, 30 * time.Minute, 72 * time.Hour, 6 * time.Hour}, windows())
	require.Equal(t, budget.Page, p.Rules[1].Urgency)
	require.Equal(t, budget.Ticket, p.Rules[2].Urgency)

	p.Window = budget.Duration(28 * day) // the same windows, so that the factors change
	require.Equal(t, []string{"336/25", "28/5", "14/15"}, factors(t, p))

	p = workbook(t, "99.9%", 7*day) // the same factors, so that the windows change
	require.Equal(t, []string{"72/5", "6", "1"}, factors(t, p))
	require.Equal(t, []time.Duration{14 * time.Minute, 70 * time.Second, 84 * time.Minute, 7 * time.Minute, 16*time.Hour + 48*time.Minute, 84 * time.Minute}, windows())
}

func TestWorkbookOfAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := time.Duration(rapid.Int64Range(int64(144*time.Minute/time.Millisecond), int64(100*365*day/time.Millisecond)).Draw(t, "ms")) * time.Millisecond
		p := workbook(t, "99.99%", window)
		for i, want := range []float64{14.4, 6, 1} {
			f, err := p.Factor(p.Rules[i])
			require.NoError(t, err)
			got, _ := f.Rat().Float64()
			require.InEpsilon(t, want, got, 0.05) // seconds of 12
			require.Less(t, p.Rules[i].Short, p.Rules[i].Long)
		}
	})
	for _, window := range []time.Duration{0, -day, 2 * time.Hour, day + 1} {
		_, err := budget.Workbook(of(t, "99.9%"), window)
		require.ErrorIs(t, err, opsec.ErrInvalid, window)
	}
	require.Equal(t, budget.Duration(2*time.Second), workbook(t, "99.9%", 216*time.Minute).Rules[0].Short, "rounded, of 1.5 s")
	_, err := budget.Workbook(of(t, "99.9%"), 1<<63-1-(1<<63-1)%time.Millisecond)
	require.NoError(t, err)
}

func TestRuleThatCannotFireIsFound(t *testing.T) {
	for target, dead := range map[string][]string{
		"99.9%":    nil,
		"93.0556%": nil,      // a total outage burns 14.4000.. times the budget
		"67/72":    {"fast"}, // exactly 14.4, and more is wanted
		"90%":      {"fast"},
		"83.34%":   {"fast"},
		"5/6":      {"fast", "slow"}, // exactly 6
		"1%":       {"fast", "slow"}, // 1.0101..
		"0%":       {"fast", "slow", "steady"},
	} {
		p := workbook(t, "99.9%", 30*day)
		p.Target = of(t, target)
		var names []string
		err := p.Validate()
		if err != nil {
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				var u *budget.UnreachableError
				require.ErrorAs(t, e, &u)
				require.ErrorIs(t, u, opsec.ErrInvalid)
				names = append(names, u.Rule)
			}
		}
		require.Equal(t, dead, names, target)
		for _, r := range p.Rules {
			_, fires := p.Detects(r, ratio.One())
			require.NotEqual(t, fires, contains(dead, r.Name), "%s %s", target, r.Name)
		}
	}
	p := workbook(t, "99.9%", 30*day)
	p.Target = of(t, "90%")
	require.EqualError(t, p.Validate(), "budget: rule fast never fires: a total outage burns 10 times the budget, and the rule wants more than 14.4")
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}

func TestDetectionTime(t *testing.T) {
	p := workbook(t, "99.9%", 30*day)
	for _, c := range []struct {
		rule int
		bad  string
		want time.Duration // the workbook: (1-SLO) / error ratio * window * burn rate
	}{
		{0, "100%", 51840 * time.Millisecond},
		{0, "10%", 518400 * time.Millisecond},
		{1, "100%", 129600 * time.Millisecond},
		{2, "100%", 259200 * time.Millisecond},
		{2, "0.2%", 36 * time.Hour},
	} {
		got, fires := p.Detects(p.Rules[c.rule], of(t, c.bad))
		require.True(t, fires)
		require.Equal(t, c.want+time.Millisecond, got) // more than that burns too fast
	}
	for _, bad := range []string{"0%", "1.44%", "1%"} {
		_, fires := p.Detects(p.Rules[0], of(t, bad))
		require.False(t, fires, bad)
	}
	got, fires := p.Detects(p.Rules[0], of(t, "1.440001%"))
	require.True(t, fires)
	require.LessOrEqual(t, got, time.Hour)
	got, fires = p.Detects(p.Rules[0], of(t, "200%"))
	require.True(t, fires)
	require.Equal(t, 51841*time.Millisecond, got, "no more than all is bad")
	_, fires = p.Detects(budget.Rule{}, ratio.One())
	require.False(t, fires)
}

// TestDetectionComesTrue lets a share of each second be bad, and looks when the rule fires.
func TestDetectionComesTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		long := rapid.IntRange(2, 100).Draw(t, "long")
		share, _ := ratio.New(rapid.Uint64Range(1, 50).Draw(t, "share"), 100)
		p := budget.Policy{Target: of(t, rapid.SampledFrom([]string{"99%", "90%", "2/3"}).Draw(t, "target")), Window: budget.Duration(200 * time.Second),
			Rules: []budget.Rule{{Name: "a", Urgency: budget.Page, Share: share, Long: budget.Duration(time.Duration(long) * time.Second),
				Short: budget.Duration(time.Duration(rapid.IntRange(1, long).Draw(t, "short")) * time.Second)}}}
		if p.Validate() != nil {
			return // it never fires
		}
		const all = 1000
		bad := rapid.Uint64Range(0, all).Draw(t, "bad")
		r, err := budget.NewRing(time.Second, []time.Duration{time.Duration(p.Rules[0].Long), time.Duration(p.Rules[0].Short)}, 0)
		require.NoError(t, err)
		after := 0
		for s := range 2*long + 1 { // as long as the window all is good
			c := budget.Counts{Good: all}
			if s >= long {
				c = budget.Counts{Good: all - bad, Bad: bad}
			}
			r.Advance(int64(s) * 1000)
			require.NoError(t, r.Add(int64(s)*1000, c))
			alerts, err := p.Judge(r.Over)
			require.NoError(t, err)
			if alerts[0].State == budget.Firing {
				after = s - long + 1
				break
			}
		}
		share, _ = ratio.New(bad, all)
		took, fires := p.Detects(p.Rules[0], share)
		require.Equal(t, after > 0, fires)
		if fires { // the first whole second
			require.Equal(t, time.Duration(after)*time.Second, (took-time.Millisecond).Truncate(time.Second)+time.Second)
		}
	})
}

func TestPolicyNamesAllThatIsWrong(t *testing.T) {
	text := func(p budget.Policy) string {
		err := p.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid)
		return err.Error()
	}
	require.Equal(t, "budget: window: want whole milliseconds, more than 0\nbudget: rules: want 1 to 32, not 0", text(budget.Policy{}))
	p := workbook(t, "99.9%", 30*day)
	p.Target, p.Chance = ratio.One(), ratio.One()
	p.Rules[0] = budget.Rule{Name: "Ä", Urgency: "soon", Long: 1, Short: -1}
	p.Rules[2].Name = "slow"
	for _, want := range []string{"target", "chance", "rules[0].name", "rules[0].urgency", "rules[0].share", "rules[0].long", "rules[2].name"} {
		require.Contains(t, text(p), "budget: "+want+": ")
	}
	for name, change := range map[string]func(*budget.Rule){
		"share":  func(r *budget.Rule) { r.Share = of(t, "101%") },
		"short":  func(r *budget.Rule) { r.Short = r.Long + budget.Duration(time.Millisecond) },
		"long":   func(r *budget.Rule) { r.Long = budget.Duration(31 * day) },
		"finer":  func(r *budget.Rule) { r.Short++ },
		"factor": func(r *budget.Rule) { r.Share = of(t, "9223372036854775807/18446744073709551615") },
	} {
		p := workbook(t, "99.9%", 30*day)
		change(&p.Rules[1])
		require.Contains(t, text(p), "budget: rules[1].", name)
	}
	p = workbook(t, "99.9%", 30*day)
	p.Rules, p.Target, p.Chance = []budget.Rule{{Name: "a", Urgency: budget.Page, Share: of(t, "1%"), Long: p.Window / 2, Short: p.Window / 2}}, of(t, "0%"), of(t, "1%")
	require.Contains(t, text(p), "chance", "by a target of 0 % nothing is unlikely, and the rule would never fire")
	p.Chance = ratio.Ratio{}
	require.NoError(t, p.Validate())
	p.Rules[0].Share, p.Target = ratio.One(), of(t, "60%")
	require.NoError(t, p.Validate(), "all of the budget in half of the window")
	p.Target, p.Chance = ratio.One(), ratio.One()
	require.Equal(t, 2, strings.Count(text(p), "\n")+1, "the rule is right")
	p = workbook(t, "99.9%", 30*day)
	p.Rules = make([]budget.Rule, 33)
	require.Contains(t, text(p), "want 1 to 32, not 33")
	_, err := budget.Policy{}.Factor(budget.Rule{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestNamesOfRules(t *testing.T) {
	for name, fine := range map[string]bool{
		"a": true, "9": true, "a-b": true, strings.Repeat("a", 40): true,
		"": false, "-": false, "-a": false, "a-": false, "a b": false, "A": false, "a_b": false, "é": false, strings.Repeat("a", 41): false,
	} {
		p := workbook(t, "99.9%", 30*day)
		p.Rules[0].Name = name
		if err := p.Validate(); fine {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, opsec.ErrInvalid, name)
		}
	}
}

func TestPolicyIsData(t *testing.T) {
	p := workbook(t, "99.95%", 30*day)
	doc, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(doc), `"rules":[{"name":"fast","urgency":"page","share":"2%","long":"1h0m0s","short":"5m0s"}`)
	var back budget.Policy
	require.NoError(t, json.Unmarshal(doc, &back))
	require.Equal(t, factors(t, p), factors(t, back))
}

// TestBurnIsExact compares with rationals.
func TestBurnIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counts(t)
		target := rational(t)
		r := budget.Burn(c.Range(), target)
		require.LessOrEqual(t, r.Low.Cmp(r.High), 0)
		all := c.Good + c.Bad + c.Unknown
		if all == 0 || target.Complement().Num() == 0 {
			return
		}
		share := func(bad uint64) *big.Rat {
			return new(big.Rat).Quo(new(big.Rat).SetFrac(whole(bad), whole(all)), target.Complement().Rat())
		}
		low, high := share(c.Bad), share(c.Bad+c.Unknown)
		require.LessOrEqual(t, r.Low.Rat().Cmp(low), 0)
		require.GreaterOrEqual(t, r.High.Rat().Cmp(high), 0)
		near := new(big.Rat).Sub(r.High.Rat(), high)
		require.Less(t, near.Cmp(big.NewRat(1, 1)), 0)
		if high.Num().IsUint64() && high.Denom().IsUint64() {
			require.Zero(t, near.Sign())
		}
	})
	used := budget.Burn(budget.Counts{Good: 43157, Bad: 43}.Range(), of(t, "99.9%")) // minutes of 30 days
	require.Zero(t, used.Low.Cmp(of(t, "430/432")))
	whole := budget.Burn(budget.Counts{Bad: 1, Good: 999}.Range(), of(t, "99.9%"))
	require.Zero(t, whole.Low.Cmp(ratio.One()), "exactly at the target all of the budget is used, and no more")
	none := budget.Burn(budget.Counts{Bad: 1, Good: 999}.Range(), ratio.One())
	require.Equal(t, uint64(1<<64-1), none.Low.Num())
	require.Zero(t, budget.Burn(budget.Counts{Good: 9}.Range(), ratio.One()).High.Num())
}

// TestRangeIsOutward compares with rationals, also where the sum has more than 64 bits.
func TestRangeIsOutward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.Uint64(), rapid.Uint64Max(3), rapid.Uint64Min(1<<64-4))
		c := budget.Counts{Good: n.Draw(t, "good"), Bad: n.Draw(t, "bad"), Unknown: n.Draw(t, "unknown")}
		all := new(big.Int).Add(whole(c.Good), whole(c.Bad))
		all.Add(all, whole(c.Unknown))
		if all.Sign() == 0 {
			require.Equal(t, ratio.Range{Low: ratio.One(), High: ratio.One()}, c.Range())
			return
		}
		low := new(big.Rat).Sub(new(big.Rat).SetFrac(whole(c.Good), all), c.Range().Low.Rat())
		high := new(big.Rat).Sub(c.Range().High.Rat(), new(big.Rat).SetFrac(new(big.Int).Sub(all, whole(c.Bad)), all))
		for _, off := range []*big.Rat{low, high} {
			require.GreaterOrEqual(t, off.Sign(), 0)
			require.Negative(t, off.Cmp(big.NewRat(1, 1<<60)))
			if all.IsUint64() {
				require.Zero(t, off.Sign())
			}
		}
	})
}

func counts(t *rapid.T) budget.Counts {
	n := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(0, 1<<62))
	return budget.Counts{Good: n.Draw(t, "good"), Bad: n.Draw(t, "bad"), Unknown: n.Draw(t, "unknown")}
}

func rational(t *rapid.T) ratio.Ratio {
	den := rapid.OneOf(rapid.Uint64Range(1, 1000), rapid.Uint64Min(1)).Draw(t, "den")
	r, err := ratio.New(rapid.Uint64Max(den).Draw(t, "num"), den)
	require.NoError(t, err)
	return r
}

func whole(n uint64) *big.Int { return new(big.Int).SetUint64(n) }

// FuzzPolicy looks for policies from elsewhere that are neither refused nor judged.
func FuzzPolicy(f *testing.F) {
	doc, err := json.Marshal(workbook(f, "99.9%", 30*day))
	require.NoError(f, err)
	f.Add(doc, uint64(5), uint64(3), uint64(1))
	f.Add([]byte(`{"target":"1/3","window":"1h","chance":"1%","rules":[{"name":"a","urgency":"page","share":"1/9","long":"1m","short":"1ms"}]}`), uint64(0), uint64(9), uint64(1<<63))
	f.Fuzz(func(t *testing.T, doc []byte, good, bad, unknown uint64) {
		var p budget.Policy
		if json.Unmarshal(doc, &p) != nil {
			return
		}
		valid := p.Validate()
		c := budget.Counts{Good: good, Bad: bad, Unknown: unknown}
		alerts, err := p.Judge(func(time.Duration) (budget.Counts, error) { return c, nil })
		require.Equal(t, valid, err)
		text, err := p.Prometheus(source)
		require.Equal(t, valid, err)
		if valid != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		require.Len(t, alerts, len(p.Rules))
		for i, r := range p.Rules {
			took, fires := p.Detects(r, ratio.One())
			require.True(t, fires)
			require.LessOrEqual(t, took, time.Duration(r.Long))
			require.LessOrEqual(t, alerts[i].Long.Low.Cmp(alerts[i].Long.High), 0)
			require.Contains(t, string(text), "SLOBudgetBurn_"+strings.ReplaceAll(r.Name, "-", "_"))
		}
	})
}
