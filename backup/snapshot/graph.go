package snapshot

import (
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// Graph says what is read through what. It does not change, and may be used by several goroutines.
//
// Nodes are numbered from 0 so that what a node needs comes before it, except in a circle. A [Builder] with names numbers them
// as it likes; with numbers it keeps them where that order already held.
type Graph struct {
	columns
	words    []string
	names    []string         // nil when nodes have numbers
	index    map[string]int32 // of names
	numbered bool
	number   []int32 // by node: the caller's number; nil: the same
	findings []Finding
}

// columns hold one value a node, or need. A column may be shorter than the graph: the rest is zero.
type columns struct {
	off               []int32 // needs of node v are to[off[v]:off[v+1]]
	to                []int32 // a need that is not below v closes a circle
	as                []uint16
	flags             []uint8
	created, verified []int64 // see micros
	size, virtual     []int64
	replicas          []uint16
	format            []uint16
	broken            map[int32]string
}

const (
	flagRestore = 1 << iota
	flagMissing
	flagCycle
	flagNeeded // it is read through, or is a file of another without needs of its own
	flagOnce   // needed by one need in all
	flagMany   // needed by more
	flagInside // it needs something as AsContains, and is no difference to anything
)

func (c *columns) len() int { return len(c.flags) }

func set[T comparable](column *[]T, at, room int, value T) {
	var zero T
	if value == zero {
		return
	}
	if *column == nil && room > at {
		*column = make([]T, 0, room)
	}
	for len(*column) < at {
		*column = append(*column, zero)
	}
	*column = append(*column, value)
}

func get[T any](column []T, at int32) (value T) {
	if int(at) < len(column) {
		value = column[at]
	}
	return value
}

func (c *columns) needs(v int32) []int32 { return c.to[c.off[v]:c.off[v+1]] }

// dead says whether v cannot be read, whatever else is there.
func (c *columns) dead(v int32) bool {
	if c.flags[v]&(flagMissing|flagCycle) != 0 {
		return true
	}
	return c.broken != nil && c.broken[v] != ""
}

// Len returns how many nodes there are, missing ones with them.
func (g *Graph) Len() int { return g.columns.len() }

// ID returns the id of node i. It panics when i is out of range, as a slice does; so do the other methods that take a node.
func (g *Graph) ID(i int) string {
	if !g.numbered {
		return g.names[i]
	}
	if g.number != nil {
		i = int(g.number[i])
	}
	return "#" + strconv.Itoa(i)
}

// Find returns the node of an id, and whether it is in the graph.
func (g *Graph) Find(id string) (int, bool) {
	if !g.numbered {
		i, ok := g.index[id]
		return int(i), ok
	}
	digits, ok := strings.CutPrefix(id, "#")
	n, err := strconv.ParseInt(digits, 10, 32)
	if !ok || err != nil || n < 0 || id != "#"+strconv.FormatInt(n, 10) {
		return 0, false
	}
	if g.number != nil {
		i := slices.Index(g.number, int32(n))
		return max(i, 0), i >= 0
	}
	return int(n), n < int64(g.Len())
}

// Node returns node i as it was added; times are rounded down to microseconds.
func (g *Graph) Node(i int) Node {
	v := int32(i)
	n := Node{
		ID: g.ID(i), Format: g.word(get(g.format, v)), Restore: g.Restore(i),
		Created: instant(get(g.created, v)), Verified: instant(get(g.verified, v)),
		Size: get(g.size, v), Virtual: get(g.virtual, v), Replicas: int(get(g.replicas, v)), Broken: g.Broken(i),
	}
	for need, as := range g.Needs(i) {
		n.Needs = append(n.Needs, Need{ID: g.ID(need), As: as})
	}
	return n
}

// Needs iterates over what node i needs: nodes, and as what.
func (g *Graph) Needs(i int) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for j := g.off[i]; j < g.off[i+1]; j++ {
			if !yield(int(g.to[j]), g.word(get(g.as, j))) {
				return
			}
		}
	}
}

// Restore says whether node i is a restore point.
func (g *Graph) Restore(i int) bool { return g.flags[i]&flagRestore != 0 }

// Missing says whether node i is needed and was never added.
func (g *Graph) Missing(i int) bool { return g.flags[i]&flagMissing != 0 }

// Broken says why node i cannot be read whatever else is there, or nothing. A node that needs a broken one is not broken itself.
func (g *Graph) Broken(i int) string {
	switch {
	case g.flags[i]&flagMissing != 0:
		return "missing"
	case g.broken[int32(i)] != "":
		return g.broken[int32(i)]
	case g.flags[i]&flagCycle != 0:
		return "in a circle"
	}
	return ""
}

// Findings returns what [Builder.Build] has found.
func (g *Graph) Findings() []Finding { return slices.Clone(g.findings) }

func (g *Graph) word(i uint16) string {
	if i == 0 {
		return ""
	}
	return g.words[i]
}

func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func (g *Graph) addMissing() int32 {
	if len(g.off) == 0 {
		g.off = append(g.off, 0)
	}
	g.off = append(g.off, int32(len(g.to)))
	g.flags = append(g.flags, flagMissing)
	return int32(len(g.flags) - 1)
}

// merge adds needs to nodes that have theirs already.
func (g *Graph) merge(extra []extraNeed) {
	slices.SortStableFunc(extra, func(a, b extraNeed) int { return int(a.node) - int(b.node) })
	to, as := make([]int32, 0, len(g.to)+len(extra)), []uint16(nil)
	for v := range int32(g.Len()) {
		begin, end := g.off[v], g.off[v+1]
		g.off[v] = int32(len(to))
		for j := begin; j < end; j++ {
			set(&as, len(to), 0, get(g.as, j))
			to = append(to, g.to[j])
		}
		for ; len(extra) > 0 && extra[0].node == v; extra = extra[1:] {
			set(&as, len(to), 0, extra[0].as)
			to = append(to, extra[0].to)
		}
	}
	g.off[g.Len()] = int32(len(to))
	g.to, g.as = to, as
}

// ascending says whether every node comes after what it needs.
func (g *Graph) ascending() bool {
	for v := range int32(g.Len()) {
		if slices.ContainsFunc(g.needs(v), func(to int32) bool { return to >= v }) {
			return false
		}
	}
	return true
}

// notice marks what the needs of v say of it and of others, and finds which of them are missing.
func (g *Graph) notice(v int32, list *findings) {
	inside, above := false, false
	for j := g.off[v]; j < g.off[v+1]; j++ {
		to := g.to[j]
		f := &g.flags[to]
		switch g.word(get(g.as, j)) {
		case AsContains:
			inside = true
		case AsDataFile, AsExtent:
			if len(g.needs(to)) == 0 {
				*f |= flagNeeded
			}
		default:
			above = true
			*f |= flagNeeded
		}
		if *f&(flagOnce|flagMany) == 0 {
			*f |= flagOnce
		} else {
			*f = *f&^flagOnce | flagMany
		}
		if g.flags[to]&flagMissing != 0 {
			list.add(RuleMissing, opsec.SeverityHigh, func() (string, string) {
				return g.ID(int(v)), "needs " + Quote(g.ID(int(to))) + ", which is not there"
			})
		}
	}
	if inside && !above {
		g.flags[v] |= flagInside
	}
}
