package composition

import (
	"maps"
	"math/big"
	"slices"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// maxDiagram is how many nodes a diagram has at most, with those that were only needed to make it.
const maxDiagram = 1 << 17

// diagram is a reduced ordered binary decision diagram (Bryant 1986): whether the service works, asked part by part. Each
// part is asked once on a way, wherever it stands in the system, and that is what makes shared parts count right.
type diagram struct {
	nodes []branch // 0 is "it does not work", 1 is "it works"
	known map[branch]int32
	ites  map[[3]int32]int32
	full  bool
	level map[string]int32 // of a part: when it is asked
	order []string         // parts by level
}

// branch asks a part.
type branch struct {
	level    int32
	down, up int32 // where to go
}

const last = 1 << 30 // level of the two ends

// names returns the parts in order.
func (s System) names() []string { return slices.Sorted(maps.Keys(s.Parts)) }

// draw makes the diagram of a system, and returns the node that is its top. Parts are asked in the order in which they stand in
// it, which keeps what works together near each other.
func (s System) draw() (*diagram, int32, error) {
	if err := s.Validate(); err != nil {
		return nil, 0, err
	}
	d := &diagram{
		nodes: []branch{{level: last}, {level: last, down: 1, up: 1}},
		known: map[branch]int32{}, ites: map[[3]int32]int32{}, level: map[string]int32{},
	}
	var number func(n Node)
	number = func(n Node) {
		if _, is := d.level[n.Part]; n.Part != "" && !is {
			d.level[n.Part] = int32(len(d.order))
			d.order = append(d.order, n.Part)
		}
		for _, child := range n.Of {
			number(child)
		}
	}
	number(s.Top)
	top := d.of(s.Top)
	if d.full {
		return nil, 0, ErrIntricate
	}
	return d, top, nil
}

// of returns the node that tells whether a node of the system works.
func (d *diagram) of(n Node) int32 {
	if n.Part != "" {
		return d.node(branch{d.level[n.Part], 0, 1})
	}
	var of []int32
	for _, child := range n.Of {
		of = append(of, d.of(child))
	}
	slices.SortFunc(of, func(a, b int32) int { return int(d.nodes[a].level - d.nodes[b].level) })
	// After each, from the last that is asked to the first: whether need of those that were seen work. No more work than were
	// seen, and the others, i of them, leave no fewer to need.
	works := make([]int32, n.Need+1)
	works[0] = 1
	for i, one := range slices.Backward(of) {
		if d.full {
			return 0
		}
		for need := min(n.Need, len(of)-i); need >= max(1, n.Need-i); need-- {
			works[need] = d.ite(one, works[need-1], works[need])
		}
	}
	return works[n.Need]
}

func (d *diagram) node(b branch) int32 {
	if b.down == b.up {
		return b.up
	}
	at, is := d.known[b]
	if !is {
		if len(d.nodes) >= maxDiagram {
			d.full = true
			return 0
		}
		at = int32(len(d.nodes))
		d.nodes = append(d.nodes, b)
		d.known[b] = at
	}
	return at
}

// ite returns "if it works then up, else down".
func (d *diagram) ite(it, up, down int32) int32 {
	switch {
	case it == 1 || up == down:
		return up
	case it == 0:
		return down
	case up == 1 && down == 0:
		return it
	}
	key := [3]int32{it, up, down}
	at, is := d.ites[key]
	if is || d.full {
		return at
	}
	if len(d.ites) >= 8*maxDiagram {
		d.full = true
		return 0
	}
	level := min(d.nodes[it].level, d.nodes[up].level, d.nodes[down].level)
	side := func(n int32, works bool) int32 {
		switch b := d.nodes[n]; {
		case b.level != level:
			return n
		case works:
			return b.up
		default:
			return b.down
		}
	}
	fails := d.ite(side(it, false), side(up, false), side(down, false))
	works := d.ite(side(it, true), side(up, true), side(down, true))
	at = d.node(branch{level, fails, works})
	d.ites[key] = at
	return at
}

// reckoning is a diagram whose parts work with a probability each. Numbers of a level have one denominator, the product of
// those of the parts from there on: there is one reduction, at the end.
type reckoning struct {
	*diagram
	top      int32
	num, den []*big.Int // of the probability of a part, by level
	rest     []*big.Int // product of den from a level on
	value    []*big.Int // the probability that a node works, times rest of its level; nil where the top does not lead
}

// reckon finds the probability that nodes work, when each part works with its own.
func (d *diagram) reckon(top int32, of func(part string) ratio.Ratio) *reckoning {
	levels := len(d.order)
	r := &reckoning{d, top, make([]*big.Int, levels), make([]*big.Int, levels), make([]*big.Int, levels+1), make([]*big.Int, len(d.nodes))}
	r.rest[levels] = big.NewInt(1)
	for i, part := range slices.Backward(d.order) {
		p := of(part)
		r.num[i], r.den[i] = new(big.Int).SetUint64(p.Num()), new(big.Int).SetUint64(p.Den())
		r.rest[i] = new(big.Int).Mul(r.den[i], r.rest[i+1])
	}
	// Where a node's ways go is before it, because branches are made after what they lead to. Only those from the top count.
	wanted := make([]bool, len(d.nodes))
	wanted[top] = true
	for n := top; n > 1; n-- {
		if wanted[n] {
			wanted[d.nodes[n].down], wanted[d.nodes[n].up] = true, true
		}
	}
	r.value[0], r.value[1] = new(big.Int), big.NewInt(1)
	for n := int32(2); n <= top; n++ {
		if !wanted[n] {
			continue
		}
		b := d.nodes[n]
		works := new(big.Int).Mul(r.num[b.level], r.below(b, b.up))
		fails := new(big.Int).Sub(r.den[b.level], r.num[b.level])
		r.value[n] = works.Add(works, fails.Mul(fails, r.below(b, b.down)))
	}
	return r
}

func (r *reckoning) at(n int32) int32 { return min(int32(len(r.order)), r.nodes[n].level) }

// skipped multiplies a number by the denominators of the levels that a way passes by.
func (r *reckoning) skipped(x *big.Int, from, to int32) *big.Int {
	if from == to || x.Sign() == 0 {
		return x
	}
	scale := new(big.Int).Quo(r.rest[from], r.rest[to])
	return scale.Mul(scale, x)
}

// below returns the value of a node to which a branch leads, of the level after the branch.
func (r *reckoning) below(b branch, to int32) *big.Int {
	return r.skipped(r.value[to], b.level+1, r.at(to))
}

// chance returns the probability that the top works.
func (r *reckoning) chance() *big.Rat {
	return new(big.Rat).SetFrac(r.value[r.top], r.rest[r.at(r.top)])
}

// sides returns, by level, the probability that the top works while a part does, and while it does not.
func (r *reckoning) sides() (ups, downs []*big.Rat) {
	// Their difference, times the denominators of the other levels.
	sums := make([]*big.Int, len(r.order))
	for i := range sums {
		sums[i] = new(big.Int)
	}
	// How probable it is that a node is asked, times the denominators of the levels before it.
	asked := make([]*big.Int, len(r.nodes))
	asked[r.top] = r.skipped(big.NewInt(1), 0, r.at(r.top))
	for n := r.top; n > 1; n-- {
		if asked[n] == nil {
			continue
		}
		b := r.nodes[n]
		gain := new(big.Int).Sub(r.below(b, b.up), r.below(b, b.down))
		sums[b.level].Add(sums[b.level], gain.Mul(gain, asked[n]))
		way := func(to int32, odds *big.Int) {
			if asked[to] == nil {
				asked[to] = new(big.Int)
			}
			odds = new(big.Int).Mul(odds, asked[n])
			asked[to].Add(asked[to], r.skipped(odds, b.level+1, r.at(to)))
		}
		way(b.up, r.num[b.level])
		way(b.down, new(big.Int).Sub(r.den[b.level], r.num[b.level]))
		asked[n] = nil
	}
	all := r.skipped(r.value[r.top], 0, r.at(r.top))
	for i, gain := range sums { // it is linear in a part that is independent: all = down + p * gain
		down := new(big.Int).Mul(r.num[i], gain)
		down.Sub(all, down)
		up := gain.Add(gain.Mul(gain, r.den[i]), down)
		ups = append(ups, new(big.Rat).SetFrac(up, r.rest[0]))
		downs = append(downs, new(big.Rat).SetFrac(down, r.rest[0]))
	}
	return ups, downs
}
