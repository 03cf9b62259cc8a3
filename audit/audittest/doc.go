// Package audittest helps to test what emits events, and what stores them.
//
// A [Recorder] keeps events in memory and has the assertions that most tests want: exactly one event of an action, none
// of another, no intent left without its end. It refuses events that are not valid, so a test that records through it
// also shows that the fields of X.1642, clause 8.1.2, are there. A [Sink] is an [audit.Sink] in memory which can hang,
// fail half-way or fail now and then.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clauses 8.1.2 and 8.11.1: that the log has what it should have is worth a test.
package audittest
