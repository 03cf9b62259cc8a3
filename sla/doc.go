// Package sla is the security clause of a service level agreement as data: who the parties are, what is promised in each of
// its elements, what may be left out of the figures, and who signed it. Its digest is what reports cite.
//
// # Recommendation
//
// ITU-T X.1642, clause 7. Clause 7.1: [Agreement].Responsibilities, by package responsibility. Clause 7.2.1: terms that can
// be measured ([Agreement.Validate]), compared (package comparison) and negotiated ([Negotiation]), liabilities of both
// parties, legal minimums ([Minimum]), disclaimers ([ExclusionRule]). Clauses 7.2.2.1 to 7.2.2.8: the fields of [Clause].
//
// # Ten lines
//
//	a, err := sla.Parse(text)                           // YAML or JSON
//	for _, f := range sla.Faults(a.Validate()) {        // everything that is missing or cannot be measured
//		fmt.Println(f.Path, f.Rule, f.Text)
//	}
//	err = a.Check(law, standard)                        // minimums, as data: what negotiation cannot undercut
//	n := sla.Negotiation{Agreement: a}
//	n, err = n.Propose(customer, terms)                 // a changed copy, and why
//	n, err = n.Agree(provider, law, standard)           // the next version, with the history that led to it
//	mine, err := n.Agreement.Sign("Acme AG", key, now)
//	err = (&sla.Sealed{Agreement: n.Agreement, Signatures: []sla.Signature{mine, theirs}}).Verify(keys)
//	rulings, err := a.Judge(exclusions)                 // which hold, when, and why not
//	left := rulings.Of("compute")                       // for metric.Input
//
// # Promises
//
// What is not known in a text is refused, and so is what stands twice or in another letter case: two readers of one text
// have one agreement. The digest is that of canonical JSON (RFC 8785) with times in UTC and ratios in lowest terms, so
// that it does not depend on how the agreement was written. A step of a negotiation that fails changes nothing;
// [Agreement.Follows] shows that a version is what was agreed to. No time is left out of figures but by a rule of the
// agreement, and only as far as the rule goes. [Agreement.Judge] does not depend on the order of its input. The package
// keeps nothing, has no clock and needs no store.
//
// # What it will not do
//
// Give legal advice: minimums are data, and this package has none. Know whose a public key is: [Sealed.Verify] is told.
// Keep a provider from promising little: what is promised below a minimum or below what a customer asks for is reported by
// [Agreement.Check] and package comparison. Tell whether an announcement, an approval or a cause that an [Exclusion] claims
// is true: it cites evidence for people to look at.
package sla
