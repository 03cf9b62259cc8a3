package sample

import (
	"math/big"
	"sort"
)

// PPM is a share in millionths: 50_000 is 5 %.
type PPM int

const (
	all PPM = 1_000_000

	maxSample = 1 << 17 // items; more would take minutes, and so would more of
	maxFound  = 1 << 13 // deviations in a sample
)

// Size returns how many of a population must be drawn so that, should a share of tolerable or more of it deviate, more than
// allowed of those would be in the sample with at least that confidence. With allowed 0 it is the sample of a discovery:
// one deviation at least is seen. Tolerable and confidence are from 1 to 1,000,000 millionths. It is the least such number,
// exactly, from the hypergeometric distribution (drawing without replacement); the deviations are taken to be the least
// whole number that is the share.
//
// An error wraps [opsec.ErrInvalid], also when no sample can do it, for allowed is all the deviations that there are, or
// when sample and deviations both go beyond 131,072, or allowed beyond 8,192. It takes less than a millisecond for what is
// usual, and some ten seconds for the largest.
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
	if confidence == all {
		return population - deviations + allowed + 1, nil // all that do not deviate may come first
	}
	enough := func(k int) bool { return !atMost(population, deviations, k, allowed).exceeds(all - confidence) }
	// Double first: small samples are cheap to judge.
	high := allowed + 1
	for high < population && countable(min(high, deviations), allowed) && !enough(high) {
		high *= 2
	}
	if !countable(min(high, deviations), allowed) {
		return 0, invalid("sample of more than %d, and %d allowed: too large to be computed", high/2, allowed)
	}
	low, high := high/2, min(high, population)
	return low + sort.Search(high-low, func(i int) bool { return enough(low + i) }), nil
}

// Evaluate returns how many of the population deviate at most, with that confidence, when found of sampled do: the largest
// number with which as few as found would still be seen with a chance of more than 1 - confidence. It is exact. The
// least that can be is found. An error wraps [opsec.ErrInvalid], also when sample and deviations both go
// beyond 131,072, or found beyond 8,192. It takes less than a millisecond for what is usual, and some ten seconds for the
// largest.
func Evaluate(population, sampled, found int, confidence PPM) (int, error) {
	if population < 1 || population > MaxSize || sampled < 0 || sampled > population || found < 0 || found > sampled {
		return 0, invalid("%d found in %d of %d: want them to ascend, up to %d", found, sampled, population, MaxSize)
	}
	if confidence < 1 || confidence > all {
		return 0, invalid("confidence %d millionths: want 1 to %d", confidence, all)
	}
	most := population - (sampled - found) // the others were seen not to deviate
	if confidence == all {
		return most, nil
	}
	tooMany := func(marked int) bool {
		return marked > most || !atMost(population, marked, sampled, found).exceeds(all-confidence)
	}
	step := 1
	for countable(min(sampled, found+step), found) && !tooMany(found+step) {
		step *= 2
	}
	if !countable(min(sampled, found+step), found) {
		return 0, invalid("%d found in %d, and %d deviations or more: too large to be computed", found, sampled, found+step/2)
	}
	low := found + step/2 // not too many
	return low + sort.Search(found+step-low-1, func(i int) bool { return tooMany(low + i + 1) }), nil
}

// countable reports whether atMost comes to an end in a second or so.
func countable(drawn, found int) bool { return drawn <= maxSample && found <= maxFound }

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
	// P(x) + P(x+1) + ... + P(found) is P(x) (1 + r(x) (1 + r(x+1) (1 + ...))), where r(i) is P(i+1) / P(i), a fraction of
	// small numbers: from the inside out, in part / whole.
	part, whole, term, factor := big.NewInt(1), big.NewInt(1), new(big.Int), new(big.Int)
	for i := int64(found) - 1; i >= x; i-- {
		whole.Mul(whole, factor.SetInt64((i+1)*(o-d+i+1)))
		term.Mul(part, factor.SetInt64((m-i)*(d-i)))
		part.Add(whole, term)
	}
	if x == 0 { // P(0) is o (o-1) ... / n (n-1) ..., d factors each
		part.Mul(part, term.MulRange(o-d+1, o))
		whole.Mul(whole, factor.MulRange(n-d+1, n))
		return chance{part, whole}
	}
	part.Mul(part, term.Binomial(m, x)) // all the others are drawn
	whole.Mul(whole, factor.Binomial(n, d))
	return chance{part, whole}
}
