// Package timetable arranges backup jobs in time: in their windows, on the links that they share with everybody else, under the caps of tenants,
// hosts and arrays; and says beside each timetable what no timetable could do better.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: backup tasks are to be arranged by what customers require, the pattern of the traffic and the
// provider's capacity for backups.
//
// # In short
//
//	table, err := timetable.Arrange(&timetable.Problem{
//		Start: tonight, Slot: timetable.Duration(15 * time.Minute), Slots: 48,
//		Links: []timetable.Link{{ID: "wan", Rate: 125_000_000, Traffic: hourly}}, // bytes a second; what others send, slot by slot
//		Jobs: []timetable.Job{{ID: "vol-7", Tenant: "acme", Bytes: 40 << 30, Rate: 60_000_000, Links: []string{"wan"},
//			Windows: timetable.Nightly(tonight, 1, 22*time.Hour, 6*time.Hour)}},
//		Caps: []timetable.Cap{{Kind: timetable.Tenant, Jobs: 2}}, // each tenant, two at a time
//	})
//	fmt.Println(table.Peak, table.PeakBound) // the greatest share of a link that is used, and what it cannot be less than
//	for _, u := range table.Unplaced { fmt.Println(u.Job, u.Why) }
//
// # Promises
//
// No timetable is more than its problem allows: [Timetable.Check] looks at one without knowing how it came about, and shares no code with
// [Arrange]. Sizes, rates and shares are whole numbers and ratios of them; floating point chooses between places, and decides nothing.
//
// [Timetable].PeakBound is exact for jobs that can be divided at will, on each link by itself: the fractional optimum, found by maximum flows from
// cut to cut. The last cut is printed beside it ([Certificate]): which jobs, which slots, how many bytes have no other place. So a
// timetable that equals its bound is the best there is, and where the bound is above one, the cut is the reason why not everything fits. FinishBound
// is found in the same way, with each cap as a link: of so many bytes, or so many jobs, a slot.
//
// What is said of a job without a place ([Unplaced]) is true of that job: it cannot run alone, and what is in its way; or it is one of those that a link
// or a cap cannot take together.
//
// The same problem has the same timetable. Equals are told apart by a hash of the job's id, so that jobs do not all begin when a window does.
//
// # What it will not do
//
// Find the optimum for jobs that cannot be divided: that is bin packing. It places, improves, and says how far off it may be. A job that is reported without
// a place although no shortage shows why may have one in a timetable that was not found; the text says so.
//
// Run jobs, or notice that one takes longer. Know about links that are shared in other ways than by bytes a second.
package timetable
