// Package recompute makes the report of a period from an agreement and evidence, so that either party can make the other's again.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the terms of the security clause are measurable and can be assessed; 7.2.2.1: service availability and
// average recovery time; 7.2.2.3: failure acceptance and troubleshooting time; 7.2.2.6: mean time of notification.
//
// # Ten lines
//
//	r, err := recompute.Compute(ctx, recompute.Input{
//		Agreement: agreement, Period: "2026-03", AsOf: asOf,
//		States: meter, Incidents: incidents, Exclusions: exclusions,
//	})
//	text, err := r.JSON()
//
//	// the other party, with the same evidence
//	own, err := recompute.Compute(ctx, input)
//	differences, err := recompute.Diff(theirs, own) // none, or where
//
// # Promises
//
// A report is a function of its input: the order in which evidence, incidents and exclusions come does not matter, nor that one comes twice;
// there is no clock, and no float decides. It cites the agreement and all evidence by digest.
//
// What was not seen is unknown, also what is named in the agreement and what lies after AsOf: it widens the bounds of a figure. A
// verdict is "met" or "breach" only where nothing that is unknown could change it. What begins after AsOf changes nothing, nor do
// moments after it of what began before; requests belong to when their slice starts, and an exclusion ends when it was announced to.
//
// How many requests were not counted nobody knows: until a window is over, and when a resource has none at all, a figure of all requests
// lies between 0 and 100 %, and of slices those without requests, and the one in which AsOf lies, are unknown whatever the objective says
// of empty ones.
//
// Of resources that a pattern stands for only those are judged that were seen; name those of which silence must count.
//
// Time is left out only under a rule of the agreement, and both figures are shown.
//
// # What it will not do
//
// It does not store reports, and does not change one: a restatement is another report that cites the one before.
package recompute
