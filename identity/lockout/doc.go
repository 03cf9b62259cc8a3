// Package lockout decides whether another guess at an account's secret may be tried, and makes sure that nobody gets more of
// them than the policy says: not with many nodes, not with many guesses at the same instant, not through another door.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: an account is locked when wrong passwords are entered continuously, and barred when
// log-ins are repeated within a very short time.
package lockout
