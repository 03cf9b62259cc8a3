// Package heads proves where each tenant's chain of entries ends.
package heads
