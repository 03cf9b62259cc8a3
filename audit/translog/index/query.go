package index

import "time"

// AnyOf is a list of keys, of which an entry must have one. An empty list is met by no entry.
type AnyOf [][]byte

// Query says which entries are wanted. The zero Query is met by all.
type Query struct {
	All        []AnyOf   // each must be met
	From, To   time.Time // From <= time < To; zero is no bound. Found by blocks of 256 entries: compare the entry's own time
	Descending bool      // the last entries first
}

// clauses looks up the postings of each list of q, and says whether an entry may meet all of them.
func (q Query) clauses(lookup func(number uint64) (posting, bool)) (clauses [][]posting, ok bool) {
	clauses = make([][]posting, 0, len(q.All))
	for _, keys := range q.All {
		clause := make([]posting, 0, len(keys))
		for _, key := range keys {
			if p, found := lookup(number(key)); found {
				clause = append(clause, p)
			}
		}
		if len(clause) == 0 {
			return nil, false
		}
		clauses = append(clauses, clause)
	}
	return clauses, true
}

// find yields the positions that are in a posting of each clause, and in a block that may lie within the bounds of q.
func (q Query) find(clauses [][]posting, times blocks, from uint16, yield func(uint16) bool) {
	var found set
	found.fill(times.n)
	times.restrict(&found, q.From, q.To)
	for _, clause := range clauses {
		var s set
		for _, p := range clause {
			s.add(p)
		}
		found.keep(&s)
	}
	if q.Descending {
		found.descend(from, yield)
	} else {
		found.ascend(from, yield)
	}
}
