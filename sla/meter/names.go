package meter

import (
	"slices"
	"strings"
)

// names gives numbers to names, in the order in which they first come.
type names struct {
	list  []string
	ids   map[string]uint32
	next  []uint32 // the name that last came after each: sources go through resources in the same order, again and again
	order []uint32 // in order of the names, of those that were there when it was made
}

// after returns the number of a name that came after another. It is a guess, and a look at the map when that is wrong.
func (n *names) after(last uint32, name string) (uint32, bool) {
	if int(last) < len(n.next) {
		if id := n.next[last]; n.list[id] == name {
			return id, true
		}
	}
	id, ok := n.ids[name]
	if ok && int(last) < len(n.next) {
		n.next[last] = id
	}
	return id, ok
}

// add gives a number to a new name.
func (n *names) add(name string) uint32 {
	if n.ids == nil {
		n.ids = map[string]uint32{}
	}
	id := uint32(len(n.list))
	name = strings.Clone(name) // it may be a part of a large text
	n.list, n.next = append(n.list, name), append(n.next, id)
	n.ids[name] = id
	return id
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
	slices.SortFunc(more, func(a, b uint32) int { return strings.Compare(n.list[a], n.list[b]) })
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

// ranks returns the place of each name in their order.
func (n *names) ranks() []uint32 {
	ranks := make([]uint32, len(n.list))
	for place, id := range n.sorted() {
		ranks[id] = uint32(place)
	}
	return ranks
}
