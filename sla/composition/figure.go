package composition

import (
	"math/big"
	"slices"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// Figure is exact bounds of an availability, which may be longer than a [ratio.Ratio] is. In JSON they are fractions such as
// "9999/10000".
type Figure struct {
	Low  *big.Rat `json:"low"`
	High *big.Rat `json:"high"`
}

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
	n := new(big.Int).Mul(x.Num(), big.NewInt(fine))
	n.Quo(n, x.Denom())
	if up { // there is a rest, because multiples of 10^-18 fit
		n.Add(n, big.NewInt(1))
	}
	r, _ := ratio.New(n.Uint64(), fine)
	return r
}

// Availability returns the availability of a system whose parts fail independently of each other: exactly, with each shared
// part counted once. The bounds are those of the parts: no part makes a system worse by being better. The error wraps
// [opsec.ErrInvalid], or is [ErrIntricate].
func (s System) Availability() (Figure, error) {
	d, top, err := s.draw()
	if err != nil {
		return Figure{}, err
	}
	return Figure{d.reckon(top, s.low).chance(), d.reckon(top, s.high).chance()}, nil
}

func (s System) low(part string) ratio.Ratio  { return s.Parts[part].Low }
func (s System) high(part string) ratio.Ratio { return s.Parts[part].High }

// Weight is what a part means for a system.
type Weight struct {
	Part string `json:"part"`
	// Single is a single point of failure: nothing works without it.
	Single bool `json:"single"`
	// Up and Down are the availability of the system while the part works, and while it does not. Their difference is
	// Birnbaum's importance (1969): how much a better part betters the system.
	Up   Figure `json:"up"`
	Down Figure `json:"down"`
}

// Weights returns what each part means for a system, by name. The errors are those of [System.Availability].
func (s System) Weights() ([]Weight, error) {
	d, top, err := s.draw()
	if err != nil {
		return nil, err
	}
	ups, downs := d.reckon(top, s.low).sides()
	bestUps, bestDowns := d.reckon(top, s.high).sides()
	var list []Weight
	for _, id := range s.names() {
		at := d.level[id]
		list = append(list, Weight{id, !d.without(top, at), Figure{ups[at], bestUps[at]}, Figure{downs[at], bestDowns[at]}})
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
	d, top, err := s.draw()
	if err != nil {
		return nil, false, err
	}
	at, is := d.level[part]
	if !is {
		return nil, false, fault("part", "there is no part %.100q", part)
	}
	ups, downs := d.reckon(top, s.low).sides()
	up, down, goal := ups[at], downs[at], target.Rat()
	switch { // it is linear in a part that is independent: goal = down + p * (up - down)
	case up.Cmp(goal) < 0:
		return nil, false, nil
	case down.Cmp(goal) >= 0:
		return new(big.Rat), true, nil
	}
	return goal.Quo(goal.Sub(goal, down), up.Sub(up, down)), true, nil
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
	den := big.NewInt(1) // one for all, so that there is one reduction, at the end
	for _, p := range events {
		common := new(big.Int).GCD(nil, nil, den, p.Denom())
		den.Mul(den, common.Quo(p.Denom(), common))
	}
	nums := make([]*big.Int, len(events))
	for i, p := range events {
		nums[i] = new(big.Int).Quo(den, p.Denom())
		nums[i].Mul(nums[i], p.Num())
	}
	slices.SortFunc(nums, (*big.Int).Cmp)
	most, of := den, big.NewInt(1)
	sum := new(big.Int)
	for i, num := range nums {
		sum.Add(sum, num)
		j := big.NewInt(int64(need - len(nums) + i + 1))
		if j.Sign() > 0 && new(big.Int).Mul(sum, of).Cmp(new(big.Int).Mul(most, j)) < 0 {
			most, of = new(big.Int).Set(sum), j
		}
	}
	return new(big.Rat).SetFrac(most, new(big.Int).Mul(den, of))
}
