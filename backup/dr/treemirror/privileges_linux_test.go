package treemirror_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/treemirror"
)

// Root may write to what is read-only; the user that a mirror runs as may not.
func TestReadOnlyDirectoriesAreReplacedAndRemovedWithoutPrivileges(t *testing.T) {
	dir := filepath.Dir(t.TempDir())
	if os.Geteuid() == 0 {
		const nobody = 65534
		require.NoError(t, os.Chown(dir, nobody, nobody))
		runtime.LockOSThread() // for good: the thread, which alone is nobody's, ends with the test
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0)
		require.Zero(t, errno)
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
	for _, side := range []string{"a", "b"} { // for the end of the test, which removes them
		require.NoError(t, os.Chmod(filepath.Join(target, side, "tree", "dir"), 0o700))
	}
}
