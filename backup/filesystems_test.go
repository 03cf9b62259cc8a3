package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup"
)

// tbSums collects what SumFS yields, and the errors by the order they came.
func tbSums(ctx context.Context, tree fs.FS, o *backup.SumOptions) (files []backup.FileSums, errs []error) {
	for f, err := range backup.SumFS(ctx, tree, o) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, f)
	}
	return files, errs
}

// tbPaths are the paths of files.
func tbPaths(files []backup.FileSums) (paths []string) {
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths
}

func tbWrite(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, dir, name, []byte(content))
	}
	return dir
}

// tbTree is a tree of files with sizes around every boundary of BLAKE3's chunks, of the groups, and of the files read
// by all cores, in directories of several depths.
func tbTree() map[string]string {
	rng := rand.New(rand.NewPCG(1, 2))
	files := map[string]string{}
	sizes := []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 2048, 16<<10 + 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 17}
	for i, size := range sizes {
		content := make([]byte, size)
		for j := range content {
			content[j] = byte(rng.Uint32())
		}
		files[strings.Repeat("d/", i%4)+fmt.Sprintf("f%04d", rng.IntN(50)*len(sizes)+i)] = string(content)
	}
	return files
}

// tbZip is an archive whose files can be read in order only.
func tbZip(t testing.TB, files map[string]string) *zip.Reader {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: one})
		require.NoError(t, err)
		_, err = io.WriteString(f, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	return r
}

func TestAllFileSystemsGiveTheSameSums(t *testing.T) {
	files := tbTree()
	dir := tbWrite(t, files)
	archive := tbZip(t, files)
	for name := range files {
		f, err := archive.Open(name)
		require.NoError(t, err)
		require.NotImplements(t, (*io.ReaderAt)(nil), f)
		require.NoError(t, f.Close())
	}
	want, errs := tbSums(t.Context(), openDir(t, dir), &backup.SumOptions{SHA256: true})
	require.Empty(t, errs)
	require.Len(t, want, len(files))
	for _, f := range want {
		require.Equal(t, backup.Sum([]byte(files[f.Path]), &backup.SumOptions{SHA256: true}), f.Sums, f.Path)
	}
	for name, tree := range map[string]fs.FS{"os": os.DirFS(dir), "map": mapFS(files), "zip": archive, "plain": plain{os.DirFS(dir)}} {
		for _, workers := range []int{0, 1, 3} {
			got, errs := tbSums(t.Context(), tree, &backup.SumOptions{SHA256: true, Workers: workers})
			require.Empty(t, errs, name)
			require.Equal(t, want, got, name)
		}
	}
}

func TestSumFSFollowsTheByteOrderOfWholePaths(t *testing.T) {
	want := []string{"A", "a-b", "a.b", "a/b", "a/c-", "a/c/d", "a/c0", "a0", "a\x7f", "é-", "é/x"}
	files := map[string]string{}
	for _, name := range want {
		files[name] = name
	}
	for _, tree := range []fs.FS{openDir(t, tbWrite(t, files)), mapFS(files), os.DirFS(tbWrite(t, files))} {
		got, errs := tbSums(t.Context(), tree, nil)
		require.Empty(t, errs)
		require.Equal(t, want, tbPaths(got))
	}
}

// tbBroken is a file system of which some files open, and fail after some bytes.
type tbBroken struct {
	fstest.MapFS
	after map[string]int
}

var errTBBroken = errors.New("the disk is broken")

type tbBrokenFile struct {
	fs.File
	left int
}

func (b tbBroken) Open(name string) (fs.File, error) {
	f, err := b.MapFS.Open(name)
	if n, ok := b.after[name]; ok && err == nil {
		return &tbBrokenFile{f, n}, nil
	}
	return f, err
}

func (f *tbBrokenFile) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errTBBroken
	}
	n, err := f.File.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

func TestFileThatFailsOnTheWayIsNamedAndPassed(t *testing.T) {
	tree := mapFS(map[string]string{"a": "1", "b": "2", "c/in": "3", "d": "4", "e": string(pattern(large)), "f": string(pattern(large)), "g": "7"})
	manifest := build(t, tree, nil)
	fails := tbBroken{tree, map[string]int{"a": 0, "e": 1 << 20, "g": 0}}
	for _, workers := range []int{0, 1, 3} {
		got, errs := tbSums(t.Context(), fails, &backup.SumOptions{Workers: workers})
		require.Equal(t, []string{"b", "c/in", "d", "f"}, tbPaths(got))
		require.Len(t, errs, 3)
		for i, name := range []string{"a", "e", "g"} {
			require.ErrorIs(t, errs[i], errTBBroken)
			require.ErrorContains(t, errs[i], "backup: "+name+": ")
		}
		r := verify(t, manifest, fails, backup.Budget{Workers: workers})
		require.Equal(t, map[string][]string{"unreadable": {"a", "e", "g"}}, found(t, r))
		require.Contains(t, detail(r, "e").What, errTBBroken.Error())
	}
}

func TestSumFSOfACancelledContextIsOneError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tree := range []fs.FS{openDir(t, nasty(t)), mapFS(map[string]string{"a": "b"}), fstest.MapFS{}} {
		for range 100 { // which of two ready channels is served is left to chance
			files, errs := tbSums(ctx, tree, nil)
			require.Empty(t, files)
			require.Len(t, errs, 1)
			require.ErrorIs(t, errs[0], context.Canceled)
		}
	}
}

func ExampleSumFS() {
	tree := fstest.MapFS{
		"etc/hosts":  {Data: []byte("127.0.0.1 localhost\n")},
		"etc-backup": {Data: []byte("none\n")},
	}
	for file, err := range backup.SumFS(context.Background(), tree, nil) {
		if err != nil {
			fmt.Println("unreadable:", err) // and go on with the next file
			continue
		}
		fmt.Printf("%.16s  %s, %d bytes\n", file.BLAKE3, backup.Quote(file.Path), file.Size)
	}
	// Output:
	// c3caf496c7accd88  etc-backup, 5 bytes
	// f16092148f84b2ee  etc/hosts, 20 bytes
}
