// Package storetest holds implementations of [store.Driver] to their contract, and breaks them on purpose.
//
// [Run] is the conformance suite: a named subtest for every sentence of the contract that can be tested. A driver's test is
// then short:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Harness{Open: open, Again: again, Reopen: reopen})
//	}
//
// Beside it, crashtest kills a process that commits and looks at what it left, history records what concurrent callers
// saw, in one process or in several, for a checker of linearizability, storebench measures, and dbtest tries a [store.DB]
// over the driver, with leases and feeds.
//
// [Flaky] is for whoever builds above a driver: it wraps one and injects what goes wrong between a program and its
// database, from a seed or from a script: conflicts, lost requests, lost answers, commits that arrive long after they
// were given up, and the death of the process at a chosen commit.
//
// The suite makes neither an order of two Revs nor a timing a condition. A driver that is at fault only at rare moments
// may need more than one run to be found: go test -count=20.
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642, through package store: what the other clauses want recorded is as reliable as
// the engine below.
package storetest
