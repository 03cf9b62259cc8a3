package wholefile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/wholefile"
)

func TestWriteIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	require.NoError(t, wholefile.Write(name, 0o600, text("one")))
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	broken := errors.New("broken")
	err = wholefile.Write(name, 0o600, func(w io.Writer) error { io.WriteString(w, "half"); return broken })
	require.ErrorIs(t, err, broken)
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "one", string(got), "after an error the old content stays")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file is left behind")
}

func TestWriteToFullDevice(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	err := wholefile.Write("/dev/full", 0o600, func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err })
	require.Error(t, err)
	info, err := os.Stat("/dev/full")
	require.NoError(t, err)
	require.False(t, info.Mode().IsRegular(), "a device is never replaced by a file")
}
