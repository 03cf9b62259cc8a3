// Package shelf keeps the books of package session in a store.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.2: what authentication rests on is stored protected, and recorded.
//
// # In short
//
//	m, err := session.New(shelf.Stored(db), policy, &session.Options{Authorizer: authorizer})
//	n, err := m.Sweep(ctx, "acme") // once a minute, for each tenant
//
// # Promises
//
// A book and its events are kept together or not at all; package store/outbox hands the events to a recorder. What an update
// decides by has not changed when it is kept. What is due is found by an index, page by page.
//
// # What it will not do
//
// Hide when something is due with an account: the index shows the time, and its id a digest of the account's name.
package shelf
