// Package heads proves where each tenant's chain of entries ends, so that a tenant can see that nothing of its own is
// withheld: a [Tree] holds the last sequence number and leaf hash of every tenant, the log publishes its [Tree.Root] in an
// entry of its own now and then, and a [Proof] shows what the tree of that root held for one tenant, a [Head] or nothing.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clauses 8.11.1 (an audit trail that is collected and stored in an agreed way) and 8.1.2 (the
// customer's view of its own log).
//
// # Most of what you need
//
//	var t heads.Tree
//	t.Set(heads.Head{Tag: tag, Seq: 12, Leaf: leafHash}) // for each entry
//	root := t.Root()                                     // for each epoch
//	proof := t.Prove(tag).AppendTo(nil)
//	// ... elsewhere, with a root that a checkpoint vouches for
//	p, err := heads.ParseProof(proof)
//	// ...
//	head, present, err := p.Verify(root, tag)
//
// # The tree
//
// A binary trie whose nodes with one child are left out. A tag lies at its place, the first 128 bits of
// SHA-256(0x10 | tag). The hash of
//
//	a leaf is        SHA-256(0x12 | place | SHA-256(0x11 | tag | sequence number, 8 bytes | leaf hash))
//	an inner node    SHA-256(0x13 | bits of the label, 1 byte | label, 16 bytes | hash of the 0 side | hash of the 1 side)
//	the empty tree   SHA-256(0x14)
//
// where the label is the longest prefix that all places below have in common, filled up with zeros, and numbers are
// big-endian. Since a node says what lies below it, a tag can be in one place only, and that it is not there can be shown
// (a compressed form of the trees of Melara et al., CONIKS: Bringing Key Transparency to End Users, 2015).
//
// # Promises
//
// The root depends on the heads alone, not on the order in which they came. For one root and one tag there is one answer,
// even if who made the tree was dishonest. A proof names no other tag, and its hashes cannot be tried against guesses of
// another tenant's numbers without knowing its tag, which should therefore be random or keyed.
//
// # What it will not do
//
// Keep old trees: a proof is of the tree as it is, and who wants to prove an older root keeps a [Tree.Snapshot]. Judge
// heads: that a sequence number never goes back is for who calls [Tree.Set].
package heads
