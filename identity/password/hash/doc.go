// Package hash keeps passwords as argon2id hashes, verifies those that older systems left, and does so within a bound of
// processors and memory, so that a flood of guesses costs its sender more than it costs the users.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 6: the algorithms of passwords; clause 8.1.2, item 3: authentication data
// are protected where they are stored. NIST SP 800-63B-4, section 3.1.1.2, asks for a salted, costly hash and for one more
// keyed step whose key lies elsewhere; ASVS 5, 6.3.8, that nobody learns from the time of an answer which accounts exist.
//
// # In short
//
//	pool, err := hash.New(hash.OWASP, &hash.Options{Peppers: peppers})
//	encoded, err := pool.Hash(ctx, secret)            // $argon2id$v=19$m=19456,t=2,p=1,keyid=2026$...$...
//	r, err := pool.Verify(ctx, secret, encoded)       // ErrBusy is no failure
//	if err == nil && r.Match && r.Rehash { ... }      // hash it again, now that the secret is here
//	err = pool.Dummy(ctx, secret)                     // unknown, locked, disabled: the same work, the same answer
//
// # Promises
//
// No more calls are computed at once than there are slots: processors, and what fits into the memory. A stored hash that
// names more memory, more passes or more of anything than [Parse] and the pool allow is refused before anything is
// computed. What waits too long, or finds the queue full, is [ErrBusy].
//
// One call of [Pool.Verify] or of [Pool.Dummy] computes one hash, and one keyed step for each pepper. Dummies have slots and a
// queue of their own: a flood of invented names does not take the slots of those who have an account.
//
// That alone would tell who has an account: while the dummies wait, a wrong password for a real account would not. So what
// fails leaves by one door. It is not told before [Options.Pace] has passed since the call, whatever it was and whatever its
// hash cost; and while the pool is full for either kind, or has refused anybody since the call began, a failure is
// told as busy whatever it was ([Result.Hidden], [ErrHidden] of a dummy). A right password is told at once.
//
// The keyed step comes after argon2id: a MAC over its parameters, its salt and its output. So no password leaves the process, a
// stolen table is worth nothing without the key, and a new key may be put on top of an old one while nobody logs
// in ([Pool.Wrap]): the string then names both, the first one applied first, until the next log-in hashes with the new one alone.
// A key may be destroyed when no hash names it.
//
// Strings are read strictly: one text for one hash. What this package derives from a secret is cleared; the secret itself is
// the caller's to clear. No error and no [Form] holds any of it.
//
// # What it will not do
//
// Clear the blocks that argon2 fills, or the string that PBKDF2 takes a secret as: there is no way to hand in memory, so they stay
// until the collector has them. Those blocks are also why a call is counted with [Garbage] times its memory.
//
// Bind a hash to an account: who can write to a plain table may copy the hash of one account over that of another. A sealed
// store binds each record to its key; use one.
//
// Hide costs beyond the pace. A hash that takes longer than it tells so by its time. Set Pace above the costliest.
//
// Protect a new device from a flood that fills the slots of real accounts by guesses at them: that is for the lockout.
package hash
