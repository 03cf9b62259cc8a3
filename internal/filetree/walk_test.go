//go:build unix

package filetree_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/filetree"
)

// paths walks a tree and returns what came, and an error for each that came with one.
func paths(top *filetree.Folder, after string) (all []string, failed []error) {
	filetree.Walk(top, after, func(n filetree.Node) bool {
		defer n.In.Release()
		if n.Err != nil {
			failed = append(failed, n.Err)
		} else {
			all = append(all, n.Path)
		}
		return true
	})
	return all, failed
}

func TestWalkFollowsTheByteOrderOfWholePaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a\-./0é]{1,2}`)
		tree := fstest.MapFS{}
		for range rapid.IntRange(0, 12).Draw(t, "files") {
			parts := rapid.SliceOfN(name, 1, 4).Draw(t, "path")
			path := strings.Join(parts, "/")
			if path != "." && fs.ValidPath(path) {
				tree[path] = &fstest.MapFile{}
			}
		}
		var want []string
		err := fs.WalkDir(tree, ".", func(path string, _ fs.DirEntry, err error) error {
			if path != "." {
				want = append(want, path)
			}
			return err
		})
		if err != nil { // a path that is a file and a directory at once
			return
		}
		sort.Strings(want)
		got, failed := paths(filetree.OpenFS(tree), "")
		require.Empty(t, failed)
		require.Equal(t, want, got)
		for i, after := range want { // from anywhere, the rest comes
			rest, _ := paths(filetree.OpenFS(tree), after)
			require.Equal(t, len(want)-i-1, len(rest), "after %s", after)
			require.True(t, slices.Equal(want[i+1:], rest), "after %s", after)
		}
	})
}

func TestWalkNamesFilesByTheirBytes(t *testing.T) {
	dir := t.TempDir()
	names := []string{"\xff\xfe", "a\nb", "tab\t", "\\", "é"}
	for _, n := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, n), nil, 0o600))
	}
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	top, err := filetree.OpenRoot(root)
	require.NoError(t, err)
	defer top.Release()
	got, failed := paths(top, "")
	require.Empty(t, failed)
	sort.Strings(names)
	require.Equal(t, names, got)
}

func TestDirectoryReplacedByALinkIsNotEntered(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "d"), 0o700))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	top, err := filetree.OpenRoot(root)
	require.NoError(t, err)
	defer top.Release()
	var seen []string
	var failed []error
	filetree.Walk(top, "", func(n filetree.Node) bool {
		defer n.In.Release()
		if seen = append(seen, n.Path); n.Err != nil {
			failed = append(failed, n.Err)
		} else { // listed as a directory, and now it becomes a link
			require.NoError(t, os.Remove(filepath.Join(dir, "d")))
			require.NoError(t, os.Symlink(outside, filepath.Join(dir, "d")))
		}
		return true
	})
	require.Equal(t, []string{"d", "d"}, seen)
	require.Len(t, failed, 1)
	require.ErrorIs(t, failed[0], filetree.ErrReplaced)
}

func TestFileReplacedByALinkOrFIFOIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "link")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	top, err := filetree.OpenRoot(root)
	require.NoError(t, err)
	defer top.Release()
	_, err = top.Open("link")
	require.ErrorIs(t, err, filetree.ErrReplaced)
	c, err := top.Open("fifo") // does not wait for a writer
	require.NoError(t, err)
	st, err := c.Look()
	require.NoError(t, err)
	require.False(t, st.Mode.IsRegular())
	require.NoError(t, c.Close())
}

// listing is a file system whose directories list what they like.
type listing struct {
	fstest.MapFS
	name string
}

func (l listing) ReadDir(string) ([]fs.DirEntry, error) {
	return []fs.DirEntry{entry{l.name}}, nil
}

type entry struct{ name string }

func (e entry) Name() string               { return e.name }
func (e entry) IsDir() bool                { return false }
func (e entry) Type() fs.FileMode          { return 0 }
func (e entry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }

func TestNamesThatAreNoneAreRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "/etc/passwd", "a\x00b"} {
		got, failed := paths(filetree.OpenFS(listing{name: name}), "")
		require.Empty(t, got, "%q", name)
		require.Len(t, failed, 1, "%q", name)
		require.ErrorIs(t, failed[0], opsec.ErrInvalid)
	}
}
