// Package shares splits a secret, such as the root key of a custodian, among n holders, so that any k of them give it back
// and fewer learn nothing. What the textbook scheme leaves out is here too: shares that authenticate themselves, a public
// record that names a bad one, shares encrypted to their holders, rehearsals with proof, and new shares for old.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: protected storage of keys, separation of roles, backup and recovery of keys.
//
// # Most of what you need
//
//	set, dealt, err := shares.Split(secret, shares.Scheme{Label: "root of region 1", Threshold: 3, Shares: 5})
//	// ... keep set where everybody can read it, and its digest in the audit log; give each holder one share:
//	sealed, err := dealt[0].Seal(shares.HPKE(publicKey)) // encrypted to the holder, or
//	fmt.Println(dealt[1].Text())                         // on paper
//
//	// a year later
//	proof, err := set.Rehearse(three, challenge, now)    // their shares still open; nobody sees the secret
//	secret, err := set.Combine(three)                    // recovery
//	set, dealt, err = set.Refresh(three, shares.Scheme{Label: "root of region 1", Threshold: 3, Shares: 5})
//
// # How it works
//
// Shamir's scheme ("How to share a secret", 1979), byte by byte over GF(2^8) with the polynomial of AES (FIPS 197, section
// 4.2). What is shared is the secret and 32 random bytes behind it, the set's key: under it, with HMAC-SHA256, the id of the
// set commits to the secret, the threshold and the number of shares, each share has a tag, and the set a MAC of its own.
// The set also has the SHA-256 of each share, and the public half of an Ed25519 key that comes from the set's key, for
// proofs. None of it helps to guess even a secret that is easy to guess, since the set's key is behind all of it.
//
// Multiplications are by numbers that everybody may know, such as the index of a share, and without tables: the time they
// take does not depend on the secret.
//
// # Promises
//
// A share that was changed, one of another set, too few shares, one given twice and one with the index 0 are errors that
// say so ([BadShareError], [TooFewError], [IndexError]): never a wrong secret. A [Set] knows a bad share by itself. Without
// the set, from paper alone ([Combine]), one share more than the threshold is enough to name a bad one.
//
// Shares do not show what they hold in fmt, slog or JSON, nor do structs that have them as fields.
//
// # What it will not do
//
// Protect against the one who deals: whoever runs [Split] has the secret. Without the set, whoever hands in a threshold of
// shares decides what the secret is: keep the set, and compare its digest with that in the log.
//
// Make old shares worthless: after a [Set.Refresh] they do not combine with the new ones, but a threshold of old ones still
// gives the secret. Have them destroyed.
//
// Wipe memory for sure: what can be cleared is cleared, and Go may have copied it before.
package shares
