// Package index finds the entries of a log by what they are about and when they happened: one [Index] for each [Span] of
// entries, with the positions of each key.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: tools to analyse an audit trail; clause 8.1.2: a customer's view of its own
// log.
//
// # Most of what you need
//
//	b := index.NewBuilder(span)
//	err := b.Add(pos, at, tenantKey, actorKey, actionKey) // each entry, in order; Find works meanwhile
//	// ...
//	file := b.Encode() // when the span is full
//
//	x, err := index.Open(file, span)
//	// ...
//	q := index.Query{All: []index.AnyOf{{tenantKey}, {logIn, logOut}}, From: from, Descending: true}
//	for pos := range x.Find(q, index.Span-1) {
//		... // read the entry, compare it with what is wanted, stop when the page is full
//	}
//
// A key is any bytes; begin it with one that says of which kind it is, so that an actor is not taken for a resource. Only a
// hash of 64 bits is kept.
//
// # Promises
//
// What was added is found: by its keys, and by its time, whatever the order of times. What else is found is rare for keys
// (two that share a hash) and bounded for times (the other entries of a block of 256).
//
// A file depends on the entries alone, so who has the entries can make it again, and tell whether it was changed. Open
// takes no file that a Builder would have written otherwise, and believes no count or length that it says.
//
// # What it will not do
//
// Prove anything: who can write an index can leave entries out of it and seal it again. That nothing is missing is proven
// by the entries, which are numbered within their tenant; the index is only where to look first.
package index
