// Package meter gathers evidence of how services were, in any order and from many places, for packages metric and recompute.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the terms of the security clause can be assessed, by both parties from the same evidence.
// Clause 7.2.2.1: service availability, which is reckoned from it.
//
// # Ten lines
//
//	m := meter.New()
//	err := m.Add(meter.Evidence{Source: "probe-1", Seq: 7, Resource: "vm-1", Span: span, State: meter.Down})
//	err = m.Merge(elsewhere)                        // another node's, which may have some of it as well
//	behind := m.Behind(march.End)                   // sources that have not said all of March yet
//	seal, err := m.Seal(march)                      // what comes later changes no report of March
//	report, err := recompute.Compute(ctx, recompute.Input{States: m, ...})
//	late := slices.Collect(m.Late())                // kept aside
//	seals, err := m.Restate(march, seal.Digest, "logs of probe-2 were found")
//	err = m.Save(file)                              // and meter.Load(file)
//
// # What evidence is
//
// A source says how a resource was over a span, or how many requests came in a slice and how many of them were good.
// Source, resource and number identify a piece. What is not said is unknown.
//
//	twice             it is the same
//	overlapping       both count; package metric takes the worst. Requests add up: each source counts its own.
//	in conflict       of pieces with one number that counts which starts earliest; of these requests, then the worst
//	                  state, then that with an end, then the longest. The others are [Meter.Conflicts].
//	open              a state whose end is [Open] lasts until the same source says something of the resource that starts
//	                  later (that it is unknown, say), or until the end of the period that is looked at. The same number
//	                  again, with an end, ends it too.
//	across periods    states are cut where a period begins and ends; requests belong to when their slice starts
//	out of order      like any other; only the time of Add differs
//	future, far past  years 1 to 9999. A meter has no clock: who reads it says up to when.
//	29 February       milliseconds since 1970 have no calendar
//	late              of time that is sealed: it is kept aside
//	reversed, empty   an error that wraps [opsec.ErrInvalid], as are requests without an end, and names longer than [MaxName]
//
// # Promises
//
// A meter is a set of evidence. Whatever the order in which it came, and however it was split among meters that were merged, what
// is read, the digest and what is saved are the same, byte for byte. [Meter.Merge] is associative, commutative and idempotent.
//
// What is sealed stays: until [Meter.Restate], which cites the digest before and says why, no report of a sealed period
// changes, whatever is added, merged or loaded. Restating one period restates every other that is changed by it.
//
// Who has the [Meter.Evidence] of a period has its [Meter.Digest]: it can be reckoned by others from the text there.
//
// A piece takes 32 bytes, requests 56; names are held once. Add takes constant time and, but for room that is taken in blocks,
// no memory. What came since is put in order when it is read, in time by what came, or by all when it is a share of all; so
// is what comes again and again, which takes no memory for good. Reading takes time by all evidence of the meter.
// Readers and Add wait for each other while it is put in order; and while a period is sealed or restated, or other evidence merged.
//
// # What it will not do
//
// Judge: see packages metric and recompute. Believe one source more than another. Tell who added evidence: authenticate
// sources before. Forget: begin a meter a year, say, and end the old ones when no claim can be made any more. Store:
// [Meter.Save] writes all of it.
package meter
