// Package journal keeps entries in their order, durably, in preallocated files: the part of the transparency log that
// an acknowledgement waits for.
package journal
