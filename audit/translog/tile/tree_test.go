package tile_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// treesOf returns the trees of a log at the sizes, and its stored hashes.
func treesOf(t testing.TB, entryLength int, sizes ...uint64) (trees []*tile.Tree, heads []tlog.Hash, stored memory) {
	t.Helper()
	root := openRoot(t)
	for i, size := range sizes {
		from := uint64(0)
		if i > 0 {
			from = sizes[i-1]
		}
		_, _, head := fill(t, root, from, size, entryLength)
		heads = append(heads, head)
	}
	var leaves []tlog.Hash
	for i := range sizes[len(sizes)-1] {
		leaves = append(leaves, tlog.RecordHash(entry(i, entryLength)))
	}
	stored = remember(t, leaves)
	for i, size := range sizes {
		require.Equal(t, stored.head(t, size), heads[i])
		tree, err := tile.NewTree(root.FS(), size, heads[i])
		require.NoError(t, err)
		require.Equal(t, size, tree.Size())
		trees = append(trees, tree)
	}
	return trees, heads, stored
}

func checkInclusion(t testing.TB, tree *tile.Tree, head tlog.Hash, i uint64, leaf tlog.Hash) {
	t.Helper()
	got, err := tree.LeafHash(i)
	require.NoError(t, err)
	require.Equal(t, leaf, got)
	proof, err := tree.Prove(i)
	require.NoError(t, err)
	require.NoError(t, tlog.CheckRecord(proof, int64(tree.Size()), head, int64(i), leaf), "entry %d of %d", i, tree.Size())
}

func checkConsistency(t testing.TB, tree *tile.Tree, head tlog.Hash, old uint64, oldHead tlog.Hash) {
	t.Helper()
	got, err := tree.RootAt(old)
	require.NoError(t, err)
	require.Equal(t, oldHead, got)
	proof, err := tree.ProveConsistency(old)
	require.NoError(t, err)
	if old == 0 {
		require.Empty(t, proof)
		return
	}
	require.NoError(t, tlog.CheckTree(proof, int64(tree.Size()), head, int64(old), oldHead), "%d in %d", old, tree.Size())
}

func TestProofsOfSmallTreesVerify(t *testing.T) {
	var sizes []uint64
	for size := range uint64(36) {
		sizes = append(sizes, size+1)
	}
	sizes = append(sizes, 64, 127, 128, 129, 254, 255, 256, 257, 258, 300, 511, 512, 513, 520)
	trees, heads, stored := treesOf(t, 4, sizes...)
	for k, tree := range trees {
		for i := range tree.Size() {
			checkInclusion(t, tree, heads[k], i, stored[tlog.StoredHashIndex(0, int64(i))])
		}
		for old := range tree.Size() + 1 {
			checkConsistency(t, tree, heads[k], old, stored.head(t, old))
		}
	}
}

func TestProofsOfLargeTreesVerify(t *testing.T) {
	trees, heads, stored := treesOf(t, 1, 65_535, 65_536, 65_537, 65_792, 66_049, 131_072+77, 200_000)
	rnd := rand.New(rand.NewPCG(3, 4))
	for k, tree := range trees {
		for range 300 {
			i := rnd.Uint64N(tree.Size())
			checkInclusion(t, tree, heads[k], i, stored[tlog.StoredHashIndex(0, int64(i))])
			old := rnd.Uint64N(tree.Size() + 1)
			checkConsistency(t, tree, heads[k], old, stored.head(t, old))
		}
		for j, old := range trees[:k+1] {
			checkConsistency(t, tree, heads[k], old.Size(), heads[j])
		}
	}
}

func TestTreeHasNoMoreThanItsEntries(t *testing.T) {
	trees, _, _ := treesOf(t, 4, 300)
	tree := trees[0]
	for what, call := range map[string]func() error{
		"LeafHash":         func() error { _, err := tree.LeafHash(300); return err },
		"Prove":            func() error { _, err := tree.Prove(300); return err },
		"ProveConsistency": func() error { _, err := tree.ProveConsistency(301); return err },
		"RootAt":           func() error { _, err := tree.RootAt(301); return err },
		"Entry":            func() error { _, err := tree.Entry(300); return err },
		"Bundle":           func() error { _, err := tree.Bundle(2); return err },
		"Bundle, overflow": func() error { _, err := tree.Bundle(1 << 56); return err },
		"ReadHashes":       func() error { _, err := tree.ReadHashes([]int64{tlog.StoredHashIndex(0, 300)}); return err },
		"ReadHashes < 0":   func() error { _, err := tree.ReadHashes([]int64{-1}); return err },
		"NewTree":          func() error { _, err := tile.NewTree(os.DirFS("."), 1<<62+1, tlog.Hash{}); return err },
	} {
		require.ErrorIs(t, call(), opsec.ErrInvalid, what)
	}
}

func TestTreeIsAHashReader(t *testing.T) {
	trees, heads, stored := treesOf(t, 4, 1_000)
	all := make([]int64, tlog.StoredHashCount(1_000))
	for i := range all {
		all[i] = int64(i)
	}
	got, err := trees[0].ReadHashes(all)
	require.NoError(t, err)
	require.Equal(t, []tlog.Hash(stored), got)
	head, err := tlog.TreeHash(1_000, trees[0])
	require.NoError(t, err)
	require.Equal(t, heads[0], head)
}

func TestEmptyTree(t *testing.T) {
	fsys := fstest.MapFS{}
	tree, err := tile.NewTree(fsys, 0, sha256.Sum256(nil))
	require.NoError(t, err)
	_, err = tree.LeafHash(0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	proof, err := tree.ProveConsistency(0)
	require.NoError(t, err)
	require.Empty(t, proof)
	head, err := tree.RootAt(0)
	require.NoError(t, err)
	require.Equal(t, tlog.Hash(sha256.Sum256(nil)), head)
	_, err = tile.NewTree(fsys, 0, tlog.Hash{})
	require.ErrorIs(t, err, tile.ErrRoot)
}

// Whatever is done to a file: what a tree returns is right, or it is an error.
func TestTreeReturnsNothingThatItsHeadDoesNotProve(t *testing.T) {
	const size = 65_536 + 600
	root := openRoot(t)
	_, stored, head := fill(t, root, 0, size, 4)
	rnd := rand.New(rand.NewPCG(5, 6))
	reads := []uint64{0, 255, 256, 65_535, 65_536, 65_791, 65_792, size - 1}
	for _, name := range []string{
		"tile/0/000", "tile/0/255", "tile/0/256", "tile/0/258.p/88", "tile/1/000", "tile/1/001.p/2", "tile/2/000.p/1",
		"tile/entries/000", "tile/entries/256", "tile/entries/258.p/88",
	} {
		good, err := root.ReadFile(name)
		require.NoError(t, err)
		for round := range 12 {
			bad := append([]byte(nil), good...)
			switch at := rnd.IntN(len(bad)); round {
			case 0:
				bad = bad[:at]
			case 1:
				bad = append(bad, 0)
			case 2:
				bad = nil
			default:
				bad[at] ^= byte(1 << rnd.IntN(8))
			}
			require.NoError(t, root.WriteFile(name, bad, 0o600))
			failed := 0
			tree, err := tile.NewTree(root.FS(), size, head)
			if err != nil {
				failed++
				require.True(t, errors.Is(err, tile.ErrRoot) || errors.As(err, new(*tile.DamageError)), "%v", err)
			} else {
				for _, i := range reads {
					if leaf, err := tree.LeafHash(i); err != nil {
						failed++
					} else {
						require.Equal(t, stored[tlog.StoredHashIndex(0, int64(i))], leaf)
					}
					e, err := tree.Entry(i)
					if err == nil {
						require.Equal(t, entry(i, 4), e)
					}
					b, err := tree.Bundle(i / 256)
					var d *tile.DamageError
					if errors.As(err, &d) {
						failed++
						require.Equal(t, tile.Altered, d.Problem)
						require.Equal(t, name, d.Path)
					} else {
						require.NoError(t, err)
						require.Equal(t, entry(i, 4), b[i%256])
					}
				}
			}
			require.NotZero(t, failed, "%s, round %d", name, round)
		}
		require.NoError(t, root.WriteFile(name, good, 0o600))
	}
}

func TestEntryIsNotReturnedWhenItIsNotThatOfTheTree(t *testing.T) {
	l := logOf(t, 20, 300)
	data := l.files["tile/entries/000"].Data
	data[len(data)-1] ^= 1
	tree, err := tile.NewTree(l.files, l.size, l.head)
	require.NoError(t, err)
	_, err = tree.Entry(255)
	var d *tile.DamageError
	require.ErrorAs(t, err, &d)
	require.Equal(t, tile.DamageError{Path: "tile/entries/000", Problem: tile.Altered, Index: 255}, *d)
	e, err := tree.Entry(254)
	require.NoError(t, err)
	require.Equal(t, l.entries[254], e)
}

func TestTreeOfAnotherLogIsRefused(t *testing.T) {
	root := openRoot(t)
	_, stored, head := fill(t, root, 0, 300, 4)
	_, err := tile.NewTree(root.FS(), 300, stored.head(t, 299))
	require.ErrorIs(t, err, tile.ErrRoot)
	_, err = tile.NewTree(root.FS(), 299, head)
	require.ErrorIs(t, err, fs.ErrNotExist)
	var d *tile.DamageError
	require.ErrorAs(t, err, &d)
	require.Equal(t, uint64(256), d.Index)
	require.ErrorContains(t, err, "tile/0/001 is missing")
}

// endless is a file system whose files say that they are empty, and never end.
type endless struct{ fs.FileInfo }

func (endless) Open(string) (fs.File, error)     { return endless{}, nil }
func (endless) Stat() (fs.FileInfo, error)       { return endless{}, nil }
func (endless) Size() int64                      { return 0 }
func (endless) IsDir() bool                      { return false }
func (endless) Read(b []byte) (n int, err error) { return len(b), nil }
func (endless) Close() error                     { return nil }

func TestTreeReadsNoMoreThanAFileMayHave(t *testing.T) {
	_, err := tile.NewTree(endless{}, 3, tlog.Hash{})
	require.ErrorContains(t, err, "longer than 8192 bytes")
}

func TestTreeIsForManyGoroutines(t *testing.T) {
	trees, heads, stored := treesOf(t, 1, 150_000)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(k), 7))
			for range 700 { // more tiles than are kept
				i := rnd.Int64N(150_000)
				proof, err := trees[0].Prove(uint64(i))
				if err == nil {
					err = tlog.CheckRecord(proof, 150_000, heads[0], i, stored[tlog.StoredHashIndex(0, i)])
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// counted counts how often files are opened.
type counted struct {
	fs.FS
	opened int
}

func (c *counted) Open(name string) (fs.File, error) {
	c.opened++
	return c.FS.Open(name)
}

func TestTreeKeepsTheTilesThatItReadLast(t *testing.T) {
	const size = 150_000 // 585 full tiles: more than are kept
	root := openRoot(t)
	_, _, head := fill(t, root, 0, size, 1)
	files := &counted{FS: root.FS()}
	tree, err := tile.NewTree(files, size, head)
	require.NoError(t, err)
	reads := func(n uint64) int {
		files.opened = 0
		_, err := tree.LeafHash(n * 256)
		require.NoError(t, err)
		return files.opened
	}
	require.NotZero(t, reads(0))
	for n := range uint64(256) {
		reads(n)
	}
	for n := range uint64(256) {
		require.Zero(t, reads(n), "tile %d", n)
	}
	for n := range uint64(585) {
		reads(n)
	}
	require.NotZero(t, reads(0), "memory has a bound")
	require.Zero(t, reads(584))
}

func ExampleTree() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	root, _ := os.OpenRoot(dir)
	defer root.Close()
	w, _ := tile.NewWriter(root, 0)
	for i := range 1000 {
		entry := fmt.Appendf(nil, "entry %d", i)
		w.Append([][]byte{entry}, []tlog.Hash{tlog.RecordHash(entry)})
	}
	head, _ := w.Flush() // and sign it: that is the checkpoint
	w.Close()

	tree, err := tile.NewTree(os.DirFS(dir), 1000, head)
	if err != nil {
		fmt.Println(err)
		return
	}
	proof, _ := tree.Prove(42)
	fmt.Println(len(proof), tlog.CheckRecord(proof, 1000, head, 42, tlog.RecordHash([]byte("entry 42"))))

	entry, _ := tree.Entry(42)
	fmt.Printf("%s\n", entry)
	// Output:
	// 10 <nil>
	// entry 42
}
