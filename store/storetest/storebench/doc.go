// Package storebench measures implementations of [store.Driver], all by the same benchmarks.
//
//	func BenchmarkDriver(b *testing.B) { storebench.Run(b, open) }
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642, through package store: an engine is chosen by what it was measured to do.
package storebench
