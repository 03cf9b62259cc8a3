// Package sla is the security clause of a service level agreement as data.
//
// # Recommendation
//
// ITU-T X.1642, clauses 7.1 and 7.2.
package sla
