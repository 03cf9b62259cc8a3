package snapshot

import (
	"math"
	"slices"
)

// maxWork is how many nodes and needs Analyze looks at, beyond one look at each, before it gives bounds in place of figures:
// some seconds' worth.
const maxWork = 1 << 26

// survey is what one pass over a graph learns of each node.
//
// The closure of a node is the node and all that it needs, directly or not. It is sound when every member is. A node's ties are
// its needs without its parts: leaves that nothing else needs, such as extents. A walk from v that takes the highest number first
// never comes back to what it has passed. As soon as it has a single way on, through a node d,
//
//	closure(v) = region(v) + closure(d),   without an overlap
//
// where the region is what it has passed. For a node with one tie that is the node and its parts. So a chain takes constant time
// a node, and so does anything else whose ways part and meet again soon.
type survey struct {
	g     *Graph
	soft  []bool // by word: adds no depth
	apart []bool // by word: a leaf needed as that is a part
	multi bool   // some node has several ties
	log   []float64
	high  []float64 // log is a lower bound, and this is the upper one; nil: log is exact
	depth []int32
	files []int32 // how many nodes the closure has, at least; nil: as many as the depth, there being chains alone
	root  []int32
	cause []int32 // a dead node in the closure, or -1; nil: there is none
	blast []int32
	walk  walk
	ties  []int32
	sound bool // all figures are exact
	work  int
}

func newSurvey(g *Graph, m *FailureModel, work int) *survey {
	n := g.Len()
	s := &survey{
		g: g, soft: make([]bool, max(len(g.words), 1)), apart: make([]bool, max(len(g.words), 1)),
		log: make([]float64, n), depth: make([]int32, n), root: make([]int32, n), sound: true, work: work,
	}
	chains := true
	for i, word := range g.words {
		s.soft[i] = word == AsDataFile || word == AsExtent
		s.apart[i] = word != "" && word != AsBacking && word != AsParent && word != AsContains
		chains = chains && !s.apart[i] && word != AsContains
	}
	s.walk.s = s
	s.multi = s.entangled()
	if !chains || s.multi {
		s.files = make([]int32, n)
	}
	own := own{g, m}
	s.findCauses()
	for v := range int32(n) {
		s.measure(v)
		s.chance(v, own)
	}
	return s
}

// tiesOf returns the different ties of v, until the next call.
func (s *survey) tiesOf(v int32) []int32 {
	g := s.g
	needs := g.needs(v)
	if len(needs) == 1 && needs[0] < v && !s.part(g.off[v]) {
		return needs
	}
	s.ties = s.ties[:0]
	for j := g.off[v]; j < g.off[v+1]; j++ {
		to := g.to[j]
		if to >= v || s.part(j) || len(needs) <= 16 && slices.Contains(s.ties, to) { // a circle's, its own, or the same; of many, walks find out
			continue
		}
		s.ties = append(s.ties, to)
	}
	return s.ties
}

// part says whether what need j names is a part of whoever has the need.
func (s *survey) part(j int32) bool {
	to := s.g.to[j]
	return s.apart[get(s.g.as, j)] && s.g.flags[to]&flagOnce != 0 && s.g.off[to] == s.g.off[to+1]
}

// parts calls f for each part of v.
func (s *survey) parts(v int32, f func(part int32)) {
	for j := s.g.off[v]; j < s.g.off[v+1] && s.g.as != nil; j++ {
		if s.part(j) {
			f(s.g.to[j])
		}
	}
}

// entangled says whether any node has several ties.
func (s *survey) entangled() bool {
	for v := range int32(s.g.Len()) {
		if len(s.g.needs(v)) > 1 && len(s.tiesOf(v)) > 1 {
			return true
		}
	}
	return false
}

// own gives the chance that a node itself fails, and the logarithm of the chance that it is sound.
type own struct {
	g *Graph
	m *FailureModel
}

func (o own) of(v int32) float64 { return math.Log1p(-o.p(v)) }

func (o own) p(v int32) float64 {
	if o.g.dead(v) {
		return 1
	}
	return o.m.of(get(o.g.created, v), get(o.g.verified, v), get(o.g.size, v), int(get(o.g.replicas, v)))
}

func (s *survey) findCauses() {
	g := s.g
	for v := range int32(g.Len()) {
		dead := g.dead(v)
		if dead && s.cause == nil {
			s.cause = slices.Repeat([]int32{-1}, g.Len())
		}
		if dead {
			s.cause[v] = v
		}
		for i := 0; s.cause != nil && s.cause[v] < 0 && i < len(g.needs(v)); i++ {
			s.cause[v] = s.cause[g.needs(v)[i]]
		}
	}
}

// measure finds the depth of v, and the root of the first of its needs that make it so deep.
func (s *survey) measure(v int32) {
	g := s.g
	s.depth[v], s.root[v] = 1, v
	for j := g.off[v]; j < g.off[v+1]; j++ {
		to, as := g.to[j], get(g.as, j)
		if to >= v || s.soft[as] {
			continue
		}
		d := s.depth[to] + 1
		if as != 0 && g.words[as] == AsContains {
			d--
		}
		if d > s.depth[v] || s.root[v] == v {
			s.depth[v], s.root[v] = d, s.root[to]
		}
	}
}

// chance finds the chance that the closure of v is sound, and how many nodes it has.
func (s *survey) chance(v int32, own own) {
	sum, count := own.of(v), int32(1)
	s.parts(v, func(part int32) {
		sum += own.of(part)
		count++
	})
	ties := s.tiesOf(v)
	if len(ties) <= 1 {
		s.sets(v, sum, count, ties)
		return
	}
	rest, done := s.walk.from(v, &s.work, func(w int32) {
		sum += own.of(w)
		count++
		s.parts(w, func(part int32) {
			sum += own.of(part)
			count++
		})
	})
	if !done {
		s.sound = false
	}
	s.sets(v, sum, count, rest)
}

// sets gives v its figures: sum and count of a part of its closure, while the rest is the closures of other nodes. When these
// are several they may overlap: then the chance is at least the product of theirs, as if they did not, since what is good for
// one is never bad for another; and at most the least of theirs.
func (s *survey) sets(v int32, sum float64, count int32, rest []int32) {
	low, high := 0.0, 0.0
	most := int32(0)
	for _, w := range rest {
		low += s.log[w]
		h := s.log[w]
		if s.high != nil {
			h = s.high[w]
		}
		high = min(high, h)
		if s.files != nil {
			most = max(most, s.files[w])
		}
	}
	if len(rest) > 1 && s.high == nil {
		s.high = make([]float64, len(s.log))
		copy(s.high, s.log[:v])
	}
	s.log[v] = sum + low
	if s.high != nil {
		s.high[v] = sum + high
	}
	if s.files != nil {
		s.files[v] = count + max(most, int32(len(rest)))
	}
}

// count finds how many restore points each node takes with it, and reports whether the numbers are exact; else they are lower
// bounds. carried[v] counts the restore points whose closures are made up of closure(v) and something apart from it.
func (s *survey) count(work int) bool {
	g := s.g
	n := int32(g.Len())
	exact := true
	s.blast = make([]int32, n)
	var beside []int32 // restore points with the node in a region
	if s.multi {
		beside = make([]int32, n)
	}
	for v := n - 1; v >= 0; v-- {
		if g.flags[v]&flagRestore != 0 {
			s.blast[v]++
		}
		carried := s.blast[v]
		if beside != nil {
			s.blast[v] += beside[v]
		}
		if all := s.blast[v]; all > 0 {
			s.parts(v, func(part int32) { s.blast[part] += all })
		}
		if carried == 0 {
			continue
		}
		ties := s.tiesOf(v)
		if len(ties) <= 1 {
			if len(ties) == 1 {
				s.blast[ties[0]] += carried
			}
			continue
		}
		rest, done := s.walk.from(v, &work, func(w int32) { beside[w] += carried })
		if !done {
			exact = false
			slices.Sort(rest) // the closure of the lowest has none of the others in it
			for _, w := range rest[1:] {
				beside[w] += carried
			}
		}
		if len(rest) > 0 {
			s.blast[rest[0]] += carried
		}
	}
	return exact
}

// walk goes through the region of a node, highest numbers first.
type walk struct {
	s     *survey
	heap  []int32 // the highest number first
	met   []int32 // the walk that met a node last
	round int32
}

// from visits the region of v but for v and parts. It returns what closure is left: that of one node or none, or, when the
// work was used up and done is false, those of several. They are valid until the next call.
func (k *walk) from(v int32, work *int, visit func(w int32)) (rest []int32, done bool) {
	if k.met == nil {
		k.met = make([]int32, k.s.g.Len())
	}
	k.round++
	k.heap = k.heap[:0]
	k.pushAll(k.s.tiesOf(v))
	for len(k.heap) > 1 {
		if *work <= 0 {
			return k.heap, false
		}
		w := k.pop()
		visit(w)
		k.pushAll(k.s.tiesOf(w))
		*work -= 1 + len(k.s.g.needs(w))
	}
	return k.heap, true
}

func (k *walk) pushAll(ties []int32) {
	for _, w := range ties {
		if k.met[w] == k.round {
			continue
		}
		k.met[w] = k.round
		i := len(k.heap)
		k.heap = append(k.heap, w)
		for i > 0 && k.heap[(i-1)/2] < w {
			k.heap[i] = k.heap[(i-1)/2]
			i = (i - 1) / 2
		}
		k.heap[i] = w
	}
}

func (k *walk) pop() int32 {
	top := k.heap[0]
	end := len(k.heap) - 1
	w := k.heap[end]
	k.heap = k.heap[:end]
	if end == 0 {
		return top
	}
	i := 0
	for {
		c := 2*i + 1
		if c+1 < end && k.heap[c+1] > k.heap[c] {
			c++
		}
		if c >= end || k.heap[c] <= w {
			break
		}
		k.heap[i] = k.heap[c]
		i = c
	}
	k.heap[i] = w
	return top
}
