// Package thirdparty gives an outside party a say over keys: a second lock that only it opens, or half of a key. Without it
// nothing opens, and it alone opens nothing.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: management of keys by a third party, by separation of tasks.
//
// # Most of what you need
//
//	outside, err := thirdparty.New(theirs, thirdparty.Policy{Name: "Keyholders Ltd"}, &thirdparty.Options{Recorder: log})
//	custodian := thirdparty.Double(ours, outside)        // our lock inside, theirs around it, or
//	custodian = thirdparty.SplitKey(ours, outside)       // each has half of every key
//	manager, err := lifecycle.New(repository, material, custodian, options)
//
//	ctx = thirdparty.WithJustification(ctx, thirdparty.Justification{By: operator, Reason: "start of node 7"})
//	ring, err := keyring.Open(ctx, manager, custodian, id, nil)
//
// [Party], what [New] returns, is a custodian that asks the party's own ([keymgmt.Custodian]: one over an AEAD of Tink, or
// over PKCS #11, see package custody): within a budget of time, with a breaker, and only with a reason, which is recorded.
//
// # Which of the two
//
// With Double, the party sees what our lock has wrapped, and is asked on every wrap and every unwrap: the order of XKS, the
// external key store of AWS KMS. With SplitKey each party only sees random bytes. In both, destroying the key of one side
// destroys what both have wrapped.
//
// # Formats
//
// Double adds none: it is what the outer custodian makes of what the inner one has made. SplitKey wraps into the first half of
// a key, as its custodian has wrapped it, with its length before it (4 bytes, big endian), likewise the second half, and
// then the material: Tink's AES-256-GCM without a prefix (nonce, ciphertext, tag) under the same associated data and the key
// HKDF-SHA256 (RFC 5869) of both halves, 32 bytes each, without salt and with [SplitInfo].
//
// # Promises
//
// What the party refuses wraps [opsec.ErrDenied], a party that does not answer in time or is left alone for a while
// [keymgmt.ErrUnavailable]; nothing goes on without it. What it gave is not handed on when that could not be recorded.
//
// # What it will not do
//
// Make the party obey: its custodian must heed its context, or a call lasts as long as the party likes, although its answer
// counts for nothing then. Nor does it keep what was opened: how long keys stay in memory is for the keyring's limits.
package thirdparty
