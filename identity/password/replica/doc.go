// Package replica brings the passwords of accounts to the other systems of a trust zone: as hashes, in the order of their
// versions, without loss.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 6: password synchronisation; item 1: accounts are shared and synchronised
// between the applications of one trust zone.
//
// # In short
//
//	outbox := replica.NewOutbox(sealer)                // where passwords are changed: in the transaction of the change
//	records := credential.Stored(db, &credential.StoredOptions{Changed: func(s *store.Sub, account string, r credential.Record) error {
//		c := replica.Change{Account: account, Version: r.Version, Changed: r.Changed}
//		if r.Until.IsZero() { // one that was issued is good for a change alone, and nobody sees to that elsewhere
//			c.Hash, c.Raw = r.Present.Text, r.Present.Raw
//		}
//		return outbox.Append(s, c)
//	}})
//
//	copies := replica.Stored(there, sealer)            // where they are brought; or a Target of your own
//	follower, err := replica.NewFollower(db, "billing", copies, reads, nil)
//	err = follower.Follow(ctx, "acme")                 // until ctx ends
//
//	list, err := outbox.Status(ctx, db, "acme")        // who is behind, by how much, and what cannot be read there
//
// # Promises
//
// What is no hash that [hash.Parse] reads is refused before it is written, so no password travels.
//
// A change is in the outbox if and only if it happened. A follower writes down how far it has come after the target has applied,
// so that what a crash interrupts is applied again; a target takes each version once and refuses one that is older than
// what it has ([ErrOlder]), so that again does no harm, and nothing goes back.
//
// With a [store.Sealer] the hash is sealed from the transaction of its change to the target: the follower has no key and needs none.
// The seal binds tenant, account and version; a hash does not open for another account.
//
// A target says which forms it reads ([Reads]): schemes, peppers whose keys it has, memory. What it cannot read is not sent. It
// is in the events and in the status until a version of the account comes that it can.
//
// # What it will not do
//
// Carry the keys of peppers: a system that verifies a peppered hash needs the key, or the use of it.
//
// Carry that a password has to be changed, or until when it may be used: only where passwords are changed is that known.
//
// Take changes back: passwords are changed at one place, and their copies follow.
//
// Notice that the place where passwords are changed was restored from a backup: its versions go on below what targets have, and are
// refused as older. Empty the targets then, and [Follower.Seed] them.
//
// Seal the copies at rest: that is the store's.
package replica
