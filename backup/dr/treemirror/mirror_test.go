//go:build unix

package treemirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

var now = time.Date(2026, 3, 9, 12, 0, 0, 0, time.UTC)

// failing lets so many calls through.
type failing struct{ left int }

var errCrash = errors.New("crash")

func (f *failing) Do(_ uint64, fn func() error) error {
	if f.left--; f.left < 0 {
		return errCrash
	}
	return fn()
}

func put(t *testing.T, dir, name string, b []byte) {
	name = filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, b, 0o644))
}

func mirror(t *testing.T, src, target string, g treemirror.Gate) *treemirror.Mirror {
	d, err := backup.OpenDir(src)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	m, err := treemirror.New(d, target, g, &treemirror.Options{
		Header: backup.Header{Tenant: "acme", Source: "data", Operator: "alice"}, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	return m
}

// listing is a tree as text.
func listing(t *testing.T, dir string) (lines []string) {
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprint(p[len(dir):], " ", info.Mode())
		switch {
		case info.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %d %x", info.ModTime().UnixNano(), backup.Sum(b, nil).BLAKE3)
		case info.IsDir():
			line += fmt.Sprint(" ", info.ModTime().UnixNano())
		default:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " " + to
		}
		lines = append(lines, line)
		return nil
	})
	require.NoError(t, err)
	return lines
}

func sample(t *testing.T) string {
	src := t.TempDir()
	put(t, src, "big", bytes.Repeat([]byte("0123456789abcdef"), 64<<10)) // 1 MiB
	put(t, src, "dir/small", []byte("x"))
	put(t, src, "odd \xff name", []byte("y"))
	put(t, src, "empty", nil)
	put(t, src, "full/x", []byte("z"))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(src, "link")))
	require.NoError(t, os.Chmod(filepath.Join(src, "dir"), 0o555))
	t.Cleanup(func() { os.Chmod(filepath.Join(src, "dir"), 0o755) })
	return src
}

// change makes another generation: kinds swapped, a group changed, places gone.
func change(t *testing.T, src string) {
	f, err := os.OpenFile(filepath.Join(src, "big"), os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("CHANGED"), 300_000)
	require.NoError(t, errors.Join(err, f.Close()))
	require.NoError(t, os.Chmod(filepath.Join(src, "dir"), 0o755))
	require.NoError(t, os.RemoveAll(filepath.Join(src, "dir")))
	put(t, src, "dir", []byte("a file now"))
	require.NoError(t, os.Remove(filepath.Join(src, "link")))
	put(t, src, "link/in it", []byte("a directory now"))
	require.NoError(t, os.Remove(filepath.Join(src, "odd \xff name")))
	require.NoError(t, os.Remove(filepath.Join(src, "empty")))
	require.NoError(t, os.Symlink("big", filepath.Join(src, "empty")))
	require.NoError(t, os.RemoveAll(filepath.Join(src, "full")))
	require.NoError(t, os.Symlink("big", filepath.Join(src, "full")))
}

func TestTargetBecomesTheSourceAndOnlyChangedGroupsAreFetched(t *testing.T) {
	src, target := sample(t), t.TempDir()
	g, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	m := mirror(t, src, target, g)
	_, known := m.Status().Exposure()
	require.False(t, known)
	require.NoError(t, m.Sync(t.Context(), 1))
	tree := filepath.Join(target, treemirror.TreeName)
	require.Equal(t, listing(t, src), listing(t, tree))
	before := m.Fetched()
	require.EqualValues(t, 1<<20+3, before)

	require.NoError(t, m.Sync(t.Context(), 1))
	require.Equal(t, before, m.Fetched(), "nothing has changed")

	now = now.Add(time.Minute)
	exposure, known := m.Status().Exposure()
	require.True(t, known)
	require.Equal(t, time.Minute, exposure)
	change(t, src)
	require.NoError(t, m.Sync(t.Context(), 2))
	require.Equal(t, listing(t, src), listing(t, tree))
	require.EqualValues(t, 64<<10+10+15, m.Fetched()-before)

	put(t, src, "more", []byte("z"))
	have := listing(t, target)
	require.ErrorIs(t, m.Sync(t.Context(), 1), fence.ErrFenced)
	require.Equal(t, have, listing(t, target), "a former primary changes nothing")
	require.False(t, m.Status().Connected)
}

func TestInterruptedAnywhereTheNextSyncFinishes(t *testing.T) {
	src, target := sample(t), t.TempDir()
	require.NoError(t, mirror(t, src, target, &failing{1 << 30}).Sync(t.Context(), 1))
	manifest, err := os.ReadFile(filepath.Join(target, treemirror.ManifestName))
	require.NoError(t, err)
	older, err := os.ReadFile(filepath.Join(src, "big"))
	require.NoError(t, err)
	change(t, src)
	newer, err := os.ReadFile(filepath.Join(src, "big"))
	require.NoError(t, err)
	crashes := 0
	for n := 0; ; n++ {
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, exec.Command("cp", "-a", target, copied).Run())
		err := mirror(t, src, copied, &failing{n}).Sync(t.Context(), 1)
		if err != nil {
			crashes++
			require.ErrorIs(t, err, errCrash)
			big, err := os.ReadFile(filepath.Join(copied, treemirror.TreeName, "big"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(big, older) || bytes.Equal(big, newer), "a torn file")
			have, err := os.ReadFile(filepath.Join(copied, treemirror.ManifestName))
			require.NoError(t, err)
			require.Equal(t, manifest, have, "the manifest is that of the last complete generation")
			require.NoError(t, mirror(t, src, copied, &failing{1 << 30}).Sync(t.Context(), 1))
		}
		require.Equal(t, listing(t, src), listing(t, filepath.Join(copied, treemirror.TreeName)))
		if err == nil {
			break
		}
	}
	require.Greater(t, crashes, 8)
}

func TestALinkInTheTargetLeadsNowhere(t *testing.T) {
	src, target, outside := sample(t), t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(target, "tree"), 0o755))
	require.NoError(t, os.Symlink(outside, filepath.Join(target, "tree", "dir")))
	require.NoError(t, os.Symlink(filepath.Join(outside, "victim"), filepath.Join(target, "part")))
	require.NoError(t, mirror(t, src, target, &failing{1 << 30}).Sync(t.Context(), 1))
	require.Empty(t, listing(t, outside))
	require.Equal(t, listing(t, src), listing(t, filepath.Join(target, "tree")))
}

func TestSpecialFilesAreRefused(t *testing.T) {
	src := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(src, "fifo"), 0o600))
	err := mirror(t, src, t.TempDir(), &failing{1 << 30}).Sync(t.Context(), 1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "fifo")
	_, err = treemirror.New(nil, "x", &failing{}, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestSyncEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, mirror(t, sample(t), t.TempDir(), &failing{1 << 30}).Sync(ctx, 1), context.Canceled)
}

// meddling calls what it is told to before its second call.
type meddling struct {
	calls  int
	meddle func()
}

func (g *meddling) Do(_ uint64, fn func() error) error {
	if g.calls++; g.calls == 2 {
		g.meddle()
	}
	return fn()
}

func TestFileThatChangesAfterItsManifestWasMadeIsNotPutInPlace(t *testing.T) {
	src, target := t.TempDir(), t.TempDir()
	put(t, src, "a", []byte("one"))
	err := mirror(t, src, target, &meddling{meddle: func() { put(t, src, "a", []byte("two")) }}).Sync(t.Context(), 1)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "changed since its manifest")
	require.NoFileExists(t, filepath.Join(target, "tree", "a"))
	require.NoFileExists(t, filepath.Join(target, treemirror.ManifestName))
}
