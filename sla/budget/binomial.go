package budget

import (
	"math/big"
	"math/bits"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Sums of floats of so many bits are off by less than 2^-slack of themselves: there are fewer than 2^22 operations on
// positive numbers in one, each off by 2^-precision, powers multiply that by 2^20, and what is left out at the end is less
// than 2^-(slack+2).
const (
	precision = 256
	slack     = 200
	maxBits   = 1 << 16 // of a probability as a fraction
)

// binomial is the probability of k or more of n.
type binomial struct {
	k, n   uint64
	choose *big.Float // the number of ways in which k are of n
	below  *big.Float // the number of ways in which k-1 are of n
}

func newBinomial(k, n uint64) *binomial {
	b := &binomial{k: k, n: n, choose: choose(k, n)}
	if k > 0 { // C(n, k-1) = C(n, k) * k / (n-k+1)
		b.below = float().Mul(b.choose, whole64(k))
		b.below.Quo(b.below, whole64(n-k+1))
	}
	return b
}

func float() *big.Float           { return new(big.Float).SetPrec(precision) }
func whole64(n uint64) *big.Float { return float().SetUint64(n) }
func integer(n uint64) *big.Int   { return new(big.Int).SetUint64(n) }

func choose(k, n uint64) *big.Float {
	k = min(k, n-k)
	c, x := whole64(1), float()
	for i := uint64(1); i <= k; i++ {
		c.Mul(c, x.SetUint64(n-i+1))
		c.Quo(c, x.SetUint64(i))
	}
	return c
}

// cmp compares the probability, where each is a hit with a probability of p <= 1, with a number from 0 to 1. It is false if
// the two are too close to tell.
func (b *binomial) cmp(p ratio.Ratio, with *big.Rat) (sign int, told bool) {
	hit, den := p.Num(), p.Den()
	for a, c := hit, den; ; a, c = c, a%c { // in lowest terms
		if c == 0 {
			hit, den = hit/a, den/a
			break
		}
	}
	switch {
	case b.k == 0 || hit == den:
		return big.NewRat(1, 1).Cmp(with), true
	case hit == 0:
		return new(big.Rat).Cmp(with), true
	}
	// Terms get smaller upward from k if k is beyond the mean, and else downward from k-1: the sum of those is the rest.
	kh, kl := bits.Mul64(b.k, den)
	mh, ml := bits.Mul64(b.n, hit)
	if kh > mh || kh == mh && kl > ml {
		sign = near(tail(b.choose, b.k, b.n, hit, den-hit), with)
	} else {
		rest := new(big.Rat).Sub(big.NewRat(1, 1), with)
		sign = -near(tail(b.below, b.n-b.k+1, b.n, den-hit, hit), rest)
	}
	if sign != 0 {
		return sign, true
	}
	if b.n*uint64(bits.Len64(den)) > maxBits {
		return 0, false
	}
	return b.exact(hit, den).Cmp(with), true
}

// tail sums the probabilities of k and more of n, beyond the mean: choose is the ways of k, and a hit to a miss is hit to miss.
func tail(choose *big.Float, k, n, hit, miss uint64) *big.Float {
	all := float().Add(whole64(hit), whole64(miss)) // their sum is 2^64 at most, and exact
	term := float().Mul(choose, power(float().Quo(whole64(hit), all), k))
	term.Mul(term, power(float().Quo(whole64(miss), all), n-k))
	sum := float().Set(term)
	odds := float().Quo(whole64(hit), whole64(miss))
	one, step, left, bound := whole64(1), float(), float(), float()
	for i := k; i < n; i++ {
		// the ratio of the next term to this; it gets smaller, and is less than 1
		step.Mul(odds, step.SetUint64(n-i))
		step.Quo(step, left.SetUint64(i+1))
		term.Mul(term, step)
		sum.Add(sum, term)
		// all that is left is less than term * step / (1 - step)
		if i%16 == 0 {
			bound.Mul(left.Sub(one, step), bound.SetMantExp(sum, -slack-2))
			if left.Mul(term, step).Cmp(bound) < 0 {
				break
			}
		}
	}
	return sum
}

func power(x *big.Float, n uint64) *big.Float {
	p := whole64(1)
	for x = float().Set(x); n > 0; n >>= 1 {
		if n&1 > 0 {
			p.Mul(p, x)
		}
		x.Mul(x, x)
	}
	return p
}

// near compares a sum with a number, and says 0 when they are closer than the sum is exact.
func near(sum *big.Float, with *big.Rat) int {
	if sum.MantExp(nil) < -slack { // numbers are multiples of 2^-65 at least; the sum is more than 0
		return 1 - 2*with.Sign()
	}
	exact, _ := sum.Rat(nil)
	off := new(big.Rat).Mul(exact, new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), slack)))
	switch {
	case new(big.Rat).Add(exact, off).Cmp(with) < 0:
		return -1
	case new(big.Rat).Sub(exact, off).Cmp(with) > 0:
		return 1
	}
	return 0
}

// exact sums the probabilities of k and more as fractions.
func (b *binomial) exact(hit, den uint64) *big.Rat {
	miss := integer(den - hit)
	power := func(x *big.Int, n uint64) *big.Int { return new(big.Int).Exp(x, integer(n), nil) }
	term := new(big.Int).Binomial(int64(b.n), int64(b.k))
	term.Mul(term, power(integer(hit), b.k)).Mul(term, power(miss, b.n-b.k))
	sum := new(big.Int).Set(term)
	for i := b.k; i < b.n; i++ {
		term.Mul(term, integer(b.n-i)).Mul(term, integer(hit))
		term.Quo(term, new(big.Int).Mul(integer(i+1), miss)) // it divides
		sum.Add(sum, term)
	}
	return new(big.Rat).SetFrac(sum, power(integer(den), b.n))
}
