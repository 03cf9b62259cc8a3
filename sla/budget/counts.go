package budget

import (
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Counts is how much was what, of one unit: requests, slices or milliseconds.
type Counts struct {
	Good    uint64 `json:"good"`
	Bad     uint64 `json:"bad"`
	Unknown uint64 `json:"unknown,omitempty"` // may have been either
}

// all returns how much there was, and whether that is more than can be counted.
func (c Counts) all() (sum uint64, over bool) {
	sum, c1 := bits.Add64(c.Good, c.Bad, 0)
	sum, c2 := bits.Add64(sum, c.Unknown, 0)
	return sum, c1+c2 > 0
}

// Range returns the bounds between which the share of what was good lies: the lower takes what is unknown for bad, the
// upper for good. Where there was nothing, nothing was bad: 100 %. Counts of 2^64 and more are divided by four, and rounded
// outward.
func (c Counts) Range() ratio.Range {
	low, high := c, c
	if _, over := c.all(); over {
		up := func(n uint64) uint64 { return n/4 + min(1, n%4) }
		low = Counts{c.Good / 4, up(c.Bad), up(c.Unknown)}
		high = Counts{up(c.Good), c.Bad / 4, up(c.Unknown)}
	}
	return ratio.Range{Low: low.share(low.Good), High: high.share(high.Good + high.Unknown)}
}

// share returns a part of all that there was, which is less than 2^64.
func (c Counts) share(part uint64) ratio.Ratio {
	all, _ := c.all()
	if all == 0 {
		return ratio.One()
	}
	r, _ := ratio.New(part, all) // fails for 0 alone
	return r
}

func (c Counts) plus(o Counts) Counts {
	return Counts{c.Good + o.Good, c.Bad + o.Bad, c.Unknown + o.Unknown}
}

func (c Counts) minus(o Counts) Counts {
	return Counts{c.Good - o.Good, c.Bad - o.Bad, c.Unknown - o.Unknown}
}

// Burn returns how fast a budget burns while so much is good as the range says: 1 is the pace that uses it up at the very
// end of the window, and 14.4 ("1440%") is 14.4 times that. Over a whole window it is the share of the budget that was used.
// Bounds that do not fit a ratio are rounded outward to a billionth, or to a whole number. A target of 100 % has no budget:
// the burn is 0 while all is good, else the greatest ratio that there is.
func Burn(good ratio.Range, target ratio.Ratio) ratio.Range {
	return ratio.Range{Low: burn(good.High.Complement(), target, false), High: burn(good.Low.Complement(), target, true)}
}

// burn divides the share that is bad by the share that may be.
func burn(bad, target ratio.Ratio, up bool) ratio.Ratio {
	may := target.Complement()
	switch {
	case bad.Num() == 0:
		return ratio.Ratio{}
	case may.Num() == 0:
		r, _ := ratio.New(math.MaxUint64, 1)
		return r
	}
	may, _ = ratio.New(may.Den(), may.Num()) // not 0
	if r, fits := multiply(bad, may); fits {
		return r
	}
	return round(new(big.Rat).Mul(bad.Rat(), may.Rat()), up)
}

// multiply multiplies, if the result in lowest terms is a ratio.
func multiply(a, b ratio.Ratio) (ratio.Ratio, bool) {
	n1, n2, d1, d2 := a.Num(), b.Num(), a.Den(), b.Den()
	for _, pair := range [][2]*uint64{{&n1, &d1}, {&n1, &d2}, {&n2, &d1}, {&n2, &d2}} {
		common := gcd(*pair[0], *pair[1])
		*pair[0] /= common
		*pair[1] /= common
	}
	h1, num := bits.Mul64(n1, n2)
	h2, den := bits.Mul64(d1, d2)
	if h1+h2 > 0 {
		return ratio.Ratio{}, false
	}
	r, _ := ratio.New(num, den) // not 0
	return r, true
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// round returns a rational that is no ratio, rounded.
func round(x *big.Rat, up bool) ratio.Ratio {
	for _, den := range []int64{1_000_000_000, 1} {
		n := new(big.Int).Mul(x.Num(), big.NewInt(den))
		n.Quo(n, x.Denom())
		if up { // there is a rest, or it would be a ratio
			n.Add(n, big.NewInt(1))
		}
		if n.IsUint64() {
			r, _ := ratio.New(n.Uint64(), uint64(den))
			return r
		}
	}
	r, _ := ratio.New(math.MaxUint64, 1)
	return r
}

// product returns a*b*c, its most significant word first.
func product(a, b, c uint64) [3]uint64 {
	hi, lo := bits.Mul64(a, b)
	return wide(hi, lo, c)
}

// wide returns (hi*2^64 + lo) * c, its most significant word first.
func wide(hi, lo, c uint64) [3]uint64 {
	h0, l0 := bits.Mul64(lo, c)
	h1, l1 := bits.Mul64(hi, c)
	mid, carry := bits.Add64(h0, l1, 0)
	return [3]uint64{h1 + carry, mid, l0}
}

// beyond reports whether a share that is bad burns the budget faster than a factor.
func beyond(bad, factor, target ratio.Ratio) bool {
	is := product(bad.Num(), factor.Den(), target.Den())
	want := product(bad.Den(), factor.Num(), target.Complement().Num())
	return slices.Compare(is[:], want[:]) > 0
}

// trim drops the zeros at the end of a decimal fraction.
func trim(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
