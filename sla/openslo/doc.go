// Package openslo reads and writes objectives as OpenSLO v1.
package openslo
