// Package snapshot tells what a chain of snapshots puts at risk.
package snapshot
