// Package composition is the availability of a service that is made of parts: in a row, beside each other, or so many of
// several, with parts that several others depend on counted once.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: the availability of a service, which a provider can promise only as far as what it is made
// of allows. Clause 7.2.1: the requirements of a customer, and the terms that meet them, can be assessed and compared; so
// what is promised of a service can be compared with what is promised of its parts.
//
// # Ten lines
//
//	zone := func(n string) composition.Node { return composition.Serial(composition.Part("vm-"+n), composition.Part("db")) }
//	s := composition.System{Parts: availabilities, Top: composition.Parallel(zone("1"), zone("2"))} // one database
//	f, err := s.Availability()                 // exact bounds, if parts fail independently
//	verdict := f.AtLeast(target)               // exactly at the target is met
//	bounds, err := s.Whatever()                // bounds that hold even if they do not
//	weights, err := s.Weights()                // single points of failure, and what each part means
//	need, ok, err := s.Needed("db", target)    // what the database would have to promise
//
// # Promises
//
// Figures are exact rationals: no float, no simulation. A part that stands at several places is one part. The product of
// zones that share a database counts the database twice, and promises too much or too little; here a decision diagram
// (Bryant 1986) asks each part once. Tests compare it with the sum over all states.
//
// Bounds of parts become bounds of the service, and the closest ones: more evidence of a part never widens them. Bounds of
// samples (package budget) that miss with 1 % each miss together with the sum of that, at most: of five parts with 5 %.
//
// [System.Whatever] supposes nothing about how failures come together. Promises of parts say nothing about that, and one
// power cut fails two zones; what lies between the two figures is what independence is worth.
//
// # What it will not do
//
// Find out what a service is made of, or whether parts are independent. Say how long outages are, or how often: two systems
// of the same availability differ in that. Parts number 256 at most, and a system whose parts are shared in too many ways is
// [ErrIntricate].
package composition
