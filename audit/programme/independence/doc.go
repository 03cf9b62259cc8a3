// Package independence finds out who may audit something, from what people did, own and answer for: nobody audits what
// they operated, approved or owned, or what somebody in their line of reporting did.
//
// # Recommendation
//
// ITU-T X.1642, 8.11.1: the audit team is fair, without conflicts of interest; 7.2.2.5: audits are made by an independent
// team. The look-back of twelve months is that of the Institute of Internal Auditors (Standard 1130.A1 of 2017).
//
// # In short
//
//	acts := ...                                       // an iter.Seq2[independence.Act, error] over the log; see [ActOf]
//	clearance, err := policy.Examine(ctx, scope, []string{"ann", "bob"}, organisation, acts, now)
//	if err := clearance.Cleared("ann"); err != nil {  // a *ConflictError says what stands against it
//
// # Promises
//
// Events are read once, in any order, in memory that does not grow with their number. What could not be laid to anybody
// is counted and listed, and nobody is cleared while there is any. The look-back includes the instant at which it begins; what is
// dated after now counts too, for clocks differ.
//
// # What it will not do
//
// Know what is not in the log, or friendship.
package independence
