package tile

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// ErrRoot: the tiles are not those of the tree head that was given. Which of them is wrong cannot be told.
var ErrRoot = errors.New("tile: the tiles do not lead to the tree head")

// A Tree reads the tiles and bundles of a log at one size, and returns nothing that its head does not prove. Any number
// of goroutines may use it. It keeps up to 8 MiB of tiles that it has authenticated.
//
// A file that is missing or wrong is a [*DamageError]. A partial file that is gone is no damage where the full one is
// there.
type Tree struct {
	fsys fs.FS
	size uint64
	edge []*nodes // the partial tile of each level; nil where there is none

	mu         sync.Mutex
	young, old map[at]*nodes // full tiles; when young has as many as it may, it becomes old
}

// at is the place of a tile.
type at struct {
	level int
	n     uint64
}

// nodes are the hashes of a tile and all that follow from them: those of height h begin at Width>>h, so that the root of
// a full tile is nodes[1].
type nodes [2 * Width]tlog.Hash

// generation is how many full tiles a Tree keeps at least, and half of how many at most.
const generation = 256

// expand computes the nodes over the hashes of a tile: all whose leaves are there.
func expand(hashes []byte) *nodes {
	t := new(nodes)
	width := len(hashes) / tlog.HashSize
	for i := range width {
		t[Width+i] = tlog.Hash(hashes[i*tlog.HashSize:])
	}
	for h := 1; h <= height; h++ {
		for i := range width >> h {
			k := Width>>h + i
			t[k] = tlog.NodeHash(t[2*k], t[2*k+1])
		}
	}
	return t
}

// NewTree returns the tree of the given size whose head is root (tlog.TreeHash, RFC 6962 section 2.1) over the files of a
// directory or of [Remote]. It reads the partial tiles, eight files at most, and fails with [ErrRoot] when they do not
// lead to the head.
func NewTree(fsys fs.FS, size uint64, root tlog.Hash) (*Tree, error) {
	if size > maxSize {
		return nil, fmt.Errorf("tile: size %d, at most 2^62: %w", size, opsec.ErrInvalid)
	}
	t := &Tree{fsys: fsys, size: size, young: map[at]*nodes{}}
	e, err := edgeOf(size, func(level int, n uint64, width int) ([]byte, error) {
		hashes, _, err := readTile(fsys, level, n, width)
		return hashes, err
	})
	if err != nil {
		return nil, err
	}
	if e.root() != root {
		return nil, ErrRoot
	}
	for _, open := range e.levels {
		var n *nodes
		if len(open.hashes) > 0 {
			n = expand(open.hashes)
		}
		t.edge = append(t.edge, n)
	}
	return t, nil
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// tile returns the nodes of a tile, which must be one of the tree's.
func (t *Tree) tile(level int, n uint64) (*nodes, error) {
	if n == t.size>>(height*(level+1)) {
		return t.edge[level], nil
	}
	place := at{level, n}
	t.mu.Lock()
	found := t.young[place]
	if found == nil {
		found = t.old[place]
	}
	t.mu.Unlock()
	if found != nil {
		return found, nil
	}
	parent, err := t.tile(level+1, n/Width)
	if err != nil {
		return nil, err
	}
	hashes, name, err := readTile(t.fsys, level, n, Width)
	if err != nil {
		return nil, err
	}
	found = expand(hashes)
	if found[1] != parent[Width+n%Width] {
		return nil, damaged(name, n*Width<<(height*level), nil)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.young) == generation {
		t.old, t.young = t.young, make(map[at]*nodes, generation)
	}
	t.young[place] = found
	return found, nil
}

// ReadHashes implements [tlog.HashReader], by whose stored indexes it names hashes.
func (t *Tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= tlog.StoredHashIndex(0, int64(t.size)) {
			return nil, fmt.Errorf("tile: stored hash %d is not in a tree of %d entries: %w", index, t.size, opsec.ErrInvalid)
		}
		l, number := tlog.SplitStoredHashIndex(index)
		level, h, n := l/height, l%height, uint64(number)
		tile, err := t.tile(level, n>>(height-h))
		if err != nil {
			return nil, err
		}
		hashes[i] = tile[Width>>h+n%(Width>>h)]
	}
	return hashes, nil
}

// LeafHash is the hash of the i-th leaf, counted from 0.
func (t *Tree) LeafHash(i uint64) (tlog.Hash, error) {
	if err := t.has(i); err != nil {
		return tlog.Hash{}, err
	}
	tile, err := t.tile(0, i/Width)
	if err != nil {
		return tlog.Hash{}, err
	}
	return tile[Width+i%Width], nil
}

// Prove is the inclusion proof of the i-th leaf, which tlog.CheckRecord verifies (RFC 6962, section 2.1.1).
func (t *Tree) Prove(i uint64) ([]tlog.Hash, error) {
	if err := t.has(i); err != nil {
		return nil, err
	}
	return tlog.ProveRecord(int64(t.size), int64(i), t)
}

// ProveConsistency is the proof that the tree of an older size is a prefix of this one, which tlog.CheckTree verifies
// (RFC 6962, section 2.1.2). For the sizes 0 and [Tree.Size] it is empty.
func (t *Tree) ProveConsistency(old uint64) ([]tlog.Hash, error) {
	if err := t.had(old); err != nil || old == 0 {
		return nil, err
	}
	return tlog.ProveTree(int64(t.size), int64(old), t)
}

// RootAt is the head that the tree had at an older size.
func (t *Tree) RootAt(old uint64) (tlog.Hash, error) {
	if err := t.had(old); err != nil {
		return tlog.Hash{}, err
	}
	return tlog.TreeHash(int64(old), t)
}

// Entry is the i-th entry. Where its bundle has been pruned the error wraps [fs.ErrNotExist].
func (t *Tree) Entry(i uint64) ([]byte, error) {
	leaf, err := t.LeafHash(i)
	if err != nil {
		return nil, err
	}
	entries, name, err := readBundle(t.fsys, i/Width, t.width(i/Width))
	if err != nil {
		return nil, err
	}
	entry := entries[i%Width]
	if tlog.RecordHash(entry) != leaf {
		return nil, damaged(name, i, nil)
	}
	return entry, nil
}

// Bundle is the entries from 256 n on: 256 of them, or as many as the last bundle has. Where it has been pruned the
// error wraps [fs.ErrNotExist].
func (t *Tree) Bundle(n uint64) ([][]byte, error) {
	if n > maxN {
		return nil, fmt.Errorf("tile: bundle %d is not in a tree of %d entries: %w", n, t.size, opsec.ErrInvalid)
	}
	if err := t.has(n * Width); err != nil {
		return nil, err
	}
	tile, err := t.tile(0, n)
	if err != nil {
		return nil, err
	}
	entries, name, err := readBundle(t.fsys, n, t.width(n))
	if err != nil {
		return nil, err
	}
	for i, entry := range entries {
		if tlog.RecordHash(entry) != tile[Width+i] {
			return nil, damaged(name, n*Width+uint64(i), nil)
		}
	}
	return entries, nil
}

// width is the number of entries that the n-th bundle has in this tree.
func (t *Tree) width(n uint64) int { return int(min(Width, t.size-n*Width)) }

func (t *Tree) has(i uint64) error {
	if i >= t.size {
		return fmt.Errorf("tile: entry %d is not in a tree of %d: %w", i, t.size, opsec.ErrInvalid)
	}
	return nil
}

func (t *Tree) had(old uint64) error {
	if old > t.size {
		return fmt.Errorf("tile: a tree of %d entries had never %d: %w", t.size, old, opsec.ErrInvalid)
	}
	return nil
}
