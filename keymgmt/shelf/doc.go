// Package shelf keeps the documents of package keymgmt in a store.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: keys are stored protected.
//
// # In short
//
//	o := &store.Options{Sealer: sealer, PRF: prf}
//	db, err := store.New(engine, o)
//	manager, err := lifecycle.New(shelf.Stored(db, o), keyring.Material{}, custodian, options)
//
// # Promises
//
// The documents of an update and its events are kept together or not at all; package store/outbox hands the events to a
// recorder. What an update decides by has not changed when it is kept. What is listed is read page by page, so that memory does
// not grow with the number of keysets.
//
// # What it will not do
//
// Take more in one update than a transaction of the store does: 1 MiB in all, with the events.
//
// Find out by itself whether the store is sealed: it takes the word of the options that the store was made with. Nor does it
// wipe: where an engine leaves old pages, wrapped key material stays readable until they are written again. It opens with the
// custodian's key alone.
package shelf
