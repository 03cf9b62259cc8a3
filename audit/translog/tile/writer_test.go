package tile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// The inputs and heads that Certificate Transparency implementations test themselves with.
func TestHeadsAreThoseOfRFC6962(t *testing.T) {
	root := openRoot(t)
	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	defer w.Close()
	head, err := w.Flush()
	require.NoError(t, err)
	require.Equal(t, tlog.Hash(sha256.Sum256(nil)), head, "the empty tree")
	require.Empty(t, files(t, root))
	for i, c := range []struct{ entry, head string }{
		{"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
		{"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
		{"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
		{"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
		{"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
		{"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
		{"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
		{"606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	} {
		entry, err := hex.DecodeString(c.entry)
		require.NoError(t, err)
		require.NoError(t, w.Append([][]byte{entry}, []tlog.Hash{tlog.RecordHash(entry)}))
		head, err := w.Flush()
		require.NoError(t, err)
		require.Equal(t, c.head, hex.EncodeToString(head[:]))
		require.Equal(t, head, w.Root())
		require.Equal(t, uint64(i+1), w.Size())
	}
}

// The example of the specification: a log of 70,000 entries.
func TestLogOf70000EntriesHasTheFilesOfTheSpecification(t *testing.T) {
	root := openRoot(t)
	entries, stored, head := fill(t, root, 0, 70_000, 8)
	require.Equal(t, stored.head(t, 70_000), head)

	want := map[string]string{}
	for _, tl := range tlog.NewTiles(8, 0, 70_000) {
		data, err := tlog.ReadTileData(tl, &stored)
		require.NoError(t, err)
		want[tile.Path(tl.L, uint64(tl.N), tl.W)] = string(data)
	}
	require.Len(t, want, 273+1+1+1+1)
	for n := uint64(0); n*256 < 70_000; n++ {
		var bundle []byte
		some := entries[n*256 : min(70_000, n*256+256)]
		for _, entry := range some {
			bundle, _ = tile.AppendEntry(bundle, entry)
		}
		want[tile.EntriesPath(n, len(some))] = string(bundle)
	}
	got := files(t, root)
	require.Len(t, got, len(want))
	for name, data := range want {
		require.True(t, got[name] == data, name)
	}
	for _, name := range []string{"tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} {
		require.Contains(t, got, name)
	}
}

func TestWriterGoesOnAtEverySize(t *testing.T) {
	const size = 530
	rnd := rand.New(rand.NewPCG(1, 2))
	var entries [][]byte
	var leaves []tlog.Hash
	for i := range uint64(size) {
		entries = append(entries, entry(i, 30))
		leaves = append(leaves, tlog.RecordHash(entries[i]))
	}
	stored := remember(t, leaves)

	whole := openRoot(t) // flushed at every size, so that it has all files that ever were
	w, err := tile.NewWriter(whole, 0)
	require.NoError(t, err)
	defer w.Close()
	for i := range entries {
		require.NoError(t, w.Append(entries[i:i+1], leaves[i:i+1]))
		head, err := w.Flush()
		require.NoError(t, err)
		require.Equal(t, stored.head(t, uint64(i+1)), head)
	}
	all := files(t, whole)

	for s := range uint64(size + 1) {
		root := openRoot(t)
		for name, data := range all {
			level, n, width, err := tile.ParsePath(name)
			require.NoError(t, err)
			count := s >> (8 * max(level, 0))
			switch {
			case n == count/256 && width == int(count%256): // the edge
			case width == 256 && n < count/256: // full
			case rnd.IntN(20) == 0: // of a larger tree: a crash has left half of it
				data = strings.Repeat("garbage", rnd.IntN(30))
			default:
				continue
			}
			require.NoError(t, root.MkdirAll(path.Dir(name), 0o700))
			require.NoError(t, root.WriteFile(name, []byte(data), 0o600))
		}
		w, err := tile.NewWriter(root, s)
		require.NoError(t, err)
		require.Equal(t, s, w.Size())
		require.Equal(t, stored.head(t, s), w.Root())
		require.NoError(t, w.Append(entries[s:], leaves[s:]))
		head, err := w.Flush()
		require.NoError(t, err)
		require.Equal(t, stored.head(t, size), head)
		require.NoError(t, w.Close())
		tree, err := tile.NewTree(root.FS(), size, head)
		require.NoError(t, err)
		for n := range uint64(3) {
			got, err := tree.Bundle(n)
			require.NoError(t, err)
			require.Equal(t, entries[n*256:min(size, n*256+256)], got)
		}
	}
}

func TestWriterGoesOnFromFullTilesWherePartialOnesAreGone(t *testing.T) {
	for _, size := range []uint64{100, 300, 65_536 + 300} {
		root := openRoot(t)
		_, stored, _ := fill(t, root, 0, 66_000, 4)
		w, err := tile.NewWriter(root, size)
		if size>>16 > 0 {
			var d *tile.DamageError // that tile is not full yet
			require.ErrorAs(t, err, &d)
			require.Equal(t, tile.DamageError{Path: "tile/0/257", Problem: tile.Missing, Index: 257 * 256, Err: d.Err}, *d)
			require.ErrorIs(t, err, fs.ErrNotExist)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, stored.head(t, size), w.Root())
		before := files(t, root)
		_, err = w.Flush()
		require.NoError(t, err)
		require.NoError(t, w.Close())
		after := files(t, root)
		missing := tile.Path(0, size/256, int(size%256))
		require.NotContains(t, before, missing)
		require.Len(t, after[missing], int(size%256)*tlog.HashSize)
		require.Contains(t, after, tile.EntriesPath(size/256, int(size%256)))
	}
}

func TestFlushWritesPartialFilesThatAreGoneAndNoOthers(t *testing.T) {
	root := openRoot(t)
	fill(t, root, 0, 300, 8)
	gone := []string{"tile/0/001.p/44", "tile/entries/001.p/44"}
	there := "tile/1/000.p/1"
	data := map[string][]byte{}
	stat := map[string]os.FileInfo{}
	for _, name := range append(gone, there) {
		var err error
		data[name], err = root.ReadFile(name)
		require.NoError(t, err)
		stat[name], err = root.Stat(name)
		require.NoError(t, err)
	}
	flush := func() {
		w, err := tile.NewWriter(root, 300)
		require.NoError(t, err)
		_, err = w.Flush()
		require.NoError(t, err)
		_, err = w.Flush()
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	flush()
	for name, before := range stat {
		after, err := root.Stat(name)
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after), "%s has been written again", name)
	}
	fill(t, root, 300, 512, 8)
	for _, name := range gone { // one at a time: the other is still there
		require.NoError(t, root.Remove(name))
		flush()
		again, err := root.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, data[name], again)
	}
}

func TestWriterRefusesAnEdgeThatIsDamaged(t *testing.T) {
	const size = 70_000
	root := openRoot(t)
	fill(t, root, 0, size, 8)
	for _, name := range []string{"tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"} {
		data, err := root.ReadFile(name)
		require.NoError(t, err)
		level, n, _, err := tile.ParsePath(name)
		require.NoError(t, err)
		for what, change := range map[string]func() error{
			"removed": func() error { return root.Remove(name) },
			"cut":     func() error { return root.WriteFile(name, data[:len(data)-1], 0o600) },
			"longer":  func() error { return root.WriteFile(name, append(data[:len(data):len(data)], 0), 0o600) },
			"empty":   func() error { return root.WriteFile(name, nil, 0o600) },
			"changed": func() error {
				changed := bytes.Clone(data)
				changed[len(data)/2] ^= 1
				return root.WriteFile(name, changed, 0o600)
			},
		} {
			require.NoError(t, change())
			w, err := tile.NewWriter(root, size)
			if what == "changed" && level > 0 {
				require.NoError(t, err) // only the head tells
				require.NotEqual(t, rootOf(t, size), w.Root())
				require.NoError(t, w.Close())
			} else {
				var d *tile.DamageError
				require.ErrorAs(t, err, &d, "%s %s", name, what)
				require.Contains(t, []string{name, tile.Path(level, n, 256), "tile/entries/273.p/112"}, d.Path)
				require.Equal(t, what == "removed", d.Problem == tile.Missing)
			}
			require.NoError(t, root.WriteFile(name, data, 0o600))
		}
	}
}

// rootOf is the head of the log that fill makes with entries of up to 8 bytes more.
func rootOf(t *testing.T, size uint64) tlog.Hash {
	var leaves []tlog.Hash
	for i := range size {
		leaves = append(leaves, tlog.RecordHash(entry(i, 8)))
	}
	stored := remember(t, leaves)
	return stored.head(t, size)
}

func TestAppendRefusesBadInputAndChangesNothing(t *testing.T) {
	root := openRoot(t)
	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	defer w.Close()
	good, hash := []byte("good"), tlog.RecordHash([]byte("good"))
	require.ErrorIs(t, w.Append([][]byte{good}, nil), opsec.ErrInvalid)
	require.ErrorIs(t, w.Append([][]byte{good, make([]byte, tile.MaxEntry+1)}, []tlog.Hash{hash, hash}), opsec.ErrInvalid)
	require.Zero(t, w.Size())
	require.NoError(t, w.Append(nil, nil))
	require.NoError(t, w.Append([][]byte{good}, []tlog.Hash{hash}))
	require.ErrorIs(t, w.Clean(2), opsec.ErrInvalid)
	head, err := w.Flush()
	require.NoError(t, err)
	require.Equal(t, hash, head)

	_, err = tile.NewWriter(root, 1<<62+1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestWriterKeepsNothingOfWhatItIsGiven(t *testing.T) {
	root := openRoot(t)
	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	defer w.Close()
	buf, hashes := make([]byte, 4), make([]tlog.Hash, 1)
	for i := range 256 {
		copy(buf, fmt.Sprintf("%04d", i))
		hashes[0] = tlog.RecordHash(buf)
		require.NoError(t, w.Append([][]byte{buf}, hashes))
	}
	data, err := root.ReadFile("tile/entries/000")
	require.NoError(t, err)
	entries, err := tile.Entries(data, 256)
	require.NoError(t, err)
	for i, e := range entries {
		require.Equal(t, fmt.Sprintf("%04d", i), string(e))
	}
}

func TestWriterIsBrokenAfterAnErrorAndANewOneGoesOn(t *testing.T) {
	root := openRoot(t)
	_, _, _ = fill(t, root, 0, 300, 8)
	w, err := tile.NewWriter(root, 300)
	require.NoError(t, err)
	require.NoError(t, root.Rename("tile/entries", "elsewhere"))
	require.NoError(t, root.WriteFile("tile/entries", nil, 0o600))
	e := entry(300, 8)
	require.NoError(t, w.Append([][]byte{e}, []tlog.Hash{tlog.RecordHash(e)}))
	_, broken := w.Flush()
	require.Error(t, broken)
	require.Equal(t, broken, w.Append(nil, nil))
	require.Equal(t, broken, w.Sync())
	require.Equal(t, broken, w.Clean(0))
	_, err = w.Flush()
	require.Equal(t, broken, err)
	require.NoError(t, w.Close())

	require.NoError(t, root.Remove("tile/entries"))
	require.NoError(t, root.Rename("elsewhere", "tile/entries"))
	_, _, head := fill(t, root, 300, 301, 8)
	require.Equal(t, rootOf(t, 301), head)
}

// Prune takes empty directories away, also such as a Writer has just been in.
func TestWriterMakesDirectoriesThatHaveGone(t *testing.T) {
	root := openRoot(t)
	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	defer w.Close()
	grow := func(n int) {
		for range n {
			e := entry(w.Size(), 8)
			require.NoError(t, w.Append([][]byte{e}, []tlog.Hash{tlog.RecordHash(e)}))
		}
		_, err := w.Flush()
		require.NoError(t, err)
	}
	grow(256)
	require.NoError(t, root.RemoveAll("tile/entries"))
	grow(300)
	_, err = root.Stat("tile/entries/001")
	require.NoError(t, err)
	_, err = root.Stat("tile/entries/002.p/44")
	require.NoError(t, err)
}

func TestClosedWriterDoesNothing(t *testing.T) {
	w, err := tile.NewWriter(openRoot(t), 0)
	require.NoError(t, err)
	require.NoError(t, w.Sync())
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Append(nil, nil), fs.ErrClosed)
	require.ErrorIs(t, w.Sync(), fs.ErrClosed)
}

func TestReadersSeeWholeFilesOnly(t *testing.T) {
	root := openRoot(t)
	const size = 800
	done := make(chan struct{})
	var readers sync.WaitGroup
	for k := range 2 {
		readers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(k), 0))
			for {
				select {
				case <-done:
					return
				default:
				}
				n, width := rnd.Uint64N(size/256+1), 1+rnd.IntN(256)
				if rnd.IntN(2) == 0 {
					width = 256
				}
				hashes, err := root.ReadFile(tile.Path(0, n, width))
				if err == nil && len(hashes) != width*tlog.HashSize {
					t.Errorf("%s has %d bytes", tile.Path(0, n, width), len(hashes))
				}
				bundle, err := root.ReadFile(tile.EntriesPath(n, width))
				if err == nil {
					if _, err := tile.Entries(bundle, width); err != nil {
						t.Errorf("%s: %v", tile.EntriesPath(n, width), err)
					}
				}
			}
		})
	}
	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	defer w.Close()
	for i := range uint64(size) {
		e := entry(i, 3_000)
		require.NoError(t, w.Append([][]byte{e}, []tlog.Hash{tlog.RecordHash(e)}))
		_, err := w.Flush()
		require.NoError(t, err)
	}
	close(done)
	readers.Wait()
	for name := range files(t, root) {
		require.NotContains(t, name, ".new")
	}
}

func TestCleanRemovesWhatFullFilesHaveSuperseded(t *testing.T) {
	root := openRoot(t)
	w, err := tile.NewWriter(root, 0)
	require.NoError(t, err)
	var leaves []tlog.Hash
	grow := func(to uint64) {
		for i := uint64(len(leaves)); i < to; i++ {
			leaves = append(leaves, tlog.RecordHash(entry(i, 8)))
			require.NoError(t, w.Append([][]byte{entry(i, 8)}, leaves[i:]))
		}
		_, err := w.Flush()
		require.NoError(t, err)
	}
	for _, size := range []uint64{1, 100, 255, 256, 300, 511, 513, 700} {
		grow(size)
	}
	partial := func() (names []string) {
		for name := range files(t, root) {
			if strings.Contains(name, ".p/") {
				names = append(names, name)
			}
		}
		return names
	}
	all := len(partial())
	require.NoError(t, w.Clean(255))
	require.Len(t, partial(), all, "none is superseded at that size")
	require.NoError(t, w.Clean(300))
	for _, name := range partial() {
		require.NotContains(t, name, "0/000.p/")
		require.NotContains(t, name, "entries/000.p/")
	}
	require.Contains(t, partial(), "tile/0/001.p/44", "the published size is readable")
	require.Contains(t, partial(), "tile/1/000.p/1")
	require.NoError(t, w.Close())

	w, err = tile.NewWriter(root, 700) // it finds what the one before has left
	require.NoError(t, err)
	require.NoError(t, w.Clean(700))
	require.ElementsMatch(t, []string{
		"tile/0/002.p/1", "tile/0/002.p/188", "tile/entries/002.p/1", "tile/entries/002.p/188", "tile/1/000.p/1", "tile/1/000.p/2",
	}, partial())
	require.NoError(t, w.Clean(700))

	stored := remember(t, leaves)
	for _, size := range []uint64{1, 255, 300, 700} { // older trees are read from full tiles
		tree, err := tile.NewTree(root.FS(), size, stored.head(t, size))
		require.NoError(t, err)
		_, err = tree.Entry(size - 1)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	root := openRoot(t)
	fill(t, root, 0, 300, 8)
	require.NoError(t, fs.WalkDir(root.FS(), "tile", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		st, err := d.Info()
		require.NoError(t, err)
		require.Zero(t, st.Mode().Perm()&0o077, name)
		return nil
	}))
}

func TestPruneRemovesBundlesWhollyBelow(t *testing.T) {
	root := openRoot(t)
	const size = 70_000
	entries, stored, head := fill(t, root, 0, size, 8)
	w, err := tile.NewWriter(root, 0) // some leftovers, in number 3
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, root.Mkdir("tile/entries/003.p", 0o700))
	require.NoError(t, root.WriteFile("tile/entries/003.p/1", nil, 0o600))
	require.NoError(t, root.Mkdir("tile/entries/x001", 0o700))
	require.NoError(t, root.WriteFile("tile/entries/notes.txt", nil, 0o600))
	before := files(t, root)

	require.NoError(t, tile.Prune(root, 255))
	require.Equal(t, before, files(t, root), "bundle 0 has an entry that stays")
	require.NoError(t, tile.Prune(root, 5*256+255))
	after := files(t, root)
	for name, data := range before {
		level, n, _, err := tile.ParsePath(name)
		if err == nil && level == tile.LevelEntries && n < 5 {
			require.NotContains(t, after, name)
		} else {
			require.Equal(t, data, after[name], name)
		}
	}
	require.Len(t, after, len(before)-6)
	require.NoError(t, tile.Prune(root, 5*256), "once more")

	tree, err := tile.NewTree(root.FS(), size, head)
	require.NoError(t, err)
	_, err = tree.Entry(5*256 - 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
	e, err := tree.Entry(5 * 256)
	require.NoError(t, err)
	require.Equal(t, entries[5*256], e)
	proof, err := tree.Prove(3)
	require.NoError(t, err)
	require.NoError(t, tlog.CheckRecord(proof, size, head, 3, tlog.RecordHash(entries[3])))
	require.Equal(t, stored.head(t, size), head)
	require.NoError(t, tile.Prune(openRoot(t), 1000), "an empty log has nothing to prune")
}

func TestPruneOfManyBundles(t *testing.T) {
	root := openRoot(t)
	paths := []uint64{0, 999, 1000, 1500, 1999, 2000, 2001, 999_999, 1_000_000, 1_000_999, 1_001_000, 1_234_067, 2_000_000}
	for _, n := range paths {
		require.NoError(t, root.MkdirAll(path.Dir(tile.EntriesPath(n, 256)), 0o700))
		require.NoError(t, root.WriteFile(tile.EntriesPath(n, 256), nil, 0o600))
	}
	for _, limit := range []uint64{1, 1000, 1500, 2000, 2001, 1_000_000, 1_000_500, 1_234_067, 3_000_000} {
		require.NoError(t, tile.Prune(root, limit*256))
		var want []string
		for _, n := range paths {
			if n >= limit {
				want = append(want, tile.EntriesPath(n, 256))
			}
		}
		var got []string
		for name := range files(t, root) {
			got = append(got, name)
		}
		require.ElementsMatch(t, want, got, "below %d", limit)
	}
	_, err := root.Stat("tile/entries/x001")
	require.ErrorIs(t, err, fs.ErrNotExist, "directories that are empty go too")

	require.NoError(t, root.Mkdir("tile/entries/x001", 0o700))
	require.NoError(t, tile.Prune(root, 1_999*256))
	_, err = root.Stat("tile/entries/x001")
	require.NoError(t, err, "bundle 1,999 is still to come")
}

func ExampleWriter() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	root, _ := os.OpenRoot(dir)
	defer root.Close()

	w, _ := tile.NewWriter(root, 0)
	for i := range 257 {
		entry := fmt.Appendf(nil, "entry %d", i)
		w.Append([][]byte{entry}, []tlog.Hash{tlog.RecordHash(entry)})
	}
	head, _ := w.Flush()
	w.Sync()
	fmt.Println(w.Size(), base64.StdEncoding.EncodeToString(head[:]))
	fs.WalkDir(root.FS(), "tile", func(name string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			fmt.Println(name)
		}
		return err
	})
	w.Close()
	// Output:
	// 257 XB/f6DU1gCLyOS3keNvgU/wTDP4dOggoeakM9r8Uv34=
	// tile/0/000
	// tile/0/001.p/1
	// tile/1/000.p/1
	// tile/entries/000
	// tile/entries/001.p/1
}
