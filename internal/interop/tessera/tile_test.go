// Package tessera_test compares the tiles of audit/translog/tile with those of Tessera, and has Tessera's tools read ours.
package tessera_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/tile"
)

const origin = "example.com/interop"

// sizes are where tiles begin and end, up to the second level.
var sizes = []uint64{1, 2, 3, 255, 256, 257, 511, 512, 513, 1_000, 65_535, 65_536, 65_537, 65_536 + 259}

// key returns a new key pair of the log.
func key(t *testing.T) (note.Signer, note.Verifier) {
	t.Helper()
	secret, public, err := note.GenerateKey(nil, origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	verifier, err := note.NewVerifier(public)
	require.NoError(t, err)
	return signer, verifier
}

// ours is a log that our Writer keeps.
type ours struct {
	dir    string
	root   *os.Root
	writer *tile.Writer
	heads  map[uint64]tlog.Hash
}

func newOurs(t *testing.T) *ours {
	t.Helper()
	o := &ours{dir: t.TempDir(), heads: map[uint64]tlog.Hash{}}
	var err error
	o.root, err = os.OpenRoot(o.dir)
	require.NoError(t, err)
	t.Cleanup(func() { o.root.Close() })
	o.writer, err = tile.NewWriter(o.root, 0)
	require.NoError(t, err)
	t.Cleanup(func() { o.writer.Close() })
	return o
}

// publish appends entries and signs a checkpoint.
func (o *ours) publish(t *testing.T, signer note.Signer, entries [][]byte) {
	t.Helper()
	var hashes []tlog.Hash
	for _, entry := range entries {
		hashes = append(hashes, tlog.RecordHash(entry))
	}
	require.NoError(t, o.writer.Append(entries, hashes))
	head, err := o.writer.Flush()
	require.NoError(t, err)
	require.NoError(t, o.writer.Sync())
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", origin, o.writer.Size(), head)}, signer)
	require.NoError(t, err)
	require.NoError(t, o.root.WriteFile("checkpoint", signed, 0o600))
	o.heads[o.writer.Size()] = head
	require.NoError(t, o.writer.Clean(o.writer.Size()))
}

func entry(i int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(i), 1))
	b := fmt.Appendf(nil, "entry %d ", i)
	for range rnd.IntN(60) {
		b = append(b, byte(rnd.Uint32()))
	}
	return b
}

// Every file that Tessera's POSIX driver has at a size, ours has too, byte by byte; and ours has no others.
func TestTilesAreThoseOfTessera(t *testing.T) {
	signer, _ := key(t)
	theirs := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: theirs})
	require.NoError(t, err)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).WithCheckpointInterval(time.Second).WithBatching(2_048, 10*time.Millisecond))
	require.NoError(t, err)

	o := newOurs(t)
	for _, size := range sizes {
		var futures []tessera.IndexFuture
		for i := o.writer.Size(); i < size; i++ {
			futures = append(futures, appender.Add(ctx, tessera.NewEntry(entry(int(i)))))
		}
		for _, future := range futures {
			_, err := future()
			require.NoError(t, err)
		}
		integrated, err := reader.IntegratedSize(ctx)
		require.NoError(t, err)
		require.Equal(t, size, integrated)

		// Tessera orders a batch as it likes: its order counts.
		var entries [][]byte
		for i := o.writer.Size(); i < size; i++ {
			n := i / tile.Width
			width := int(min(tile.Width, size-n*tile.Width))
			bundle, err := os.ReadFile(filepath.Join(theirs, tile.EntriesPath(n, width)))
			require.NoError(t, err)
			all, err := tile.Entries(bundle, width)
			require.NoError(t, err)
			entries = append(entries, all[i%tile.Width:]...)
			i = n*tile.Width + uint64(width) - 1
		}
		o.publish(t, signer, entries)

		for name, data := range current(t, o.dir, size) {
			their, err := os.ReadFile(filepath.Join(theirs, name))
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, their), "%s at size %d", name, size)
		}
		require.Equal(t, names(current(t, theirs, size)), names(current(t, o.dir, size)))
	}
	require.NoError(t, shutdown(ctx))
}

// current reads the files of a log that belong to the tree of a size: no partial ones of smaller sizes.
func current(t *testing.T, dir string, size uint64) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), "tile", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() {
			return nil
		}
		level, n, width, err := tile.ParsePath(name)
		require.NoError(t, err, "a file of another layout")
		if width < tile.Width && n*tile.Width+uint64(width) != size>>(8*max(level, 0)) {
			return nil
		}
		found[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	}))
	return found
}

func names(files map[string][]byte) map[string]bool {
	all := map[string]bool{}
	for name := range files {
		all[name] = true
	}
	return all
}

// Tessera's fsck and its client read our directory, and our Handler, as they read a log of Tessera; the client's proofs are
// ours.
func TestTesseraReadsOurLog(t *testing.T) {
	signer, verifier := key(t)
	o := newOurs(t)
	handler, err := tile.Handler(o.root.FS(), tile.HandlerOptions{InsecureEntries: true})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	base, err := url.Parse(server.URL + "/")
	require.NoError(t, err)
	overHTTP, err := client.NewHTTPFetcher(base, server.Client())
	require.NoError(t, err)

	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range sizes {
		var entries [][]byte
		for i := o.writer.Size(); i < size; i++ {
			entries = append(entries, entry(int(i)))
		}
		o.publish(t, signer, entries)
		for how, fetcher := range map[string]fsck.Fetcher{"files": client.FileFetcher{Root: o.dir}, "HTTP": overHTTP} {
			require.NoError(t, fsck.New(origin, verifier, fetcher, leafHashes, fsck.Opts{N: 2}).Check(t.Context()), "%s, %d", how, size)
			checkpoint, _, _, err := client.FetchCheckpoint(t.Context(), fetcher.ReadCheckpoint, verifier, origin)
			require.NoError(t, err)
			require.Equal(t, size, checkpoint.Size)
			head := o.heads[size]
			require.Equal(t, head[:], checkpoint.Hash)

			proofs, err := client.NewProofBuilder(t.Context(), size, fetcher.ReadTile)
			require.NoError(t, err)
			tree, err := tile.NewTree(o.root.FS(), size, head)
			require.NoError(t, err)
			for range 20 {
				i := rnd.Uint64N(size)
				theirs, err := proofs.InclusionProof(t.Context(), i)
				require.NoError(t, err)
				proof, err := tree.Prove(i)
				require.NoError(t, err)
				same(t, proof, theirs)
				bundle, err := client.GetEntryBundle(t.Context(), fetcher.ReadEntryBundle, i/tile.Width, size)
				require.NoError(t, err)
				require.Equal(t, entry(int(i)), bundle.Entries[i%tile.Width])
			}
			for old := range o.heads {
				theirs, err := proofs.ConsistencyProof(t.Context(), old, size)
				require.NoError(t, err)
				proof, err := tree.ProveConsistency(old)
				require.NoError(t, err)
				same(t, proof, theirs)
			}
		}
	}

	// It would say so if something were wrong. (A worker ends with the error that it finds: two, for one error.)
	name := filepath.Join(o.dir, tile.Path(0, 17, tile.Width))
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	data[100] ^= 1
	require.NoError(t, os.WriteFile(name, data, 0o600))
	require.Error(t, fsck.New(origin, verifier, client.FileFetcher{Root: o.dir}, leafHashes, fsck.Opts{N: 2}).Check(t.Context()))
}

func same(t *testing.T, ours []tlog.Hash, theirs [][]byte) {
	t.Helper()
	require.Len(t, theirs, len(ours))
	for i, h := range ours {
		require.Equal(t, theirs[i], h[:])
	}
}

// leafHashes is what fsck takes for a bundle, whose width it does not tell.
func leafHashes(bundle []byte) ([][]byte, error) {
	for width := range tile.Width {
		if entries, err := tile.Entries(bundle, width+1); err == nil {
			var hashes [][]byte
			for _, entry := range entries {
				h := tlog.RecordHash(entry)
				hashes = append(hashes, h[:])
			}
			return hashes, nil
		}
	}
	return nil, fmt.Errorf("a bundle of %d bytes cannot be taken apart", len(bundle))
}

// A Tree of ours reads a log that Tessera has written.
func TestOurTreeReadsTesserasLog(t *testing.T) {
	signer, verifier := key(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	require.NoError(t, err)
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).WithCheckpointInterval(time.Second).WithBatching(512, 10*time.Millisecond))
	require.NoError(t, err)
	const size = 700
	at := map[uint64][]byte{}
	for i := range size {
		future := appender.Add(ctx, tessera.NewEntry(entry(i)))
		if i%50 == 0 || i == size-1 {
			index, err := future()
			require.NoError(t, err)
			at[index.Index] = entry(i)
		}
	}
	require.NoError(t, shutdown(ctx))

	checkpoint, _, _, err := client.FetchCheckpoint(ctx, client.FileFetcher{Root: dir}.ReadCheckpoint, verifier, origin)
	require.NoError(t, err)
	require.Equal(t, uint64(size), checkpoint.Size)
	tree, err := tile.NewTree(os.DirFS(dir), size, tlog.Hash(checkpoint.Hash))
	require.NoError(t, err)
	for i, want := range at {
		got, err := tree.Entry(i)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	verify, err := tile.NewVerifier(os.DirFS(dir), size, 0, func(d *tile.DamageError) { t.Error(d) })
	require.NoError(t, err)
	require.NoError(t, verify.Skip(size))
	head, err := verify.Finish()
	require.NoError(t, err)
	require.Equal(t, checkpoint.Hash, head[:])
}
