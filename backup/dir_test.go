package backup_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup"
)

func TestDirIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a/b/c", []byte("1"))
	put(t, dir, "a/b/d", []byte("2"))
	put(t, dir, "z", []byte("3"))
	put(t, dir, "b", []byte("4"))
	require.NoError(t, fstest.TestFS(openDir(t, dir), "a/b/c", "a/b/d", "z", "b"))
}

func TestDirNamesFilesByTheirBytes(t *testing.T) {
	dir := nasty(t)
	d := openDir(t, dir)
	for _, name := range regular(t, dir) {
		got, err := fs.ReadFile(d, name)
		require.NoError(t, err, "%q", name)
		want, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", name)
		info, err := fs.Lstat(d, name)
		require.NoError(t, err)
		require.EqualValues(t, len(want), info.Size())
	}
	target, err := fs.ReadLink(d, "dangles")
	require.NoError(t, err)
	require.Equal(t, "gone\n\xff", target)
}

func TestDirOpensNeitherLinksNorWhatBlocks(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	put(t, outside, "secret", []byte("secret"))
	put(t, dir, "d/f", []byte("inside"))
	mkfifo(t, filepath.Join(dir, "fifo"))
	for name, target := range map[string]string{"in": "d/f", "out": filepath.Join(outside, "secret"), "dir": "d", "dirout": outside, "null": "/dev/null", "pipe": "fifo"} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	d := openDir(t, dir)
	leaksNothing(t, func() {
		for _, name := range []string{"in", "out", "dir", "dirout", "null", "pipe", "fifo", "dirout/secret", "../" + filepath.Base(outside) + "/secret", outside + "/secret", "", "/", "missing"} {
			f, err := d.Open(name)
			require.Error(t, err, name)
			require.Nil(t, f)
		}
		for _, name := range []string{"dir", "dirout", "in", "..", "/"} {
			_, err := d.ReadDir(name)
			require.Error(t, err, name)
		}
	})
	_, err := d.Open("fifo")
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = d.Open("dir/f")
	require.Error(t, err, "a link to a directory inside is followed, though a Dir says that it never follows one")
	f, err := d.Open("d/f")
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "inside", string(b))
	require.NoError(t, f.Close())
}

func TestOpenDirWantsADirectory(t *testing.T) {
	dir := t.TempDir()
	name := put(t, dir, "f", nil)
	mkfifo(t, filepath.Join(dir, "fifo"))
	for _, bad := range []string{name, filepath.Join(dir, "fifo"), filepath.Join(dir, "missing"), ""} {
		_, err := backup.OpenDir(bad)
		require.Error(t, err, "%q", bad)
	}
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "self")))
	d := openDir(t, filepath.Join(dir, "self"))
	_, err := fs.Stat(d, "f")
	require.NoError(t, err, "the name given may be a link")
}

// A file system without ReadLink cannot tell where a link leads: nothing about it may be passed over in silence.
func TestLinksThatCannotBeReadAreErrors(t *testing.T) {
	for name, target := range map[string]string{"to a file": "f", "to nothing": "gone"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "f", []byte("x"))
			require.NoError(t, os.Symlink(target, filepath.Join(dir, "link")))
			blind := plain{os.DirFS(dir)}
			_, err := backup.Build(context.Background(), io.Discard, blind, backup.BuildOptions{Header: header()})
			require.ErrorContains(t, err, "link")
			r := verify(t, build(t, openDir(t, dir), nil), blind, backup.Budget{})
			require.False(t, r.OK)
		})
	}
}
