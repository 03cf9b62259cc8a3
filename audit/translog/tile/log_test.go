package tile_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/tile"
)

func openRoot(t testing.TB) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

// entry is the i-th entry of all logs of these tests: it begins with its index and has, besides, up to so many bytes.
func entry(i uint64, length int) []byte {
	rnd := rand.New(rand.NewPCG(i, 0))
	b := fmt.Appendf(nil, "%d:", i)
	for range rnd.IntN(length + 1) {
		b = append(b, byte(rnd.Uint32()))
	}
	return b
}

// fill appends entries to a log of the size from, in batches of changing length, and flushes; it returns them, their
// stored hashes and the head.
func fill(t testing.TB, root *os.Root, from, size uint64, length int) (entries [][]byte, stored memory, head tlog.Hash) {
	t.Helper()
	w, err := tile.NewWriter(root, from)
	require.NoError(t, err)
	defer w.Close()
	var hashes []tlog.Hash
	for i := from; i < size; i++ {
		entries = append(entries, entry(i, length))
		hashes = append(hashes, tlog.RecordHash(entries[i-from]))
	}
	for at, step := 0, 1; at < len(entries); step = step*3%1021 + 1 {
		end := min(len(entries), at+step)
		require.NoError(t, w.Append(entries[at:end], hashes[at:end]))
		at = end
	}
	head, err = w.Flush()
	require.NoError(t, err)
	require.Equal(t, size, w.Size())
	if from == 0 {
		stored = remember(t, hashes)
	}
	return entries, stored, head
}

// memory is a log's hashes as golang.org/x/mod stores them.
type memory []tlog.Hash

func remember(t testing.TB, leaves []tlog.Hash) (m memory) {
	for i, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, &m)
		require.NoError(t, err)
		m = append(m, more...)
	}
	return m
}

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = (*m)[x]
	}
	return out, nil
}

// head is the tree's head at a size, as golang.org/x/mod computes it.
func (m *memory) head(t testing.TB, size uint64) tlog.Hash {
	t.Helper()
	head, err := tlog.TreeHash(int64(size), m)
	require.NoError(t, err)
	return head
}

// files reads all files of a directory.
func files(t testing.TB, root *os.Root) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := root.ReadFile(path)
		all[path] = string(data)
		return err
	}))
	return all
}
