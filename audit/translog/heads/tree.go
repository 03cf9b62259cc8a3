package heads

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// Head is where one tenant's chain of entries ends.
type Head struct {
	Tag  [16]byte  // the tenant's tag in leaves
	Seq  uint64    // the number of its last entry, counted from 1 within the tenant
	Leaf tlog.Hash // the leaf hash of that entry
}

// Tree is a set of heads, one a tag, with a root hash that binds them all: the same set has the same root, however it came
// about. The zero Tree is empty and ready for use. It is for one goroutine at a time. A head takes less than 200 bytes.
type Tree struct {
	byTag map[[16]byte]uint32 // which leaf
	leafs chunks[leaf]
	inner chunks[inner]
	root  node
	dirty []uint32 // the leafs that were set after they were hashed
}

// leaf is a head, and its hash unless it is among the dirty.
type leaf struct {
	Head
	hash  tlog.Hash
	dirty bool
}

// inner is where places part that have their first bit bits in common. Its hash is that of its label and children unless
// a leaf below is dirty.
type inner struct {
	hash  tlog.Hash
	child [2]node
	bit   uint8
}

// node is a leaf by its number, or an inner node by the complement of its own.
type node int32

// Len is the number of heads.
func (t *Tree) Len() int { return t.leafs.n }

// Get returns the head with this tag.
func (t *Tree) Get(tag [16]byte) (Head, bool) {
	i, ok := t.byTag[tag]
	if !ok {
		return Head{}, false
	}
	return t.leafs.at(i).Head, true
}

// Set puts h in the place of the head with its tag, or adds it.
func (t *Tree) Set(h Head) {
	i, ok := t.byTag[h.Tag]
	if !ok {
		i = t.insert(h.Tag)
	}
	l := t.leafs.at(i)
	l.Head = h
	if !l.dirty {
		l.dirty = true
		t.dirty = append(t.dirty, i)
	}
}

// insert makes a leaf for tag, which has none.
func (t *Tree) insert(tag [16]byte) uint32 {
	if t.byTag == nil {
		t.byTag = make(map[[16]byte]uint32)
	}
	i := t.leafs.add()
	t.byTag[tag] = i
	if i == 0 {
		return i // t.root is leaf 0
	}
	at := placeOf(tag)
	near := placeOf(t.leafs.at(t.nearest(&at)).Tag)
	bit := uint8(common(&at, &near)) // < 128: two tags of one place would be a collision of the hash
	link := &t.root
	for *link < 0 && t.inner.at(uint32(^*link)).bit < bit {
		n := t.inner.at(uint32(^*link))
		link = &n.child[at.bit(n.bit)]
	}
	j := t.inner.add()
	n := t.inner.at(j)
	n.bit = bit
	n.child[at.bit(bit)], n.child[1-at.bit(bit)] = node(i), *link
	*link = ^node(j)
	return i
}

// nearest returns a leaf that has as many first bits in common with at as any has. The tree is not empty.
func (t *Tree) nearest(at *place) uint32 {
	n := t.root
	for n < 0 {
		in := t.inner.at(uint32(^n))
		n = in.child[at.bit(in.bit)]
	}
	return uint32(n)
}

// Root is the root hash. It hashes what has changed since it was last asked for: per head that was set, a path of about
// log2(Len) nodes of which neighbours share most.
func (t *Tree) Root() tlog.Hash {
	if t.leafs.n == 0 {
		return hashEmpty()
	}
	if len(t.dirty) > 0 {
		changed := make([]placed, len(t.dirty))
		for i, l := range t.dirty {
			changed[i] = placed{placeOf(t.leafs.at(l).Tag), l}
		}
		sortPlaced(changed)
		t.rehash(t.root, changed)
		t.dirty = t.dirty[:0]
	}
	return *t.hash(t.root)
}

// placed is something with its place.
type placed struct {
	place
	i uint32
}

func sortPlaced(p []placed) {
	slices.SortFunc(p, func(a, b placed) int { return bytes.Compare(a.place[:], b.place[:]) })
}

// rehash hashes n anew, of which changed, in order of their places, are the dirty leafs: one at least.
func (t *Tree) rehash(n node, changed []placed) {
	at := changed[0].place
	if n >= 0 {
		l := t.leafs.at(uint32(n))
		value := hashValue(&l.Head)
		l.hash, l.dirty = hashLeaf(&at, &value), false
		return
	}
	in := t.inner.at(uint32(^n))
	split, _ := slices.BinarySearchFunc(changed, 1, func(p placed, one int) int { return p.bit(in.bit) - one })
	if split > 0 {
		t.rehash(in.child[0], changed[:split])
	}
	if split < len(changed) {
		t.rehash(in.child[1], changed[split:])
	}
	label := at.prefix(in.bit)
	in.hash = hashInner(in.bit, &label, t.hash(in.child[0]), t.hash(in.child[1]))
}

func (t *Tree) hash(n node) *tlog.Hash {
	if n < 0 {
		return &t.inner.at(uint32(^n)).hash
	}
	return &t.leafs.at(uint32(n)).hash
}

// Snapshot returns all heads in the order of their tags.
func (t *Tree) Snapshot() []Head {
	heads := make([]Head, 0, t.Len())
	for i := range t.Len() {
		heads = append(heads, t.leafs.at(uint32(i)).Head)
	}
	slices.SortFunc(heads, func(a, b Head) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	return heads
}

// FromSnapshot returns the tree of these heads. Tags that do not ascend are an error wrapping opsec.ErrInvalid.
func FromSnapshot(heads []Head) (*Tree, error) {
	order := make([]placed, len(heads)) // neighbours go in one after another, and find their path in the cache
	for i := range heads {
		if i > 0 && bytes.Compare(heads[i-1].Tag[:], heads[i].Tag[:]) >= 0 {
			return nil, fmt.Errorf("heads: head %d of the snapshot: tags do not ascend: %w", i, opsec.ErrInvalid)
		}
		order[i] = placed{placeOf(heads[i].Tag), uint32(i)}
	}
	sortPlaced(order)
	t := &Tree{byTag: make(map[[16]byte]uint32, len(heads))}
	for _, p := range order {
		t.Set(heads[p.i])
	}
	return t, nil
}

// chunks is a list that grows without moving, nor holding twice what it has.
type chunks[T any] struct {
	n    int
	list [][]T
}

const chunkLen = 1 << 12

func (c *chunks[T]) at(i uint32) *T { return &c.list[i/chunkLen][i%chunkLen] }

func (c *chunks[T]) add() uint32 {
	if c.n%chunkLen == 0 {
		c.list = append(c.list, make([]T, chunkLen))
	}
	c.n++
	return uint32(c.n - 1)
}
