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
