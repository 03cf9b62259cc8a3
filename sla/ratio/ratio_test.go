package ratio_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/ratio"
)

func TestParseIsExact(t *testing.T) {
	for text, want := range map[string][2]uint64{
		"99.95%": {9995, 10000}, "99.95 %": {9995, 10000}, "0.9995": {9995, 10000}, "1999/2000": {1999, 2000}, "100%": {1, 1},
		"0%": {0, 1}, "0": {0, 1}, "1": {1, 1}, "99.999999999%": {99999999999, 100000000000}, "99.90000000000000000000000%": {999, 1000},
		"0.12345678901234567": {12345678901234567, 1e17}, "9.12345678901234567%": {912345678901234567, 1e19},
		"18446744073709551615/18446744073709551614": {math.MaxUint64, math.MaxUint64 - 1}, "18446744073709551615": {math.MaxUint64, 1},
	} {
		r, err := ratio.Parse(text)
		require.NoError(t, err, text)
		w, err := ratio.New(want[0], want[1])
		require.NoError(t, err)
		require.Zero(t, r.Cmp(w), text)
	}
	for _, text := range []string{"", "%", ".5", "5.", "-1%", "+1", "1e3", "1/0", "1/", "/1", "99,95%", "99.95%%", "0x10", "1 /2", " 1", "1  %",
		"99999999999999999999", "0.123456789012345678", "99.95%99.95%99.95%99.95%99.95%99.95%99.95%", "٣"} {
		_, err := ratio.Parse(text)
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
	}
	_, err := ratio.New(1, 0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func draw(t *rapid.T, name string) ratio.Ratio {
	r, err := ratio.New(rapid.Uint64().Draw(t, name), max(1, rapid.Uint64().Draw(t, name+"/")))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRatiosAreAsBigRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, n := draw(t, "a"), draw(t, "b"), rapid.Uint64().Draw(t, "n")
		require.Equal(t, a.Rat().Cmp(b.Rat()), a.Cmp(b))
		require.Equal(t, -a.Cmp(b), b.Cmp(a))
		back, err := ratio.Parse(a.String())
		require.NoError(t, err)
		require.Zero(t, back.Cmp(a))
		if a.Cmp(ratio.One()) <= 0 {
			sum := new(big.Rat).Add(a.Rat(), a.Complement().Rat())
			require.Zero(t, sum.Cmp(big.NewRat(1, 1)))
		}
		part, exact := a.Of(n)
		product := new(big.Rat).Mul(a.Rat(), new(big.Rat).SetInt(new(big.Int).SetUint64(n)))
		floor := new(big.Int).Quo(product.Num(), product.Denom())
		if floor.IsUint64() {
			require.Equal(t, floor.Uint64(), part)
			require.Equal(t, product.IsInt(), exact)
		} else {
			require.Equal(t, uint64(math.MaxUint64), part)
		}
	})
}

func TestStringIsExact(t *testing.T) {
	for want, r := range map[string][2]uint64{
		"0%": {0, 7}, "100%": {7, 7}, "50%": {43_200, 86_400}, "1/3": {1, 3}, "2/6": {2, 6}, "1000%": {10, 1},
		"0.00019073486328125%": {1, 1 << 19}, "1/1048576": {1, 1 << 20}, // 17 decimals, and 18
		"9999999999999999900%": {99999999999999999, 1}, "184467440737095516/1": {184467440737095516, 1},
		"18446744073709551615/18446744073709551614": {math.MaxUint64, math.MaxUint64 - 1},
	} {
		of, err := ratio.New(r[0], r[1])
		require.NoError(t, err)
		require.Equal(t, want, of.String())
		back, err := ratio.Parse(want)
		require.NoError(t, err)
		require.Zero(t, back.Cmp(of), want)
	}
}

func TestWhatAPartCannotHold(t *testing.T) {
	double, err := ratio.New(2, 1)
	require.NoError(t, err)
	for n, want := range map[uint64]uint64{1<<63 - 1: math.MaxUint64 - 1, 1 << 63: math.MaxUint64, math.MaxUint64: math.MaxUint64} {
		part, exact := double.Of(n)
		require.Equal(t, want, part)
		require.Equal(t, n < 1<<63, exact)
	}
}

func TestPercentIsRoundedDown(t *testing.T) {
	r, err := ratio.New(43_178, 43_200)
	require.NoError(t, err)
	require.Equal(t, "99", r.Percent(0))
	require.Equal(t, "99", r.Percent(-1))
	require.Equal(t, "99.949", r.Percent(3))
	require.Equal(t, "99.949074074074", r.Percent(99))
	tiny, err := ratio.New(5, 10_000)
	require.NoError(t, err)
	require.Equal(t, "0.05", tiny.Percent(2))
	require.Equal(t, "43178/43200", r.String())
}

func TestARangeThatHoldsTheTargetIsUndecided(t *testing.T) {
	parse := func(s string) ratio.Ratio {
		r, err := ratio.Parse(s)
		require.NoError(t, err)
		return r
	}
	target := parse("99.9%")
	for _, c := range []struct {
		low, high string
		want      ratio.Verdict
	}{
		{"99.9%", "100%", ratio.Met}, {"99.8%", "99.9%", ratio.Undecided}, {"99%", "899/900", ratio.Breach}, {"99%", "99.8999%", ratio.Breach},
	} {
		require.Equal(t, c.want, ratio.Range{Low: parse(c.low), High: parse(c.high)}.AtLeast(target), c.low+" "+c.high)
	}
}

func TestJSONIsText(t *testing.T) {
	b, err := json.Marshal(struct{ A, B ratio.Ratio }{B: ratio.One()})
	require.NoError(t, err)
	require.Equal(t, `{"A":"0%","B":"100%"}`, string(b))
	var r ratio.Ratio
	require.NoError(t, json.Unmarshal([]byte(`"99.5%"`), &r))
	require.Equal(t, "99.5%", r.String())
	require.ErrorIs(t, json.Unmarshal([]byte(`"half"`), &r), opsec.ErrInvalid)
	require.Equal(t, "99.5%", r.String())
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"99.95%", "1/3", "0.5", "", "100 %"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ratio.Parse(s)
		if err != nil {
			return
		}
		back, err := ratio.Parse(r.String())
		if err != nil || back.Cmp(r) != 0 {
			t.Fatalf("%q: %v, %v, %v", s, r, back, err)
		}
	})
}

func ExampleParse() {
	target, _ := ratio.Parse("99.95%")
	got, _ := ratio.New(43_178, 43_200) // good and all minutes of a month
	fmt.Println(got.Percent(3), got.Cmp(target) >= 0)
	// Output: 99.949 false
}
