// Package metric reckons how available a service was, exactly, by the methods that contracts use.
//
// # Recommendation
//
// ITU-T X.1642, clause 7.2.2.1: the percentage of time at which a service is usable in a given period.
package metric
