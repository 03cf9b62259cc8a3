package index

import (
	"iter"
)

// Index is the index of a span, read from a file. Any number of goroutines may use it.
type Index struct{}

// Open reads the file of span, and keeps it. It accepts what a [Builder] of this span encodes and nothing else: any other
// file is an error wrapping opsec.ErrInvalid.
func Open(file []byte, span uint64) (*Index, error) { panic("index: not written yet") }

// Len is the number of entries.
func (x *Index) Len() int { panic("index: not written yet") }

// Find yields the positions of entries that meet q, beginning at from (included): 0 for the first page upwards, Span-1 for
// the first page downwards.
func (x *Index) Find(q Query, from uint16) iter.Seq[uint16] { panic("index: not written yet") }
