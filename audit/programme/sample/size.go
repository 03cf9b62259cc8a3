package sample

import (
	"math/big"
	"sort"
)

// PPM is a share in millionths: 50_000 is 5 %.
type PPM int

const all PPM = 1_000_000

// Size returns how many of a population must be drawn so that, should a share of tolerable or more of it deviate, more than
// allowed of those would be in the sample with at least that confidence. With allowed 0 it is the sample of a discovery:
// one deviation at least is seen. Tolerable and confidence are from 1 to 1,000,000 millionths. It is the least such number,
// exactly, from the hypergeometric distribution (drawing without replacement); the deviations are taken to be the least
// whole number that is the share.
//
// An error wraps [opsec.ErrInvalid], also when no sample can do it, for allowed is all the deviations that there are.
func Size(population int, tolerable, confidence PPM, allowed int) (int, error) {
	if population < 1 || population > MaxSize {
		return 0, invalid("population of %d: want 1 to %d", population, MaxSize)
	}
	if tolerable < 1 || tolerable > all || confidence < 1 || confidence > all {
		return 0, invalid("tolerable %d, confidence %d millionths: want 1 to %d", tolerable, confidence, all)
	}
	deviations := int((int64(population)*int64(tolerable) + int64(all) - 1) / int64(all))
	if allowed < 0 || allowed >= deviations {
		return 0, invalid("allowed %d of %d deviations: want 0 to fewer than there are", allowed, deviations)
	}
	enough := func(k int) bool { return !atMost(population, deviations, k, allowed).exceeds(all - confidence) }
	// Double first: small samples are cheap to judge.
	high := allowed + 1
	for high < population && !enough(high) {
		high *= 2
	}
	low, high := high/2, min(high, population)
	return low + sort.Search(high-low, func(i int) bool { return enough(low + i) }), nil
}

// Evaluate returns how many of the population deviate at most, with that confidence, when found of sampled do: the largest
// number with which as few as found would still be seen with a chance of more than 1 - confidence. It is exact. The
// least that can be is found. An error wraps [opsec.ErrInvalid].
func Evaluate(population, sampled, found int, confidence PPM) (int, error) {
	if population < 1 || population > MaxSize || sampled < 0 || sampled > population || found < 0 || found > sampled {
		return 0, invalid("%d found in %d of %d: want them to ascend, up to %d", found, sampled, population, MaxSize)
	}
	if confidence < 1 || confidence > all {
		return 0, invalid("confidence %d millionths: want 1 to %d", confidence, all)
	}
	most := population - (sampled - found) // the others have been seen not to deviate
	return found + sort.Search(most-found, func(i int) bool {
		return !atMost(population, found+i+1, sampled, found).exceeds(all - confidence)
	}), nil
}

// chance is a fraction.
type chance struct{ part, whole *big.Int }

// exceeds reports whether the chance is more than a share.
func (c chance) exceeds(share PPM) bool {
	var a, b big.Int
	a.Mul(c.part, big.NewInt(int64(all)))
	b.Mul(c.whole, big.NewInt(int64(share)))
	return a.Cmp(&b) > 0
}

// atMost returns the chance that at most found of the marked are among drawn of a population.
func atMost(population, marked, drawn, found int) chance {
	if drawn > marked { // who is drawn and who is marked may change places
		drawn, marked = marked, drawn
	}
	n, m, d, o := int64(population), int64(marked), int64(drawn), int64(population-marked)
	x := max(0, d-o) // as many are there at least
	switch {
	case found >= drawn:
		return chance{big.NewInt(1), big.NewInt(1)}
	case int64(found) < x:
		return chance{big.NewInt(0), big.NewInt(1)}
	}
	whole, sum, term, factor := new(big.Int).Binomial(n, d), new(big.Int), new(big.Int), new(big.Int)
	term.Mul(term.Binomial(m, x), factor.Binomial(o, d-x)) // of exactly x
	for ; x <= int64(found); x++ {
		sum.Add(sum, term)
		term.Mul(term, factor.SetInt64((m-x)*(d-x)))
		term.Quo(term, factor.SetInt64((x+1)*(o-d+x+1)))
	}
	return chance{sum, whole}
}
