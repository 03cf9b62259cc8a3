package subject

import (
	"context"
	"iter"

	"github.com/cloudopsec/opsec/audit/translog/entry"
)

// Sealer wraps subject keys: an AEAD that draws its own nonces. Tink's tink.AEAD is one.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Options is the wiring of a [File].
type Options struct{}

// File is an entry.Keys in one file.
type File struct{}

// OpenFile opens the file at path, or makes it.
func OpenFile(path string, master Sealer, lookup []byte, opts *Options) (*File, error) { panic("TODO") }

// Memory returns keys that end with the process.
func Memory() *File { panic("TODO") }

// Listed is one subject that has a key.
type Listed struct {
	Handle  entry.Handle
	Subject entry.Subject
}

// Subject implements entry.Keys.
func (f *File) Subject(ctx context.Context, s entry.Subject) (entry.Handle, entry.Key, error) {
	panic("TODO")
}

// Key implements entry.Keys.
func (f *File) Key(ctx context.Context, h entry.Handle) (entry.Key, error) { panic("TODO") }

// Find implements entry.Keys.
func (f *File) Find(ctx context.Context, s entry.Subject) ([]entry.Handle, error) { panic("TODO") }

// Erase implements entry.Keys.
func (f *File) Erase(ctx context.Context, handles ...entry.Handle) error { panic("TODO") }

// All returns the subjects that have a key.
func (f *File) All(ctx context.Context) iter.Seq2[Listed, error] { panic("TODO") }

// Close closes the file.
func (f *File) Close() error { panic("TODO") }
