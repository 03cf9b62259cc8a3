package digest

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	zeebo "github.com/zeebo/blake3"
	"lukechampine.com/blake3/guts"
	"pgregory.net/rapid"
)

// vectors are the official test vectors; their inputs are the beginnings of [pattern].
func vectors(t testing.TB) []vector {
	var file struct{ Cases []vector }
	data, err := os.ReadFile("testdata/blake3/vectors.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &file))
	require.Len(t, file.Cases, 35)
	require.Equal(t, 102400, file.Cases[34].Length)
	return file.Cases
}

type vector struct {
	Length int
	BLAKE3 Digest
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}

// noise is n bytes that are the same in every run; no two groups of it are alike.
func noise(n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{7: 1}).Read(p)
	return p
}

// boundaries are the lengths at which something changes, and their neighbours, up to limit.
func boundaries(limit int) []int {
	var at []int
	for n := 1; n <= limit; n *= 2 {
		at = append(at, n, n*3/2, n*5/4)
	}
	for _, unit := range []int{guts.ChunkSize, leafSize, GroupSize, readSize} {
		for i := range 9 {
			at = append(at, i*unit)
		}
	}
	var lengths []int
	for _, n := range at {
		for _, m := range []int{n - 1, n, n + 1} {
			if m >= 0 && m <= limit {
				lengths = append(lengths, m)
			}
		}
	}
	slices.Sort(lengths)
	return slices.Compact(lengths)
}

// groupDigest hashes p by way of its groups' CVs.
func groupDigest(p []byte) Digest {
	var tree GroupTree
	h := new(Hasher)
	for group := range slices.Chunk(p, GroupSize) {
		tree.Push(h.group(group, tree.n))
	}
	return tree.Root()
}

func TestSmallHasherMeetsOfficialVectors(t *testing.T) {
	h := new(Hasher)
	for _, v := range vectors(t) {
		require.Equal(t, v.BLAKE3, h.blake3(pattern(v.Length)), "%d bytes", v.Length)
		if v.Length > GroupSize {
			require.Equal(t, v.BLAKE3, groupDigest(pattern(v.Length)), "%d bytes by groups", v.Length)
		}
	}
}

func TestTreeEqualsZeeboAtEveryBoundary(t *testing.T) {
	limit := 8<<20 + 1
	if testing.Short() {
		limit = 2<<20 + 1
	}
	p, h := noise(limit), new(Hasher)
	for _, n := range boundaries(limit) {
		want := Digest(zeebo.Sum256(p[:n]))
		require.Equal(t, want, h.blake3(p[:n]), "%d bytes", n)
		if n > GroupSize {
			require.Equal(t, want, groupDigest(p[:n]), "%d bytes by groups", n)
		}
	}
}

func TestTreeEqualsZeeboAtAnyLength(t *testing.T) {
	p, h := noise(2<<20), new(Hasher)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, 1000).Draw(t, "from") // unaligned memory, too
		q := p[from : from+rapid.IntRange(0, 2<<20-1000).Draw(t, "length")]
		want := Digest(zeebo.Sum256(q))
		require.Equal(t, want, h.blake3(q))
		if len(q) > GroupSize {
			require.Equal(t, want, groupDigest(q))
		}
	})
}

// Contents above 4 TiB have chunk numbers of more than 32 bits. No oracle reads that much: the vector code is compared
// with the portable code for single chunks.
func TestGroupNumbersAbove32Bits(t *testing.T) {
	p, h := noise(GroupSize), new(Hasher)
	for _, index := range []int64{0, 1, 1<<26 - 1, 1 << 26, 1<<40 + 5, 1<<47 - 1} {
		t.Run(fmt.Sprint(index), func(t *testing.T) {
			level := make([]Digest, chunksPerGroup)
			for i := range level {
				chunk := p[i*guts.ChunkSize:][:guts.ChunkSize]
				level[i] = output(guts.CompressChunk(chunk, &guts.IV, uint64(index)*chunksPerGroup+uint64(i), 0))
			}
			for len(level) > 1 {
				for i := range len(level) / 2 {
					level[i] = parent(level[2*i], level[2*i+1], 0)
				}
				level = level[:len(level)/2]
			}
			require.Equal(t, level[0], h.group(p, index))
		})
	}
}

// defined is the root by the definition: a left subtree holds the largest power of two of groups that leaves something.
func defined(cvs []Digest, flags uint32) Digest {
	if len(cvs) == 1 {
		return cvs[0]
	}
	left := 1 << (bits.Len(uint(len(cvs)-1)) - 1)
	return parent(defined(cvs[:left], 0), defined(cvs[left:], 0), flags)
}

func TestGroupTreeFollowsTheDefinition(t *testing.T) {
	var tree GroupTree
	var cvs []Digest
	require.Zero(t, tree.Root())
	for i := range 1100 {
		cvs = append(cvs, Digest{byte(i), byte(i >> 8), 1})
		tree.Push(cvs[i])
		require.LessOrEqual(t, tree.depth(), bits.Len(uint(i+1))+1)
		if i == 0 {
			require.Zero(t, tree.Root(), "one group has no root")
			continue
		}
		require.Equal(t, defined(cvs, guts.FlagRoot), tree.Root(), "%d groups", i+1)
	}
}

func TestGroupTreeHoldsTheLargestContent(t *testing.T) {
	largest := int64(1<<63-1)/GroupSize + 1 // groups of a content of 2^63-1 bytes
	tree := GroupTree{n: largest - 1}
	tree.Push(Digest{1})
	require.Equal(t, len(tree.stack), tree.depth())
	require.NotZero(t, tree.Root())
}

func TestSmallHasherDoesNotAllocate(t *testing.T) {
	p, h := noise(1<<20), new(Hasher)
	for _, n := range []int{0, 1, 1 << 10, 5000, leafSize, leafSize + 1, GroupSize, 1 << 20} {
		require.Zero(t, testing.AllocsPerRun(5, func() { h.Sum(p[:n], true) }), "%d bytes", n)
	}
}
