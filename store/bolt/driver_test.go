package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
)

// TestMain lets the test binary be a process that opens a store, or that commits until it is killed.
func TestMain(m *testing.M) {
	path := os.Getenv("BOLT_TEST_PATH")
	switch {
	case crashtest.Child(openPlace):
	case os.Getenv("BOLT_TEST") == "open":
		d, err := bolt.Open(path, nil)
		fmt.Println(errors.Is(err, bolt.ErrInUse), err)
		if err == nil {
			d.Close()
		}
	default:
		os.Exit(m.Run())
	}
}

// process is the test binary as something else.
func process(t *testing.T, what, path string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), "BOLT_TEST="+what, "BOLT_TEST_PATH="+path, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func open(t testing.TB, path string) *bolt.Driver {
	t.Helper()
	d, err := bolt.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func put(t testing.TB, d store.Driver, key, value string) store.Rev {
	t.Helper()
	rev, err := d.Commit(context.Background(), store.Batch{Ops: []store.Op{{Key: key, Value: []byte(value)}}})
	require.NoError(t, err)
	require.NotZero(t, rev)
	return rev
}

func get(t testing.TB, d store.Driver, key string) store.Item {
	t.Helper()
	got, err := d.Get(context.Background(), key)
	require.NoError(t, err)
	return got[0]
}

// names are what a directory holds.
func names(t testing.TB, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWhatIsWrittenIsReadAfterReopening(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	d := open(t, path)
	require.Equal(t, []string{"state"}, names(t, dir), "no temporary file is left behind")
	rev := put(t, d, "k", "v")
	put(t, d, "empty", "")
	require.NoError(t, d.Close())
	d = open(t, path)
	got, err := d.Get(t.Context(), "k", "absent", "empty", "k")
	require.NoError(t, err)
	k := store.Item{Key: "k", Value: []byte("v"), Rev: rev}
	require.Equal(t, []store.Item{k, {Key: "absent"}, {Key: "empty", Value: []byte{}, Rev: rev + 1}, k}, got)
	require.NoError(t, d.Check(t.Context()))
	require.Greater(t, put(t, d, "k", "w"), rev+1, "no revision is used twice")
}

func TestNewFileHasItsMode(t *testing.T) {
	for want, o := range map[fs.FileMode]*bolt.Options{0o600: nil, 0o640: {Mode: 0o640}, 0o666: {Mode: 0o666}} {
		path := filepath.Join(t.TempDir(), "state")
		d, err := bolt.Open(path, o)
		require.NoError(t, err)
		require.NoError(t, d.Close())
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), "whatever the umask")
	}
}

func TestOneFileIsOpenOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	d := open(t, path)
	put(t, d, "k", "v")
	require.NoError(t, os.Symlink(path, filepath.Join(dir, "symlink")))
	require.NoError(t, os.Link(path, filepath.Join(dir, "hardlink")))
	for _, name := range []string{"state", "symlink", "hardlink"} {
		t.Run(name, func(t *testing.T) {
			other := filepath.Join(dir, name)
			_, err := bolt.Open(other, nil)
			require.ErrorIs(t, err, bolt.ErrInUse)
			require.ErrorContains(t, err, other)
			out, err := process(t, "open", other).CombinedOutput()
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("true %v: %s\n", bolt.ErrInUse, other), string(out))
		})
	}
	put(t, d, "k", "w")
	require.NoError(t, d.Close())
	out, err := process(t, "open", path).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "false <nil>\n", string(out), "Close lets go of it")
	d = open(t, filepath.Join(dir, "hardlink"))
	require.Equal(t, "w", string(get(t, d, "k").Value))
}

// foreign makes a bbolt file of another program.
func foreign(t *testing.T, path string, buckets ...string) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Close())
}

func TestWhatIsNoStoreIsRefusedAndUntouched(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	d := open(t, good)
	for i := range 200 {
		put(t, d, fmt.Sprint(i), strings.Repeat("v", 2000))
	}
	require.NoError(t, d.Close())
	image, err := os.ReadFile(good)
	require.NoError(t, err)
	used := bytes.LastIndex(image, []byte("vvvvvvvv")) // what follows is room to grow
	text := func(content []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, content, 0o600)) }
	}
	buckets := func(list ...string) func(*testing.T, string) {
		return func(t *testing.T, path string) { foreign(t, path, list...) }
	}
	for name, c := range map[string]struct {
		make func(*testing.T, string)
		want string
	}{
		"empty":              {text(nil), "an empty file"},
		"text":               {text([]byte("hello")), "no bbolt database"},
		"noise":              {text(bytes.Repeat([]byte{0xED, 0xDA, 0x0C, 0xED}, 5000)), "no bbolt database"},
		"cut":                {text(image[:used/2]), "pages missing"},
		"cut to one page":    {text(image[:os.Getpagesize()]), "pages missing"},
		"cut within a page":  {text(image[:100]), "pages missing"},
		"zeroes":             {text(make([]byte, len(image))), "no bbolt database"},
		"no bucket":          {buckets(), "0 buckets"},
		"other program":      {buckets("accounts"), "some other program"},
		"two buckets":        {buckets(bolt.Layout, "accounts"), "2 buckets"},
		"layout of tomorrow": {buckets(strings.TrimSuffix(bolt.Layout, "1") + "2"), "opsec/store/2"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			c.make(t, path)
			before, err := os.ReadFile(path)
			require.NoError(t, err)
			_, err = bolt.Open(path, nil)
			require.ErrorIs(t, err, bolt.ErrFormat)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(before, after), "the file is untouched")
			_, err = bolt.Open(path, nil)
			require.NotErrorIs(t, err, bolt.ErrInUse, "nobody holds the lock")
		})
	}
	_, err = bolt.Open(dir, nil)
	require.Error(t, err)
	require.ErrorContains(t, err, dir)
	_, err = bolt.Open(filepath.Join(dir, "absent", "state"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling")))
	_, err = bolt.Open(filepath.Join(dir, "dangling"), nil)
	require.Error(t, err)
	require.Equal(t, []string{"dangling", "good"}, names(t, dir), "and nothing is left behind")
}

func TestSpoiledPageIsAnErrorAndNoPanic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	for i := range 100 {
		put(t, d, fmt.Sprintf("%06d", i), strings.Repeat("v", 200))
	}
	require.NoError(t, d.Close())
	image, err := os.ReadFile(path)
	require.NoError(t, err)
	size := os.Getpagesize()
	atOpen, later := 0, 0
	for id := 2; id < 20; id++ { // some of them in use, some free
		broken := bytes.Clone(image)
		copy(broken[id*size:], bytes.Repeat([]byte{0xA5}, size))
		require.NoError(t, os.WriteFile(path, broken, 0o600))
		d, err := bolt.Open(path, nil)
		if err != nil {
			require.ErrorIs(t, err, bolt.ErrFormat)
			atOpen++
			continue
		}
		_, listErr := d.List(t.Context(), store.Range{Limit: store.MaxPage})
		var b store.Batch
		for i := range 100 {
			b.Ops = append(b.Ops, store.Op{Key: fmt.Sprintf("%06d", i), Delete: true})
		}
		_, commitErr := d.Commit(t.Context(), b)
		if listErr != nil {
			require.ErrorIs(t, listErr, bolt.ErrFormat)
			require.ErrorIs(t, commitErr, bolt.ErrFormat)
			_, err = d.Commit(t.Context(), write("k", "v"))
			require.ErrorIs(t, err, bolt.ErrFormat, "nothing is written to a spoiled file")
			later++
		} else {
			require.NoError(t, commitErr)
		}
		require.NoError(t, d.Close())
	}
	require.NotZero(t, atOpen)
	require.NotZero(t, later)
}

func TestCloseTurnsAwayAndTellsWatchers(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	listening, ended := make(chan struct{}), make(chan error)
	go func() {
		for _, err := range d.Watch(context.Background(), "") {
			if err != nil {
				ended <- err
				return
			}
			close(listening)
		}
	}()
	<-listening
	require.NoError(t, d.Close())
	require.ErrorIs(t, <-ended, store.ErrClosed)
	require.NoError(t, d.Close())
	_, err := d.Get(t.Context(), "k")
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = d.List(t.Context(), store.Range{Limit: 1})
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = d.Commit(t.Context(), store.Batch{})
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = d.Backup(t.Context(), new(bytes.Buffer))
	require.ErrorIs(t, err, store.ErrClosed)
	require.ErrorIs(t, d.Check(t.Context()), store.ErrClosed)
}

func TestCheckFindsAChangedPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	for i := range 500 {
		put(t, d, fmt.Sprintf("%06d", i), strings.Repeat("v", 200))
	}
	require.NoError(t, d.Check(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.Check(ended), context.Canceled)
	require.NoError(t, d.Close())
	image, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, bytes.ReplaceAll(image, []byte("000100"), []byte("900100")), 0o600))
	d = open(t, path)
	err = d.Check(t.Context())
	require.ErrorIs(t, err, bolt.ErrFormat)
	require.ErrorContains(t, err, path)
	put(t, d, "zzz", "commits go on")
}

func TestBoltAndMemoryAgree(t *testing.T) {
	key := rapid.OneOf(rapid.StringMatching(`[a-c]{1,3}`), rapid.StringN(0, 2, 4))
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "bolt")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		disk, err := bolt.Open(filepath.Join(dir, "state"), nil)
		require.NoError(t, err)
		defer disk.Close()
		both := []store.Driver{disk, memory.New()}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				var batch store.Batch
				for _, k := range rapid.SliceOfN(key, 0, 4).Draw(t, "ops") {
					op := store.Op{Key: k, Delete: rapid.Bool().Draw(t, "delete")}
					if !op.Delete {
						op.Value = rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "value")
					}
					batch.Ops = append(batch.Ops, op)
				}
				for _, k := range rapid.SliceOfN(key, 0, 2).Draw(t, "checks") {
					c := store.Check{Key: k}
					if items, err := both[0].Get(context.Background(), k); err == nil && rapid.IntRange(0, 4).Draw(t, "stale") > 0 {
						c.Rev = items[0].Rev
					}
					batch.Checks = append(batch.Checks, c)
				}
				same(t, both, func(d store.Driver) (any, error) { return d.Commit(context.Background(), batch) })
			},
			"get": func(t *rapid.T) {
				keys := rapid.SliceOfN(key, 0, 5).Draw(t, "keys")
				same(t, both, func(d store.Driver) (any, error) { return d.Get(context.Background(), keys...) })
			},
			"list": func(t *rapid.T) {
				r := store.Range{
					Start: key.Draw(t, "start"), End: rapid.OneOf(rapid.Just(""), key).Draw(t, "end"),
					Limit: rapid.IntRange(0, 8).Draw(t, "limit"), Reverse: rapid.Bool().Draw(t, "reverse"),
					KeysOnly: rapid.Bool().Draw(t, "keys only"),
				}
				same(t, both, func(d store.Driver) (any, error) {
					items, err := d.List(context.Background(), r)
					return append([]store.Item{}, items...), err
				})
			},
		})
	})
}

// same asks both drivers; each counts its revisions from 1, so even these are equal.
func same(t *rapid.T, both []store.Driver, ask func(store.Driver) (any, error)) {
	got, err := ask(both[0])
	want, wantErr := ask(both[1])
	require.Equal(t, wantErr, err)
	require.Equal(t, want, got)
	if err != nil && !errors.Is(err, opsec.ErrInvalid) {
		require.IsType(t, new(store.ConflictError), err)
	}
}

func TestReadersDoNotChangeWhatOthersHold(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "state"))
	put(t, d, "a", "first")
	put(t, d, "b", "second")
	page, err := d.List(t.Context(), store.Range{Limit: 2})
	require.NoError(t, err)
	_ = append(page[0].Value, "overflows"...)
	require.Equal(t, "second", string(page[1].Value))
	put(t, d, "a", "later")
	runtime.GC()
	require.Equal(t, "first", string(page[0].Value))
}
