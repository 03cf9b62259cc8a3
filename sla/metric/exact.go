package metric

import (
	"iter"
	"math/big"

	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// Judge measures resources together and judges the sum. It goes through them a second time when [Result.Blurred], to add
// the rates up as fractions: then the verdict is exact, though the bounds of the figure are still rounded outward. Of no
// resources at all nothing is known.
func (o Objective) Judge(inputs iter.Seq[Input], period timeline.Span) (Result, Figure, error) {
	var sum Result
	none := true
	for in := range inputs {
		none = false
		one, err := o.Measure(in, period)
		if err == nil {
			err = sum.Add(one)
		}
		if err != nil {
			return Result{}, Figure{}, err
		}
	}
	if none {
		all := ratio.Range{High: ratio.One()}
		return Result{}, Figure{Availability: all, Raw: all, Verdict: all.AtLeast(o.Target)}, nil
	}
	f := sum.Figure(o.Target)
	if sum.Blurred(o.Target) {
		var x exact
		x.o = &o
		for in := range inputs {
			s, err := o.sweep(&in, period)
			if err == nil {
				err = o.count(&s, in.Counts, &x)
			}
			if err != nil {
				return Result{}, Figure{}, err
			}
		}
		f.Verdict = x.verdict(o.Target)
	}
	return sum, f, nil
}

// exact is a sink that adds up rates as fractions.
type exact struct {
	o               *Objective
	all, excluded   rates
	slices          uint64 // whose rates are in all
	slicesExcluded  uint64
	good            uint64 // empty slices
	unknown         uint64
	unknownExcluded uint64
}

// rates is a sum of fractions by their denominators. A month has thousands of slices, but busy ones have few
// denominators, and a product tree is quick with as many.
type rates map[uint64]*big.Int

func (r *rates) add(good, total uint64) {
	if *r == nil {
		*r = rates{}
	}
	common := gcd(good, total)
	sum := (*r)[total/common]
	if sum == nil {
		sum = new(big.Int)
		(*r)[total/common] = sum
	}
	sum.Add(sum, new(big.Int).SetUint64(good/common))
}

func (r rates) sum() *big.Rat {
	type fraction struct{ num, den *big.Int }
	list := []fraction{{new(big.Int), big.NewInt(1)}}
	for den, num := range r {
		list = append(list, fraction{num, new(big.Int).SetUint64(den)})
	}
	for len(list) > 1 {
		half := list[:0]
		for i := 0; i < len(list); i += 2 {
			a := list[i]
			if i+1 < len(list) {
				b := list[i+1]
				num := new(big.Int).Mul(a.num, b.den)
				num.Add(num, new(big.Int).Mul(b.num, a.den))
				a = fraction{num, new(big.Int).Mul(a.den, b.den)}
			}
			half = append(half, a)
		}
		list = half
	}
	return new(big.Rat).SetFrac(list[0].num, list[0].den)
}

func (x *exact) rated(good, total uint64, excluded bool) {
	x.slices++
	x.all.add(good, total)
	if excluded {
		x.slicesExcluded++
		x.excluded.add(good, total)
	}
}

func (x *exact) empty(n uint64, excluded bool) {
	switch {
	case x.o.Empty == EmptySkip:
	case x.o.Empty == EmptyGood:
		x.good += n
	case excluded:
		x.unknownExcluded += n
	default:
		x.unknown += n
	}
}

func (x *exact) end() {}

// verdict judges the bounds of the figure: of a slice that is excluded the bad part of the rate is left out.
func (x *exact) verdict(target ratio.Ratio) ratio.Verdict {
	whole := func(n uint64) *big.Rat { return new(big.Rat).SetInt(new(big.Int).SetUint64(n)) }
	good := new(big.Rat).Add(x.all.sum(), whole(x.good))
	of := new(big.Rat).Add(whole(x.slices-x.slicesExcluded), whole(x.good))
	of.Add(of, x.excluded.sum())
	unknown, excluded := whole(x.unknown), whole(x.unknownExcluded)
	reached := func(good, of *big.Rat) bool { return good.Cmp(new(big.Rat).Mul(of, target.Rat())) >= 0 }
	switch {
	case reached(good, new(big.Rat).Add(of, unknown)):
		return ratio.Met
	case !reached(new(big.Rat).Add(good, new(big.Rat).Add(unknown, excluded)), new(big.Rat).Add(of, new(big.Rat).Add(unknown, excluded))):
		return ratio.Breach
	}
	return ratio.Undecided
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}
