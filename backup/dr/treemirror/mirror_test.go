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
	"sync"
	"sync/atomic"
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

func open(t *testing.T, dir string) *backup.Dir {
	d, err := backup.OpenDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func mirror(t *testing.T, target string, g treemirror.Gate) *treemirror.Mirror {
	m, err := treemirror.New(target, g, &treemirror.Options{
		Header: backup.Header{Tenant: "acme", Source: "data", Operator: "alice"}, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	return m
}

// always lets everything through.
func always() treemirror.Gate { return &failing{1 << 30} }

// once makes one generation by a Mirror of its own.
func once(t *testing.T, src, target string, g treemirror.Gate) error {
	return mirror(t, target, g).Sync(t.Context(), 1, open(t, src), time.Time{})
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
	m := mirror(t, target, g)
	_, known := m.Status().Exposure()
	require.False(t, known)
	require.NoError(t, m.Sync(t.Context(), 1, open(t, src), time.Time{}))
	tree := filepath.Join(target, treemirror.TreeName)
	require.Equal(t, listing(t, src), listing(t, tree))
	before := m.Fetched()
	require.EqualValues(t, 1<<20+3, before)

	there, err := os.Readlink(filepath.Join(target, "current"))
	require.NoError(t, err)
	require.NoError(t, m.Sync(t.Context(), 1, open(t, src), time.Time{}))
	require.Equal(t, before, m.Fetched(), "nothing has changed")
	still, err := os.Readlink(filepath.Join(target, "current"))
	require.NoError(t, err)
	require.Equal(t, there, still, "nothing has changed, for all that a link's own time is not kept")

	change(t, src)
	require.NoError(t, m.Sync(t.Context(), 2, open(t, src), time.Time{}))
	require.Equal(t, listing(t, src), listing(t, tree))
	require.EqualValues(t, 64<<10+10+15, m.Fetched()-before)

	put(t, src, "more", []byte("z"))
	have := listing(t, target)
	require.ErrorIs(t, m.Sync(t.Context(), 1, open(t, src), time.Time{}), fence.ErrFenced)
	require.Equal(t, have, listing(t, target), "a former primary changes nothing")
	require.False(t, m.Status().Connected)
}

func TestExposureIsSinceTheSnapshotWasTaken(t *testing.T) {
	clock := now
	m, err := treemirror.New(t.TempDir(), always(), &treemirror.Options{
		Header: backup.Header{Tenant: "acme", Source: "data"}, Now: func() time.Time { return clock },
	})
	require.NoError(t, err)
	src := open(t, sample(t))
	exposure := func() string {
		d, known := m.Status().Exposure()
		return fmt.Sprint(d, " ", known)
	}
	require.NoError(t, m.Sync(t.Context(), 1, src, now.Add(-time.Hour)))
	require.Equal(t, "1h0m0s true", exposure(), "what was written in that hour is not there")
	require.NoError(t, m.Sync(t.Context(), 1, src, time.Time{}))
	clock = now.Add(time.Minute)
	require.Equal(t, "1m0s true", exposure())
	require.Error(t, m.Sync(t.Context(), 1, nil, time.Time{}))
	require.NoError(t, m.Sync(t.Context(), 1, src, clock.Add(time.Hour)), "by a clock that is ahead")
	require.Equal(t, "0s true", exposure())
	clock = now
	require.Equal(t, "0s false", exposure(), "a clock that goes back makes no copy newer")
}

// A crash is tried before each change, and what is there is compared with the generation that was complete.
func TestInterruptedAnywhereTheNextSyncFinishes(t *testing.T) {
	src, target := sample(t), t.TempDir()
	require.NoError(t, once(t, src, target, always()))
	older := listing(t, filepath.Join(target, treemirror.TreeName))
	require.Equal(t, listing(t, src), older)
	manifest, err := os.ReadFile(filepath.Join(target, treemirror.ManifestName))
	require.NoError(t, err)
	change(t, src)
	crashes := 0
	for n := 0; ; n++ {
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, exec.Command("cp", "-a", target, copied).Run())
		err := once(t, src, copied, &failing{n})
		if err != nil {
			crashes++
			require.ErrorIs(t, err, errCrash)
			require.Equal(t, older, listing(t, filepath.Join(copied, treemirror.TreeName)), "the last generation is whole")
			have, err := os.ReadFile(filepath.Join(copied, treemirror.ManifestName))
			require.NoError(t, err)
			require.Equal(t, manifest, have, "the manifest is that of the last complete generation")
			require.NoError(t, once(t, src, copied, always()))
		}
		require.Equal(t, listing(t, src), listing(t, filepath.Join(copied, treemirror.TreeName)))
		if err == nil {
			break
		}
	}
	require.Greater(t, crashes, 8)
}

// What a reader has opened, and the generation before, are not written to.
func TestLastGenerationStaysUntilTheNextSync(t *testing.T) {
	src, target := sample(t), t.TempDir()
	require.NoError(t, once(t, src, target, always()))
	older := listing(t, filepath.Join(target, treemirror.TreeName))
	side, err := os.Readlink(filepath.Join(target, "current"))
	require.NoError(t, err)
	change(t, src)
	require.NoError(t, once(t, src, target, always()))
	require.Equal(t, older, listing(t, filepath.Join(target, side, "tree")))
	a, err := os.Stat(filepath.Join(target, "a", "tree", "big"))
	require.NoError(t, err)
	b, err := os.Stat(filepath.Join(target, "b", "tree", "big"))
	require.NoError(t, err)
	require.False(t, os.SameFile(a, b), "what has changed is another file")

	put(t, src, "more", nil)
	require.NoError(t, once(t, src, target, always()))
	a, err = os.Stat(filepath.Join(target, "a", "tree", "big"))
	require.NoError(t, err)
	b, err = os.Stat(filepath.Join(target, "b", "tree", "big"))
	require.NoError(t, err)
	require.True(t, os.SameFile(a, b), "what has not changed takes no room twice")
}

func TestTreeOfAFormerPrimaryIsWhatTheFirstGenerationIsMadeFrom(t *testing.T) {
	src, target := sample(t), t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(target, "current"), 0o700))
	require.NoError(t, exec.Command("cp", "-a", src, filepath.Join(target, treemirror.TreeName)).Run())
	put(t, target, treemirror.TreeName+"/written too late", []byte("x"))
	put(t, target, "adopted/tree/of a failure before", []byte("x"))
	former := listing(t, filepath.Join(target, treemirror.TreeName))
	for n := 0; ; n++ { // a crash anywhere, too
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, exec.Command("cp", "-a", target, copied).Run())
		err := once(t, src, copied, &failing{n})
		m := mirror(t, copied, always())
		tree := filepath.Join(copied, treemirror.TreeName)
		if _, gone := os.Lstat(tree); gone != nil { // a crash between two renames, when there is no primary here
			tree = filepath.Join(copied, "adopted", "tree")
		}
		if err != nil {
			require.Equal(t, former, listing(t, tree))
		}
		require.NoError(t, m.Sync(t.Context(), 1, open(t, src), time.Time{}))
		require.Zero(t, m.Fetched(), "all was there")
		require.NoError(t, m.Sync(t.Context(), 1, open(t, src), time.Time{}))
		require.NoDirExists(t, filepath.Join(copied, "adopted"))
		require.Equal(t, listing(t, src), listing(t, filepath.Join(copied, treemirror.TreeName)))
		if err == nil {
			break
		}
	}
}

func TestAReaderSeesWholeGenerations(t *testing.T) {
	src, target := t.TempDir(), t.TempDir()
	m, from := mirror(t, target, always()), open(t, src)
	var made atomic.Int64
	generation := func() {
		text := fmt.Append(nil, made.Load())
		put(t, src, "a", text)
		put(t, src, "b", text)
		require.NoError(t, m.Sync(t.Context(), 1, from, time.Time{}))
		made.Add(1)
	}
	generation()
	var reader sync.WaitGroup
	reader.Go(func() {
		for made.Load() < 20 {
			before := made.Load()
			err := func() error {
				r, err := os.OpenRoot(filepath.Join(target, treemirror.TreeName))
				if err != nil {
					return err
				}
				defer r.Close()
				a, err1 := r.ReadFile("a")
				b, err2 := r.ReadFile("b")
				if err1 == nil && err2 == nil && !bytes.Equal(a, b) {
					t.Errorf("%s and %s", a, b)
				}
				return errors.Join(err1, err2)
			}()
			// The generation before goes when the next Sync begins.
			if err != nil && made.Load() == before {
				t.Error(err)
			}
		}
	})
	reader.Go(func() {
		for made.Load() < 20 {
			if _, err := os.Readlink(filepath.Join(target, "current")); err != nil {
				t.Error("for a moment there was none:", err)
				return
			}
		}
	})
	for range 19 {
		generation()
	}
	reader.Wait()
}

func TestTargetThatWasMeddledWithIsMendedOrRefused(t *testing.T) {
	for name, meddle := range map[string]func(tree string) error{
		"content, time kept": func(tree string) error {
			info, err := os.Stat(tree + "/big")
			if err != nil {
				return err
			}
			f, err := os.OpenFile(tree+"/big", os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt([]byte("lie"), 1000)
			return errors.Join(err, f.Close(), os.Chtimes(tree+"/big", info.ModTime(), info.ModTime()))
		},
		"shorter":    func(tree string) error { return os.Truncate(tree+"/big", 131072) },
		"longer":     func(tree string) error { return os.Truncate(tree+"/big", 2<<20) },
		"empty":      func(tree string) error { return os.Truncate(tree+"/big", 0) },
		"mode":       func(tree string) error { return os.Chmod(tree+"/big", 0o600) },
		"unreadable": func(tree string) error { return errors.Join(os.Chmod(tree+"/big", 0), os.Chmod(tree+"/dir", 0)) },
		"FIFO": func(tree string) error {
			return errors.Join(os.Remove(tree+"/big"), syscall.Mkfifo(tree+"/big", 0o600))
		},
		"link":             func(tree string) error { return errors.Join(os.Remove(tree+"/big"), os.Symlink("empty", tree+"/big")) },
		"more":             func(tree string) error { return os.WriteFile(tree+"/more", nil, 0o600) },
		"FIFO more":        func(tree string) error { return syscall.Mkfifo(tree+"/more", 0o600) },
		"tree gone":        os.RemoveAll,
		"tree is a link":   func(tree string) error { return errors.Join(os.RemoveAll(tree), os.Symlink("/etc", tree)) },
		"generation gone":  func(tree string) error { return os.RemoveAll(filepath.Dir(tree)) },
		"manifest gone":    func(tree string) error { return os.Remove(filepath.Dir(tree) + "/manifest") },
		"manifest damaged": func(tree string) error { return os.WriteFile(filepath.Dir(tree)+"/manifest", []byte("x"), 0o600) },
		"manifest a folder": func(tree string) error {
			return errors.Join(os.Remove(filepath.Dir(tree)+"/manifest"), os.Mkdir(filepath.Dir(tree)+"/manifest", 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			src, target := sample(t), t.TempDir()
			require.NoError(t, once(t, src, target, always()))
			side, err := os.Readlink(filepath.Join(target, "current"))
			require.NoError(t, err)
			require.NoError(t, meddle(filepath.Join(target, side, "tree")))
			require.NoError(t, once(t, src, target, always()))
			require.Equal(t, listing(t, src), listing(t, filepath.Join(target, treemirror.TreeName)))
			_, err = backup.OpenManifestFile(filepath.Join(target, treemirror.ManifestName))
			require.NoError(t, err)
		})
	}
	for name, meddle := range map[string]func(current string) error{
		"leads out":   func(current string) error { return os.Symlink("/etc", current) },
		"leads about": func(current string) error { return os.Symlink("a/tree", current) },
		"a file":      func(current string) error { return os.WriteFile(current, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			src, target := sample(t), t.TempDir()
			current := filepath.Join(target, "current")
			require.NoError(t, once(t, src, target, always()))
			require.NoError(t, errors.Join(os.Remove(current), meddle(current)))
			have := listing(t, target)
			err := once(t, src, target, always())
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, "take it away")
			require.Equal(t, have, listing(t, target))
		})
	}
}

func TestALinkInTheTargetLeadsNowhere(t *testing.T) {
	src, target, outside := sample(t), t.TempDir(), t.TempDir()
	put(t, outside, "kept/x", []byte("x"))
	have := listing(t, outside)
	for _, name := range []string{"a", "b", "new"} {
		require.NoError(t, os.Symlink(outside, filepath.Join(target, name)))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(target, "adopted/tree"), 0o700))
	require.NoError(t, os.Symlink(outside, filepath.Join(target, "adopted/tree/dir")))
	require.NoError(t, os.Symlink("adopted", filepath.Join(target, "current")))
	require.NoError(t, once(t, src, target, always()))
	require.Equal(t, have, listing(t, outside))
	require.Equal(t, listing(t, src), listing(t, filepath.Join(target, treemirror.TreeName)))
}

func TestSpecialFilesAreRefused(t *testing.T) {
	src := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(src, "fifo"), 0o600))
	err := once(t, src, t.TempDir(), always())
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "fifo")
	_, err = treemirror.New("x", &failing{}, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestSyncEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, mirror(t, t.TempDir(), always()).Sync(ctx, 1, open(t, sample(t)), time.Time{}), context.Canceled)
	for n := 1; ; n++ { // anywhere
		ctx, cancel := context.WithCancel(t.Context())
		gate := &meddling{n, cancel}
		err := mirror(t, t.TempDir(), gate).Sync(ctx, 1, open(t, sample(t)), time.Time{})
		if gate.before > 0 {
			require.NoError(t, err)
			break
		}
		require.Zero(t, gate.before, "went on after its context had ended")
		if err != nil { // the last change is made all the same
			require.ErrorIs(t, err, context.Canceled)
		}
	}
}

// meddling calls what it is told to before one of its calls.
type meddling struct {
	before int
	meddle func()
}

func (g *meddling) Do(_ uint64, fn func() error) error {
	if g.before--; g.before == 0 {
		g.meddle()
	}
	return fn()
}

func TestFileThatChangesAfterItsManifestWasMadeIsNotShown(t *testing.T) {
	src, target := t.TempDir(), t.TempDir()
	put(t, src, "a", []byte("one"))
	err := once(t, src, target, &meddling{2, func() { put(t, src, "a", []byte("two")) }})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "changed since its manifest")
	require.NoFileExists(t, filepath.Join(target, treemirror.TreeName, "a"))
	require.NoFileExists(t, filepath.Join(target, treemirror.ManifestName))
}

func TestFileThatIsCutAfterItWasComparedIsNotShared(t *testing.T) {
	src, target := sample(t), t.TempDir()
	require.NoError(t, once(t, src, target, always()))
	side, err := os.Readlink(filepath.Join(target, "current"))
	require.NoError(t, err)
	big := filepath.Join(target, side, "tree", "big")
	put(t, src, "a", nil) // comes before it
	cut := false
	gate := &watching{func() {
		next := filepath.Join(target, map[string]string{"a": "b", "b": "a"}[side], "tree")
		if _, err := os.Stat(filepath.Join(next, "a")); err == nil && !cut {
			cut = true
			require.NoError(t, os.Truncate(big, 7))
		}
	}}
	err = once(t, src, target, gate)
	require.True(t, cut)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "since it was compared")
	require.NoError(t, once(t, src, target, always()))
	require.Equal(t, listing(t, src), listing(t, filepath.Join(target, treemirror.TreeName)))
}

// watching looks before each call.
type watching struct{ look func() }

func (g *watching) Do(_ uint64, fn func() error) error {
	g.look()
	return fn()
}

func TestHolesAreKept(t *testing.T) {
	src, target := t.TempDir(), t.TempDir()
	f, err := os.Create(filepath.Join(src, "disk"))
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("x"), 40<<20)
	require.NoError(t, errors.Join(err, f.Truncate(64<<20)))
	require.NoError(t, once(t, src, target, always()))
	_, err = f.WriteAt([]byte("y"), 20<<20)
	require.NoError(t, errors.Join(err, f.Truncate(80<<20), f.Close()))
	m := mirror(t, target, always())
	require.NoError(t, m.Sync(t.Context(), 1, open(t, src), time.Time{}))
	require.Equal(t, listing(t, src), listing(t, filepath.Join(target, treemirror.TreeName)))
	require.EqualValues(t, 64<<10+16<<20, m.Fetched())
	for _, side := range []string{"a", "b"} {
		var st syscall.Stat_t
		require.NoError(t, syscall.Stat(filepath.Join(target, side, "tree", "disk"), &st))
		require.Less(t, st.Blocks*512, int64(1<<20))
	}
}
