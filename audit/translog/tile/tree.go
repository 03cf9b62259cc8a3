package tile

import (
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// A Tree reads the tiles and bundles of a log at one size and authenticates all it reads against the tree's head. Any
// number of goroutines may use it.
type Tree struct{}

// NewTree returns the tree of the given size whose head is root, over a directory or [Remote].
func NewTree(fsys fs.FS, size uint64, root tlog.Hash) (*Tree, error) { return nil, nil }

// LeafHash is the hash of the i-th leaf.
func (t *Tree) LeafHash(i uint64) (tlog.Hash, error) { return tlog.Hash{}, nil }

// Prove is the inclusion proof of the i-th leaf.
func (t *Tree) Prove(i uint64) ([]tlog.Hash, error) { return nil, nil }

// ProveConsistency is the proof that the tree of size old is a prefix of this one.
func (t *Tree) ProveConsistency(old uint64) ([]tlog.Hash, error) { return nil, nil }

// RootAt is the head that the tree had at an older size.
func (t *Tree) RootAt(old uint64) (tlog.Hash, error) { return tlog.Hash{}, nil }

// Entry is the i-th entry.
func (t *Tree) Entry(i uint64) ([]byte, error) { return nil, nil }

// Bundle is the entries of the n-th bundle, 256 or, in the last one, fewer.
func (t *Tree) Bundle(n uint64) ([][]byte, error) { return nil, nil }
