package meter

import (
	"cmp"
	"slices"
	"sort"
)

// record is a piece of evidence, small and without pointers: there may be many millions.
type record struct {
	start    int64
	end      int64 // of a state; of requests, the place of their tally
	seq      uint64
	resource uint32
	what     uint32 // the source, and in the last three bits the state, or requests
}

const (
	kinds    = 8 // that have room beside a source
	requests = 4 // the kind of what is no state
)

func (r *record) source() uint32 { return r.what / kinds }
func (r *record) kind() uint32   { return r.what % kinds }

// tally is requests, and the end of their slice.
type tally struct {
	end         int64
	good, total uint64
}

// set is records: most in order, with an index; some in order; and those that came since. What is in order has each record
// once. It is by resource, source and number, and of several with one number that which counts is first: the worst. What is
// in order is never changed, so that who has a copy of the set can read it while it grows.
type set struct {
	main    []record
	at      []int // where the records of each resource begin in main, and where the last end
	side    []record
	tail    [][]record
	n       int     // records of the tail
	tallies []tally // of all
}

const (
	firstPart = 64      // records of the first part of a tail
	lastPart  = 1 << 14 // and of parts of a long one
	longTail  = 1 << 20 // records with which a tail is settled, unless there are more in order
	sideShare = 16      // what part of the records a side may be
)

// add appends a record; t is the tally of requests. It reports whether the tail has become so long that it should be settled.
func (s *set) add(r record, t tally) (long bool) {
	if r.kind() == requests {
		r.end = int64(len(s.tallies))
		s.tallies = append(s.tallies, t)
	}
	last := len(s.tail) - 1
	if last < 0 || len(s.tail[last]) == cap(s.tail[last]) {
		size := firstPart
		if last >= 0 {
			size = min(2*cap(s.tail[last]), lastPart)
		}
		s.tail = append(s.tail, make([]record, 0, size))
		last++
	}
	s.tail[last] = append(s.tail[last], r)
	s.n++
	return s.n >= longTail && s.n >= len(s.main)+len(s.side)
}

// settle puts all in order that came since; resources is how many there are.
func (s *set) settle(resources int) {
	switch {
	case s.n == 0:
	case (len(s.side)+s.n)*sideShare >= len(s.main), len(s.tallies) > 2*(len(s.main)+len(s.side))+longTail:
		s.build(resources)
	default:
		more := s.unique(slices.Concat(s.tail...))
		s.side = s.merge(make([]record, 0, len(s.side)+len(more)), s.side, more)
		s.tail, s.n = nil, 0
	}
}

// build puts all into one list: it counts the records of each resource, and puts them where they belong.
func (s *set) build(resources int) {
	parts := slices.Concat([][]record{s.main, s.side}, s.tail) // what is in order first
	s.main, s.side, s.tail = nil, nil, nil
	begin := make([]int, resources+2)
	n := 0
	for _, part := range parts {
		for i := range part {
			begin[part[i].resource+2]++
		}
		n += len(part)
	}
	for i := 2; i < len(begin); i++ {
		begin[i] += begin[i-1]
	}
	all := make([]record, n)
	for k, part := range parts {
		for _, r := range part {
			to := &begin[r.resource+1]
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

// compare orders records: by resource, source and number; and of those with one number the worst first.
func (s *set) compare(a, b *record) int {
	c := cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.source(), b.source()), cmp.Compare(a.seq, b.seq))
	if c == 0 {
		c = content(a, b, s.tally(a), s.tally(b))
	}
	return c
}

// content orders what records with one number say: the worst first.
func content(a, b *record, s, t tally) int {
	return cmp.Or(
		-cmp.Compare(a.kind(), b.kind()),
		-cmp.Compare(s.total-s.good, t.total-t.good),
		-cmp.Compare(s.total, t.total),
		cmp.Compare(a.start, b.start),
		-cmp.Compare(s.end, t.end),
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
	from := sort.Search(len(s.side), func(i int) bool { return s.side[i].resource >= resource })
	to := from
	for to < len(s.side) && s.side[to].resource == resource {
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
			c := cmp.Or(cmp.Compare(o.resource, r.resource), cmp.Compare(o.source(), r.source()), cmp.Compare(o.seq, r.seq))
			if c == 0 {
				c = content(o, r, s.tally(o), t)
			}
			return c >= 0
		})
		if i < len(list) && list[i].resource == r.resource && list[i].what == r.what && list[i].seq == r.seq && list[i].start == r.start && s.tally(&list[i]) == t {
			return true
		}
		list = nil
		if int(r.resource)+1 < len(s.at) {
			list = s.main[s.at[r.resource]:s.at[r.resource+1]]
		}
	}
	return false
}
