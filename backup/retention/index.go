package retention

import "hash/maphash"

// index finds points by their ids. It is a table of numbers alone, half full at most, so that a million ids cost neither the garbage
// collector nor much of the cache.
type index struct {
	points []Point
	seed   maphash.Seed
	slots  []slot
}

type slot struct {
	hash uint32
	next int32 // the number of the point, and one; 0: free
}

func newIndex(points []Point) *index {
	n := 8
	for n < 2*len(points) {
		n *= 2
	}
	return &index{points: points, seed: maphash.MakeSeed(), slots: make([]slot, n)}
}

// at returns the slot of an id: its own, or the free one where it belongs.
func (x *index) at(id string) (*slot, uint32) {
	h := maphash.String(x.seed, id)
	hash, mask := uint32(h>>32), uint64(len(x.slots)-1)
	for i := h & mask; ; i = (i + 1) & mask {
		if s := &x.slots[i]; s.next == 0 || s.hash == hash && x.points[s.next-1].ID == id {
			return s, hash
		}
	}
}

// put adds a point, and says whether its id was not there.
func (x *index) put(i int32) bool {
	s, hash := x.at(x.points[i].ID)
	if s.next != 0 {
		return false
	}
	*s = slot{hash, i + 1}
	return true
}

func (x *index) find(id string) (int32, bool) {
	s, _ := x.at(id)
	return s.next - 1, s.next != 0
}
