package composition

import (
	"math/big"
	"slices"

	"maps"
)

// maxDiagram is how many nodes a diagram has at most.
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

// draw makes the diagram of a valid system. Parts are asked in the order in which they stand in it, which keeps what works
// together near each other.
func (s System) draw() (*diagram, int32, error) {
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
	// After each of Of, from the last to the first: whether need of those that were seen work.
	works := make([]int32, n.Need+1)
	works[0] = 1
	for _, child := range slices.Backward(n.Of) {
		if d.full {
			return 0
		}
		one := d.of(child)
		for need := n.Need; need > 0; need-- {
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

// chance returns the probability that the top works, when each part works with its own.
func (d *diagram) chance(top int32, of func(part string) (num, den *big.Int)) *big.Rat {
	// Numbers of a level have one denominator: the product of those from there on. There is one reduction, at the end.
	levels := len(d.order)
	num, den := make([]*big.Int, levels), make([]*big.Int, levels)
	rest := make([]*big.Int, levels+1)
	rest[levels] = big.NewInt(1)
	for i := levels - 1; i >= 0; i-- {
		num[i], den[i] = of(d.order[i])
		rest[i] = new(big.Int).Mul(den[i], rest[i+1])
	}
	level := func(n int32) int { return min(levels, int(d.nodes[n].level)) }
	// Where a node's ways go is before it, because branches are made after what they lead to. Only those from the top count.
	wanted := make([]bool, len(d.nodes))
	wanted[top] = true
	for n := int(top); n > 1; n-- {
		if wanted[n] {
			wanted[d.nodes[n].down], wanted[d.nodes[n].up] = true, true
		}
	}
	value := make([]*big.Int, len(d.nodes))
	value[0], value[1] = new(big.Int), big.NewInt(1)
	for n := int32(2); n <= top; n++ {
		if !wanted[n] {
			continue
		}
		b := d.nodes[n]
		at := int(b.level)
		lift := func(to int32) *big.Int { // to the denominator of the next level
			v := value[to]
			if level(to) == at+1 || v.Sign() == 0 {
				return v
			}
			scale := new(big.Int).Quo(rest[at+1], rest[level(to)])
			return scale.Mul(scale, v)
		}
		sum := new(big.Int).Mul(num[at], lift(b.up))
		fails := new(big.Int).Sub(den[at], num[at])
		value[n] = sum.Add(sum, fails.Mul(fails, lift(b.down)))
	}
	return new(big.Rat).SetFrac(value[top], rest[level(top)])
}
