// Package lease gives one of many processes the right to do something alone, for as long as it renews it.
//
//	l, err := lease.New(db, "nightly-backup", hostname, 10*time.Second)
//	...
//	err = l.Hold(ctx, func(ctx context.Context, h *lease.Held) error {
//		return db.Update(ctx, func(tx *store.Tx) error {
//			if err := h.Fence(tx); err != nil { // another holder has come: nothing is written
//				return err
//			}
//			return runs.Put(tx.Sub("acme"), next)
//		})
//	})
//
// # Promises
//
// Each holder has a token that is greater than those of all before it (a fencing token: M. Kleppmann, How to do
// distributed locking, 2016), and no two have one token. What a holder writes to the same store behind [Held.Fence] is
// written only while it holds the lease, even if its process was stopped or its machine suspended in between. No two
// clocks need to agree: who waits takes a lease over when its record has not changed for the time that the holder has
// promised, on the waiter's own monotonic clock.
//
// # What it will not do
//
// Keep a holder that was stopped from acting on other systems until it looks at its clock again: hand them the token, and
// let them refuse one that is lower than the last they saw.
package lease
