package meter

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

// names gives numbers to names, in the order in which they first come.
type names struct {
	list  []string
	table []entry         // where a name is found: at its hash, or where that is taken at the next place that is free
	seed  maphash.Seed    // of the hashes
	next  []uint32        // the name that last came after each: sources go through resources in the same order, again and again
	order []uint32        // in order of the names, of those that were there when it was made
	block strings.Builder // the bytes of new names: many in one piece of memory
}

// none is the number of no name.
const none = math.MaxUint32

// blockSize is how many bytes a block of names has.
const blockSize = 1 << 14

// after returns the number of a name that came after another. It is a guess, and a look at the table when that is wrong.
func (n *names) after(last uint32, name string) (uint32, bool) {
	if uint64(last) < uint64(len(n.next)) {
		if id := n.next[last]; n.list[id] == name {
			return id, true
		}
	}
	id, ok := n.find(name)
	if ok && uint64(last) < uint64(len(n.next)) {
		n.next[last] = id
	}
	return id, ok
}

// entry is a name in the table; its number is one less than nth. A map would read old names to grow and to tell them from new
// ones, which with a million takes longer than all else.
type entry struct{ hash, nth uint32 }

// find returns the number of a name.
func (n *names) find(name string) (uint32, bool) {
	if len(n.table) == 0 {
		return 0, false
	}
	hash := uint32(maphash.String(n.seed, name))
	for at := int(hash) & (len(n.table) - 1); n.table[at].nth != 0; at = (at + 1) & (len(n.table) - 1) {
		if e := n.table[at]; e.hash == hash && n.list[e.nth-1] == name {
			return e.nth - 1, true
		}
	}
	return 0, false
}

// place puts a name into the table.
func (n *names) place(e entry) {
	at := int(e.hash) & (len(n.table) - 1)
	for n.table[at].nth != 0 {
		at = (at + 1) & (len(n.table) - 1)
	}
	n.table[at] = e
}

// grow makes the table twice as large.
func (n *names) grow() {
	old := n.table
	if old == nil {
		n.seed = maphash.MakeSeed()
	}
	n.table = make([]entry, max(8, 2*len(old)))
	for _, e := range old {
		if e.nth != 0 {
			n.place(e)
		}
	}
}

// add gives a number to a new name that came after another.
func (n *names) add(last uint32, name string) uint32 {
	if len(n.list) >= len(n.table)/4*3 {
		n.grow()
	}
	id := uint32(len(n.list))
	n.place(entry{uint32(maphash.String(n.seed, name)), id + 1})
	n.list, n.next = append(n.list, n.hold(name)), append(n.next, id)
	if uint64(last) < uint64(id) {
		n.next[last] = id
	}
	return id
}

// hold returns a copy of a name, which may be a part of a large text.
func (n *names) hold(name string) string {
	if len(n.list) < 16 {
		return strings.Clone(name)
	}
	if n.block.Cap()-n.block.Len() < len(name) {
		n.block = strings.Builder{}
		n.block.Grow(blockSize)
	}
	at := n.block.Len()
	n.block.WriteString(name)
	return n.block.String()[at:]
}

// sorted returns the numbers in order of the names. The list is not changed later.
func (n *names) sorted() []uint32 {
	old := n.order
	if len(old) == len(n.list) {
		return old
	}
	more := make([]uint32, 0, len(n.list)-len(old))
	for id := len(old); id < len(n.list); id++ {
		more = append(more, uint32(id))
	}
	n.sort(more)
	all := make([]uint32, 0, len(n.list))
	for len(old) > 0 && len(more) > 0 {
		if n.list[more[0]] < n.list[old[0]] {
			old, more = more, old
		}
		all, old = append(all, old[0]), old[1:]
	}
	n.order = append(append(all, old...), more...)
	return n.order
}

// sort sorts new names: by the eight bytes after what all begin with, and what is the same there as texts.
func (n *names) sort(ids []uint32) {
	begin := n.list[ids[0]]
	for _, id := range ids {
		for !strings.HasPrefix(n.list[id], begin) {
			begin = begin[:len(begin)-1]
		}
	}
	type key struct {
		bytes uint64
		id    uint32
	}
	keys := make([]key, len(ids))
	for i, id := range ids {
		var eight [8]byte
		copy(eight[:], n.list[id][len(begin):])
		keys[i] = key{binary.BigEndian.Uint64(eight[:]), id}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.bytes != b.bytes {
			return cmp.Compare(a.bytes, b.bytes)
		}
		return strings.Compare(n.list[a.id], n.list[b.id])
	})
	for i, k := range keys {
		ids[i] = k.id
	}
}

// ranks returns the place of each name in their order.
func (n *names) ranks() []uint32 {
	ranks := make([]uint32, len(n.list))
	for place, id := range n.sorted() {
		ranks[id] = uint32(place)
	}
	return ranks
}
