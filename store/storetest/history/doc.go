// Package history records what concurrent callers of a [store.Driver] did and saw, as plain data for a checker of
// linearizability. store/linearizable_test.go hands such histories to porcupine; its model is 40 lines.
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642, through package store: what many do to a database at once must fit together.
package history
