// Package evidence reads what was seen of services into evidence for package meter: from files, from probes of its own, from
// Prometheus and from the logs of its blackbox exporter.
//
// # Recommendation
//
// ITU-T X.1642, clauses 7.2.1 (terms that can be assessed) and 7.2.2.1 (availability, recovery time).
package evidence
