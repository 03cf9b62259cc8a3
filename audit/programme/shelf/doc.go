// Package shelf keeps the audits of package programme: in memory, or in a store.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.11.1: audit activities are fully recorded.
//
// # In short
//
//	desk, err := programme.NewDesk(shelf.Stored(db), policy, options)
//
// # Promises
//
// Stored keeps an audit and the events of its steps together or not at all. What is kept shares nothing with what a caller has.
//
// # What it will not do
//
// Forget: there is no way to delete an audit.
package shelf
