// Package responsibility says who answers for which layer of a cloud service: a matrix for each service model, what is
// missing or claimed twice in it, and whose a fault is.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.1: the responsibilities of providers (CSPs) and customers (CSCs) are delineated by their control
// over the resources, which depends on the service model. [Owed] and [Kept] are what the clause gives to either of them.
//
// # Ten lines
//
//	m := responsibility.Default(opsec.IaaS)
//	err := m.Validate()                                  // complete, nobody left out, no two masters
//	who := m.Attribute(responsibility.GuestOS)           // opsec.CSC: the customer patches it, and its faults are not the provider's
//	for _, f := range responsibility.Faults(err) {       // each thing that is wrong, with its path
//		fmt.Println(f.Path, f.Rule, f.Text)
//	}
//
// # Promises
//
// Validate reports everything at once. What the clause leaves to the customer ([Kept]) cannot be given to the provider
// alone without a report, nor what it gives to the provider ([Owed]) to the customer alone; either may be shared, with a
// note that says how. Attribute names a party only where exactly one assignment does.
//
// # What it will not do
//
// Take over a duty that the two parties did not write down: a layer that nobody has is nobody's. Tell which of two
// parties broke their part of a shared layer; that takes evidence.
package responsibility
