package snapshot

import (
	"cmp"
	"math"
	"slices"
)

// option is what a set of cuts costs and leaves lost.
type option struct {
	cost int64
	lost float64
	cuts int32 // in the ledger; 0: none
	more int32 // more of them, until they are joined
}

// ledger keeps sets of cuts: entry i is a cut beside a set, or two sets.
type ledger struct {
	entries []entry
	left    int // options that may still be made
}

type entry struct{ cut, a, b int32 }

func (l *ledger) with(cut, cuts int32) int32 {
	l.entries = append(l.entries, entry{cut, cuts, 0})
	return int32(len(l.entries) - 1)
}

func (l *ledger) join(a, b int32) int32 {
	if a == 0 || b == 0 {
		return a + b
	}
	l.entries = append(l.entries, entry{-1, a, b})
	return int32(len(l.entries) - 1)
}

// list returns the cuts of a set.
func (l *ledger) list(cuts int32) []int32 {
	var list []int32
	for stack := []int32{cuts}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if i == 0 {
			continue
		}
		e := l.entries[i]
		if e.cut >= 0 {
			list = append(list, e.cut)
		}
		stack = append(stack, e.a, e.b)
	}
	return list
}

// exact finds the cuts that leave the least, or gives up when there are too many options to look at.
//
// For each node, and each node below that it may rest on, it keeps the options for the tree above that no other beats in
// both cost and loss. The list at place j of a node is for the node j steps below; at place 0 for itself.
func (f *forest) exact(options int) ([]int32, bool) {
	l := &ledger{entries: make([]entry, 1), left: options}
	fronts := make([][][]option, f.g.Len())
	whole := []option{{}}
	for v := int32(f.g.Len()) - 1; v >= 0; v-- {
		if !f.alive(v) {
			continue
		}
		fronts[v] = f.start(v, fronts[v], l)
		if l.left < 0 {
			return nil, false
		}
		d := f.below[v]
		if d < 0 {
			whole = f.add(whole, fronts[v][0], l)
			fronts[v] = nil
			continue
		}
		var cut []option // v rests on itself
		if f.can[v] {
			for _, o := range fronts[v][0] {
				if o.cost <= f.budget-f.cost[v] {
					cut = append(cut, option{o.cost + f.cost[v], o.lost, l.with(v, o.cuts), 0})
				}
			}
		}
		if fronts[d] == nil {
			fronts[d] = make([][]option, f.level[d]+1)
		}
		for j := range fronts[d] {
			if uncut := fronts[v][j+1]; uncut != nil {
				l.left -= len(uncut) + len(cut)
				fronts[d][j] = f.add(fronts[d][j], undominated(uncut, cut), l)
			}
		}
		fronts[v] = nil
	}
	return l.list(whole[len(whole)-1].cuts), true
}

// start adds what v itself may lose to the options of the tree above it.
func (f *forest) start(v int32, above [][]option, l *ledger) [][]option {
	if above == nil {
		above = make([][]option, f.level[v]+1)
	}
	if l.left -= len(above); l.left < 0 {
		return above
	}
	base := v
	for j := range above {
		if f.can[base] || f.below[base] < 0 {
			lost := f.loss(v, base)
			if above[j] == nil {
				above[j] = []option{{}}
			}
			for i := range above[j] {
				above[j][i].lost += lost
			}
			l.left -= len(above[j])
		}
		base = f.below[base]
	}
	return above
}

// add returns the options of two trees beside each other.
func (f *forest) add(a, b []option, l *ledger) []option {
	if a == nil {
		return slices.Clone(b)
	}
	if l.left -= len(a) * len(b); l.left < 0 {
		return a
	}
	list := make([]option, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			if x.cost <= f.budget-y.cost {
				list = append(list, option{x.cost + y.cost, x.lost + y.lost, x.cuts, y.cuts})
			}
		}
	}
	if len(a) > 1 && len(b) > 1 {
		slices.SortFunc(list, cheaper)
		list = undominated(list, nil)
	}
	for i, o := range list {
		list[i].cuts, list[i].more = l.join(o.cuts, o.more), 0
	}
	return list
}

// cheaper orders options: by cost, then by loss.
func cheaper(x, y option) int {
	return cmp.Or(cmp.Compare(x.cost, y.cost), cmp.Compare(x.lost, y.lost))
}

// undominated merges two lists in order and keeps the options that no other beats: the dearer, the less is lost.
func undominated(a, b []option) []option {
	kept := make([]option, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && cheaper(b[0], a[0]) < 0 {
			from = &b
		}
		if o := (*from)[0]; len(kept) == 0 || o.lost < kept[len(kept)-1].lost {
			kept = append(kept, o)
		}
		*from = (*from)[1:]
	}
	return kept
}

// relaxed finds cuts that leave little, and a lower bound of what any cuts within the budget leave: it puts a price on bytes,
// and looks for the price at which the budget is just not overspent (Everett, Oper. Res. 11 (1963) 399). For any price, the
// least of loss and price together, less the price of the budget, is such a bound.
func (f *forest) relaxed() (cuts []int32, bound float64) {
	first := make([]int, f.g.Len()+1)
	for v, level := range f.level {
		first[v+1] = first[v] + int(level) + 1
	}
	p := &pricing{forest: f, first: first, cut: make([]bool, first[len(first)-1]), value: make([]float64, first[len(first)-1])}
	best := f.lost(nil)
	try := func(price float64) bool {
		list, cost, value := p.at(price)
		bound = max(bound, f.gone+value-price*float64(f.budget))
		if cost > f.budget {
			return false
		}
		cut := make([]bool, f.g.Len())
		for _, v := range list {
			cut[v] = true
		}
		if lost := f.lost(cut); lost < best {
			best, cuts = lost, list
		}
		return true
	}
	if try(0) {
		return cuts, bound
	}
	low, high := 0.0, best/float64(max(f.budget, 1))
	for range 64 {
		if try(high) {
			break
		}
		low, high = high, high*4
	}
	for range 24 {
		if mid := (low + high) / 2; try(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return cuts, bound
}

// pricing finds the best cuts when bytes have a price instead of a budget.
type pricing struct {
	*forest
	first []int     // by node: where its pairs begin; a pair is a node and how far below what it rests on is
	cut   []bool    // by pair: the node is cut although what is below it rests there
	value []float64 // by pair: the least of loss and price in the tree above
}

func (p *pricing) at(price float64) (cuts []int32, cost int64, total float64) {
	clear(p.value)
	n := int32(p.g.Len())
	for v := n - 1; v >= 0; v-- {
		if !p.alive(v) {
			continue
		}
		at := p.value[p.first[v]:p.first[v+1]]
		base := v
		for j := range at {
			at[j] += p.loss(v, base)
			base = p.below[base]
		}
		d := p.below[v]
		if d < 0 {
			total += at[0]
			continue
		}
		alone := math.Inf(1)
		if p.can[v] {
			alone = at[0] + price*float64(p.cost[v])
		}
		under := p.value[p.first[d]:p.first[d+1]]
		for j := range under {
			p.cut[p.first[v]+j+1] = alone < at[j+1]
			under[j] += min(alone, at[j+1])
		}
	}
	rests := make([]int32, n) // how far below
	for v := range n {
		d := p.below[v]
		if !p.alive(v) || d < 0 {
			continue
		}
		if rests[v] = rests[d] + 1; p.cut[p.first[v]+int(rests[v])] {
			rests[v] = 0
			cuts = append(cuts, v)
			cost = add(cost, p.cost[v])
		}
	}
	return cuts, cost, total
}
