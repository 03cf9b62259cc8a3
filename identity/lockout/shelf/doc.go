// Package shelf keeps the counters of package lockout in a store, where all nodes share them and a restart forgets nothing.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: an account is locked when wrong passwords are entered continuously.
//
// # In short
//
//	o := &store.Options{Sealer: sealer, PRF: prf}
//	db, err := store.New(engine, o)
//	gate, err := lockout.New(shelf.Stored(db, o), profile, options)
//
// # Promises
//
// What a change makes of a counter, and the event that says so, are kept together or not at all; package store/outbox hands the
// events to a recorder. A counter to which nothing has happened takes no room, nor does one that a success has cleared, and
// [Shelf.Sweep] drops those that are forgotten.
//
// No record and no key names an account: it is known by a digest, which is keyed by the PRF of the store. In a store without one,
// who reads the disk can find out whether a name that he guesses has a counter.
//
// # What it will not do
//
// Hide when counters will be forgotten, to the hour: that is an index. Nor find a counter again after the PRF has another key.
package shelf
