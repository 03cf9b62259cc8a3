package meter

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// record is a piece of evidence, small and without pointers: there may be many millions. With four fields it is kept in
// registers; one more, and it would be put together in memory first.
type record struct {
	start int64
	end   int64 // of a state; of requests, the place of their tally
	seq   uint64
	who   uint64 // the resource, the source, and in the last three bits the state, or requests
}

const (
	kinds    = 8 // that have room beside a source
	requests = 4 // the kind of what is no state
)

func who(resource, source, kind uint32) uint64 {
	return uint64(resource)<<32 | uint64(source*kinds+kind)
}

func (r *record) resource() uint32 { return uint32(r.who >> 32) }
func (r *record) source() uint32   { return uint32(r.who) / kinds }
func (r *record) kind() uint32     { return uint32(r.who) % kinds }

// tally is requests, and the end of their slice.
type tally struct {
	end         int64
	good, total uint64
}

// set is records: most in order, with an index; some in order; and those that came since. What is in order has each record
// once. It is by resource, source and number, and of several with one number that which counts is first. What is in
// order is never changed, so that who has a copy of the set can read it while it grows.
type set struct {
	main    []record
	at      []int // where the records of each resource begin in main, and where the last end
	side    []record
	tail    [][]record // full parts
	part    []record   // the part that is being filled
	tallies []tally    // of all
	// doubtful is how many records came since of which it is not known that they are new: a tail is settled when it has many.
	doubtful int
}

const (
	firstPart = 64      // records of the first part of a tail
	lastPart  = 1 << 14 // and of parts of a long one
	longTail  = 1 << 20 // doubtful records with which a tail is settled, unless more are in order
	sideShare = 16      // what part of the records a side may be
)

// add appends a record; t is the tally of requests.
func (s *set) add(r record, t tally) {
	if len(s.part) == cap(s.part) {
		size := firstPart
		if len(s.part) > 0 {
			s.tail = append(s.tail, s.part)
			size = min(2*len(s.part), lastPart)
		}
		s.part = make([]record, 0, size)
	}
	if r.kind() == requests {
		r.end = int64(len(s.tallies))
		s.tallies = append(s.tallies, t)
	}
	s.part = append(s.part, r)
}

// settle puts all in order that came since; resources is how many there are.
func (s *set) settle(resources int) {
	n := len(s.part)
	for _, part := range s.tail {
		n += len(part)
	}
	switch {
	case n == 0:
	case (len(s.side)+n)*sideShare >= len(s.main), len(s.tallies) > 2*(len(s.main)+len(s.side))+longTail:
		s.build(resources)
	default:
		more := s.unique(append(slices.Concat(s.tail...), s.part...))
		s.side = s.merge(make([]record, 0, len(s.side)+len(more)), s.side, more)
		s.tail, s.part, s.doubtful = nil, nil, 0
	}
}

// build puts all into one list: it counts the records of each resource, and puts them where they belong.
func (s *set) build(resources int) {
	parts := slices.Concat([][]record{s.main, s.side}, s.tail, [][]record{s.part}) // what is in order first
	s.main, s.side, s.tail, s.part = nil, nil, nil, nil
	begin := make([]int, resources+2)
	n := 0
	for _, part := range parts {
		for i := range part {
			begin[part[i].resource()+2]++
		}
		n += len(part)
	}
	for i := 2; i < len(begin); i++ {
		begin[i] += begin[i-1]
	}
	all := make([]record, n)
	for k, part := range parts {
		for _, r := range part {
			to := &begin[r.resource()+1]
			all[*to] = r
			*to++
		}
		parts[k] = nil // it may be let go
	}
	n = 0
	for id := range resources {
		list := all[begin[id]:begin[id+1]]
		begin[id] = n
		if !s.ascending(list) {
			list = s.unique(list)
		}
		if len(list) > 0 && &all[n] != &list[0] {
			copy(all[n:], list)
		}
		n += len(list)
	}
	begin[resources] = n
	if n < len(all)*3/4 {
		all = slices.Clone(all[:n])
	}
	*s = set{main: all[:n:n], at: begin[:resources+1], tallies: s.own(all[:n])}
}

// own returns the tallies of records alone, in their order, and makes the records point there.
func (s *set) own(list []record) (tallies []tally) {
	if len(s.tallies) == 0 {
		return nil
	}
	for i := range list {
		if r := &list[i]; r.kind() == requests {
			tallies = append(tallies, s.tallies[r.end])
			r.end = int64(len(tallies) - 1)
		}
	}
	return tallies
}

// unique sorts a list, and leaves out what is there already.
func (s *set) unique(list []record) []record {
	slices.SortFunc(list, func(a, b record) int { return s.compare(&a, &b) })
	return slices.CompactFunc(list, func(a, b record) bool { return s.compare(&a, &b) == 0 })
}

// ascending reports whether the list of a resource is in order, and has nothing twice.
func (s *set) ascending(list []record) bool {
	for i := 1; i < len(list); i++ {
		a, b := &list[i-1], &list[i]
		if (a.source() != b.source() || a.seq >= b.seq) && s.compare(a, b) >= 0 {
			return false
		}
	}
	return true
}

// merge appends the records of two lists in order to a third, each once.
func (s *set) merge(out, a, b []record) []record {
	for len(a) > 0 && len(b) > 0 {
		switch c := s.compare(&a[0], &b[0]); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			b = b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// compare orders records: by resource, source and number; and of those with one number that which counts first.
func (s *set) compare(a, b *record) int {
	c := cmp.Or(cmp.Compare(a.who/kinds, b.who/kinds), cmp.Compare(a.seq, b.seq))
	if c == 0 {
		c = content(a, b, s.tally(a), s.tally(b))
	}
	return c
}

// content orders what records with one number say: that which counts first. Because it starts earliest, nothing that starts
// later changes what counts.
func content(a, b *record, s, t tally) int {
	if c := cmp.Compare(a.start, b.start); c != 0 {
		return c
	}
	if s.end == Open {
		s.end = math.MinInt64
	}
	if t.end == Open {
		t.end = math.MinInt64
	}
	return cmp.Or(
		cmp.Compare(b.kind(), a.kind()),
		cmp.Compare(t.total-t.good, s.total-s.good),
		cmp.Compare(t.total, s.total),
		cmp.Compare(t.end, s.end),
	)
}

// tally returns that of a record; of a state, its end alone.
func (s *set) tally(r *record) tally {
	if r.kind() == requests {
		return s.tallies[r.end]
	}
	return tally{end: r.end}
}

// of returns the records of a resource in a settled set, perhaps in the room of scratch.
func (s *set) of(resource uint32, scratch *[]record) []record {
	var list []record
	if int(resource)+1 < len(s.at) {
		list = s.main[s.at[resource]:s.at[resource+1]]
	}
	from := sort.Search(len(s.side), func(i int) bool { return s.side[i].resource() >= resource })
	to := from
	for to < len(s.side) && s.side[to].resource() == resource {
		to++
	}
	if from < to {
		list = s.merge((*scratch)[:0], list, s.side[from:to])
		*scratch = list
	}
	return list
}

// has reports whether a settled set has a record; of requests t is the tally.
func (s *set) has(r *record, t tally) bool {
	list := s.side
	for range 2 {
		i := sort.Search(len(list), func(i int) bool {
			o := &list[i]
			c := cmp.Or(cmp.Compare(o.who/kinds, r.who/kinds), cmp.Compare(o.seq, r.seq))
			if c == 0 {
				c = content(o, r, s.tally(o), t)
			}
			return c >= 0
		})
		if i < len(list) && list[i].who == r.who && list[i].seq == r.seq && list[i].start == r.start && s.tally(&list[i]) == t {
			return true
		}
		list = nil
		if id := int(r.resource()); id+1 < len(s.at) {
			list = s.main[s.at[id]:s.at[id+1]]
		}
	}
	return false
}
