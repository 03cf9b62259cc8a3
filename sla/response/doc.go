// Package response reckons how fast faults are accepted, repaired and told of, on the service hours that were agreed. It is
// values and pure functions: no clock, no store.
//
// # Recommendation
//
// ITU-T X.1642, clauses 7.2.2.1 (average recovery time), 7.2.2.3 (failure acceptance time, troubleshooting time, on the
// service hours of the hotline, 5x8 or 7x24) and 7.2.2.6 (the average time from an event to notifying the customer).
//
// # Ten lines
//
//	target := response.Target{ID: "acceptance", Measure: response.Acceptance, Each: response.Duration(time.Hour),
//		Hours: &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))}}
//	err := target.Validate()                                          // everything that is wrong, at once
//	s, err := response.Summarize(target, incidents, from, to, asOf)   // MTTA, MTTR, quantiles, in time and late, the verdict
//	r, err := response.Reliable(failures, from, to, asOf)             // MTBF
//
//	clock, err := response.NewClock(target)
//	due, err := clock.Due(incident)                                   // until when it is in time
//	took, open, counts := clock.Took(incident, now)
//
// # Promises
//
// Sums are exact, in nanoseconds of 128 bits, and compared by cross multiplication: exactly as long as promised is in time,
// a nanosecond more is not. Only a single span of more than 292 years is cut to that. Service time is that of package
// calendar; tests compare it with zoneinfo of Python across changes of the clock in thirteen zones.
//
// An incident that is open is not forgotten, and not taken for ended: it took as long as it has been, at least. So a mean
// and the quantiles have bounds, and a verdict is met or a breach only when nothing that is still open, and nothing that
// may still come in the period, could change it.
//
// Quantiles are by nearest rank: the shortest time such that so many of a hundred incidents, rounded up, took no longer.
// Where nothing is open their bounds are a millisecond apart at most, and of more than 10,000 incidents, which go into an
// HDR histogram, a millisecond or a thousandth of the time, whichever is more. They decide nothing.
//
// # What it will not do
//
// Say which incidents are the provider's, or of which service: pass those that are. Take the median of two when the number
// is even. Believe an order of moments that cannot be: it is an error that names the incident.
package response
