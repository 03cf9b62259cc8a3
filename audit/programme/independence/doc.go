// Package independence finds out who may audit something. Nobody may who operated, approved or owned it in the look-back,
// nor who is in a line of reporting with somebody who did; and that is computed from what was recorded, not asked.
//
// # Recommendation
//
// ITU-T X.1642, 8.11.1: the audit team works fairly, without conflicts of interest; 7.2.2.5: audits are done by an
// independent team. The look-back, twelve months unless said otherwise, is that of the Institute of Internal Auditors
// (Standards, 1130.A1, 2017).
//
// # In short
//
//	scope := independence.Scope{Systems: []string{"backup-eu"}, Actions: []string{"backup.*"}}
//	clearance, err := policy.Examine(ctx, scope, []string{"ann", "bob"}, organisation, acts, now)
//	err = clearance.Cleared("ann")   // nil, or a *ConflictError that says what stands against it, with evidence
//
// acts is an iter.Seq2[independence.Act, error] over the log: [ActOf] makes one of an event.
//
// # Promises
//
// Acts are read once, in any order, with the same result, in memory that does not grow with their number. Doubt counts
// against the candidate: the look-back includes its first instant, a line or an ownership counts when it was there at any
// time of it, an act counts for who did it and for whom it was done, and what is dated later than now counts as well. An
// act that cannot be laid to anybody is counted and listed, and clears nobody.
//
// # What it will not do
//
// Know what is not in the log, in the owners or in the lines: friends, families, and who will work there next month. Nor
// that a candidate is somebody whom the log calls otherwise: names are compared byte by byte, and of a name that is not
// there, an account's in place of a person's, nothing is known, which clears it. What customers' accounts did counts for
// the provider's people only as far as Organisation.Accounts knows them; look at [Clearance].Customers. Senior
// management above all operators is in line with all of them: take somebody from elsewhere, or say in the policy how many
// levels count.
package independence
