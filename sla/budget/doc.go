// Package budget is the error budget of a service level: how fast it burns, which alerts that is worth, when it is used up,
// and whether a few failures say anything at all.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.6: parameters of a service are monitored to improve its level, and the condition that triggers
// an alert is explicit: a [Rule] is one. Clause 7.2.2.1: service availability is the percentage of time at which a service is
// usable in a given period; the budget is what of the rest may still be lost. Clause 7.2.1: terms are measurable, and can be
// assessed.
//
// # Ten lines
//
//	policy, err := budget.Workbook(target, 30*24*time.Hour) // 14.4, 6 and 1 times too fast, of 2 windows each
//	ring, err := policy.Ring(0)                             // sums over the windows that the rules want
//	ring.Advance(now)                                       // milliseconds since 1970, from a clock that is trusted
//	err = ring.Add(at, budget.Counts{Good: 998, Bad: 2})    // in any order
//	alerts, err := policy.Judge(ring.Over)                  // firing, quiet, or undecided for want of evidence
//	used := budget.Burn(tally.Range(), target)              // of a whole window: the share of the budget that is used
//	end, err := budget.Ends(tally.Budget(target), last, time.Hour, now, period.End)
//	few, err := budget.Unlikely(1, 3, target.Complement(), chance) // one of three is 33 %, and no news
//	share, err := budget.ClopperPearson(996, 1000, confidence)
//	file, err := policy.Prometheus(source)                  // the same rules for Prometheus
//
// # Promises
//
// Integers decide. A burn rate is compared with a factor by 192-bit products, so that exactly at the factor does not fire
// and one unit more does, where the usual bad/total > 14.4 * (1 - 0.999) errs. Factors are exact: of a window of 28 days as
// of 30. What is unknown makes bounds, and a verdict that depends on it is undecided, not quiet.
//
// A rule that can never fire is an error: no more can burn than a total outage burns, which is 1/(1-target) times the
// budget, so that of 90 % the rule of 14.4 is dead. [Policy.Detects] says how long a rule takes.
//
// A binomial test is exact, at ties too. The bounds of [ClopperPearson] are rounded outward only. [Wilson] and [Clustered]
// are floats, and say so.
//
// # What it will not do
//
// Send alerts, or remember which were sent. Choose the unit: requests and time give other budgets for the same outage. Test
// whether units fail independently, which [Unlikely] and [ClopperPearson] suppose. Know the future: a [Forecast] is what
// happens if the pace stays.
package budget
