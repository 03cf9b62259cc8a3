package audit_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

// limitFiles makes writes of this process fail behind size bytes of any file, as a full disk does, in the middle of a
// line if it comes so.
func limitFiles(t *testing.T, size uint64) (lift func()) {
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	signal.Ignore(syscall.SIGXFSZ)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: before.Max}))
	return func() {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
		signal.Reset(syscall.SIGXFSZ)
	}
}

func TestHalfWrittenBatchIsTakenBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path)
	require.NoError(t, f.Write(t.Context(), batch("a")))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	next := batch("b", "c", "d")

	lift := limitFiles(t, uint64(len(before)+len(next[0].JSON)+10)) // within the line of c
	err = f.Write(t.Context(), next)
	after, errRead := os.ReadFile(path)
	lift()
	require.ErrorIs(t, err, syscall.EFBIG)
	require.NoError(t, errRead)
	require.Equal(t, before, after, "nothing of it, in particular no torn line")

	require.NoError(t, f.Write(t.Context(), next), "it comes again as a batch")
	events, bad := contents(t, path)
	require.Zero(t, bad)
	require.Equal(t, []string{"a", "b", "c", "d"}, names(events))
}

func TestReplacementIsToldWhenThereIsRoomAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path)
	require.NoError(t, f.Write(t.Context(), batch("a")))
	require.NoError(t, os.Remove(path))
	lift := limitFiles(t, 10)
	err := f.Write(t.Context(), batch("b"))
	lift()
	require.ErrorIs(t, err, syscall.EFBIG)
	require.NoError(t, f.Write(t.Context(), batch("b")))
	require.NoError(t, f.Write(t.Context(), batch("c")))
	events, bad := contents(t, path)
	require.Zero(t, bad)
	require.Equal(t, []string{audit.ActionFileReplaced, "b", "c"}, names(events))
}

func TestPipeIsRefusedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err := audit.OpenFile(path, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "neither a regular file nor a character device")

	require.NoError(t, os.Remove(path))
	f := openFile(t, path)
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	err = f.Write(t.Context(), batch("a"))
	require.ErrorContains(t, err, "neither a regular file nor a character device")
	require.NotErrorIs(t, err, opsec.ErrInvalid, "a Trail must not blame the batch")
}
