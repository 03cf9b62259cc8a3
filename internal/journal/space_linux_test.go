package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/journal"
)

const inNamespace = "JOURNAL_TEST_NAMESPACE"

// smallDisk is a file system of its own. Who may not mount one runs the test once more where he may.
func smallDisk(t *testing.T, size string) string {
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
		return dir
	}
	if os.Getenv(inNamespace) == "" {
		self, exeErr := os.Executable()
		require.NoError(t, exeErr)
		c := exec.CommandContext(t.Context(), "unshare", "-rm", self, "-test.run=^"+t.Name()+"$", "-test.v")
		c.Env = append(os.Environ(), inNamespace+"=1")
		out, runErr := c.CombinedOutput()
		if runErr == nil {
			t.Skip("has passed in a namespace of its own")
		}
		if bytes.Contains(out, []byte("--- FAIL")) {
			t.Fatalf("in a namespace of its own: %s", out)
		}
		err = fmt.Errorf("%w; in a namespace of its own: %w: %s", err, runErr, out)
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("CI must be able to mount: ", err)
	}
	t.Skip("cannot mount a small file system: ", err)
	return ""
}

// ballast takes all that is left of the disk but keep bytes.
func ballast(t *testing.T, dir string, keep int64) (name string) {
	t.Helper()
	name = filepath.Join(dir, "..", filepath.Base(dir), "ballast")
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	var n int64
	for err == nil {
		var wrote int
		wrote, err = f.Write(make([]byte, 4096))
		n += int64(wrote)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Truncate(n-keep))
	return name
}

func TestFullDiskRefusesAndForgetsNothing(t *testing.T) {
	disk := smallDisk(t, "1m")
	dir := filepath.Join(disk, "journal")
	options := journal.Options{SegmentBytes: 64 << 10, ReserveBytes: 32 << 10}
	j, _, err := journal.Open(dir, 0, 0, options)
	require.NoError(t, err)
	defer func() { j.Close() }()
	until := func() { // Commits succeed until there is no room
		t.Helper()
		for {
			size := j.Size()
			b := add(t, j, 37)
			err := j.Commit(b)
			if err == nil {
				continue
			}
			require.ErrorIs(t, err, journal.ErrFull)
			require.NotErrorIs(t, err, journal.ErrBroken)
			require.True(t, j.Low())
			require.Equal(t, size, j.Size())
			require.ErrorIs(t, j.Commit(b), journal.ErrFull, "again")
			require.ErrorIs(t, j.Prepare(), journal.ErrFull)
			require.NoFileExists(t, filepath.Join(dir, "next.seg"), "nothing half made is left")
			return
		}
	}
	require.NoError(t, j.Prepare())
	require.False(t, j.Low())
	until()
	full := j.Size()
	require.Greater(t, full, uint64(5000))
	for b := add(t, j, 1); j.Commit(b) == nil; b = add(t, j, 1) { // what fits the segment is taken
		require.True(t, j.Low())
	}
	require.GreaterOrEqual(t, j.Size(), full)
	holds(t, j, 0, j.Size())

	// The reserve is for others: they get it although the disk is full.
	ballast(t, disk, 0)
	other := filepath.Join(disk, "other")
	require.ErrorIs(t, os.WriteFile(other, make([]byte, 32<<10), 0o600), syscall.ENOSPC)
	require.NoError(t, os.Remove(other))
	require.NoError(t, j.Release())
	require.ErrorIs(t, j.Prepare(), journal.ErrFull, "it is not taken back")
	require.NoError(t, os.WriteFile(other, make([]byte, 32<<10), 0o600))
	require.NoError(t, j.Release(), "twice")

	// Opening needs no room, and neither does an end that a crash has left.
	size := j.Size()
	require.NoError(t, j.Close())
	sound(t, dir, 0, size)
	j, r, err := journal.Open(dir, size, 0, options)
	require.NoError(t, err)
	require.Equal(t, size, r.Size)
	require.ErrorIs(t, j.Prepare(), journal.ErrFull)
	require.True(t, j.Low())
	until()

	// With room again it goes on, and makes the reserve again.
	require.NoError(t, os.Remove(filepath.Join(disk, "ballast")))
	require.NoError(t, os.Remove(other))
	_, err = j.Prune(size / 2)
	require.NoError(t, err)
	require.NoError(t, j.Prepare())
	require.False(t, j.Low())
	require.FileExists(t, filepath.Join(dir, "reserve"))
	before := j.Size()
	until()
	require.Greater(t, j.Size(), before+1000)
	indexes, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
	require.Empty(t, errs)
	require.Equal(t, between(indexes[0], j.Size()), indexes)
}

func TestReserveGivenBackIsNotTakenAgainAtOnce(t *testing.T) {
	disk := smallDisk(t, "1m")
	dir := filepath.Join(disk, "journal")
	j, _, err := journal.Open(dir, 0, 0, journal.Options{SegmentBytes: 64 << 10, ReserveBytes: 32 << 10})
	require.NoError(t, err)
	defer j.Close()
	require.NoError(t, j.Prepare())
	full := ballast(t, disk, 0)
	require.NoError(t, j.Prepare(), "all stands")
	require.NoError(t, j.Release())
	require.ErrorIs(t, j.Prepare(), journal.ErrFull)
	require.False(t, j.Low(), "the next segment stands")
	require.NoFileExists(t, filepath.Join(dir, "reserve"))
	require.NoError(t, j.Commit(add(t, j, 1)))
	require.NoError(t, os.Remove(full))
	require.NoError(t, j.Prepare())
	require.FileExists(t, filepath.Join(dir, "reserve"))
}

func TestDiskThatFillsMeanwhileLeavesNothingHalfMade(t *testing.T) {
	disk := smallDisk(t, "1m")
	dir := filepath.Join(disk, "journal")
	j, _, err := journal.Open(dir, 0, 0, journal.Options{SegmentBytes: 256 << 10, ReserveBytes: 32 << 10})
	require.NoError(t, err)
	defer j.Close()
	j.Fail(func(f *os.File, b []byte, off int64) error { // somebody else was faster
		if off == 0 {
			ballast(t, disk, 64<<10)
		}
		_, err := f.WriteAt(b, off)
		return err
	}, nil)
	err = j.Prepare()
	require.ErrorIs(t, err, journal.ErrFull)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.True(t, j.Low())
	require.Empty(t, names(t, dir))
	require.ErrorIs(t, j.Commit(add(t, j, 1)), journal.ErrFull)
	j.Fail(nil, nil)
	require.NoError(t, os.Remove(filepath.Join(disk, "ballast")))
	require.NoError(t, j.Commit(add(t, j, 1)))
	holds(t, j, 0, 1)
}

func TestPrepareLeavesWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	for what, b := range map[string][]byte{
		"short":    make([]byte, 100),
		"not zero": append(make([]byte, segmentBytes-1), 1),
		"right":    make([]byte, segmentBytes),
	} {
		for _, name := range []string{"next.seg", "reserve"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
		before, err := os.Stat(filepath.Join(dir, "next.seg"))
		require.NoError(t, err)
		j, _ := open(t, dir, 0)
		require.NoError(t, j.Prepare())
		after, err := os.Stat(filepath.Join(dir, "next.seg"))
		require.NoError(t, err)
		require.Equal(t, what == "right", os.SameFile(before, after) && before.ModTime().Equal(after.ModTime()), what)
		require.NoError(t, j.Close())
		sound(t, dir, 0, 0)
	}
}

func TestReadingDoesNotWaitOnAPipe(t *testing.T) {
	dir := filled(t, 130)
	j, _ := open(t, dir, 130)
	name := segments(t, dir)[0]
	require.NoError(t, os.Remove(name))
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	_, err := j.Read(1)
	require.ErrorIs(t, err, journal.ErrReplaced)
}
