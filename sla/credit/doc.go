// Package credit reckons what a provider owes when a target was missed: bands, minimums, caps and times for claims, in exact
// money. It is values and pure functions: no clock, no store.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the clause states the liabilities of both parties, in measurable terms.
package credit
