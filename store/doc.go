// Package store is how services remember: transactions over records of Go types, on an engine that is a map in memory, a
// file, or a database of your own, with one contract for all ([Driver]).
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642 asks for a database whose content is protected, cleaned, audited and backed
// up; clause 8.1.2 for credentials that are encrypted where they lie. Every other clause that wants something recorded is
// served through this package.
//
// # In short
//
//	var accounts = store.NewCollection(store.Schema[Account]{
//		Name: "accounts", Guarded: true,
//		ID: func(a *Account) store.Key { return store.Text(a.ID) },
//		Indexes: []store.Index[Account]{{
//			Name: "login", Unique: true, Blind: true,
//			Keys: func(a *Account) []store.Key { return []store.Key{store.Text(a.Login)} },
//		}},
//	})
//
//	engine, err := bolt.Open("state.db", nil) // or memory.New(), or your own
//	db, err := store.New(engine, nil)
//	err = db.Update(ctx, func(tx *store.Tx) error { // state and event are committed together, or not at all
//		if err := tx.Emit(event); err != nil {
//			return err
//		}
//		return accounts.Insert(tx.Sub("acme"), &Account{ID: "a-17", Login: "eve"})
//	})
//
// Beside it: [github.com/cloudopsec/opsec/store/outbox] hands the events to a recorder, lease gives one node the right to
// act, feed numbers changes without a gap, migrate copies a store to another engine, storetest tries an engine of yours.
//
// # Promises
//
// Transactions are serializable, and durable when [DB.Update] returns nil. On a key that many callers of one process want
// they are committed together, each on top of the one before. A function that decides by a list in Update is protected
// against records that it has not seen (two primaries, no administrator left): the collection must be [Schema.Guarded], or
// the list is refused. A commit whose answer is lost is applied once or not at all, and Update knows which. A [Sub] cannot
// name a key of another tenant.
//
// With [Options.Sealer] every value is sealed under its full key: one that is moved, cut or changed does not open
// ([CorruptError]). Records carry a version; fields that a program does not know are kept, and a newer version is refused
// ([VersionError]).
//
// # What it will not do
//
// A sealed store hides values, not keys: names of tenants, collections and nodes, ids, and indexed keys that are not
// [Index.Blind] are readable. Nor does a seal tell age: who can write to the engine can put an old value back under its own
// key, or delete it. [DB.Check] against the audit trail finds that ([CheckOptions]); nothing prevents it.
//
// There is no expiry by itself: keep a time in the record, an index by it, and run [Collection.Sweep]. There is no query
// language, and no join.
package store
