// Package comparison compares agreements clause by clause: whether one is weaker or stronger than another for the customer, or
// cannot be compared, and whether an offer meets what a customer asks for, with reasons. It is pure functions: no clock, no
// store.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.1: the clause states measurable terms, which customers can assess, compare and customize;
// customers can state their own requirements. Clauses 7.1 and 7.2.2.1 to 7.2.2.8 are what is compared.
//
// # Ten lines
//
//	for _, d := range comparison.Compare(before, after) { // what is another promise, term by term
//		fmt.Println(d.Clause, d.Path, d.Verdict, d.A, d.B, d.Reason)
//	}
//	all := comparison.Overall(comparison.Compare(before, after))   // equal, stronger, weaker or incomparable
//	table := comparison.Elements(comparison.Compare(before, after)) // the same for each clause
//
//	short := comparison.Meets(offer, requirements)                  // in what it falls short; none: it meets them
//	other := comparison.Rename(offer2, map[string]string{"vm": "compute"}) // another provider's name of a service
//
//	history := comparison.History{From: from, To: to, Services: map[string][]metric.Input{"compute": evidence}}
//	owed, err := comparison.Credits(offer, other, history)          // what both would have owed for the same outages
//
// # How terms are weighed
//
// As a customer would: a verdict is on b, beside a. Higher targets and shorter times are stronger, and so are longer hours,
// more controls, fewer and tighter exclusions, credits that are higher for some figure and lower for none, longer keys of
// the same cipher, and more that the provider answers for. A target that is judged in each month is stronger than the same
// one of a year, because a bad month cannot be made up for. Backups that are kept longer are stronger; the bounds that laws
// put on it are compared as they stand. Texts that differ are incomparable: people have to weigh them, and what is noted of a
// layer likewise, because it may take a part out again. Regions, governing laws, service models and sets of resources have no
// order; neither have credits of machines that are judged each by itself beside those of all together.
//
// What is not a promise is not compared: ids and titles, parties and contacts, where a document or a hotline is found, the
// grade, the term, the currency, the zone of reports, what services depend on, sources of tables, and the history. An element
// in which nothing is said is not there.
//
// # Promises
//
// The verdicts are a partial order: an agreement is equal to itself; weaker is stronger seen from the other side; what is
// stronger than something stronger is stronger. Where a list of promises is compared, names and order do not matter (but for
// the words of groups of credits), and neither does a promise that another one of the list keeps anyway. Stronger is never said where the other could be the
// better one: tests hold the verdicts on objectives, times to respond, exclusions and credits against what packages metric,
// response, sla and credit make of random evidence. No float decides.
//
// # What it will not do
//
// Understand texts. Find that two weaker promises together keep a stronger one. Weigh one clause against another: an
// agreement that is weaker in one term and stronger in a hundred is incomparable, and the rows say in what. Validate: see
// sla.Agreement.Validate.
package comparison
