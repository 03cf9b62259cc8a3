// Package meter gathers evidence of how services were, in any order and from many places, for packages metric and recompute.
//
// # Recommendation
//
// ITU-T X.1642, clauses 7.2.1 (terms that can be assessed) and 7.2.2.1.
package meter
