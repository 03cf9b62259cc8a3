// Package response reckons how fast faults are accepted, repaired and told of.
//
// # Recommendation
//
// ITU-T X.1642, clauses 7.2.2.1 (average recovery time), 7.2.2.3 (failure acceptance time, troubleshooting time, on the
// service hours of the hotline) and 7.2.2.6 (mean time from an event to notifying the customer).
package response
