package snapshot

import (
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec"
)

// Loss is what becomes unreadable when nodes are destroyed.
type Loss struct {
	Destroyed []int // the nodes, each once
	Points    int   // restore points that could be read before, and cannot any more
	Images    int   // all nodes of that kind, the destroyed ones with them
	g         *Graph
	via       []int32 // by node: the need that takes it with it, itself for a destroyed one, or -1
	before    []bool  // by node: it could not be read anyway; nil: all could
}

// Destroy tells what is lost when nodes are destroyed: these, and all that needs them, directly or not. Destroying the first
// snapshot of a chain takes the whole chain, an inner one what comes after it. It returns an error that wraps
// [opsec.ErrNotFound] for an id that is not in the graph. The time is linear in the graph.
func (g *Graph) Destroy(ids ...string) (*Loss, error) {
	l := &Loss{g: g, via: make([]int32, g.Len())}
	for i := range l.via {
		l.via[i] = -1
	}
	for _, id := range ids {
		v, ok := g.Find(id)
		if !ok {
			return nil, fmt.Errorf("snapshot: %s: %w", Quote(id), opsec.ErrNotFound)
		}
		if l.via[v] < 0 {
			l.via[v] = int32(v)
			l.Destroyed = append(l.Destroyed, v)
		}
	}
	for v := range int32(g.Len()) {
		dead := g.dead(v)
		for _, to := range g.needs(v) {
			if l.via[v] < 0 && l.via[to] >= 0 {
				l.via[v] = to
			}
			dead = dead || l.before != nil && l.before[to]
		}
		if dead {
			if l.before == nil {
				l.before = make([]bool, g.Len())
			}
			l.before[v] = true
		}
		if l.Lost(int(v)) {
			l.Images++
			if g.Restore(int(v)) {
				l.Points++
			}
		}
	}
	return l, nil
}

// All iterates over the restore points that are lost, in the order of the graph.
func (l *Loss) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range l.via {
			if l.Lost(i) && l.g.Restore(i) && !yield(i) {
				return
			}
		}
	}
}

// Lost says whether node i could be read before and cannot any more.
func (l *Loss) Lost(i int) bool { return l.via[i] >= 0 && (l.before == nil || !l.before[i]) }

// Path returns a way from node i, along what each needs, to a node that was destroyed: both are in it. It is nil for a node
// that does not need one of these, and perhaps for one in a circle.
func (l *Loss) Path(i int) []int {
	v := int32(i)
	if l.via[v] < 0 {
		return nil
	}
	path := []int{i}
	for l.via[v] != v {
		v = l.via[v]
		path = append(path, int(v))
	}
	return path
}
