package composition

import (
	"math/big"
	"slices"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Figure is exact bounds of an availability, which may be longer than a [ratio.Ratio] is.
type Figure struct{ Low, High *big.Rat }

// AtLeast judges it by a target: exactly at the target is met.
func (f Figure) AtLeast(target ratio.Ratio) ratio.Verdict {
	switch {
	case f.Low.Cmp(target.Rat()) >= 0:
		return ratio.Met
	case f.High.Cmp(target.Rat()) < 0:
		return ratio.Breach
	}
	return ratio.Undecided
}

// Range returns it as ratios, rounded outward to 10^-18 where it has to be.
func (f Figure) Range() ratio.Range {
	return ratio.Range{Low: round(f.Low, false), High: round(f.High, true)}
}

func round(x *big.Rat, up bool) ratio.Ratio {
	const fine = 1_000_000_000_000_000_000
	if x.Num().IsUint64() && x.Denom().IsUint64() {
		r, _ := ratio.New(x.Num().Uint64(), x.Denom().Uint64()) // fails for 0 alone
		return r
	}
	n, rest := new(big.Int).QuoRem(new(big.Int).Mul(x.Num(), big.NewInt(fine)), x.Denom(), new(big.Int))
	if up && rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	r, _ := ratio.New(n.Uint64(), fine)
	return r
}

// Availability returns the availability of a system whose parts fail independently of each other: exactly, with each shared
// part counted once. The bounds are those of the parts: no part makes a system worse by being better. The error wraps
// [opsec.ErrInvalid], or is [ErrIntricate].
func (s System) Availability() (Figure, error) {
	if err := s.Validate(); err != nil {
		return Figure{}, err
	}
	d, top, err := s.draw()
	if err != nil {
		return Figure{}, err
	}
	f := Figure{Low: d.chance(top, s.low)}
	f.High = d.chance(top, s.high)
	return f, nil
}

func (s System) low(part string) (num, den *big.Int)  { return parts(s.Parts[part].Low) }
func (s System) high(part string) (num, den *big.Int) { return parts(s.Parts[part].High) }

func parts(r ratio.Ratio) (num, den *big.Int) {
	return new(big.Int).SetUint64(r.Num()), new(big.Int).SetUint64(r.Den())
}

// Weight is what a part means for a system.
type Weight struct {
	Part string `json:"part"`
	// Single is a single point of failure: nothing works without it.
	Single bool `json:"single"`
	// Up and Down are the availability of the system while the part works, and while it does not. Their difference is
	// Birnbaum's importance (1969): how much a better part betters the system.
	Up, Down Figure `json:"-"`
}

// Weights returns what each part means for a system, by name. The errors are those of [System.Availability].
func (s System) Weights() ([]Weight, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	d, top, err := s.draw()
	if err != nil {
		return nil, err
	}
	one, none := big.NewInt(1), new(big.Int)
	sure := func(part string, works *big.Int) Figure {
		as := func(of func(string) (num, den *big.Int)) *big.Rat {
			return d.chance(top, func(id string) (num, den *big.Int) {
				if id == part {
					return works, one
				}
				return of(id)
			})
		}
		return Figure{as(s.low), as(s.high)}
	}
	var list []Weight
	for _, id := range s.names() {
		list = append(list, Weight{id, !d.without(top, d.level[id]), sure(id, one), sure(id, none)})
	}
	return list, nil
}

// without reports whether the top can work without a part.
func (d *diagram) without(top, level int32) bool {
	can := make([]bool, len(d.nodes))
	can[1] = true
	for n := int32(2); n <= top; n++ {
		b := d.nodes[n]
		can[n] = can[b.down] || b.level != level && can[b.up]
	}
	return can[top]
}

// Needed returns the availability that a part has to have for a system to reach a target, while the other parts are as bad
// as their bounds allow; false if even a part that never fails does not reach it. 0 is a part that is not needed for it. The
// errors are those of [System.Availability], and one that wraps [opsec.ErrInvalid] for a part that is not there.
func (s System) Needed(part string, target ratio.Ratio) (*big.Rat, bool, error) {
	weights, err := s.Weights()
	if err != nil {
		return nil, false, err
	}
	for _, w := range weights {
		if w.Part != part {
			continue
		}
		goal := target.Rat()
		if w.Up.Low.Cmp(goal) < 0 {
			return nil, false, nil
		}
		if w.Down.Low.Cmp(goal) >= 0 {
			return new(big.Rat), true, nil
		}
		// It is linear in a part that is independent: target = p * up + (1-p) * down.
		goal.Sub(goal, w.Down.Low)
		return goal.Quo(goal, new(big.Rat).Sub(w.Up.Low, w.Down.Low)), true, nil
	}
	return nil, false, fault("part", "there is no part %.100q", part)
}

// Whatever returns bounds that hold whatever the parts have in common: one cause may fail several at once, as a power cut
// does. They are those of Fréchet (1935) for serial and parallel nodes, and of Rüger (1978) for others: of one node over
// parts that are not shared there are no closer ones. The error wraps [opsec.ErrInvalid].
func (s System) Whatever() (Figure, error) {
	if err := s.Validate(); err != nil {
		return Figure{}, err
	}
	return s.whatever(s.Top), nil
}

func (s System) whatever(n Node) Figure {
	if n.Part != "" {
		return Figure{s.Parts[n.Part].Low.Rat(), s.Parts[n.Part].High.Rat()}
	}
	var fail, work []*big.Rat
	one := big.NewRat(1, 1)
	for _, child := range n.Of {
		f := s.whatever(child)
		fail = append(fail, new(big.Rat).Sub(one, f.Low))
		work = append(work, f.High)
	}
	// It does not work while one more than may fail do.
	low := atMost(fail, len(n.Of)-n.Need+1)
	return Figure{low.Sub(one, low), atMost(work, n.Need)}
}

// atMost returns how probable it is at most that need of events happen: if they do then j of them do without the need-j most
// probable, and j happen with the sum of probabilities through j at most.
func atMost(events []*big.Rat, need int) *big.Rat {
	slices.SortFunc(events, (*big.Rat).Cmp)
	most := big.NewRat(1, 1)
	sum := new(big.Rat)
	for i, p := range events {
		sum.Add(sum, p)
		if j := need - len(events) + i + 1; j > 0 {
			if bound := new(big.Rat).Quo(sum, big.NewRat(int64(j), 1)); bound.Cmp(most) < 0 {
				most = bound
			}
		}
	}
	return most
}
