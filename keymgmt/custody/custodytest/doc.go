// Package custodytest holds implementations of [keymgmt.Custodian] to their contract.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.2: what keeps the keys that protect others does it in the same way, whoever it is.
//
// # In short
//
//	func TestConformance(t *testing.T) {
//		custodytest.Run(t, custodytest.Harness{New: open, Again: again})
//	}
//
// # Promises
//
// Each check finds a custodian that is wrong in the way that it looks for; the package's own test breaks one on purpose for each.
//
// # What it will not do
//
// Judge the cryptography, or whether a key that is said to be destroyed is. Find every race: run it with -race, and more than once.
package custodytest
