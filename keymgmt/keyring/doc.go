// Package keyring uses the keys of package keymgmt: it encrypts, signs and computes MACs through Tink, on any number of
// nodes, only as long as state, periods, limits, role and the node's own view of them allow. Ciphertexts are Tink's, so
// that a program in any language that has Tink opens them with the exported keyset.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: data are encrypted in storage and in backups (8.2-2, 8.2-3), keys are used and
// updated through their life (8.2-4), roles are separate (8.2-5), and a key that is destroyed is destroyed on each node that
// had it.
//
// # In short
//
//	node, err := keyring.Join(ctx, manager, custodian, &keyring.Options{Actor: me}) // one for the process
//	go node.Run(ctx)                                                                 // until the process ends
//
//	ring, err := node.Ring(ctx, keymgmt.SetID{Tenant: "acme", ID: "invoices"})
//	label, err := keymgmt.NewContext("tenant", "acme", "invoice", "2026/0017")
//	ciphertext, err := ring.Seal(nil, plaintext, label)
//	plaintext, err = ring.Open(nil, ciphertext, label)
//
// Keep a [Ring], and a context that is used often; both are cheap to use again. The manager has to know the node's actor
// as an operator of the keyset.
//
// # Nodes
//
// A node looks at the keysets that it holds when the source says that something has changed, and every Options.Refresh.
// When it cannot, it stops protecting after Options.Stale, and processing after Options.Fence: then its keys are dropped.
// It beats after each round in which it has looked at everything, and has promised, on joining, to use nothing when no
// beat of it was heard for Fence and Stale together. That is what a destruction waits for. Ages are taken on the
// monotonic clock and on the wall clock, and the greater counts: the first one stands still in a suspended machine, the
// second can be put back.
//
// A look at 1,000 unchanged keysets is 1,000 small reads. What a change costs is one read more for each key that is held
// of that keyset; old keys are loaded when a ciphertext of theirs comes.
//
// # Promises
//
// An operation that the key's state, its periods, the role of the actor, or the age of the last look forbid is not done;
// nor is one more than the policy's limits leave: each message is taken from a lease before it is protected, and what a
// node loses of its lease counts as used. When the source does not answer, nothing is assumed. No look replaces what a
// later one has found. Associated data are exactly [keymgmt.Context.Bytes], and the output is exactly Tink's: five bytes
// of prefix, then what the algorithm makes. A failure to open does not say why.
//
// # What it will not do
//
// Stop an operation that has begun: one that is under way when a look ends its key comes to its end. Wipe what Tink and
// Go's ciphers have made of a key: the material is cleared, and the rest left to the garbage collector. Rotate: when a key
// is used up or too old it is an error, until [keymgmt.Source] has another primary. Encrypt what does not fit in memory:
// see package envelope. Run in Go's FIPS 140-only mode with AES-GCM: Tink does not; see docs/security.md.
package keyring
