// Package credit reckons what a provider owes when a target was missed.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the clause states the liabilities of both parties, in measurable terms.
package credit
