package heads

import "golang.org/x/mod/sumdb/tlog"

// Head is where one tenant's chain of entries ends.
type Head struct {
	Tag  [16]byte  // the tenant's tag in leaves
	Seq  uint64    // the number of its last entry, counted from 1 within the tenant
	Leaf tlog.Hash // the leaf hash of that entry
}

// Tree is a set of heads, one a tag, with a root hash that binds them all. The zero Tree is empty and ready for use. It is
// not safe for concurrent use.
type Tree struct{}

// Set puts h in the place of the head with its tag, or adds it.
func (t *Tree) Set(h Head) { panic("heads: not written yet") }

// Get returns the head with this tag.
func (t *Tree) Get(tag [16]byte) (Head, bool) { panic("heads: not written yet") }

// Len is the number of heads.
func (t *Tree) Len() int { panic("heads: not written yet") }

// Root is the root hash. It costs what has changed since it was last asked for.
func (t *Tree) Root() tlog.Hash { panic("heads: not written yet") }

// Prove returns the proof that the head with this tag is in the tree, or that none is. It brings the root up to date first.
func (t *Tree) Prove(tag [16]byte) Proof { panic("heads: not written yet") }

// Snapshot returns all heads in the order of their tags.
func (t *Tree) Snapshot() []Head { panic("heads: not written yet") }

// FromSnapshot returns the tree of these heads. Tags that do not ascend are an error wrapping opsec.ErrInvalid.
func FromSnapshot(heads []Head) (*Tree, error) { panic("heads: not written yet") }
