package tile

import (
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// A Verifier compares all files of a log with its entries, which come to it one after another.
type Verifier struct{}

// NewVerifier verifies the tree of the given size. Bundles wholly below pruned may be missing. Each damaged file is
// reported once, as soon as it is found.
func NewVerifier(fsys fs.FS, size, pruned uint64, report func(*DamageError)) *Verifier { return nil }

// Add goes on with the next entry and its leaf hash, which the caller has computed.
func (v *Verifier) Add(entry []byte, leaf tlog.Hash) error { return nil }

// Skip goes on with n entries that the caller does not have: leaf hashes are taken from the tiles, and the bundles, where
// they are there, are compared with them.
func (v *Verifier) Skip(n uint64) error { return nil }

// Finish compares the partial files, looks for files that do not belong there, and returns the root of what was added.
func (v *Verifier) Finish() (tlog.Hash, error) { return tlog.Hash{}, nil }
