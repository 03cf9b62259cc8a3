// Package feed lists changes for others to follow: entries numbered from 1 without a gap, in the order of the commits that
// appended them.
//
//	var changes = feed.New[Change]("changes")
//
//	err := db.Update(ctx, func(tx *store.Tx) error { // the change and its entry, or neither
//		s := tx.Sub("acme")
//		...
//		_, err := changes.Append(s, change)
//		return err
//	})
//
//	for range changes.Watch(ctx, db, "acme") { // a follower that was at number n
//		err := db.View(ctx, func(tx *store.Tx) error {
//			for e, err := range changes.Since(tx.Sub("acme"), n) {
//				...
//				n = e.Seq
//			}
//			return nil
//		})
//	}
//
// # Promises
//
// Who has seen entry n sees n+1 next: no entry appears behind one that is later, whatever the number of writers and
// nodes. Entries that were removed ([Feed.Trim]) are not passed over in silence: [ErrTrimmed].
//
// # What it will not do
//
// Writers of one feed of one tenant come one after another, since the numbers do. A feed is for changes that people and
// control loops make, not for every request.
package feed
