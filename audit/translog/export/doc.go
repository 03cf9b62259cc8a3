// Package export writes entries of the transparency log for other systems to read, each with its proof: JSON lines,
// OCSF 1.8.0 and syslog (RFC 5424).
package export
