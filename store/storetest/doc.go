// Package storetest holds implementations of [store.Driver] to their contract, and breaks them on purpose.
//
// [Run] is the conformance suite: a named subtest for every sentence of the contract that can be tested. [Crash] kills a
// process that commits and looks at what it left. [History] records what concurrent callers saw, for a checker of
// linearizability. [RunBenchmarks] measures. A driver's tests are then short:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Harness{Open: open, Again: again, Reopen: reopen})
//	}
//
// [Flaky] is for whoever builds above a driver: it wraps one and injects what goes wrong between a program and its
// database, from a seed or from a script: conflicts, lost requests, lost answers, commits that arrive long after they
// were given up, and the death of the process at a chosen commit.
//
// The suite makes no order of two Revs and no timing a condition. What it cannot show is said where it tries: a killed
// process leaves its writes with the operating system, so [Crash] does not prove that a driver survives a loss of power.
//
// # Recommendation
//
// Recommendation ITU-T X.1642 asks for records that can be relied upon throughout: the accounts of clause 8.1, the logs
// of 8.1.2, the keys of 8.5. They are as reliable as the engine below them; this suite is where that is shown.
package storetest
