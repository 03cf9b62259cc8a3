//go:build unix

package treemirror_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

// tinker does something to a tree at random, of a few names, so that kinds change places.
func tinker(t *testing.T, r *rand.Rand, dir string) {
	name := filepath.Join(dir, "abc"[r.IntN(3):][:1])
	if r.IntN(2) == 0 {
		name = filepath.Join(name, "xyz"[r.IntN(3):][:1])
	}
	info, err := os.Lstat(name)
	if err != nil && filepath.Dir(name) != dir {
		if up, err := os.Lstat(filepath.Dir(name)); err != nil || !up.IsDir() {
			return
		}
	}
	regular := err == nil && info.Mode().IsRegular()
	switch r.IntN(8) {
	case 0:
		err = os.RemoveAll(name)
	case 1:
		err = errorsOf(os.RemoveAll(name), os.Mkdir(name, 0o755))
	case 2:
		err = errorsOf(os.RemoveAll(name), os.Symlink(fmt.Sprint(r.IntN(2)), name))
	case 3:
		err = errorsOf(os.RemoveAll(name), os.WriteFile(name, make([]byte, r.IntN(5)*50_000), 0o644))
	case 4:
		if err = nil; regular {
			err = os.Truncate(name, int64(r.IntN(5))*65536)
		}
	case 5:
		if err = nil; regular {
			var f *os.File
			f, err = os.OpenFile(name, os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteAt([]byte("changed"), int64(r.IntN(300_000)))
			require.NoError(t, f.Close())
		}
	case 6:
		if err == nil && info.Mode().Type() != fs.ModeSymlink {
			err = os.Chmod(name, info.Mode()^0o111&0o011)
		}
		if os.IsNotExist(err) {
			err = nil
		}
	case 7:
		to := filepath.Join(dir, "d")
		if err == nil {
			err = errorsOf(os.RemoveAll(to), os.Rename(name, to))
		} else {
			err = nil
		}
	}
	require.NoError(t, err)
}

func errorsOf(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// Sources change at random, and every other Sync is cut off somewhere.
func TestCopyIsAlwaysAGenerationThatWasComplete(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		src, target := t.TempDir(), t.TempDir()
		require.NoError(t, once(t, src, target, always()))
		complete := listing(t, filepath.Join(target, treemirror.TreeName))
		for range 6 {
			for range 1 + r.IntN(6) {
				tinker(t, r, src)
			}
			if r.IntN(2) == 0 {
				if once(t, src, target, &failing{r.IntN(40)}) != nil {
					require.Equal(t, complete, listing(t, filepath.Join(target, treemirror.TreeName)), "seed %d", seed)
				}
			}
			require.NoError(t, once(t, src, target, always()))
			complete = listing(t, filepath.Join(target, treemirror.TreeName))
			require.Equal(t, listing(t, src), complete, "seed %d", seed)
		}
	}
}

func TestEmptySourceHasACopyToo(t *testing.T) {
	src, target := t.TempDir(), t.TempDir()
	require.NoError(t, once(t, src, target, always()))
	require.DirExists(t, filepath.Join(target, treemirror.TreeName))
	require.FileExists(t, filepath.Join(target, treemirror.ManifestName))
	require.NoError(t, os.RemoveAll(filepath.Join(target, treemirror.TreeName)))
	require.NoError(t, once(t, src, target, always()))
	require.DirExists(t, filepath.Join(target, treemirror.TreeName))
}

func TestLongNames(t *testing.T) {
	src, target := t.TempDir(), t.TempDir()
	root, err := os.OpenRoot(src)
	require.NoError(t, err)
	defer root.Close()
	deep := strings.Repeat(strings.Repeat("n", 255)+"/", 15) + strings.Repeat("n", 240) + "/" // 4,081 bytes: with src more than PATH_MAX
	require.NoError(t, root.MkdirAll(deep, 0o700))
	require.NoError(t, root.WriteFile(deep+"file", []byte("x"), 0o600))
	m, from := mirror(t, target, always()), open(t, src)
	require.NoError(t, m.Sync(t.Context(), 1, from, time.Time{}))
	require.NoError(t, root.WriteFile(deep+"more", []byte("y"), 0o600))
	for range 2 {
		require.NoError(t, m.Sync(t.Context(), 1, from, time.Time{}))
		require.EqualValues(t, 2, m.Fetched())
	}
	require.NoError(t, root.RemoveAll(strings.Repeat("n", 255)))
	for range 2 {
		require.NoError(t, root.WriteFile("file", fmt.Append(nil, time.Now()), 0o600))
		require.NoError(t, m.Sync(t.Context(), 1, from, time.Time{}))
	}
	for _, side := range []string{"a", "b"} {
		require.NoDirExists(t, filepath.Join(target, side, "tree", strings.Repeat("n", 255)))
	}
}

func TestSyncsOfOneMirrorComeOneAfterTheOther(t *testing.T) {
	m, from := mirror(t, t.TempDir(), always()), open(t, sample(t))
	var both sync.WaitGroup
	for range 3 {
		both.Go(func() {
			if err := m.Sync(t.Context(), 1, from, time.Time{}); err != nil {
				t.Error(err)
			}
			m.Status()
		})
	}
	both.Wait()
}
