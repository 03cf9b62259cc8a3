package tile

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a growing tree: at each level the hashes of the tile that is still open. Its zero value is
// the empty tree.
type edge struct {
	size   uint64
	levels []open
}

// open is a tile that is not full yet.
type open struct {
	n      uint64      // its number within the level
	hashes []byte      // fewer than Width, but while full is called
	peaks  []tlog.Hash // the roots of the perfect subtrees over hashes, the largest first
}

// push appends the hash of a leaf. It calls full for each tile that becomes full, from the leaves upwards; hashes is
// valid until full returns. After an error the edge is good for nothing.
func (e *edge) push(h tlog.Hash, full func(level int, n uint64, hashes []byte) error) error {
	e.size++
	for l := 0; ; l++ {
		if l == len(e.levels) {
			e.levels = append(e.levels, open{
				hashes: make([]byte, 0, tileBytes),
				peaks:  make([]tlog.Hash, 0, height+1),
			})
		}
		t := &e.levels[l]
		t.add(h)
		if len(t.hashes) < tileBytes {
			return nil
		}
		if err := full(l, t.n, t.hashes); err != nil {
			return err
		}
		h = t.peaks[0]
		t.n++
		t.hashes, t.peaks = t.hashes[:0], t.peaks[:0]
	}
}

func (t *open) add(h tlog.Hash) {
	i := uint(len(t.hashes) / tlog.HashSize)
	t.hashes = append(t.hashes, h[:]...)
	for range bits.TrailingZeros(^i) { // as many perfect subtrees end here
		last := len(t.peaks) - 1
		h = tlog.NodeHash(t.peaks[last], h)
		t.peaks = t.peaks[:last]
	}
	t.peaks = append(t.peaks, h)
}

// width is the number of hashes that the open tile of a level has, 0 to 255.
func (e *edge) width(level int) int { return len(e.levels[level].hashes) / tlog.HashSize }

// root is the tree's head (RFC 6962, section 2.1), that of the empty tree included.
func (e *edge) root() tlog.Hash {
	if e.size == 0 {
		return sha256.Sum256(nil)
	}
	var root tlog.Hash
	begun := false
	for _, t := range e.levels {
		for i := len(t.peaks) - 1; i >= 0; i-- {
			if begun {
				root = tlog.NodeHash(t.peaks[i], root)
			} else {
				root, begun = t.peaks[i], true
			}
		}
	}
	return root
}

// edgeOf is the right edge of a tree of the given size; read returns the hashes of an open tile, width of them.
func edgeOf(size uint64, read func(level int, n uint64, width int) ([]byte, error)) (*edge, error) {
	e := &edge{size: size}
	for l := 0; size>>(height*l) > 0; l++ {
		count := size >> (height * l)
		t := open{
			n:      count / Width,
			hashes: make([]byte, 0, tileBytes),
			peaks:  make([]tlog.Hash, 0, height+1),
		}
		if width := int(count % Width); width > 0 {
			hashes, err := read(l, t.n, width)
			if err != nil {
				return nil, err
			}
			for ; len(hashes) > 0; hashes = hashes[tlog.HashSize:] {
				t.add(tlog.Hash(hashes[:tlog.HashSize]))
			}
		}
		e.levels = append(e.levels, t)
	}
	return e, nil
}
