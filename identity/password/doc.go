// Package password decides whether a new password may be set: by a [Profile], which is data, with presets after NIST, OWASP, PCI
// DSS and the Recommendation. It hashes nothing and keeps nothing; the packages below it do.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1: the password policy sets algorithms, length, complexity and update cycle.
package password
