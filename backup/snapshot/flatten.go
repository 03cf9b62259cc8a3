package snapshot

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/cloudopsec/opsec"
)

// The bounds of Flatten: options that are looked at for an exact plan, and pairs of a node and one that it may come to rest on.
const (
	maxOptions = 1 << 23
	maxPairs   = 1 << 24
)

// Budget is what flattening may cost.
type Budget struct {
	Bytes int64 `json:"bytes"` // that are written; as many are read. 0: nothing may be done
}

// Plan says which images to flatten: to give each a copy of all that it is read through, so that it needs no other.
type Plan struct {
	Steps []Step `json:"steps"` // from the roots up; any order will do
	Bytes int64  `json:"bytes"` // that all of them write
	// Before and After are the expected numbers of restore points lost ([Report.ExpectedLost]).
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// Bound is a lower bound of what any plan within the budget leaves that lets alone what this one was not free to copy:
	// Unpriced and Beside. When the plan is Exact, it equals After.
	Bound float64 `json:"bound"`
	Exact bool    `json:"exact"`
	// Unpriced is how many nodes were left alone since nobody knows how much a copy of them takes: a size on the way is 0, and
	// so is Virtual.
	Unpriced int `json:"unpriced,omitempty"`
	// Beside is how many were left alone since something needs them beside others.
	Beside int `json:"beside,omitempty"`
}

// Step is one image to flatten.
type Step struct {
	ID    string  `json:"id"`
	Bytes int64   `json:"bytes"` // the sizes of all that it is read through and its own, at most Virtual
	After float64 `json:"after"` // what is expected to be lost after it and those before it; of very large plans, after all
	// Inside is how many points lie inside the image. They are taken to be copied with it, each with all that it is read through.
	// Not every program does: after qemu-img rebase they are damaged. Copy them out before, with qemu-img convert -l.
	Inside int `json:"inside,omitempty"`
}

// Flatten finds the plan within the budget that leaves the least expected number of lost restore points, under a model.
//
// An image that is flattened needs no other but its parts (data files, extents and the like that only it needs), and
// fails by the chance that it had of itself. It is flattened only if it can be read, and not where a node, such as a machine of
// several disks, needs it beside others: a copy would help that node only in part. What all ways down from a node rest on may be
// flattened, and sometimes one of the ways. In chains and trees nothing is beside others.
//
// The plan is exact, by dynamic programming over the sets of cost and loss that no other beats, while there are at most 2^23 of
// these to look at; equal sizes keep them few. Beyond, it is the best that Lagrangian relaxation finds, and Bound says
// how much better another could be. Sums of depths over 2^24, and graphs for which the report is not exact, are refused with an
// error that wraps [opsec.ErrInvalid], as are an invalid model and a negative budget.
func (g *Graph) Flatten(m FailureModel, b Budget) (*Plan, error) {
	return g.flatten(m, b, maxOptions)
}

func (g *Graph) flatten(m FailureModel, b Budget, options int) (*Plan, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if b.Bytes < 0 {
		return nil, fmt.Errorf("snapshot: budget: bytes %d: negative: %w", b.Bytes, opsec.ErrInvalid)
	}
	f, err := newForest(g, &m, b.Bytes)
	if err != nil {
		return nil, err
	}
	p := &Plan{Before: f.lost(nil), Unpriced: f.unpriced, Beside: f.beside}
	cuts, ok := f.exact(options)
	if ok {
		p.Exact = true
	} else {
		cuts, p.Bound = f.relaxed()
	}
	slices.Sort(cuts)
	cut, inside := make([]bool, g.Len()), make([]int, g.Len())
	for j, to := range g.to {
		if g.word(get(g.as, int32(j))) == AsContains {
			inside[to]++
		}
	}
	each := len(cuts)*g.Len() <= 1<<27
	for i, v := range cuts {
		cut[v] = true
		p.Steps = append(p.Steps, Step{ID: g.ID(int(v)), Bytes: f.cost[v], Inside: inside[v]})
		p.Bytes += f.cost[v]
		if each {
			p.Steps[i].After = f.lost(cut)
		}
	}
	p.After = f.lost(cut)
	for i := 0; i < len(p.Steps) && !each; i++ {
		p.Steps[i].After = p.After
	}
	if p.Exact {
		p.Bound = p.After
	}
	p.Bound = min(p.Bound, p.After)
	return p, nil
}

// forest is a graph as trees: what is below a node is one other, with what lies between them counted to the node.
type forest struct {
	g        *Graph
	budget   int64
	below    []int32   // or -1
	own      []float64 // logarithm of the chance that the node and its parts are sound
	way      []float64 // the same, with all that lies between it and the node below
	to       []float64 // the same, down to the root
	cost     []int64   // of a copy, for those that can be cut
	can      []bool    // be cut
	level    []int32   // nodes below, up to the root
	gone     float64   // restore points that nothing brings back
	unpriced int
	beside   int
}

func newForest(g *Graph, m *FailureModel, budget int64) (*forest, error) {
	n := g.Len()
	s := newSurvey(g, m, maxWork)
	if !s.sound {
		return nil, fmt.Errorf("snapshot: flatten: too many ways lead through the graph: %w", opsec.ErrInvalid)
	}
	f := &forest{
		g: g, budget: budget, below: make([]int32, n), own: make([]float64, n), way: make([]float64, n), to: s.log,
		cost: make([]int64, n), can: make([]bool, n), level: make([]int32, n),
	}
	chance := own{g, m}
	bytes, vague := make([]int64, n), make([]bool, n)
	for v := range int32(n) {
		take := func(w int32) {
			f.way[v] += chance.of(w)
			bytes[v] = add(bytes[v], get(g.size, w))
			vague[v] = vague[v] || get(g.size, w) == 0
		}
		take(v)
		s.parts(v, take)
		f.own[v] = f.way[v]
		rest := s.tiesOf(v)
		if len(rest) > 1 {
			work := math.MaxInt // the survey has been there, within its bounds
			rest, _ = s.walk.from(v, &work, func(w int32) {
				take(w)
				s.parts(w, take)
				if f.can[w] {
					f.can[w] = false
					f.beside++
				}
			})
		}
		f.below[v] = -1
		if len(rest) == 0 {
			continue
		}
		d := rest[0]
		f.below[v], f.level[v] = d, f.level[d]+1
		bytes[v], vague[v] = add(bytes[v], bytes[d]), vague[v] || vague[d]
		f.can[v] = f.alive(v)
		f.cost[v] = bytes[v]
		if virtual := get(g.virtual, v); virtual > 0 && (vague[v] || virtual < bytes[v]) {
			f.cost[v] = virtual
		} else if vague[v] && f.can[v] {
			f.can[v] = false
			f.unpriced++
		}
	}
	pairs := 0
	for v := range int32(n) {
		if pairs += int(f.level[v]) + 1; pairs > maxPairs {
			return nil, fmt.Errorf("snapshot: flatten: the depths of all nodes together exceed %d: %w", maxPairs, opsec.ErrInvalid)
		}
		f.can[v] = f.can[v] && f.cost[v] <= budget
		if math.IsInf(f.to[v], -1) && g.flags[v]&flagRestore != 0 {
			f.gone++
		}
	}
	return f, nil
}

// alive says whether something can still be read from v.
func (f *forest) alive(v int32) bool { return !math.IsInf(f.to[v], -1) }

// lost is the expected number of restore points lost when some are cut.
func (f *forest) lost(cut []bool) float64 {
	to := make([]float64, len(f.to))
	all := 0.0
	for v := range int32(len(to)) {
		switch d := f.below[v]; {
		case cut != nil && cut[v]:
			to[v] = f.own[v]
		case d >= 0:
			to[v] = f.way[v] + to[d]
		default:
			to[v] = f.way[v]
		}
		if f.g.flags[v]&flagRestore != 0 {
			all -= math.Expm1(to[v])
		}
	}
	return all
}

// loss is the chance that v is lost when the node that it rests on is base: one that is cut, or the root.
func (f *forest) loss(v, base int32) float64 {
	if f.g.flags[v]&flagRestore == 0 {
		return 0
	}
	return -math.Expm1(f.to[v] - f.to[base] + f.own[base])
}

// WriteText writes the plan for people.
func (p *Plan) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "expected to be lost: %s now, %s after %s, which write %s in all\n", number(p.Before), number(p.After),
		count(len(p.Steps), "step"), bytesOf(float64(p.Bytes)))
	for _, s := range p.Steps {
		fmt.Fprintf(b, "  flatten %s: %s, then %s\n", Quote(s.ID), bytesOf(float64(s.Bytes)), number(s.After))
		if s.Inside > 0 {
			fmt.Fprintf(b, "    %s inside: copied too, or damaged\n", count(s.Inside, "point"))
		}
	}
	if !p.Exact {
		fmt.Fprintf(b, "no plan within the budget leaves less than %s\n", number(p.Bound))
	}
	if p.Unpriced > 0 {
		fmt.Fprintf(b, "not looked at, since sizes are not known: %s\n", count(p.Unpriced, "image"))
	}
	if p.Beside > 0 {
		fmt.Fprintf(b, "not looked at, since something needs them beside others: %s\n", count(p.Beside, "image"))
	}
	return b.Flush()
}
