package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

// smallDisk is a file system of 2 MiB.
func smallDisk(t *testing.T) string {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must be able to mount: ", err)
		}
		t.Skip("cannot mount a small file system: ", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

func TestFullDiskRefusesAndForgetsNothing(t *testing.T) {
	dir := smallDisk(t)
	path, ballast := filepath.Join(dir, "state"), filepath.Join(dir, "ballast")
	d := open(t, path)
	revs := map[string]store.Rev{}
	value := strings.Repeat("v", 3000)
	fill := func() {
		for refused := 0; refused < 10; { // small and large ones fail at other places
			size := 3000
			if refused%2 == 1 {
				size = 10
			}
			key := fmt.Sprintf("%06d", len(revs))
			rev, err := d.Commit(t.Context(), write(key, value[:size]))
			if err == nil {
				revs[key] = rev
				continue
			}
			refused++
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.ErrorContains(t, err, path)
			require.NotErrorIs(t, err, store.ErrIndeterminate)
			require.Zero(t, get(t, d, key).Rev, "what was refused is not there")
		}
	}
	whole := func() {
		for key, rev := range revs {
			require.Equal(t, rev, get(t, d, key).Rev)
		}
		require.NoError(t, d.Check(t.Context()))
	}
	require.NoError(t, os.WriteFile(ballast, make([]byte, 800<<10), 0o600))
	fill()
	whole()
	before := len(revs)
	require.Greater(t, before, 50)
	require.NoError(t, os.Remove(ballast))
	fill()
	require.Greater(t, len(revs), before+50, "with space again it goes on")
	whole()

	_, err := bolt.Open(filepath.Join(dir, "other"), nil)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, []string{"state"}, names(t, dir), "no half file is left")
	var stream bytes.Buffer
	_, err = d.Backup(t.Context(), &stream)
	require.NoError(t, err, "a full disk can be backed up")
	_, err = bolt.Restore(t.Context(), &stream, filepath.Join(dir, "restored"))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.Equal(t, []string{"state"}, names(t, dir))

	require.NoError(t, d.Close())
	if d, err = bolt.Open(path, nil); err == nil { // opening needs no space
		t.Cleanup(func() { d.Close() })
	}
	require.NoError(t, err)
	whole()
	_, err = d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "000001", Delete: true}}})
	require.True(t, err == nil || errors.Is(err, syscall.ENOSPC), "%v", err)
	_, err = os.Stat(ballast)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
