// Package timeline is sets of time as sorted runs: what was up, down, excluded, and for how long.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: the availability of a service is reckoned from how long it was usable.
package timeline
