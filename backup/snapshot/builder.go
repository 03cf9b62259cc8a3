package snapshot

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cloudopsec/opsec"
)

// Builder collects the nodes of a graph, in any order. The zero value is ready.
type Builder struct {
	columns
	indexed bool             // nodes have numbers in place of names
	symbols map[string]int32 // of every id that was met
	names   []string         // by symbol
	where   []int32          // by symbol: the node, or -1
	own     []int32          // by node: its symbol
	extra   []extraNeed      // of nodes that were added twice
	doubles []int32          // those nodes
	words   words
}

type extraNeed struct {
	node, to int32
	as       uint16
}

// Indexed is a node of a caller who has numbers for names: the first that is added is 0. Its fields are those of [Node].
type Indexed struct {
	Needs             []int // numbers, of nodes that may come later
	As                string
	Restore           bool
	Created, Verified time.Time
	Size, Virtual     int64
	Replicas          int
}

// Grow makes room for so many more nodes and needs, which saves time and memory when they are known. Numbers out of range do
// nothing.
func (b *Builder) Grow(nodes, needs int) {
	if nodes <= 0 || needs < 0 || nodes > MaxNodes || needs > MaxNeeds {
		return
	}
	b.off = slices.Grow(b.off, nodes+1)
	b.to = slices.Grow(b.to, needs)
	b.flags = slices.Grow(b.flags, nodes)
}

// Add takes a node. Of two with one id the first stands, but what any of them needs is needed, what one of them is broken by
// breaks it, and it is a restore point if one of them is; [Builder.Build] tells. The node is not kept.
//
// Errors wrap [opsec.ErrInvalid]: an id that is empty or too long, a negative number, too many nodes or needs, or a
// builder that has had [Builder.AddIndexed]. Nothing was added then.
func (b *Builder) Add(n Node) error {
	if b.indexed {
		return fmt.Errorf("snapshot: Add: nodes of this builder have numbers: %w", opsec.ErrInvalid)
	}
	if err := b.check(n.ID, n.Size, n.Virtual, n.Replicas, len(n.Needs)); err != nil {
		return err
	}
	for i, need := range n.Needs {
		if need.ID == "" || len(need.ID) > MaxIDLen {
			return fmt.Errorf("snapshot: needs[%d]: an id of %d bytes: want 1 to %d: %w", i, len(need.ID), MaxIDLen, opsec.ErrInvalid)
		}
	}
	if b.symbols == nil {
		b.symbols = map[string]int32{}
	}
	s := b.symbol(n.ID)
	if first := b.where[s]; first >= 0 {
		b.again(first, n)
		return nil
	}
	b.where[s] = int32(b.len())
	b.own = append(b.own, s)
	for _, need := range n.Needs {
		b.need(b.symbol(need.ID), b.words.number(need.As))
	}
	set(&b.format, b.len(), cap(b.flags), b.words.number(n.Format))
	if n.Broken != "" {
		b.breaks(int32(b.len()), n.Broken)
	}
	b.finish(n.Restore, n.Created, n.Verified, n.Size, n.Virtual, n.Replicas)
	return nil
}

// AddIndexed takes a node that has no name but its number, at some 40 bytes and no allocation beyond them. Shown, number 7
// is "#7". It returns the errors of [Builder.Add]; a negative need is one more.
func (b *Builder) AddIndexed(n Indexed) error {
	if b.symbols != nil {
		return fmt.Errorf("snapshot: AddIndexed: nodes of this builder have names: %w", opsec.ErrInvalid)
	}
	if err := b.check("#", n.Size, n.Virtual, n.Replicas, len(n.Needs)); err != nil {
		return err
	}
	for i, need := range n.Needs {
		if need < 0 || need >= MaxNodes {
			return fmt.Errorf("snapshot: needs[%d]: number %d: want 0 to %d: %w", i, need, MaxNodes-1, opsec.ErrInvalid)
		}
	}
	b.indexed = true
	as := b.words.number(n.As)
	for _, need := range n.Needs {
		b.need(int32(need), as)
	}
	b.finish(n.Restore, n.Created, n.Verified, n.Size, n.Virtual, n.Replicas)
	return nil
}

func (b *Builder) check(id string, size, virtual int64, replicas, needs int) error {
	switch {
	case id == "" || len(id) > MaxIDLen:
		return fmt.Errorf("snapshot: id of %d bytes: want 1 to %d: %w", len(id), MaxIDLen, opsec.ErrInvalid)
	case size < 0:
		return fmt.Errorf("snapshot: size %d: negative: %w", size, opsec.ErrInvalid)
	case virtual < 0:
		return fmt.Errorf("snapshot: virtual %d: negative: %w", virtual, opsec.ErrInvalid)
	case replicas < 0 || replicas > math.MaxUint16:
		return fmt.Errorf("snapshot: replicas %d: want 0 to %d: %w", replicas, math.MaxUint16, opsec.ErrInvalid)
	case b.len() >= MaxNodes:
		return fmt.Errorf("snapshot: more than %d nodes: %w", MaxNodes, opsec.ErrInvalid)
	case len(b.to)+len(b.extra)+needs > MaxNeeds:
		return fmt.Errorf("snapshot: more than %d needs: %w", MaxNeeds, opsec.ErrInvalid)
	}
	return nil
}

func (b *Builder) symbol(id string) int32 {
	s, ok := b.symbols[id]
	if !ok {
		s = int32(len(b.names))
		b.symbols[id] = s
		b.names = append(b.names, id)
		b.where = append(b.where, -1)
	}
	return s
}

func (b *Builder) need(to int32, as uint16) {
	set(&b.as, len(b.to), cap(b.to), as)
	b.to = append(b.to, to)
}

func (b *Builder) breaks(node int32, why string) {
	if b.broken == nil {
		b.broken = map[int32]string{}
	}
	if b.broken[node] == "" {
		b.broken[node] = why
	}
}

// again merges a node into the first of its id.
func (b *Builder) again(first int32, n Node) {
	b.doubles = append(b.doubles, first)
	for _, need := range n.Needs {
		b.extra = append(b.extra, extraNeed{first, b.symbol(need.ID), b.words.number(need.As)})
	}
	if n.Restore {
		b.flags[first] |= flagRestore
	}
	if n.Broken != "" {
		b.breaks(first, n.Broken)
	}
}

func (b *Builder) finish(restore bool, created, verified time.Time, size, virtual int64, replicas int) {
	n := b.len()
	set(&b.created, n, cap(b.flags), micros(created))
	set(&b.verified, n, cap(b.flags), micros(verified))
	set(&b.size, n, cap(b.flags), size)
	set(&b.virtual, n, cap(b.flags), virtual)
	set(&b.replicas, n, cap(b.flags), uint16(replicas))
	if n == 0 {
		b.off = append(b.off, 0)
	}
	b.off = append(b.off, int32(len(b.to)))
	var f uint8
	if restore {
		f = flagRestore
	}
	b.flags = append(b.flags, f)
}

// Build returns the graph and what is wrong with it: [RuleMissing], [RuleCycle] and [RuleDuplicate], at most a thousand of
// each, and then how many more. No content makes it fail. What is needed and was not added is in the graph too, as
// [Graph.Missing]; nodes in a circle are broken, and so is all that needs them. The builder is empty afterwards.
func (b *Builder) Build() (*Graph, []Finding) {
	g := &Graph{columns: b.columns, words: b.words.list, numbered: b.indexed}
	var list findings
	if b.indexed {
		b.missingNumbers(g)
	} else {
		b.missingNames(g)
	}
	if len(b.extra) > 0 {
		g.merge(b.extra)
	}
	if !g.ascending() {
		g.arrange(&list)
	}
	for v := range g.Len() {
		g.notice(int32(v), &list)
	}
	for _, v := range b.doubles {
		id := b.names[b.own[v]]
		list.add(RuleDuplicate, opsec.SeverityHigh, func() (string, string) {
			return id, fmt.Sprintf("several nodes are called %s: the first stands, with the needs of all", Quote(id))
		})
	}
	if !b.indexed {
		g.index = b.symbols // nil when it has no node either
		for i, id := range g.names {
			g.index[id] = int32(i)
		}
	}
	g.findings = list.done()
	*b = Builder{}
	return g, slices.Clone(g.findings)
}

// missingNames turns symbols into nodes, and adds nodes for those that were never added.
func (b *Builder) missingNames(g *Graph) {
	g.names = make([]string, 0, len(b.names))
	for _, s := range b.own {
		g.names = append(g.names, b.names[s])
	}
	for s, node := range b.where {
		if node < 0 {
			b.where[s] = g.addMissing()
			g.names = append(g.names, b.names[s])
		}
	}
	for i, s := range g.to {
		g.to[i] = b.where[s]
	}
	for i := range b.extra {
		b.extra[i].to = b.where[b.extra[i].to]
	}
}

// missingNumbers adds nodes for numbers that were never added.
func (b *Builder) missingNumbers(g *Graph) {
	n := int32(g.Len())
	var far map[int32]int32
	for i, to := range g.to {
		if to < n {
			continue
		}
		if far == nil {
			far = map[int32]int32{}
			g.number = make([]int32, n)
			for j := range g.number {
				g.number[j] = int32(j)
			}
		}
		node, ok := far[to]
		if !ok {
			node = g.addMissing()
			far[to] = node
			g.number = append(g.number, to)
		}
		g.to[i] = node
	}
}

// words numbers the different formats and words of needs; the empty one is 0.
type words struct {
	list  []string
	index map[string]uint16
}

func (w *words) number(s string) uint16 {
	if s == "" {
		return 0
	}
	if w.index == nil {
		w.index, w.list = map[string]uint16{}, []string{""}
	}
	i, ok := w.index[s]
	if !ok && len(w.list) < MaxWords {
		i = uint16(len(w.list))
		w.index[s] = i
		w.list = append(w.list, s)
	}
	return i
}

// micros is a time in microseconds of 1970, where 0 stands for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	const most = math.MaxInt64 / 1_000_000
	if s := t.Unix(); s >= most || s <= -most {
		return 0
	}
	if m := t.UnixMicro(); m != 0 {
		return m
	}
	return 1
}
