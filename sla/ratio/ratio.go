package ratio

import (
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Ratio is a fraction of two whole numbers that is not negative. The zero value is 0. It is kept as it was given, so that
// 43178/43200 stays readable: equal ones need not be ==, and [Ratio.Cmp] compares.
type Ratio struct {
	num uint64
	den uint64 // less one, so that the zero value is 0/1
}

// one is the whole.
var one = Ratio{num: 1}

// One returns 1, which is 100 %.
func One() Ratio { return one }

// New returns num/den. The error wraps [opsec.ErrInvalid] when den is 0.
func New(num, den uint64) (Ratio, error) {
	if den == 0 {
		return Ratio{}, fmt.Errorf("ratio: %d/0: %w", num, opsec.ErrInvalid)
	}
	return Ratio{num, den - 1}, nil
}

// Num returns the numerator.
func (r Ratio) Num() uint64 { return r.num }

// Den returns the denominator, 1 at least.
func (r Ratio) Den() uint64 { return r.den + 1 }

// Cmp returns -1, 0 or +1 as r is less than, equal to or greater than o.
func (r Ratio) Cmp(o Ratio) int {
	h1, l1 := bits.Mul64(r.num, o.den+1)
	h2, l2 := bits.Mul64(o.num, r.den+1)
	switch {
	case h1 < h2 || h1 == h2 && l1 < l2:
		return -1
	case h1 == h2 && l1 == l2:
		return 0
	}
	return 1
}

// Complement returns 1 - r, or 0 when r is more than 1.
func (r Ratio) Complement() Ratio {
	if r.num > r.Den() {
		return Ratio{}
	}
	return Ratio{r.Den() - r.num, r.den}
}

// Of returns how much of n the ratio is, rounded down, and whether it is exact. It is at most the greatest uint64.
func (r Ratio) Of(n uint64) (part uint64, exact bool) {
	hi, lo := bits.Mul64(r.num, n)
	if hi >= r.Den() {
		return 1<<64 - 1, false
	}
	part, rest := bits.Div64(hi, lo, r.Den())
	return part, rest == 0
}

// Rat returns r as a [big.Rat].
func (r Ratio) Rat() *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(r.num), new(big.Int).SetUint64(r.Den()))
}

// Percent returns r in hundredths with so many decimals, 0 to 12, rounded down: what is short of a target never looks
// as if it had reached it.
func (r Ratio) Percent(decimals int) string {
	decimals = max(0, min(decimals, 12))
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	n := new(big.Int).SetUint64(r.num)
	n.Mul(n, big.NewInt(100)).Mul(n, scale).Quo(n, new(big.Int).SetUint64(r.Den()))
	whole, part := new(big.Int).QuoRem(n, scale, new(big.Int))
	if decimals == 0 {
		return whole.String()
	}
	return fmt.Sprintf("%s.%0*s", whole, decimals, part.String())
}

// String returns r exactly: in per cent where that is short (20 bytes), else as num/den.
func (r Ratio) String() string {
	rat := r.Rat()
	rat.Mul(rat, big.NewRat(100, 1))
	if n, exact := rat.FloatPrec(); exact {
		if s := rat.FloatString(n) + "%"; len(s) <= 20 { // 17 decimals at most, which Parse reads
			return s
		}
	}
	return strconv.FormatUint(r.num, 10) + "/" + strconv.FormatUint(r.Den(), 10)
}

var errForm = errors.New(`want such as "99.95%", "0.9995" or "1999/2000"`)

// Parse reads a ratio: per cent ("99.95%"), a decimal fraction ("0.9995") or a fraction ("1999/2000"), of at most 41
// bytes. The error wraps [opsec.ErrInvalid]; signs, exponents and spaces but one before the % are among what is refused.
func Parse(s string) (Ratio, error) {
	fail := func() (Ratio, error) {
		return Ratio{}, fmt.Errorf("ratio: %.40q: %w: %w", s, errForm, opsec.ErrInvalid)
	}
	if len(s) > 41 {
		return fail()
	}
	if a, b, ok := strings.Cut(s, "/"); ok {
		num, err := number(a)
		den, err2 := number(b)
		if err != nil || err2 != nil || den == 0 {
			return fail()
		}
		return Ratio{num, den - 1}, nil
	}
	text, percent := strings.CutSuffix(s, "%")
	if percent {
		text = strings.TrimSuffix(text, " ")
	}
	whole, part, dot := strings.Cut(text, ".")
	if dot && part == "" {
		return fail()
	}
	part = strings.TrimRight(part, "0")
	if len(part) > 17 {
		return fail()
	}
	if _, err := number(whole); err != nil {
		return fail()
	}
	num, err := number(whole + part)
	if err != nil {
		return fail()
	}
	den := uint64(1)
	for range part {
		den *= 10
	}
	if percent {
		den *= 100
	}
	return Ratio{num, den - 1}, nil
}

// number reads a number of digits alone.
func number(s string) (uint64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errForm
	}
	return strconv.ParseUint(s, 10, 64)
}

// MarshalText implements [encoding.TextMarshaler], by [Ratio.String].
func (r Ratio) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler], by [Parse].
func (r *Ratio) UnmarshalText(text []byte) error {
	got, err := Parse(string(text))
	if err == nil {
		*r = got
	}
	return err
}

// Range is two bounds between which a figure lies, both included, because not all of the evidence is there.
type Range struct {
	Low  Ratio `json:"low"`
	High Ratio `json:"high"`
}

// Verdict says whether a target is reached.
type Verdict string

// The verdicts.
const (
	Met       Verdict = "met"
	Breach    Verdict = "breach"
	Undecided Verdict = "undecided" // what is not known decides
)

// AtLeast judges a figure that must not be less than a target.
func (g Range) AtLeast(target Ratio) Verdict {
	switch {
	case g.Low.Cmp(target) >= 0:
		return Met
	case g.High.Cmp(target) < 0:
		return Breach
	}
	return Undecided
}
