// Package metric reckons how available a service was, exactly, by the methods that contracts use. It is values and pure
// functions: no clock, no store.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: service availability is the percentage of time at which a service is usable in a given
// period. Clause 7.2.2.2, item 7: the recovery point objective of backups, by [Expose]. Clause 7.2.1: terms are measurable,
// and can be assessed, by both parties alike.
//
// # Ten lines
//
//	o := metric.Objective{ID: "vm", Target: target, Method: metric.Slices, Slice: metric.Duration(time.Minute), Run: 5,
//		Window: metric.Window{Calendar: "month", Zone: "Europe/Berlin"}}
//	err := o.Validate()                                  // everything that is wrong, at once
//	period, err := o.Window.Period("2026-03")            // 743 hours: the clock is set forward in it
//	var sum metric.Result
//	for _, in := range resources {
//		one, err := o.Measure(in, period)
//		err = sum.Add(one)                               // resources add up
//	}
//	f := sum.Figure(o.Target)                            // bounds with and without exclusions, and the verdict
//	left := sum.Counted.Budget(o.Target)                 // how much may still be bad
//
// # Methods
//
//	Time       usable time of all time of all resources: Azure's "maximum available minutes", or one instance
//	Slices     good minutes of all minutes, of which bad ones may count only in runs: Google Compute Engine; OpenSLO Timeslices
//	Requests   good requests of all requests: OpenSLO Occurrences
//	MeanRate   the mean of the rates of intervals: Amazon S3 ("monthly uptime percentage"); OpenSLO RatioTimeslices
//
// # Promises
//
// Integers decide: exactly at the target is met, one unit below is a breach, whatever the sizes. Rates of MeanRate are
// rounded to 2^-28 of a slice, and [Tally] says how far off that may be; where it could matter, [Objective.Judge] adds the
// fractions up.
//
// What no evidence covers is neither up nor down. Figures are bounds, and they are the closest: the figure is at the lower
// if all that is unknown was bad, at the upper if it was good, and whatever it was, it is not outside. Less evidence never
// moves a bound inward: less of the states, or none of a slice of requests. An exclusion of bad time never lowers one.
// Tests compare them with a plain reckoning of all that may have been.
//
// A measurement takes time by the pieces of evidence, not by the length of the period or the number of slices, and
// allocates nothing that grows.
//
// # What it will not do
//
// Decide which exclusions are valid (package sla), which sources to believe, or what a resource's requests weigh. Tell an
// interval without requests from one whose counter was broken: [EmptyGood] trusts the counter, and so does [Requests]; the
// zero value does not. Statistics: the figures of a sample are in package budget.
package metric
