package credit_test

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/currency"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// owed is a credit that was reckoned elsewhere.
func owed(service string, limit string, low, high string, change ...func(*credit.Due)) credit.Due {
	d := credit.Due{Service: service, Credit: span(low, high), Verdict: ratio.Breach}
	if limit != "" {
		d.Cap = of(limit)
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func TestCapsBySituation(t *testing.T) {
	group := func(g string) func(*credit.Due) { return func(d *credit.Due) { d.Group = g } }
	for _, c := range []struct {
		name string
		dues []credit.Due
		want string
	}{
		{"none", nil, ""},
		{"one", []credit.Due{owed("a", "", "10%", "30%")}, "a 10% 30%"},
		{"by service", []credit.Due{owed("b", "", "60%", "60%"), owed("a", "", "60%", "60%"), owed("b", "", "60%", "70%")}, "b 100% 100%|a 60% 60%"},
		{"sum", []credit.Due{owed("a", "", "10%", "30%"), owed("a", "", "1/3", "1/2")}, "a 13/30 80%"},
		{"same caps", []credit.Due{owed("a", "50%", "10%", "30%"), owed("a", "50%", "20%", "30%")}, "a 30% 50%"},
		{"a low cap does not lessen what others give", []credit.Due{owed("a", "100%", "100%", "100%"), owed("a", "10%", "10%", "10%")}, "a 100% 100%"},
		{"the low cap is taken first", []credit.Due{owed("a", "100%", "30%", "30%"), owed("a", "10%", "10%", "10%"), owed("a", "10%", "10%", "10%")}, "a 40% 40%"},
		{"steps", []credit.Due{owed("a", "30%", "25%", "25%"), owed("a", "20%", "20%", "20%"), owed("a", "60%", "25%", "25%")}, "a 55% 55%"},
		{"more than the fee", []credit.Due{owed("a", "300%", "200%", "200%")}, "a 100% 100%"},
		{"a group", []credit.Due{owed("a", "", "10%", "30%", group("g")), owed("a", "", "20%", "25%", group("g")), owed("a", "", "1%", "1%")}, "a 21% 31%"},
		{"two groups", []credit.Due{owed("a", "", "10%", "10%", group("g")), owed("a", "", "20%", "20%", group("h")), owed("a", "", "15%", "15%", group("g"))}, "a 35% 35%"},
		{"the cap of a group is its greatest", []credit.Due{owed("a", "60%", "60%", "60%"), owed("a", "60%", "40%", "60%", group("g")), owed("a", "", "50%", "50%", group("g"))}, "a 100% 100%"},
		{"groups are a service's", []credit.Due{owed("a", "", "10%", "10%", group("g")), owed("b", "", "20%", "20%", group("g"))}, "a 10% 10%|b 20% 20%"},
	} {
		totals, err := credit.Cap(c.dues)
		require.NoError(t, err, c.name)
		var got []string
		for _, x := range totals {
			got = append(got, fmt.Sprintf("%s %s %s", x.Service, x.Credit.Low, x.Credit.High))
			require.Zero(t, x.Amount)
		}
		for i, w := range strings.Split(c.want, "|") {
			if w == "" {
				require.Empty(t, got)
				continue
			}
			f := strings.Fields(w)
			require.Equal(t, f[0], totals[i].Service, c.name)
			require.Equal(t, 0, of(f[1]).Cmp(totals[i].Credit.Low), "%s: %s", c.name, got)
			require.Equal(t, 0, of(f[2]).Cmp(totals[i].Credit.High), "%s: %s", c.name, got)
		}
	}
}

func TestASumThat64BitsDoNotHoldIsRoundedOutward(t *testing.T) {
	totals, err := credit.Cap([]credit.Due{
		owed("a", "", "1/18446744073709551615", "1/18446744073709551615"), owed("a", "", "1/18446744073709551557", "1/18446744073709551557"),
	})
	require.NoError(t, err)
	require.Equal(t, 0, totals[0].Credit.Low.Cmp(of("0/1")))
	require.Equal(t, 0, totals[0].Credit.High.Cmp(of("1/1000000000000000000")))
}

func TestMoneyIsCappedByCoins(t *testing.T) {
	paid := func(amount string) func(*credit.Due) {
		return func(d *credit.Due) { d.Fee, d.Amount = "1.00 EUR", [2]string{amount, amount} }
	}
	totals, err := credit.Cap([]credit.Due{owed("a", "", "33.5%", "33.5%", paid("0.34 EUR")), owed("a", "", "66.5%", "66.5%", paid("0.67 EUR"))})
	require.NoError(t, err)
	require.Equal(t, [2]string{"1.00 EUR", "1.00 EUR"}, totals[0].Amount, "two amounts that were rounded up are more than the fee")
	totals, err = credit.Cap([]credit.Due{owed("a", "33.9%", "33.5%", "33.5%", paid("0.34 EUR"))})
	require.NoError(t, err)
	require.Equal(t, [2]string{"0.33 EUR", "0.33 EUR"}, totals[0].Amount, "caps are rounded down")
}

func TestWhatCannotBeAddedIsRefused(t *testing.T) {
	paid := func(fee, low, high string) func(*credit.Due) {
		return func(d *credit.Due) { d.Fee, d.Amount = fee, [2]string{low, high} }
	}
	for want, dues := range map[string][]credit.Due{
		"fee":      {owed("a", "", "1%", "1%", paid("1.00 EUR", "0.01 EUR", "0.01 EUR")), owed("a", "", "1%", "1%")},
		"fee ":     {owed("a", "", "1%", "1%", paid("x", "0.01 EUR", "0.01 EUR"))},
		"credit":   {owed("a", "", "2%", "1%")},
		"amount":   {owed("a", "", "1%", "1%", paid("1.00 EUR", "0.02 EUR", "0.01 EUR"))},
		"amount ":  {owed("a", "", "1%", "1%", paid("1.00 EUR", "", ""))},
		"amount  ": {owed("a", "", "1%", "1%", paid("1.00 EUR", "0.01 USD", "0.01 USD"))},
		"amount    ": {owed("a", "", "2%", "2%", paid("1.00 EUR", "0.02 EUR", "0.02 EUR"), func(d *credit.Due) { d.Group = "g" }),
			owed("a", "", "1%", "1%", paid("1.00 EUR", "0.01 USD", "0.01 USD"), func(d *credit.Due) { d.Group = "g" })}, // the lesser of its group
		"amount     ": {owed("a", "", "1%", "1%", paid("", "0.01 EUR", "0.01 EUR"))},
		"amount   ": {owed("a", "", "1%", "1%", paid("1.00 EUR", "0.01 EUR", "0.01 EUR")),
			owed("b", "", "1%", "1%", paid("1.00 EUR", "0.01 EUR", "0.01"))},
	} {
		_, err := credit.Cap(dues)
		var f *credit.Fault
		require.ErrorAs(t, err, &f, want)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, strings.TrimSpace(want), f.Path)
	}
}

// The same, by rational numbers: the most that may be given so that tables with caps up to any one give no more than it.
func TestCapsBesideAReckoningByBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "n")
		var dues []credit.Due
		for range n {
			low := rapid.Uint64Range(0, 1000).Draw(t, "low")
			high := rapid.Uint64Range(low, 1000).Draw(t, "high")
			limit := rapid.Uint64Range(0, 1200).Draw(t, "cap")
			var d credit.Due
			d.Service = "s"
			d.Credit.Low, _ = ratio.New(low, 1000)
			d.Credit.High, _ = ratio.New(high, 1000)
			d.Cap, _ = ratio.New(limit, 1000)
			dues = append(dues, d)
		}
		totals, err := credit.Cap(dues)
		if err != nil {
			t.Fatal(err)
		}
		for end, got := range []ratio.Ratio{totals[0].Credit.Low, totals[0].Credit.High} {
			want := new(big.Rat)
			for _, d := range dues {
				want.Add(want, []ratio.Ratio{d.Credit.Low, d.Credit.High}[end].Rat())
			}
			for _, k := range dues { // what caps above leave free, and the cap
				sum := limitOf(k)
				for _, d := range dues {
					if limitOf(d).Cmp(limitOf(k)) > 0 {
						sum.Add(sum, []ratio.Ratio{d.Credit.Low, d.Credit.High}[end].Rat())
					}
				}
				if sum.Cmp(want) < 0 {
					want = sum
				}
			}
			if got.Rat().Cmp(want) != 0 {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	})
}

func limitOf(d credit.Due) *big.Rat {
	if r := d.Cap.Rat(); r.Sign() > 0 && r.Cmp(big.NewRat(1, 1)) < 0 {
		return r
	}
	return big.NewRat(1, 1)
}

// drawTable draws a valid table.
func drawTable(t *rapid.T) credit.Table {
	tab := credit.Table{ID: "t", Objective: "o"}
	below, share := uint64(1000), uint64(0)
	for range rapid.IntRange(1, 5).Draw(t, "bands") {
		below = rapid.Uint64Range(below-min(below-1, 200), below-1).Draw(t, "below")
		share += rapid.Uint64Range(1, 150).Draw(t, "share")
		var b credit.Band
		b.Below, _ = ratio.New(max(1, below), 1000)
		b.Credit, _ = ratio.New(share, 1000)
		tab.Bands = append(tab.Bands, b)
		if below <= 2 {
			break
		}
	}
	if rapid.Bool().Draw(t, "capped") {
		tab.Cap, _ = ratio.New(rapid.Uint64Range(share, 1000).Draw(t, "cap"), 1000)
	}
	tab.Group = rapid.SampledFrom([]string{"", "", "g", "h"}).Draw(t, "group")
	tab.Rounding = rapid.SampledFrom([]credit.Rounding{"", credit.HalfUp, credit.HalfEven, credit.Up, credit.Down}).Draw(t, "rounding")
	tab.Minimum = rapid.SampledFrom([]string{"", "", "1.00 EUR", "0.5 EUR"}).Draw(t, "minimum")
	if err := tab.Validate(); err != nil {
		t.Fatal(err)
	}
	return tab
}

func drawRange(t *rapid.T) ratio.Range {
	low := rapid.Uint64Range(0, 1000).Draw(t, "low")
	var r ratio.Range
	r.Low, _ = ratio.New(low, 1000)
	r.High, _ = ratio.New(rapid.Uint64Range(low, 1000).Draw(t, "high"), 1000)
	return r
}

func drawFee(t *rapid.T) string {
	return fmt.Sprintf("%d.%03d EUR", rapid.Uint64Range(0, 50).Draw(t, "euro"), rapid.Uint64Range(0, 999).Draw(t, "part"))
}

// cents reads an amount with two decimals.
func cents(t *rapid.T, s string) *big.Int {
	number, ok := strings.CutSuffix(s, " EUR")
	at := strings.Index(number, ".")
	n, ok2 := new(big.Int).SetString(strings.Replace(number, ".", "", 1), 10)
	if !ok || !ok2 || at != len(number)-3 {
		t.Fatalf("%q", s)
	}
	return n
}

// An amount is what the share of the fee is by rational numbers, less than a cent away, and by the rule half a cent at most.
func TestAmountsBesideRationalNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab, figure, fee := drawTable(t), drawRange(t), drawFee(t)
		tab.Minimum = ""
		d, err := tab.Due("s", figure, ratio.Breach, fee, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		exact, _ := new(big.Rat).SetString(strings.TrimSuffix(fee, " EUR"))
		exact.Mul(exact, big.NewRat(100, 1))
		for end, share := range []ratio.Ratio{d.Credit.Low, d.Credit.High} {
			want := new(big.Rat).Mul(exact, share.Rat())
			got := new(big.Rat).SetInt(cents(t, d.Amount[end]))
			off := new(big.Rat).Sub(got, want) // of a cent
			limit := new(big.Rat).Mul(exact, limitOf(d))
			half := big.NewRat(1, 2)
			neg := new(big.Rat).Neg(half)
			whole := new(big.Rat).SetInt(new(big.Int).Quo(limit.Num(), limit.Denom()))
			if got.Cmp(limit) > 0 {
				t.Fatalf("%s of %s is above the cap", d.Amount[end], fee)
			}
			if got.Cmp(whole) == 0 && off.Sign() <= 0 && off.Cmp(big.NewRat(-1, 1)) > 0 {
				continue // the cap
			}
			switch odd := got.Num().Bit(0) == 1; tab.Rounding {
			case credit.Up:
				if off.Sign() < 0 || off.Cmp(big.NewRat(1, 1)) >= 0 {
					t.Fatal(off)
				}
			case credit.Down:
				if off.Sign() > 0 || off.Cmp(big.NewRat(-1, 1)) <= 0 {
					t.Fatal(off)
				}
			case credit.HalfEven:
				if c := off.Cmp(half); c > 0 || c == 0 && odd {
					t.Fatal(off)
				}
				if c := off.Cmp(neg); c < 0 || c == 0 && odd {
					t.Fatal(off)
				}
			default:
				if off.Cmp(half) > 0 || off.Cmp(neg) <= 0 {
					t.Fatal(off)
				}
			}
		}
	})
}

// All of a Due, in currencies of 0, 2, 3 and 4 decimals, beside integers: coins are the floor of the fee's share, and one more by the rule.
func TestDueBesideIntegers(t *testing.T) {
	coins := map[string]int64{"JPY": 1, "EUR": 100, "KWD": 1000, "CLF": 10_000}
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]string{"JPY", "EUR", "KWD", "CLF"}).Draw(t, "unit")
		number := fmt.Sprintf("%d.%05d", rapid.Uint64Range(0, 20).Draw(t, "whole"), rapid.Uint64Range(0, 99_999).Draw(t, "part"))
		tab, figure := drawTable(t), drawRange(t)
		v := rapid.SampledFrom([]ratio.Verdict{ratio.Met, ratio.Breach, ratio.Undecided}).Draw(t, "verdict")
		least := int64(-1) // coins, rounded down: what exceeds them exceeds it
		tab.Minimum = ""
		if rapid.Bool().Draw(t, "minimum") {
			least = rapid.Int64Range(0, 3).Draw(t, "minimum of")
			tab.Minimum = fmt.Sprintf("%s %s", big.NewRat(least, coins[unit]).FloatString(4), unit)
		}
		d, err := tab.Due("s", figure, v, number+" "+unit, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		fee, _ := new(big.Rat).SetString(number)
		fee.Mul(fee, big.NewRat(coins[unit], 1))
		for end, f := range []ratio.Ratio{figure.High, figure.Low} {
			share := new(big.Rat)
			for _, b := range tab.Bands {
				if f.Cmp(b.Below) < 0 {
					share = b.Credit.Rat()
				}
			}
			if v == ratio.Met || v == ratio.Undecided && end == 0 {
				share = new(big.Rat)
			}
			due := new(big.Rat).Mul(fee, share)
			n, rest := new(big.Int).QuoRem(due.Num(), due.Denom(), new(big.Int))
			half := new(big.Int).Lsh(rest, 1).Cmp(due.Denom())
			up := half >= 0
			switch tab.Rounding {
			case credit.Up:
				up = rest.Sign() > 0
			case credit.Down:
				up = false
			case credit.HalfEven:
				up = half > 0 || half == 0 && n.Bit(0) == 1
			}
			if up {
				n.Add(n, big.NewInt(1))
			}
			limit := new(big.Rat).Mul(fee, limitOf(d))
			if most := new(big.Int).Quo(limit.Num(), limit.Denom()); n.Cmp(most) > 0 {
				n = most
			}
			if n.Int64() <= least {
				n, share = new(big.Int), new(big.Rat)
			}
			decimals := len(strconv.FormatInt(coins[unit], 10)) - 1
			want := new(big.Rat).SetFrac(n, big.NewInt(coins[unit])).FloatString(decimals) + " " + unit
			got := []ratio.Ratio{d.Credit.Low, d.Credit.High}[end]
			if d.Amount[end] != want || got.Rat().Cmp(share) != 0 {
				t.Fatalf("%s of the fee, %s: want %s, %s", got, d.Amount[end], share, want)
			}
		}
	})
}

// A worse figure never gives less, less evidence only widens, and nothing is above the fee: of one table and of all.
func TestWorseNeverOwesLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fee := drawFee(t)
		var narrow, wide []credit.Due
		for range rapid.IntRange(1, 4).Draw(t, "tables") {
			tab, figure := drawTable(t), drawRange(t)
			in := figure
			in.Low, in.High = between(t, figure), ratio.Ratio{}
			in.High = between(t, ratio.Range{Low: in.Low, High: figure.High})
			a, err := tab.Due("s", in, ratio.Breach, fee, time.Time{})
			b, err2 := tab.Due("s", figure, ratio.Breach, fee, time.Time{})
			c, err3 := tab.Due("s", figure, ratio.Undecided, fee, time.Time{})
			if err != nil || err2 != nil || err3 != nil {
				t.Fatal(err, err2, err3)
			}
			inside(t, a.Credit, a.Amount, b.Credit, b.Amount)
			inside(t, b.Credit, b.Amount, c.Credit, c.Amount)
			narrow, wide = append(narrow, a), append(wide, b)
		}
		a, err := credit.Cap(narrow)
		b, err2 := credit.Cap(wide)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		inside(t, a[0].Credit, a[0].Amount, b[0].Credit, b[0].Amount)

		turned := rapid.Permutation(wide).Draw(t, "order")
		c, err := credit.Cap(turned)
		if err != nil {
			t.Fatal(err)
		}
		if c[0].Amount != b[0].Amount || c[0].Credit.Low.Cmp(b[0].Credit.Low) != 0 || c[0].Credit.High.Cmp(b[0].Credit.High) != 0 {
			t.Fatalf("the order matters: %v, %v", b, c)
		}
		all, _ := new(big.Rat).SetString(strings.TrimSuffix(fee, " EUR"))
		if new(big.Rat).SetFrac(cents(t, b[0].Amount[1]), big.NewInt(100)).Cmp(all) > 0 {
			t.Fatalf("%s of %s", b[0].Amount[1], fee)
		}
	})
}

func between(t *rapid.T, r ratio.Range) ratio.Ratio {
	at := func(x ratio.Ratio) uint64 { return x.Num() * 1000 / x.Den() }
	got, _ := ratio.New(rapid.Uint64Range(at(r.Low), at(r.High)).Draw(t, "between"), 1000)
	return got
}

func inside(t *rapid.T, a ratio.Range, paid [2]string, b ratio.Range, most [2]string) {
	if b.Low.Cmp(a.Low) > 0 || a.Low.Cmp(a.High) > 0 || a.High.Cmp(b.High) > 0 {
		t.Fatalf("%v is not inside of %v", a, b)
	}
	list := []*big.Int{cents(t, most[0]), cents(t, paid[0]), cents(t, paid[1]), cents(t, most[1])}
	for i := range 3 {
		if list[i].Cmp(list[i+1]) > 0 {
			t.Fatalf("%v is not inside of %v", paid, most)
		}
	}
}

// The mean by Each is that of dues of one resource each.
func TestEachBesideDueByDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := drawTable(t)
		each, low, high, n := tab.Each(), new(big.Rat), new(big.Rat), rapid.IntRange(1, 10).Draw(t, "n")
		for range n {
			figure := drawRange(t)
			v := rapid.SampledFrom([]ratio.Verdict{ratio.Met, ratio.Breach, ratio.Undecided}).Draw(t, "verdict")
			d, err := tab.Due("s", figure, v, "", time.Time{})
			err2 := each.Add(figure, v)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			low.Add(low, d.Credit.Low.Rat())
			high.Add(high, d.Credit.High.Rat())
		}
		d, err := each.Due("s", "", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		times := big.NewRat(int64(n), 1)
		if low.Cmp(times.Mul(times, d.Credit.Low.Rat())) != 0 {
			t.Fatal(low, times)
		}
		times = big.NewRat(int64(n), 1)
		if high.Cmp(times.Mul(times, d.Credit.High.Rat())) != 0 {
			t.Fatal(high, times)
		}
	})
}

// Coins are those of ISO 4217. CLDR, by which prices are shown, leaves some away that nobody uses.
func TestCoinsBesideCLDR(t *testing.T) {
	others := map[string]int{}
	same := 0
	for i := currency.Query(currency.NonTender); i.Next(); {
		unit := i.Unit().String()
		if _, gone := i.To(); gone || !i.IsTender() {
			continue
		}
		tab := table()
		tab.Bands = []credit.Band{{of("99%"), of("1/3")}}
		d, err := tab.Due("s", exactly("98%"), ratio.Breach, "1 "+unit, time.Time{})
		require.NoError(t, err)
		number, _, _ := strings.Cut(d.Amount[0], " ")
		_, part, _ := strings.Cut(number, ".")
		if scale, _ := currency.Standard.Rounding(i.Unit()); scale != len(part) {
			require.Zero(t, scale, unit)
			others[unit] = len(part)
			continue
		}
		same++
	}
	require.Greater(t, same, 100)
	require.Equal(t, map[string]int{"AFN": 2, "ALL": 2, "AMD": 2, "COP": 2, "GYD": 2, "IDR": 2, "IQD": 3, "IRR": 2, "KPW": 2, "LAK": 2,
		"LBP": 2, "MGA": 2, "MMK": 2, "MNT": 2, "MRO": 2, "MUR": 2, "PKR": 2, "RSD": 2, "SLL": 2, "SOS": 2, "SYP": 2, "TZS": 2, "UZS": 2,
		"YER": 2}, others)
}
