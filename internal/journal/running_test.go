package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/journal"
)

// add puts n entries into the journal's batch.
func add(t testing.TB, j *journal.Journal, n int) *journal.Batch {
	t.Helper()
	b := j.Batch()
	for range n {
		i := j.Size() + uint64(b.Len())
		_, err := b.Add(leaf(i), body(i))
		require.NoError(t, err)
	}
	return b
}

// age makes the files an hour old, so that a change shows in their times on every file system.
func age(t testing.TB, dir string) {
	t.Helper()
	then := time.Now().Add(-time.Hour)
	for _, name := range segments(t, dir) {
		require.NoError(t, os.Chtimes(name, then, then))
	}
}

func TestSecondOpenInOneProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	moved := dir + ".moved"
	for _, path := range []string{dir, dir + "/.", link} {
		_, _, err := journal.Open(path, 0, 0, small)
		require.ErrorIs(t, err, journal.ErrLocked)
		require.ErrorContains(t, err, path)
	}
	require.NoError(t, os.Rename(dir, moved))
	_, _, err := journal.Open(moved, 0, 0, small)
	require.ErrorIs(t, err, journal.ErrLocked, "under another name")
	require.ErrorContains(t, err, "in this process", "also where flock is not honoured")
	require.NoError(t, j.Close())
	for range 2 {
		j, _, err = journal.Open(moved, 0, 0, small)
		require.NoError(t, err)
		require.NoError(t, j.Close())
	}
	_, _, err = journal.Open(moved, 7, 0, small)
	require.ErrorIs(t, err, journal.ErrTampered)
	j, _, err = journal.Open(moved, 0, 0, small)
	require.NoError(t, err, "an Open that failed has let go")
	require.NoError(t, j.Close())
}

func TestOfManyOpensOneSucceeds(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	var mu sync.Mutex
	var opened []*journal.Journal
	for range 16 {
		all.Go(func() {
			j, _, err := journal.Open(dir, 0, 0, small)
			if err != nil {
				if !errors.Is(err, journal.ErrLocked) {
					t.Error(err)
				}
				return
			}
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, j)
		})
	}
	all.Wait()
	require.Len(t, opened, 1)
	require.NoError(t, opened[0].Close())
}

func TestFilesReplacedUnderARunningJournalAreNoticed(t *testing.T) {
	all := segments(t, filled(t, 130))
	current, full := filepath.Base(all[len(all)-1]), filepath.Base(all[0])
	remove := func(t *testing.T, name string) { require.NoError(t, os.Remove(name)) }
	replace := func(t *testing.T, name string) { // by a file with the same contents
		b := must(os.ReadFile(name))
		require.NoError(t, os.Rename(name, name+".old"))
		write(t, name, string(b))
	}
	shorten := func(t *testing.T, name string) { require.NoError(t, os.Truncate(name, segmentBytes-1)) }
	lengthen := func(t *testing.T, name string) { require.NoError(t, os.Truncate(name, segmentBytes+1)) }
	touch := func(t *testing.T, name string) { change(t, name, segmentBytes-1, func(b byte) byte { return b }) }
	tests := []struct {
		what, name string
		change     func(t *testing.T, name string)
		commits    bool // a Commit sees it
	}{
		{"removed", current, remove, true},
		{"another file", current, replace, true},
		{"shorter", current, shorten, true},
		{"longer", current, lengthen, true},
		{"removed", full, remove, false},
		{"another file", full, replace, false},
		{"shorter", full, shorten, false},
		{"longer", full, lengthen, false},
		{"written to", full, touch, false},
		{"removed", "next.seg", remove, false},
		{"another file", "next.seg", replace, false},
	}
	for _, test := range tests {
		t.Run(test.name+" "+test.what, func(t *testing.T) {
			dir := filled(t, 130)
			age(t, dir)
			j, _ := open(t, dir, 130)
			require.NoError(t, j.Prepare())
			require.NoError(t, j.Intact())
			test.change(t, filepath.Join(dir, test.name))
			err := j.Intact()
			require.ErrorIs(t, err, journal.ErrReplaced)
			require.ErrorContains(t, err, test.name)
			err = j.Commit(add(t, j, 1))
			if !test.commits {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, journal.ErrReplaced)
			require.ErrorIs(t, err, journal.ErrBroken)
			require.ErrorContains(t, err, test.name)
			require.Equal(t, uint64(130), j.Size(), "nothing is acknowledged that has no name")
			require.ErrorIs(t, j.Commit(add(t, j, 1)), journal.ErrBroken)
		})
	}
}

func TestReplacedNextSegmentIsNoticedWhenItsTurnComes(t *testing.T) {
	for what, change := range map[string]func(name string){
		"removed": func(name string) { require.NoError(t, os.Remove(name)) },
		"another file": func(name string) {
			require.NoError(t, os.Remove(name))
			write(t, name, string(make([]byte, segmentBytes)))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			j, _ := open(t, dir, 0)
			commit(t, j, 40)
			require.NoError(t, j.Prepare())
			change(filepath.Join(dir, "next.seg"))
			var err error
			for err == nil {
				err = j.Commit(add(t, j, 10))
			}
			require.ErrorIs(t, err, journal.ErrReplaced)
			require.ErrorIs(t, err, journal.ErrBroken)
			require.Zero(t, j.Size()%10)
			_, err = j.Read(j.Size() - 1)
			require.NoError(t, err)
		})
	}
}

func TestReplacedDirectoryIsNoticed(t *testing.T) {
	dir := filled(t, 20)
	j, _ := open(t, dir, 20)
	require.NoError(t, os.Rename(dir, dir+".old"))
	require.ErrorIs(t, j.Intact(), journal.ErrReplaced)
	require.NoError(t, os.CopyFS(dir, os.DirFS(dir+".old")))
	require.ErrorIs(t, j.Intact(), journal.ErrReplaced)
	commit(t, j, 1)
	require.NoError(t, j.Close())
	sound(t, dir+".old", 0, 21)
}

func TestReadingRefusesAnotherFile(t *testing.T) {
	dir := filled(t, 130)
	j, _ := open(t, dir, 130)
	_, err := j.Read(1)
	require.NoError(t, err)
	name := segments(t, dir)[0]
	b := must(os.ReadFile(name))
	require.NoError(t, os.Truncate(name, segmentBytes-1))
	_, err = j.Read(1)
	require.ErrorIs(t, err, journal.ErrReplaced)
	require.NoError(t, os.Truncate(name, segmentBytes))
	_, err = j.Read(1)
	require.NoError(t, err)
	require.NoError(t, os.Rename(name, name+".old"))
	_, err = j.Read(1)
	require.ErrorIs(t, err, journal.ErrReplaced)
	write(t, name, string(b))
	_, err = j.Read(1)
	require.ErrorIs(t, err, journal.ErrReplaced)
	_, errs := collect(t, j.Replay(0))
	require.ErrorIs(t, errors.Join(errs...), journal.ErrReplaced)
}

func TestFailedWriteBreaksTheJournalUntilItIsOpened(t *testing.T) {
	type writeFunc = func(*os.File, []byte, int64) error
	real := func(f *os.File, b []byte, off int64) error { _, err := f.WriteAt(b, off); return err }
	half := func(f *os.File, b []byte, off int64) error {
		return errors.Join(real(f, b[:len(b)/2], off), syscall.EIO)
	}
	nothing := func(*os.File, []byte, int64) error { return syscall.EIO }
	failing := func(*os.File) error { return syscall.EIO }
	tests := map[string]struct {
		write writeFunc
		sync  func(*os.File) error
		most  int // entries that may remain, of 10
	}{
		"nothing written": {nothing, nil, 0},
		"half written":    {half, nil, 9},
		"not synced":      {nil, failing, 10},
	}
	for what, test := range tests {
		for _, kept := range []int{0, 20, 60} { // the batch goes to the first segment, the same, the next
			t.Run(what, func(t *testing.T) {
				dir := t.TempDir()
				j, _ := open(t, dir, 0)
				for range kept / 10 {
					commit(t, j, 10)
				}
				require.NoError(t, j.Prepare())
				j.Fail(test.write, test.sync)
				err := j.Commit(add(t, j, 10))
				require.ErrorIs(t, err, journal.ErrBroken)
				require.ErrorIs(t, err, syscall.EIO)
				j.Fail(nil, nil)
				require.ErrorIs(t, j.Commit(add(t, j, 10)), journal.ErrBroken, "for good")
				holds(t, j, 0, uint64(kept))
				require.NoError(t, j.Close())
				j, r := open(t, dir, uint64(kept))
				require.GreaterOrEqual(t, r.Size, uint64(kept))
				require.LessOrEqual(t, r.Size, uint64(kept+test.most))
				commit(t, j, 10)
				holds(t, j, 0, r.Size+10)
				require.NoError(t, j.Close())
				sound(t, dir, 0, r.Size+10)
			})
		}
	}
}

func TestSegmentThatCannotBeMadeBreaksNothing(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	for _, n := range []int{0, 40} {
		commit(t, j, n)
		j.Fail(func(*os.File, []byte, int64) error { return syscall.EIO }, nil)
		b := add(t, j, 60)
		for range 2 {
			err := j.Commit(b)
			require.ErrorIs(t, err, syscall.EIO)
			require.NotErrorIs(t, err, journal.ErrBroken)
			require.NotErrorIs(t, err, journal.ErrFull)
			require.False(t, j.Low())
			require.NoFileExists(t, filepath.Join(dir, "next.seg"))
		}
		j.Fail(nil, nil)
		require.NoError(t, j.Commit(b))
	}
	holds(t, j, 0, 160)
}

func TestCrashBetweenSegmentsLeavesNothing(t *testing.T) {
	for _, kept := range []int{0, 60} {
		dir := t.TempDir()
		j, _ := open(t, dir, 0)
		commit(t, j, kept)
		require.NoError(t, j.Prepare())
		j.Fail(func(f *os.File, b []byte, off int64) error {
			_, err := f.WriteAt(b[:30], off)
			return errors.Join(err, syscall.EIO)
		}, nil)
		require.ErrorIs(t, j.Commit(add(t, j, 60)), journal.ErrBroken)
		require.NoError(t, j.Close())
		_, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
		require.ErrorIs(t, errors.Join(errs...), journal.ErrTampered)
		j, r := open(t, dir, uint64(kept))
		require.Equal(t, journal.Recovery{Size: uint64(kept)}, r)
		require.NoError(t, j.Close())
		sound(t, dir, 0, uint64(kept))
		require.NoFileExists(t, filepath.Join(dir, "next.seg"))
	}
}

func TestBatchOfUnknownFateIsWrittenAgain(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	commit(t, j, 3)
	commit(t, j, 4)
	require.NoError(t, j.Close())
	name, from, to := place(t, dir, 3, 7)
	age(t, dir)
	old, err := os.Stat(name)
	require.NoError(t, err)
	j, _ = open(t, dir, 7)
	require.NoError(t, j.Close())
	same, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, old.ModTime(), same.ModTime(), "what is signed is left alone")
	j, _ = open(t, dir, 5)
	require.NoError(t, j.Close())
	again, err := os.Stat(name)
	require.NoError(t, err)
	require.NotEqual(t, old.ModTime(), again.ModTime())
	require.Less(t, from, to)
	sound(t, dir, 0, 7)
}

func TestReadersSeeCommittedEntriesAlone(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for n := range 3 {
		readers.Go(func() {
			for i := uint64(n); ; i++ {
				select {
				case <-done:
					return
				default:
				}
				size := j.Size()
				if size == 0 {
					continue
				}
				r, err := j.Read(i % size)
				if errors.Is(err, opsec.ErrNotFound) {
					continue // pruned
				}
				if err != nil || r.Index != i%size || string(r.Leaf) != string(leaf(r.Index)) {
					t.Errorf("%d: %v %v", i%size, r, err)
					return
				}
				next := r.Index
				for r, err := range j.Replay(r.Index) {
					if errors.Is(err, opsec.ErrNotFound) {
						next = size
						break
					}
					if err != nil || r.Index != next || string(r.Leaf) != string(leaf(next)) {
						t.Errorf("%d: %v %v", next, r, err)
						return
					}
					next++
				}
				if next < size {
					t.Errorf("ends at %d of %d", next, size)
				}
			}
		})
	}
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := errors.Join(j.Prepare(), j.Intact()); err != nil {
				t.Error(err)
				return
			}
			if size := j.Size(); size > 300 {
				if _, err := j.Prune(size - 300); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for n := range 150 {
		commit(t, j, n%12)
	}
	close(done)
	readers.Wait()
	require.NoError(t, j.Close())
	first := j.Size()
	for i := range journal.Scan(os.DirFS(dir), 0) {
		first = i.Index
		break
	}
	sound(t, dir, first, j.Size())
}
