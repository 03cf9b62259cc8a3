package translog_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
	"github.com/cloudopsec/opsec/internal/race"
)

// load reads a directory into memory.
func load(t testing.TB, dir string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		m[filepath.ToSlash(name)] = &fstest.MapFile{Data: data}
		return err
	}))
	return m
}

// store is the inverse of load.
func store(t testing.TB, dir string, m fstest.MapFS) {
	t.Helper()
	require.NoError(t, os.RemoveAll(dir))
	for name, f := range m {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, f.Data, 0o600))
	}
}

// dispensable are files that a log may lack, or that hold nothing yet.
func dispensable(name string, size uint64) bool {
	if strings.HasPrefix(name, "index/") || name == "journal/next.seg" || name == "journal/reserve" || name == "savepoint" {
		return true
	}
	level, n, width, err := tile.ParsePath(name)
	if err != nil || width == tile.Width {
		return false
	}
	for ; level > 0; level-- {
		size /= tile.Width
	}
	return n != size/tile.Width || uint64(width) != size%tile.Width // superseded
}

func TestEveryChangeIsFound(t *testing.T) {
	k := newKit(t)
	k.policy.SegmentBytes = 64 << 10
	l := k.open()
	for n := range 150 {
		k.append(l, opsec.TenantID(fmt.Sprintf("t%d", n%3)), "eve", n)
	}
	settle(t, l)
	require.NoError(t, l.stop())
	older := load(t, k.dir)
	l = k.open()
	for n := range 150 {
		k.append(l, opsec.TenantID(fmt.Sprintf("t%d", n%4)), "mallory", n)
	}
	require.NoError(t, l.stop())
	good := load(t, k.dir)
	r := k.sound()
	names := slices.Sorted(maps.Keys(good))
	rng := rand.New(rand.NewPCG(1, uint64(os.Getpid())))
	files := 10_000
	if race.Enabled || testing.Short() {
		files = 1000
	}
	for i := range files {
		bad := maps.Clone(good)
		name := names[rng.IntN(len(names))]
		data := bytes.Clone(good[name].Data)
		what := ""
		switch kind := rng.IntN(8); {
		case kind <= 2 && len(data) > 0:
			at := rng.IntN(len(data))
			data[at] ^= byte(1 + rng.IntN(255))
			what = fmt.Sprintf("byte %d of %s", at, name)
		case kind == 3:
			if dispensable(name, r.Size) {
				continue
			}
			delete(bad, name)
			what = "deletion of " + name
		case kind == 4 && len(data) > 0:
			if dispensable(name, r.Size) && strings.HasPrefix(name, "journal/") {
				continue
			}
			data = data[:rng.IntN(len(data))]
			what = fmt.Sprintf("%s cut to %d", name, len(data))
		case kind == 5:
			other := names[rng.IntN(len(names))]
			bad[other] = &fstest.MapFile{Data: data}
			data = good[other].Data
			what = "swap of " + name + " and " + other
		case kind == 6 && older[name] != nil && name != "savepoint": // an older savepoint is true, and replays more
			data = older[name].Data
			what = "replay of " + name
		case kind == 7 && len(data) > 2:
			from, to := rng.IntN(len(data)), rng.IntN(len(data))
			n := min(rng.IntN(400)+1, len(data)-max(from, to))
			copy(data[to:to+n], good[name].Data[from:from+n])
			what = fmt.Sprintf("%d bytes of %s at %d copied to %d", n, name, from, to)
		default:
			continue
		}
		if bad[name] != nil {
			bad[name] = &fstest.MapFile{Data: data}
		}
		if same(bad, good) {
			continue
		}
		got, err := verify.Log(context.Background(), bad, k.policy.Trust, verify.Options{})
		require.True(t, err != nil || !got.OK, "%d: not found: %s", i, what)
	}
}

func same(a, b fstest.MapFS) bool {
	return maps.EqualFunc(a, b, func(x, y *fstest.MapFile) bool { return bytes.Equal(x.Data, y.Data) })
}

func TestOpenRefusesWhatWasChangedBehindACheckpoint(t *testing.T) {
	k := newKit(t)
	l := k.open()
	for n := range 300 {
		k.append(l, "acme", "eve", n)
	}
	require.NoError(t, l.stop())
	good := load(t, k.dir)
	for _, name := range slices.Sorted(maps.Keys(good)) {
		// The index is made again, superseded tiles are read by nobody, and next and reserve hold nothing.
		if dispensable(name, 302) && name != "savepoint" || strings.HasPrefix(name, "tile/") {
			continue
		}
		for range 20 {
			bad := maps.Clone(good)
			data := bytes.Clone(good[name].Data)
			end := len(data)
			if strings.HasSuffix(name, ".seg") {
				end = 64 + bytes.LastIndexFunc(data[64:], func(r rune) bool { return r != 0 }) // behind it is room
			}
			data[rand.IntN(end)] ^= 0x10
			bad[name] = &fstest.MapFile{Data: data}
			store(t, k.dir, bad)
			l, err := translog.Open(k.dir, k.policy, k.opts)
			if err == nil {
				l.Close(context.Background())
			}
			require.Error(t, err, name)
			require.ErrorIs(t, err, translog.ErrTampered, name)
		}
	}
	store(t, k.dir, good)
	require.NoError(t, k.open().stop())
}

func TestDirectoryPutBackIsFoundByWhoHasNoted(t *testing.T) {
	k := newKit(t)
	l := k.open()
	k.append(l, "acme", "eve", 1)
	settle(t, l)
	require.NoError(t, l.stop())
	before := load(t, k.dir)
	l = k.open()
	k.append(l, "acme", "eve", 2)
	settle(t, l)
	noted := l.Checkpoint()
	require.NoError(t, l.stop())
	store(t, k.dir, before)

	k.sound() // by itself it is a good log
	r, err := verify.Log(t.Context(), os.DirFS(k.dir), k.policy.Trust, verify.Options{Noted: [][]byte{noted}})
	require.NoError(t, err)
	require.False(t, r.OK)
	require.Equal(t, "rollback", r.Findings[0].Part)
	k.opts.Noted = [][]byte{noted}
	_, err = translog.Open(k.dir, k.policy, k.opts)
	require.ErrorIs(t, err, translog.ErrTampered)

	// A log that goes on from there is another one, however long it grows.
	k.opts.Noted = nil
	l = k.open()
	for n := range 20 {
		k.append(l, "acme", "mallory", n)
	}
	require.NoError(t, l.stop())
	r, err = verify.Log(t.Context(), os.DirFS(k.dir), k.policy.Trust, verify.Options{Noted: [][]byte{noted}})
	require.NoError(t, err)
	require.False(t, r.OK)
	k.opts.Noted = [][]byte{noted}
	_, err = translog.Open(k.dir, k.policy, k.opts)
	require.ErrorIs(t, err, translog.ErrTampered)
}
