package translog_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/stretchr/testify/require"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// A small log, of partial tiles, and one that goes into the second level of tiles; both were stopped and opened again.
func TestOthersReadTheLog(t *testing.T) {
	for name, events := range map[string]int{"small": 9, "large": 1<<16 + 300} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			l := k.run()
			require.NoError(t, write(t.Context(), l, 0, events/3, 700))
			settle(t, l)
			before := l.Checkpoint()
			require.NoError(t, l.stop())
			l = k.run()
			require.NoError(t, write(t.Context(), l, events/3, events-events/3, 700))
			settle(t, l)
			proofsOf(t, k, l, events)
			server := serve(t, l)
			tesseraReads(t, overHTTP(t, server))
			torchwoodReads(t, server.URL)
			require.NoError(t, l.stop())

			r := k.verify(verify.Options{})
			require.True(t, r.OK, "%v", r.Findings)
			require.GreaterOrEqual(t, r.Size, uint64(events))
			require.Equal(t, min(events, 6), r.Tenants)
			size := tesseraReads(t, client.FileFetcher{Root: k.dir})
			require.Equal(t, r.Size, size)
			tlogReads(t, os.DirFS(k.dir), before, events)
			tesseraWrites(t, k.dir, size)
		})
	}
}

func serve(t *testing.T, l *running) *httptest.Server {
	t.Helper()
	handler, err := l.Handler(tile.HandlerOptions{Entries: func(r *http.Request) error {
		if r.Method != http.MethodGet {
			return errors.New("entries are to be read")
		}
		return nil
	}})
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func overHTTP(t *testing.T, server *httptest.Server) fsck.Fetcher {
	t.Helper()
	base, err := url.Parse(server.URL + "/")
	require.NoError(t, err)
	fetcher, err := client.NewHTTPFetcher(base, server.Client())
	require.NoError(t, err)
	return fetcher
}

// theirLeaves takes a bundle apart and hashes it with nothing of ours.
func theirLeaves(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, leaf := range b.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(leaf))
	}
	return hashes, nil
}

// tesseraReads has fsck read the log, and the client some entries and their proofs. It returns the size.
func tesseraReads(t *testing.T, f fsck.Fetcher) uint64 {
	t.Helper()
	require.NoError(t, fsck.New(origin, theirVerifier(t), f, theirLeaves, fsck.Opts{N: 2}).Check(t.Context()))
	c, _, _, err := client.FetchCheckpoint(t.Context(), f.ReadCheckpoint, theirVerifier(t), origin)
	require.NoError(t, err)
	proofs, err := client.NewProofBuilder(t.Context(), c.Size, f.ReadTile)
	require.NoError(t, err)
	for range 30 {
		i := rand.Uint64N(c.Size)
		bundle, err := client.GetEntryBundle(t.Context(), f.ReadEntryBundle, i/layout.EntryBundleWidth, c.Size)
		require.NoError(t, err)
		hashes, err := proofs.InclusionProof(t.Context(), i)
		require.NoError(t, err)
		var proof tlog.RecordProof
		for _, h := range hashes {
			proof = append(proof, tlog.Hash(h))
		}
		leaf := bundle.Entries[i%layout.EntryBundleWidth]
		require.NoError(t, tlog.CheckRecord(proof, int64(c.Size), tlog.Hash(c.Hash), int64(i), tlog.RecordHash(leaf)))
	}
	return c.Size
}

// torchwoodReads has torchwood's client read every entry.
func torchwoodReads(t *testing.T, base string) {
	t.Helper()
	fetcher, err := torchwood.NewTileFetcher(base, torchwood.WithConcurrencyLimit(4))
	require.NoError(t, err)
	signed, err := fetcher.ReadEndpoint(t.Context(), "checkpoint")
	require.NoError(t, err)
	c, _, err := torchwood.VerifyCheckpoint(signed, torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(theirVerifier(t))))
	require.NoError(t, err)
	reader, err := torchwood.NewClient(fetcher)
	require.NoError(t, err)
	next := int64(0)
	for i, leaf := range reader.AllEntries(t.Context(), c.Tree, 0) {
		require.Equal(t, next, i)
		next++
		if i%1000 == 0 {
			_, err := entry.Parse(leaf)
			require.NoError(t, err)
		}
	}
	require.NoError(t, reader.Err())
	require.Equal(t, c.N, next)
}

// tesseraWrites feeds Tessera's POSIX driver the same leaves, and compares every file.
func tesseraWrites(t *testing.T, dir string, size uint64) {
	t.Helper()
	theirs := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: theirs})
	require.NoError(t, err)
	const batch = 8 << 10
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(newSigner(t)).WithCheckpointInterval(time.Second).WithBatching(batch, 20*time.Millisecond))
	require.NoError(t, err)
	var futures []tessera.IndexFuture
	add := func() {
		for i, future := range futures {
			index, err := future()
			require.NoError(t, err)
			require.Zero(t, index.Index%batch-uint64(i), "Tessera has kept the order")
		}
		futures = nil
	}
	for n := range (size + tile.Width - 1) / tile.Width {
		bundle, err := client.GetEntryBundle(ctx, client.FileFetcher{Root: dir}.ReadEntryBundle, n, size)
		require.NoError(t, err)
		for _, leaf := range bundle.Entries {
			futures = append(futures, appender.Add(ctx, tessera.NewEntry(leaf)))
		}
		if len(futures) == batch {
			add()
		}
	}
	add()
	require.NoError(t, shutdown(ctx))
	integrated, err := reader.IntegratedSize(ctx)
	require.NoError(t, err)
	require.Equal(t, size, integrated)

	compared := 0
	for name, data := range tiles(t, theirs) {
		level, n, width, err := tile.ParsePath(name)
		require.NoError(t, err)
		if width < tile.Width && n*tile.Width+uint64(width) != size>>(8*max(level, 0)) {
			continue // of a smaller tree
		}
		ours, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, data, ours, name)
		compared++
	}
	require.GreaterOrEqual(t, compared, 2)
	for name := range tiles(t, dir) {
		if !strings.Contains(name, ".p/") {
			require.FileExists(t, filepath.Join(theirs, name), "a full tile that Tessera does not have")
		}
	}
}

func tiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), "tile", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	}))
	return found
}

// Tessera's fsck reads a log that is being written, whose partial tiles come and go.
func TestTesseraReadsALogThatGrows(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes = 256 << 10 // a savepoint every few hundred events
	l := k.run()
	require.NoError(t, write(t.Context(), l, 0, 100, 700))
	settle(t, l)
	server := serve(t, l)
	grown := make(chan error, 1)
	go func() { grown <- write(t.Context(), l, 100, 3_000, 30) }()
	sizes := map[uint64]bool{}
	for more := true; more; {
		select {
		case err := <-grown:
			require.NoError(t, err)
			more = false
		default:
		}
		sizes[tesseraReads(t, overHTTP(t, server))] = true
	}
	require.Greater(t, len(sizes), 1)
	settle(t, l)
	tesseraReads(t, overHTTP(t, server))
	require.NoError(t, l.stop())
	full, err := filepath.Glob(filepath.Join(k.dir, "tile/0/???"))
	require.NoError(t, err)
	partial, err := filepath.Glob(filepath.Join(k.dir, "tile/0/*.p"))
	require.NoError(t, err)
	require.Less(t, len(partial), len(full), "none of the partial tiles went")
}
