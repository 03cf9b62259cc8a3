package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/trust"
	"github.com/cloudopsec/opsec/internal/race"
)

func TestUntouchedTreeIsOK(t *testing.T) {
	dir := nasty(t)
	for name, options := range map[string]func(*backup.BuildOptions){"blake3": nil, "with chunks": withChunks, "with both": withBoth} {
		t.Run(name, func(t *testing.T) {
			manifest := build(t, openDir(t, dir), options)
			for _, workers := range []int{0, 1, 5} {
				r := verify(t, manifest, openDir(t, dir), backup.Budget{Workers: workers, StrictMetadata: true})
				require.True(t, r.OK, "%+v", r)
				require.Equal(t, backup.StatusOK, r.Status)
				require.Empty(t, found(t, r))
				m := open(t, manifest)
				require.Equal(t, m.ID(), r.Manifest)
				require.Equal(t, m.Header.Counts.Entries, r.Entries)
				require.Equal(t, m.Header.Counts.Files, r.Checked)
				require.Equal(t, m.Header.Counts.Bytes, r.Bytes)
				require.Nil(t, r.Cursor)
				require.Nil(t, r.Sample)
			}
		})
	}
}

// group is the 64 KiB range of a file of the size given that an offset lies in.
func group(offset, size int64) backup.Range {
	first := offset / (64 << 10) * (64 << 10)
	return backup.Range{First: first, End: min(first+64<<10, size)}
}

func TestVerifyFindsEveryFlippedByte(t *testing.T) {
	dir := nasty(t)
	tree := openDir(t, dir)
	blake3Only, chunked := build(t, tree, nil), build(t, tree, withBoth)
	rnd := rand.New(rand.NewPCG(1, 2))
	flips, step := 0, int64(1)
	if race.Enabled {
		step = 7
	}
	for _, e := range entries(t, open(t, chunked)) {
		if e.Kind != backup.File && e.Kind != backup.Sparse {
			continue
		}
		size := e.Sums.Size
		var offsets []int64
		if size <= 1024 {
			for i := int64(0); i < size; i += step {
				offsets = append(offsets, i)
			}
		} else {
			for at := int64(0); at < size; at += 256 << 10 {
				offsets = append(offsets, at, at+1, at+64<<10-1, at+64<<10, rnd.Int64N(size))
			}
			offsets = append(offsets, size-1)
		}
		for _, at := range offsets {
			if at >= size {
				continue
			}
			mask := byte(1) << rnd.IntN(8)
			flip(t, filepath.Join(dir, e.Path), at, mask)
			flips++
			manifest := blake3Only
			if flips%2 == 0 || size > 64<<10 {
				manifest = chunked
			}
			r := verify(t, manifest, tree, backup.Budget{})
			shown := backup.Quote(e.Path)
			changed := found(t, r)
			delete(changed, "metadata") // a hole that was written to once is none any more
			require.Equal(t, map[string][]string{"changed": {shown}}, changed, "byte %d ^ %#x of %s", at, mask, shown)
			require.False(t, r.OK)
			require.Equal(t, backup.StatusDamaged, r.Status)
			if size > 64<<10 {
				require.Equal(t, []backup.Range{group(at, size)}, detail(r, shown).Ranges, "byte %d of %s", at, shown)
			}
			flip(t, filepath.Join(dir, e.Path), at, mask)
		}
	}
	require.Greater(t, flips, race.Fewer(150))
	require.Zero(t, verify(t, chunked, tree, backup.Budget{}).Faults(), "after all were flipped back")
}

func TestRangesCoverAllThatIsDamaged(t *testing.T) {
	const k = 64 << 10
	whole := pattern(large)
	tests := map[string]struct {
		change func([]byte) []byte
		want   []backup.Range
	}{
		"two neighbours are one range": {func(b []byte) []byte { b[k-1] ^= 1; b[k] ^= 1; return b }, []backup.Range{{First: 0, End: 2 * k}}},
		"two apart are two":            {func(b []byte) []byte { b[0] ^= 1; b[3*k] ^= 1; return b }, []backup.Range{{First: 0, End: k}, {First: 3 * k, End: 4 * k}}},
		"the short last group":         {func(b []byte) []byte { b[large-1] ^= 1; return b }, []backup.Range{{First: large / k * k, End: large}}},
		"all":                          {func(b []byte) []byte { return pattern(len(b) + 1)[1:] }, []backup.Range{{First: 0, End: large}}},
		"cut short":                    {func(b []byte) []byte { return b[:5*k+1] }, []backup.Range{{First: 5 * k, End: large}}},
		"cut at a group's end":         {func(b []byte) []byte { return b[:5*k] }, []backup.Range{{First: 5 * k, End: large}}},
		"cut to one group":             {func(b []byte) []byte { return b[:k] }, []backup.Range{{First: 0, End: large}}},
		"emptied":                      {func(b []byte) []byte { return nil }, []backup.Range{{First: 0, End: large}}},
		"grown":                        {func(b []byte) []byte { return append(b, "more"...) }, []backup.Range{{First: large / k * k, End: large + 4}}},
		"grown by much":                {func(b []byte) []byte { return append(b, b...) }, []backup.Range{{First: large / k * k, End: 2 * large}}},
		"grown, and damaged before":    {func(b []byte) []byte { b[1] ^= 1; return append(b, 0) }, []backup.Range{{First: 0, End: k}, {First: large / k * k, End: large + 1}}},
	}
	for _, name := range []string{"", "without ReaderAt"} {
		if race.Enabled && name == "" {
			continue
		}
		for what, test := range tests {
			t.Run(what+" "+name, func(t *testing.T) {
				manifest := build(t, mapFS(map[string]string{"f": string(whole)}), withChunks)
				var tree fs.FS = mapFS(map[string]string{"f": string(test.change(bytes.Clone(whole)))})
				if name != "" {
					tree = plain{tree}
				}
				r := verify(t, manifest, tree, backup.Budget{})
				require.Equal(t, map[string][]string{"changed": {"f"}}, found(t, r))
				require.Equal(t, test.want, detail(r, "f").Ranges)
			})
		}
	}
	t.Run("more ranges than anybody reads", func(t *testing.T) {
		content := make([]byte, 2500*k)
		manifest := build(t, mapFS(map[string]string{"f": string(content)}), withChunks)
		for i := 0; i < len(content); i += 2 * k {
			content[i] = 1
		}
		ranges := detail(verify(t, manifest, mapFS(map[string]string{"f": string(content)}), backup.Budget{}), "f").Ranges
		require.Len(t, ranges, 1001)
		require.Equal(t, backup.Range{First: 998 * 2 * k, End: 998*2*k + k}, ranges[998])
		require.EqualValues(t, len(content), ranges[1000].End)
	})
}

// TestVerifyFindsWhatHappened changes a tree in one way at a time.
func TestVerifyFindsWhatHappened(t *testing.T) {
	type findings = map[string][]string
	remove := func(path string) func(testing.TB, string) {
		return func(t testing.TB, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, path))) }
	}
	instead := func(path string, put func(testing.TB, string)) func(testing.TB, string) {
		return func(t testing.TB, dir string) {
			remove(path)(t, dir)
			put(t, filepath.Join(dir, path))
		}
	}
	symlink := func(target string) func(testing.TB, string) {
		return func(t testing.TB, name string) { require.NoError(t, os.Symlink(target, name)) }
	}
	mkdir := func(t testing.TB, name string) { require.NoError(t, os.Mkdir(name, 0o755)) }
	device := func(t testing.TB, name string) {
		if err := syscall.Mknod(name, syscall.S_IFCHR|0o600, 1<<8|5); err != nil { // /dev/zero, which never ends
			t.Skip(err)
		}
	}
	tests := map[string]struct {
		happens func(testing.TB, string)
		want    findings
		what    string // of the first finding's detail
	}{
		"a file is gone":                   {remove("one"), findings{"missing": {"one"}}, ""},
		"a directory is gone":              {remove("deep"), findings{"missing": {"deep", "deep/er", "deep/er/and", "deep/er/and/deeper"}}, ""},
		"a link is gone":                   {remove("link"), findings{"missing": {"link"}}, ""},
		"a FIFO is gone":                   {remove("pipe"), findings{"missing": {"pipe"}}, ""},
		"everything is gone but the first": {func(t testing.TB, dir string) { remove("a")(t, dir); remove("a-b")(t, dir) }, findings{"missing": {"a", "a-b", "a/c"}}, ""},
		"a file is new":                    {func(t testing.TB, dir string) { put(t, dir, "new\n", []byte("x")) }, findings{"extra": {`new\x0a`}}, ""},
		"a directory is new": {func(t testing.TB, dir string) {
			put(t, dir, "zz/top", nil)
			mkdir(t, filepath.Join(dir, "zz", "empty"))
		}, findings{"extra": {"zz", "zz/empty", "zz/top"}}, ""},
		"a FIFO is new":                {func(t testing.TB, dir string) { mkfifo(t, filepath.Join(dir, "new")) }, findings{"extra": {"new"}}, ""},
		"a link is new":                {func(t testing.TB, dir string) { symlink("pipe")(t, filepath.Join(dir, "new")) }, findings{"extra": {"new"}}, ""},
		"a file has grown":             {func(t testing.TB, dir string) { put(t, dir, "one", []byte{0, 0}) }, findings{"changed": {"one"}}, "was 1 bytes, is 2"},
		"an empty file has grown":      {func(t testing.TB, dir string) { put(t, dir, "empty", []byte("x")) }, findings{"changed": {"empty"}}, "was 0 bytes, is 1"},
		"a large file was cut":         {func(t testing.TB, dir string) { require.NoError(t, os.Truncate(filepath.Join(dir, "large"), large-1)) }, findings{"changed": {"large"}}, "was 1248576 bytes, is 1248575"},
		"a file became a directory":    {instead("one", mkdir), findings{"changed": {"one"}}, "was a file, is a directory"},
		"a large file became one":      {instead("large", mkdir), findings{"changed": {"large"}}, "was a file, is a directory"},
		"a file became a link to it":   {instead("one", symlink("empty")), findings{"changed": {"one"}}, "was a file, is a link"},
		"a file became a FIFO":         {instead("one", func(t testing.TB, name string) { mkfifo(t, name) }), findings{"changed": {"one"}}, "was a file, is a fifo"},
		"a large file became a FIFO":   {instead("large", func(t testing.TB, name string) { mkfifo(t, name) }), findings{"changed": {"large"}}, "was a file, is a fifo"},
		"a file became a device":       {instead("one", device), findings{"changed": {"one"}}, "was a file, is a char"},
		"a large file became a device": {instead("large", device), findings{"changed": {"large"}}, "was a file, is a char"},
		"a FIFO became a device":       {instead("pipe", device), findings{"changed": {"pipe"}}, "was a fifo, is a char"},
		"a FIFO became a file":         {instead("pipe", func(t testing.TB, name string) { put(t, filepath.Dir(name), "pipe", nil) }), findings{"changed": {"pipe"}}, "was a fifo, is a file"},
		"a directory became a file": {instead("deep", func(t testing.TB, name string) { put(t, filepath.Dir(name), "deep", nil) }),
			findings{"changed": {"deep"}, "missing": {"deep/er", "deep/er/and", "deep/er/and/deeper"}}, "was a directory, is a file"},
		"a directory became a link to the same": {func(t testing.TB, dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, "deep"), filepath.Join(dir, "moved")))
			symlink("moved")(t, filepath.Join(dir, "deep"))
		}, findings{"changed": {"deep"}, "missing": {"deep/er", "deep/er/and", "deep/er/and/deeper"},
			"extra": {"moved", "moved/er", "moved/er/and", "moved/er/and/deeper"}}, "was a directory, is a link"},
		"a link became a file":   {instead("link", func(t testing.TB, name string) { put(t, filepath.Dir(name), "link", nil) }), findings{"changed": {"link"}}, "was a link, is a file"},
		"a link leads elsewhere": {instead("link", symlink("empty")), findings{"changed": {"link"}}, "led to one, leads to empty"},
		"a file was renamed": {func(t testing.TB, dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "One")))
		}, findings{"missing": {"one"}, "extra": {"One"}}, ""},
		"a mode has changed": {func(t testing.TB, dir string) {
			require.NoError(t, os.Chmod(filepath.Join(dir, "one"), fs.ModeSetuid|0o755))
		}, findings{"metadata": {"one"}}, "mode was 0644, is 4755"},
		"a directory's mode has": {func(t testing.TB, dir string) {
			require.NoError(t, os.Chmod(filepath.Join(dir, "nothing in it"), 0o701))
		}, findings{"metadata": {"nothing in it"}}, "mode was 0700, is 0701"},
		"a FIFO's mode has": {func(t testing.TB, dir string) { require.NoError(t, os.Chmod(filepath.Join(dir, "pipe"), 0o640)) }, findings{"metadata": {"pipe"}}, "mode was 0600, is 0640"},
		"a time has changed by 1 ns": {func(t testing.TB, dir string) {
			require.NoError(t, os.Chtimes(filepath.Join(dir, "one"), one, one.Add(1)))
		}, findings{"metadata": {"one"}}, "time was 2026-03-01T13:00:00.123456789Z, is 2026-03-01T13:00:00.12345679Z"},
		"holes were filled": {func(t testing.TB, dir string) {
			b, _ := os.ReadFile(filepath.Join(dir, "sparse"))
			put(t, dir, "sparse", b)
		}, findings{"metadata": {"sparse"}}, "had holes, has none"},
		"a sparse file has lost some": {func(t testing.TB, dir string) { require.NoError(t, os.Truncate(filepath.Join(dir, "sparse"), 3<<20-1)) }, findings{"changed": {"sparse"}}, "was 3145728 bytes, is 3145727"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := nasty(t)
			mkfifo(t, filepath.Join(dir, "pipe"))
			manifest := build(t, openDir(t, dir), withChunks)
			top, err := os.Stat(dir)
			require.NoError(t, err)
			test.happens(t, dir)
			require.NoError(t, os.Chtimes(dir, top.ModTime(), top.ModTime()))
			for _, strict := range []bool{false, true} {
				r := verify(t, manifest, openDir(t, dir), backup.Budget{StrictMetadata: strict})
				got := found(t, r)
				require.Equal(t, test.want, got)
				onlyMetadata := len(got) == 1 && got["metadata"] != nil
				require.Equal(t, onlyMetadata && !strict, r.OK)
				if test.what != "" {
					about := func(d backup.Detail) bool { return d.What == test.what }
					require.True(t, slices.ContainsFunc(r.Details, about), "%q is not in %+v", test.what, r.Details)
				}
			}
		})
	}
}

// Behind every link out of the tree waits a FIFO without a writer: whoever opens it hangs.
func TestNothingOutsideTheTreeIsOpened(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	mkfifo(t, filepath.Join(outside, "secret"))
	put(t, dir, "dir/file", []byte("inside"))
	for name, target := range map[string]string{
		"absolute": filepath.Join(outside, "secret"), "directory": outside, "up": "../../../../../../../../" + outside + "/secret",
		"dir/fifo": filepath.Join(outside, "secret"), "root": "/", "self": "self", "parent": "..",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	manifest := build(t, openDir(t, dir), nil)
	for _, e := range entries(t, open(t, manifest)) {
		require.NotContains(t, e.Path, "secret")
	}
	r := verify(t, manifest, openDir(t, dir), backup.Budget{})
	require.True(t, r.OK, found(t, r))

	// Now the manifest knows files, and links out of the tree have taken their places.
	files := t.TempDir()
	for _, name := range []string{"absolute", "directory/secret", "up", "dir/fifo", "root", "self", "parent"} {
		put(t, files, name, []byte("content"))
	}
	put(t, files, "dir/file", []byte("inside"))
	for _, manifest := range [][]byte{build(t, openDir(t, files), nil), build(t, os.DirFS(files), nil)} {
		for _, tree := range []fs.FS{openDir(t, dir), os.DirFS(dir)} {
			got := found(t, verify(t, manifest, tree, backup.Budget{}))
			delete(got, "metadata")
			require.Equal(t, map[string][]string{
				"changed": {"absolute", "dir/fifo", "directory", "parent", "root", "self", "up"}, "missing": {"directory/secret"},
			}, got)
		}
	}
	for name, err := range backup.SumFS(context.Background(), openDir(t, dir), nil) {
		require.NoError(t, err)
		require.Equal(t, "dir/file", name.Path)
	}
}

func TestOtherFileSystemsGiveTheSameDigests(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a/c", []byte("below"))
	put(t, dir, "a-b", []byte("beside"))
	put(t, dir, "empty", nil)
	put(t, dir, "large", pattern(large))
	put(t, dir, "megabyte", pattern(1<<20))
	put(t, dir, "more", pattern(1<<20+1))
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	require.NoError(t, w.AddFS(os.DirFS(dir)))
	require.NoError(t, w.Close())
	zipped, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	require.NoError(t, err)
	inMemory := fstest.MapFS{}
	for _, name := range []string{"a/c", "a-b", "empty", "large", "megabyte", "more"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		inMemory[name] = &fstest.MapFile{Data: b, Mode: 0o644, ModTime: one}
	}
	for _, options := range []func(*backup.BuildOptions){nil, withChunks, withBoth} {
		manifest := build(t, openDir(t, dir), options)
		for name, tree := range map[string]fs.FS{
			"os.DirFS": os.DirFS(dir), "zip": zipped, "MapFS": inMemory,
			"without ReadDir, ReadLink, ReaderAt": plain{os.DirFS(dir)},
		} {
			r := verify(t, manifest, tree, backup.Budget{})
			got := found(t, r)
			delete(got, "metadata")
			require.Empty(t, got, name)
			require.EqualValues(t, 6, r.Checked, name)
			sums := map[string]backup.Digest{}
			for _, e := range entries(t, open(t, build(t, tree, options))) {
				sums[e.Path] = e.Sums.BLAKE3
			}
			for _, e := range entries(t, open(t, manifest)) {
				require.Equal(t, e.Sums.BLAKE3, sums[e.Path], "%s in %s", e.Path, name)
			}
			require.Len(t, sums, 7)
		}
	}
}

func TestUnreadableFilesAndDirectoriesAreFindings(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "b": "2", "d/x": "3", "d/y/z": "4", "d-x": "5", "e": "6"})
	manifest := build(t, tree, nil)
	for name, test := range map[string]struct {
		fails map[string]error
		want  map[string][]string
	}{
		"a file":                {map[string]error{"b": fs.ErrPermission}, map[string][]string{"unreadable": {"b"}}},
		"a directory":           {map[string]error{"d": fs.ErrPermission}, map[string][]string{"unreadable": {"d", "d/x", "d/y", "d/y/z"}}},
		"a directory below":     {map[string]error{"d/y": syscall.EIO}, map[string][]string{"unreadable": {"d/y", "d/y/z"}}},
		"a file gone meanwhile": {map[string]error{"b": fs.ErrNotExist}, map[string][]string{"missing": {"b"}}},
		"everything":            {map[string]error{".": syscall.EIO}, map[string][]string{"unreadable": {".", "a", "b", "d", "d-x", "d/x", "d/y", "d/y/z", "e"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := verify(t, manifest, failing{tree, test.fails}, backup.Budget{})
			require.Equal(t, test.want, found(t, r))
			require.False(t, r.OK)
			require.Equal(t, backup.StatusDamaged, r.Status)
		})
	}
	extra := failing{mapFS(map[string]string{"a": "1", "b": "2", "d/x": "3", "d/y/z": "4", "d-x": "5", "e": "6", "new": "", "there/x": ""}), map[string]error{"there": fs.ErrPermission}}
	require.Equal(t, map[string][]string{"extra": {"new", "there"}, "unreadable": {"there"}}, found(t, verify(t, manifest, extra, backup.Budget{})))
}

func TestUnreadableToThisUser(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything; TestUnreadableFilesAndDirectoriesAreFindings has the same by a file system that fails")
	}
	dir := t.TempDir()
	put(t, dir, "d/x", nil)
	locked := put(t, dir, "f", []byte("x"))
	manifest := build(t, openDir(t, dir), nil)
	require.NoError(t, errors.Join(os.Chmod(locked, 0), os.Chmod(filepath.Join(dir, "d"), 0)))
	defer os.Chmod(filepath.Join(dir, "d"), 0o755)
	require.Equal(t, []string{"d", "d/x", "f"}, found(t, verify(t, manifest, openDir(t, dir), backup.Budget{}))["unreadable"])
}

// restless is a file system with one file that looks different whenever it is looked at.
type restless struct {
	fstest.MapFS
	name  string
	looks *atomic.Int64
	calm  int64 // from this look on it stays as it is
}

func (r restless) Open(name string) (fs.File, error) {
	f, err := r.MapFS.Open(name)
	if name != r.name || err != nil {
		return f, err
	}
	return restlessFile{f, r}, nil
}

type restlessFile struct {
	fs.File
	r restless
}

func (f restlessFile) ReadAt(p []byte, off int64) (int, error) {
	return f.File.(io.ReaderAt).ReadAt(p, off)
}

func (f restlessFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return later{info, time.Duration(min(f.r.looks.Add(1), f.r.calm))}, err
}

type later struct {
	fs.FileInfo
	by time.Duration
}

func (l later) ModTime() time.Time { return l.FileInfo.ModTime().Add(l.by) }

func TestFileThatChangesWhileItIsReadIsNeitherSoundNorDamaged(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": large} {
		t.Run(name, func(t *testing.T) {
			tree := mapFS(map[string]string{"a": "", "f": string(pattern(size)), "z": ""})
			manifest := build(t, tree, nil)
			moving := restless{tree, "f", new(atomic.Int64), 1 << 60}
			r := verify(t, manifest, moving, backup.Budget{})
			require.Equal(t, map[string][]string{"unstable": {"f"}}, found(t, r))
			require.False(t, r.OK)
			_, err := backup.Build(context.Background(), io.Discard, moving, backup.BuildOptions{Header: header()})
			require.ErrorContains(t, err, "f: changed while it was read")
			for f, err := range backup.SumFS(context.Background(), tree, nil) {
				require.NoError(t, err, f.Path)
			}
		})
	}
	t.Run("one that comes to rest is read again", func(t *testing.T) {
		tree := mapFS(map[string]string{"f": "small"})
		manifest := build(t, tree, nil)
		r := verify(t, manifest, restless{tree, "f", new(atomic.Int64), 2}, backup.Budget{})
		require.Equal(t, map[string][]string{"metadata": {"f"}}, found(t, r))
	})
}

func TestFileThatGrowsWhileItIsReadIsUnstable(t *testing.T) {
	dir := t.TempDir()
	name := put(t, dir, "log", pattern(large))
	manifest := build(t, openDir(t, dir), nil)
	grow := func(backup.Progress) {}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	started := make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return
		}
		defer f.Close()
		for ctx.Err() == nil {
			f.Write([]byte("more\n"))
			select {
			case <-started:
			default:
				close(started)
			}
		}
	}()
	<-started
	r := verify(t, manifest, openDir(t, dir), backup.Budget{Progress: grow})
	stop()
	<-done
	require.False(t, r.OK)
	require.EqualValues(t, 1, r.Totals.Changed+r.Totals.Unstable, "grown already, or growing")
}

func TestReportWithoutTrustedKeysIsNeverOK(t *testing.T) {
	tree := small()
	signed, none := open(t, build(t, tree, nil)), open(t, build(t, tree, unsigned))
	for name, test := range map[string]struct {
		m *backup.Manifest
		v trust.Verifier
	}{
		"no keys": {signed, trust.Verifier{}}, "another's key": {signed, believing(t, 2)},
		"unsigned": {none, believing(t, 1)}, "unsigned, no keys": {none, trust.Verifier{}},
		"two wanted": {signed, trust.Verifier{Policy: trust.Policy{Threshold: 2, Keys: believing(t, 1, 2).Keys}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := backup.Verify(context.Background(), test.m, test.v, tree, backup.Budget{})
			require.NoError(t, err)
			require.False(t, r.OK)
			require.Equal(t, backup.StatusUntrusted, r.Status)
			require.Equal(t, trust.Untrusted, r.Trust)
			require.NotEmpty(t, r.Reasons)
			require.Empty(t, found(t, r), "the content was checked all the same")
			require.Equal(t, opsec.Failure, r.Event().Outcome)
		})
	}
}

func TestInvalidPolicyIsAnError(t *testing.T) {
	v := believing(t, 1)
	v.Threshold = 5
	_, err := backup.Verify(context.Background(), open(t, build(t, small(), nil)), v, small(), backup.Budget{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = backup.Verify(context.Background(), open(t, build(t, small(), nil)), believing(t, 1), nil, backup.Budget{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestManifestThatChangesUnderVerifyIsAnError(t *testing.T) {
	whole := build(t, small(), withChunks)
	m := open(t, whole)
	whole[len("opsec-manifest/v1 blake3 groups=65536\n")+3] ^= 1
	_, err := backup.Verify(context.Background(), m, believing(t, 1), small(), backup.Budget{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestReportIsOneJSONDocumentThatComesBack(t *testing.T) {
	dir := nasty(t)
	manifest := build(t, openDir(t, dir), withChunks)
	flip(t, filepath.Join(dir, "large"), 70_000, 1)
	flip(t, filepath.Join(dir, "bytes-\xff\xfe"), 1, 1)
	require.NoError(t, os.Remove(filepath.Join(dir, "line\nbreak")))
	r := verify(t, manifest, openDir(t, dir), backup.Budget{Sample: 1000, MaxFindings: 5})
	text, err := json.Marshal(r)
	require.NoError(t, err)
	again, err := backup.ParseReport(bytes.NewReader(text))
	require.NoError(t, err)
	textAgain, err := json.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, string(text), string(textAgain))
	var keys map[string]any
	require.NoError(t, json.Unmarshal(text, &keys))
	for _, key := range []string{"ok", "status", "trust", "checked", "bytes", "changed", "missing", "extra", "unreadable", "signatures"} {
		require.Contains(t, keys, key)
	}
	require.Equal(t, []any{`bytes-\xff\xfe`, "large"}, keys["changed"])
	sig := keys["signatures"].([]any)[0].(map[string]any)
	require.Equal(t, "alice", sig["operator"])
	require.Equal(t, signer(t, 1).PublicKey().ID(), sig["keyid"])
	require.Equal(t, true, sig["valid"])

	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	for _, part := range []string{"DAMAGED: vol-1 of acme, manifest 7", "signed by alice", "changed: 2", `  bytes-\xff\xfe: content differs`,
		"  large: content differs [65536,131072)", `  line\x0abreak`} {
		require.Contains(t, b.String(), part)
	}
	for _, c := range b.String() {
		require.True(t, c == '\n' || c >= ' ', "control character %#x", c)
	}
}

func TestReportsThatAreNoneAreRefused(t *testing.T) {
	for _, text := range []string{"", "null x", "[]", `{"ok":1}`, `{"extraField":1}`, "{}{}", "{}}", "{}]", `{"manifest":"00"}`, `{"cursor":{"file":{"state":{"size":1}}}}`} {
		_, err := backup.ParseReport(strings.NewReader(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%s", text)
	}
	_, err := backup.ParseReport(io.MultiReader(strings.NewReader(`{"ok":`), broken{}))
	require.ErrorIs(t, err, syscall.EIO)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, syscall.EIO }

func TestEventsAreValidAndEvidenceNeedsADurableReceipt(t *testing.T) {
	manifest := build(t, small(), nil)
	m := open(t, manifest)
	built := m.Event()
	require.NoError(t, built.Validate())
	require.Equal(t, backup.ActionBuild, built.Action)
	require.Equal(t, opsec.Success, built.Outcome)
	require.EqualValues(t, "acme", built.Tenant)

	seen := noon.Add(time.Hour)
	receipt := opsec.Receipt{Event: built.ID, Time: seen, Durable: true}
	evidence, err := backup.EvidenceOf(built, receipt)
	require.NoError(t, err)
	require.Equal(t, m.ID().String(), evidence.Claim)
	require.Equal(t, seen, evidence.Seen)
	v := believing(t, 1)
	v.Keys[0].Revoked = noon.Add(2 * time.Hour)
	for _, with := range []bool{false, true} {
		if with {
			v.Evidence = []trust.Evidence{evidence}
		}
		r, err := backup.Verify(context.Background(), m, v, small(), backup.Budget{Now: func() time.Time { return noon.Add(3 * time.Hour) }})
		require.NoError(t, err)
		require.Equal(t, with, r.OK, "evidence %v", with)
	}

	r := verify(t, manifest, small(), backup.Budget{})
	verified := r.Event()
	require.NoError(t, verified.Validate())
	require.Equal(t, backup.ActionVerify, verified.Action)
	require.Equal(t, opsec.Success, verified.Outcome)
	damaged := verify(t, manifest, fstest.MapFS{}, backup.Budget{}).Event()
	require.NoError(t, damaged.Validate())
	require.Equal(t, opsec.Failure, damaged.Outcome)
	require.Equal(t, backup.StatusDamaged, damaged.Reason)

	for name, change := range map[string]func(*opsec.Event, *opsec.Receipt){
		"another action":  func(e *opsec.Event, _ *opsec.Receipt) { e.Action = backup.ActionVerify },
		"another event":   func(_ *opsec.Event, r *opsec.Receipt) { r.Event = opsec.NewID() },
		"queued only":     func(_ *opsec.Event, r *opsec.Receipt) { r.Durable = false },
		"without a time":  func(_ *opsec.Event, r *opsec.Receipt) { r.Time = time.Time{} },
		"of no manifest":  func(e *opsec.Event, _ *opsec.Receipt) { e.Attrs = e.Attrs[1:] },
		"verified, it is": func(e *opsec.Event, r *opsec.Receipt) { *e = *verified; r.Event = e.ID },
	} {
		e, r := *built, receipt
		change(&e, &r)
		_, err := backup.EvidenceOf(&e, r)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func TestSSHKeygenVerifiesTheOperatorsSignature(t *testing.T) {
	need(t, "ssh-keygen")
	dir := t.TempDir()
	m := open(t, build(t, small(), nil))
	var message, signature bytes.Buffer
	require.NoError(t, m.Export(&message, "signed"))
	require.NoError(t, m.Export(&signature, "sshsig"))
	key, err := signer(t, 1).PublicKey().MarshalText()
	require.NoError(t, err)
	put(t, dir, "allowed", append([]byte("alice "), key...))
	put(t, dir, "sig", signature.Bytes())
	args := []string{"-Y", "verify", "-f", "allowed", "-I", "alice", "-n", trust.SSHNamespace, "-s", "sig"}
	out, err := run(t, dir, message.Bytes(), "ssh-keygen", args...)
	require.NoError(t, err)
	require.Contains(t, out, "Good")
	for i := 0; i < message.Len(); i += 97 {
		bad := bytes.Clone(message.Bytes())
		bad[i] ^= 1
		_, err = run(t, dir, bad, "ssh-keygen", args...)
		require.Error(t, err, "byte %d", i)
	}
	require.ErrorIs(t, open(t, build(t, small(), unsigned)).Export(io.Discard, "sshsig"), opsec.ErrNotFound)
	require.ErrorIs(t, m.Export(io.Discard, "md5sum"), opsec.ErrInvalid)
	var envelope bytes.Buffer
	require.NoError(t, m.Export(&envelope, "dsse"))
	require.Contains(t, string(build(t, small(), nil)), envelope.String())
}

// lying is a file system with one file of which everything that is told may be untrue.
type lying struct {
	fstest.MapFS
	name   string
	stat   func(fs.FileInfo) fs.FileInfo
	reader io.Reader
	opens  error
}

func (l lying) Open(name string) (fs.File, error) {
	f, err := l.MapFS.Open(name)
	if name != l.name || err != nil {
		return f, err
	}
	return lyingFile{f, l}, l.opens
}

type lyingFile struct {
	fs.File
	l lying
}

func (f lyingFile) Read(p []byte) (int, error) { return f.l.reader.Read(p) }

func (f lyingFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	if f.l.stat != nil {
		info = f.l.stat(info)
	}
	return info, err
}

type told struct {
	fs.FileInfo
	size int64
	mode fs.FileMode
}

func (t told) Size() int64       { return t.size }
func (t told) Mode() fs.FileMode { return t.mode }

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestFileSystemsThatLieNeitherHangNorPass(t *testing.T) {
	is := func(size int64, mode fs.FileMode) func(fs.FileInfo) fs.FileInfo {
		return func(info fs.FileInfo) fs.FileInfo { return told{info, size, mode} }
	}
	const n = 1 << 21
	for name, test := range map[string]struct {
		size   int // in truth, when the manifest was made
		stat   func(fs.FileInfo) fs.FileInfo
		reader io.Reader
		want   map[string][]string
	}{
		"a small file that never ends":  {10, nil, endless{}, map[string][]string{"unstable": {"f"}}},
		"a large file that never ends":  {n, nil, endless{}, map[string][]string{"changed": {"f"}}}, // as far as it should go
		"a small file that ends early":  {10, nil, strings.NewReader("short"), map[string][]string{"unstable": {"f"}}},
		"a large file that ends early":  {n, nil, strings.NewReader("short"), map[string][]string{"unstable": {"f"}}},
		"a small file that fails":       {10, nil, broken{}, map[string][]string{"unreadable": {"f"}}},
		"a large file that fails":       {n, nil, io.MultiReader(bytes.NewReader(pattern(n/2)), broken{}), map[string][]string{"unreadable": {"f"}}},
		"a file of 8 EiB, it says":      {10, is(1<<63-1, 0o644), endless{}, map[string][]string{"changed": {"f"}}},
		"a file of less than nothing":   {10, is(-2, 0o644), strings.NewReader("0123456789"), map[string][]string{"unreadable": {"f"}}},
		"a directory, once it is open":  {10, is(10, fs.ModeDir|0o755), strings.NewReader("0123456789"), map[string][]string{"unstable": {"f"}}},
		"a FIFO, once it is open":       {10, is(10, fs.ModeNamedPipe), strings.NewReader("0123456789"), map[string][]string{"unstable": {"f"}}},
		"a device, once it is open":     {n, is(n, fs.ModeDevice|fs.ModeCharDevice), endless{}, map[string][]string{"unstable": {"f"}}},
		"one that reads byte by byte":   {10, nil, iotest.OneByteReader(bytes.NewReader(pattern(10))), map[string][]string{}},
		"one that errs with its data":   {10, nil, iotest.DataErrReader(bytes.NewReader(pattern(10))), map[string][]string{}},
		"a large one that reads halves": {n, nil, iotest.HalfReader(bytes.NewReader(pattern(n))), map[string][]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			tree := mapFS(map[string]string{"a": "", "f": string(pattern(test.size)), "z": ""})
			manifest := build(t, tree, nil)
			before := allocated()
			r := verify(t, manifest, lying{tree, "f", test.stat, test.reader, nil}, backup.Budget{Workers: 2})
			got := found(t, r)
			delete(got, "metadata")
			require.Equal(t, test.want, got)
			require.Equal(t, len(test.want) == 0, r.OK)
			require.Less(t, allocated()-before, uint64(64<<20))
		})
	}
}

func TestWhatVanishesAfterItWasListed(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "f": "2", "z": "3"})
	manifest := build(t, tree, nil)
	gone := lying{MapFS: tree, name: "f", opens: fs.ErrNotExist}
	require.Equal(t, map[string][]string{"missing": {"f"}}, found(t, verify(t, manifest, gone, backup.Budget{})))
	less := mapFS(map[string]string{"a": "1", "z": "3"})
	require.Equal(t, string(build(t, less, nil)), string(build(t, gone, nil)), "it was not there")
	require.Empty(t, found(t, verify(t, build(t, less, nil), lying{MapFS: tree, name: "f", opens: fs.ErrNotExist}, backup.Budget{Workers: 1}))["missing"])
}
