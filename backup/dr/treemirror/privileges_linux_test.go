package treemirror_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

// asNobody lets the calling goroutine, and no other, use files as a user without privileges, to the end of the test.
func asNobody(t *testing.T) {
	runtime.LockOSThread()
	setUser := func(id uintptr) {
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, id, 0, 0)
		require.Zero(t, errno)
	}
	setUser(nobody)
	t.Cleanup(func() { setUser(0) })
}

const nobody = 65534

// Root may write to what is read-only; the user that a mirror runs as may not.
func TestReadOnlyDirectoriesAreReplacedAndRemovedWithoutPrivileges(t *testing.T) {
	dir := filepath.Dir(t.TempDir())
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(dir, nobody, nobody))
		asNobody(t)
	}
	src, target := sample(t), t.TempDir()
	require.NoError(t, once(t, src, target, always()))
	for range 2 { // the third generation takes away the first
		put(t, src, "more", nil)
		require.NoError(t, once(t, src, target, always()))
		require.NoError(t, os.Remove(filepath.Join(src, "more")))
		require.NoError(t, once(t, src, target, always()))
		require.Equal(t, listing(t, src), listing(t, filepath.Join(target, treemirror.TreeName)))
	}
}

// Linux lets nobody link to a file of another that he may not write to.
func TestFilesThatCannotBeSharedAreCopiedAtTheTarget(t *testing.T) {
	if b, err := os.ReadFile("/proc/sys/fs/protected_hardlinks"); err != nil || string(b) != "1\n" || os.Geteuid() != 0 {
		t.Skip("wants root, and protected_hardlinks")
	}
	src, target := sample(t), t.TempDir()
	require.NoError(t, once(t, src, target, always()))
	for _, name := range []string{".", "a", "a/tree", "a/manifest", "current"} {
		require.NoError(t, os.Lchown(filepath.Join(target, name), nobody, nobody))
	}
	put(t, src, "more", []byte("x"))
	m, from := mirror(t, target, always()), open(t, src)
	require.NoError(t, os.Chown(filepath.Dir(target), nobody, nobody))
	asNobody(t)
	require.NoError(t, m.Sync(t.Context(), 1, from, time.Time{}))
	require.EqualValues(t, 1, m.Fetched())
	var st syscall.Stat_t
	require.NoError(t, syscall.Stat(filepath.Join(target, treemirror.TreeName, "big"), &st))
	require.EqualValues(t, nobody, st.Uid)
	require.EqualValues(t, 1, st.Nlink)
}

// A verification reads with goroutines of its own: all of the process has to be without privileges.
func TestPlacesThatCannotBeReadAreMended(t *testing.T) {
	if os.Geteuid() == 0 {
		dir, err := os.MkdirTemp("", "")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		program, err := os.ReadFile(os.Args[0])
		require.NoError(t, err)
		require.NoError(t, errors.Join(os.Chown(dir, nobody, nobody), os.WriteFile(filepath.Join(dir, "test"), program, 0o755)))
		cmd := exec.Command(filepath.Join(dir, "test"), "-test.run", "^"+t.Name()+"$")
		cmd.Env, cmd.Dir = append(os.Environ(), "TMPDIR="+dir), dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	src, target := sample(t), t.TempDir()
	put(t, src, "full/deep/y", []byte("y"))
	require.NoError(t, once(t, src, target, always()))
	tree := filepath.Join(target, treemirror.TreeName)
	require.NoError(t, errors.Join(os.Chmod(filepath.Join(tree, "big"), 0), os.Chmod(filepath.Join(tree, "full"), 0)))
	require.NoError(t, once(t, src, target, always()))
	require.Equal(t, listing(t, src), listing(t, tree))
	put(t, src, "more", nil)
	require.NoError(t, once(t, src, target, always()), "what was there goes, too")
	odd := fstest.MapFS{"d": {Mode: fs.ModeDir}, "d/e": {Mode: fs.ModeDir | 0o700}, "d/e/f": {Data: []byte("x")}} // d lets nobody in
	closed := t.TempDir()
	m := mirror(t, closed, always())
	for range 3 {
		require.NoError(t, m.Sync(t.Context(), 1, odd, time.Time{}))
	}
	require.EqualValues(t, 3, m.Fetched(), "what cannot be read is made anew")
	for _, name := range []string{target + "/a/tree/dir", target + "/b/tree/dir", closed + "/a/tree/d", closed + "/b/tree/d"} {
		require.NoError(t, os.Chmod(name, 0o700)) // for the end of the test
	}
}
