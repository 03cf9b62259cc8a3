// Package competence knows who is trained and certified for what they do, and which certificates a provider holds; and it
// says so before something runs out.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 7.2.2.7: certificates are acquired, followed and renewed in time ([Certificate],
// [Policy.Renewals]); staff is trained and qualified, and who is not stands out ([Record], [Policy.Examine]). Clauses
// 7.2.2.2 and 8.11.2 want auditors that know their field ([Qualified]).
//
// # Most of what you need
//
//	needs := []competence.Need{{Subject: "virtualisation", Kinds: []competence.Kind{competence.Certification}}}
//	basis, err := competence.Qualified(records, "ann", needs, time.Now())
//
// [Register] keeps records and certificates beside the state that you have, asks who may change them, and has an event
// for every change.
//
// # Promises
//
// Every instant is half-open: a record counts from Issued on, and no longer at Expires. Nothing counts for ever: a record
// that does not expire counts only for a need that says how old it may be. Nobody's own word counts for themselves:
// a record is issued, and entered, by somebody else.
//
// # What it will not do
//
// Judge whether a training was any good, or whether what the evidence's digest stands for is genuine.
package competence
