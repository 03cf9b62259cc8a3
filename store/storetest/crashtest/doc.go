// Package crashtest kills processes that commit to a [store.Driver], and looks at what they leave.
//
//	func TestMain(m *testing.M) {
//		if crashtest.Child(open) {
//			return
//		}
//		os.Exit(m.Run())
//	}
//
//	func TestCrash(t *testing.T) {
//		crashtest.Run(t, crashtest.Harness{Place: place, Open: open, Rounds: 200})
//	}
//
// A killed process leaves its writes with the operating system. That a driver survives a loss of power is not shown.
//
// # Recommendation
//
// Clause 8.8 of Recommendation ITU-T X.1642, through package store: what was confirmed is there after a failure.
package crashtest
