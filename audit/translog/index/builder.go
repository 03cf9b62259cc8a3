package index

import (
	"iter"
	"time"
)

// Span is how many entries of a log one index covers.
const Span = 1 << 16

// MaxKey is the greatest length of a key, in bytes.
const MaxKey = 255

// Builder is the index of a span that is still growing. One goroutine adds; any number may find meanwhile, and each sees
// the entries that were there when it began, none of them in part.
type Builder struct{}

// NewBuilder returns the empty index of span, which is the number of its first entry divided by [Span].
func NewBuilder(span uint64) *Builder { return new(Builder) }

// Add enters the entry at pos, which must be [Builder.Len], with its time and its keys: 1 to [MaxKey] bytes each, of which
// the first says the kind. A key given twice counts once. Nothing of the arguments is kept. An error wraps
// opsec.ErrInvalid, and then nothing has changed.
func (b *Builder) Add(pos uint16, at time.Time, keys ...[]byte) error { panic("index: not written yet") }

// Len is the number of entries.
func (b *Builder) Len() int { panic("index: not written yet") }

// Encode returns the file of what was added so far. It depends on nothing else.
func (b *Builder) Encode() []byte { panic("index: not written yet") }

// Find is [Index.Find] on the entries that are there when the iteration begins.
func (b *Builder) Find(q Query, from uint16) iter.Seq[uint16] { panic("index: not written yet") }
