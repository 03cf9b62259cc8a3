package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"lukechampine.com/blake3/guts"
)

// GroupSize is the bytes of one chunk group, the unit of a [GroupTree].
const GroupSize = chunksPerGroup * guts.ChunkSize

// A BLAKE3 digest is the root of a binary tree over chunks of 1 KiB; the chaining value (CV) of an inner node covers
// its subtree, and every left subtree holds the largest power of two of chunks that leaves something for the right
// (BLAKE3 specification, section 2.1). Aligned runs of 2^k chunks are therefore subtrees whatever the content's
// length, can be hashed on any core in any order, and are merged from their CVs alone.
const (
	chunksPerGroup = 64
	leafSize       = guts.MaxSIMD * guts.ChunkSize // bytes that one call of the vector code hashes: 16 KiB
)

// GroupTree merges the chaining values of a content's 64 KiB groups, in order, into its BLAKE3 digest. Only the
// number of groups matters to it: the last group may be shorter. The zero value is a tree of no groups; copies are
// independent. It holds one CV per level, 1.5 KiB for contents of any size.
type GroupTree struct {
	n     int64 // groups pushed
	stack [48]Digest
}

// Push appends the next group's CV: the 8 words of the node's output, little-endian.
//
// Whether a merge is the root, which is hashed with a flag of its own, depends on what follows. A merge is therefore
// put off until the next push proves that it is none.
func (t *GroupTree) Push(cv Digest) {
	top := t.depth()
	for range bits.TrailingZeros64(uint64(t.n)) & 63 { // n = 0 has 64 of them, and nothing to merge
		top--
		t.stack[top-1] = parent(t.stack[top-1], t.stack[top], 0)
	}
	t.stack[top] = cv
	t.n++
}

// Root returns the digest of the content whose groups were pushed. It is the zero Digest below two groups: a content
// of up to 64 KiB is hashed without a CV, by [Hasher].
func (t *GroupTree) Root() Digest {
	top := t.depth() - 1
	if top < 1 {
		return Digest{}
	}
	cv := t.stack[top]
	for top--; top > 0; top-- {
		cv = parent(t.stack[top], cv, 0)
	}
	return parent(t.stack[0], cv, guts.FlagRoot)
}

// depth is the number of stack entries in use: one for each complete subtree before the last group, and the group.
func (t *GroupTree) depth() int {
	if t.n == 0 {
		return 0
	}
	return bits.OnesCount64(uint64(t.n-1)) + 1
}

// parent hashes two CVs into that of the node above them.
func parent(left, right Digest, flags uint32) Digest {
	return output(guts.ParentNode(words(left), words(right), &guts.IV, flags))
}

// output returns the first 32 bytes of n's output: its CV, or the digest where n carries the root flag.
func output(n guts.Node) (d Digest) {
	for i, w := range guts.ChainingValue(n) {
		binary.LittleEndian.PutUint32(d[4*i:], w)
	}
	return d
}

func words(d Digest) (w [8]uint32) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(d[4*i:])
	}
	return w
}

// Hasher hashes what is in memory, on the calling goroutine, without allocating. The zero value is ready and may
// be reused; it is scratch space for one goroutine. For contents of one chunk, nil will do.
type Hasher struct {
	leaf [leafSize]byte
}

// Sum returns the digests of p, with SHA-256 if sha.
func (h *Hasher) Sum(p []byte, sha bool) Sums {
	s := Sums{Size: int64(len(p)), BLAKE3: h.blake3(p)}
	if sha {
		s.SHA256 = sha256.Sum256(p)
	}
	return s
}

// blake3 returns the digest of p. On a core with AVX-512 it takes 0.1 us for up to 64 bytes, 1.3 us for 1 KiB and
// some 4.5 GB/s above 16 KiB, while p is in the core's cache.
func (h *Hasher) blake3(p []byte) Digest {
	n := h.node(p, 0)
	n.Flags |= guts.FlagRoot
	return output(n)
}

// group returns the CV of one group of a content of several: 64 KiB, or less at the content's end.
func (h *Hasher) group(p []byte, index int64) Digest {
	return output(h.node(p, uint64(index)*chunksPerGroup))
}

// node hashes the subtree over p, whose first chunk has the number counter, up to but without the last compression.
func (h *Hasher) node(p []byte, counter uint64) guts.Node {
	switch {
	case len(p) <= guts.ChunkSize:
		return guts.CompressChunk(p, &guts.IV, counter, 0)
	case len(p) < leafSize: // the vector code reads 16 KiB, whatever the length
		copy(h.leaf[:], p)
		return guts.CompressBuffer(&h.leaf, len(p), &guts.IV, counter, 0)
	case len(p) == leafSize:
		return guts.CompressBuffer((*[leafSize]byte)(p), leafSize, &guts.IV, counter, 0)
	}
	left := leafSize << (bits.Len(uint(len(p)-1)/leafSize) - 1)
	l := guts.ChainingValue(h.node(p[:left], counter))
	r := guts.ChainingValue(h.node(p[left:], counter+uint64(left/guts.ChunkSize)))
	return guts.ParentNode(l, r, &guts.IV, 0)
}
