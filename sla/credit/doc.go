// Package credit reckons what a provider owes when a target was missed: bands, minimums, caps and times for claims, in exact
// money. It is values and pure functions: no clock, no store.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the clause states the liabilities of both parties, in measurable terms.
//
// # Ten lines
//
//	t := credit.Table{ID: "vm-credit", Objective: "vm", Bands: []credit.Band{{below, share}, {lower, more}},
//		Minimum: "1.00 EUR", Claim: credit.Duration(30 * 24 * time.Hour)}
//	err := t.Validate()                                            // everything that is wrong, at once
//	share := t.Credit(figure)                                      // of the fee
//	due, err := t.Due("vm", bounds, verdict, "1200.00 EUR", end)   // low and high end, in money, and until when to claim
//	totals, err := credit.Cap([]credit.Due{due, another})          // of each service, all tables together
//
//	each := t.Each()                                               // resources that are judged one by one
//	err = each.Add(bounds, verdict)
//	due, err = each.Due("vm", "1200.00 EUR", end)
//
// # Promises
//
// A figure exactly at the edge of a band is not in it. No float decides: shares are fractions, and money is decimal.
//
// An amount is the share of the fee, rounded once: to the smallest coin of the currency by ISO 4217, half a coin up unless the
// table says otherwise. It is compared with the minimum as it would be paid, and must exceed it. It is never more than the cap,
// which is rounded down.
//
// What is not known makes two ends of it: what is due if all that is unknown was good, and if it was bad. More evidence brings
// them closer, a worse figure never gives less, and in a total neither does another table.
//
// A claim window is counted in the calendar of the agreement's zone, by months or by whole days, so that it ends at midnight
// when the period does, also when the clock is changed: where that skips the moment, when it has. Of a month that is too short
// it is the last day. What exceeds whole days is elapsed time. A claim at the last moment is in time.
//
// # What it will not do
//
// Decide whether a target was missed (package metric), or which fee a service has. Convert currencies. Pay without a claim
// where the contract wants one: see [Due.Claimable]. Know a published contract beyond what [Published] cites.
package credit
