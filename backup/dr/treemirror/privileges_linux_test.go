package treemirror_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
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
