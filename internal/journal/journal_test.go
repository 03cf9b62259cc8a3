package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/journal"
)

const (
	segmentBytes  = 4096
	segmentHeader = 64
)

var small = journal.Options{SegmentBytes: segmentBytes, ReserveBytes: 4096}

func open(t testing.TB, dir string, synced uint64) (*journal.Journal, journal.Recovery) {
	t.Helper()
	j, r, err := journal.Open(dir, synced, synced, small)
	require.NoError(t, err)
	t.Cleanup(func() { j.Close() })
	return j, r
}

// leaf and body are what the tests put at an index: lengths of all kinds of paddings.
func leaf(i uint64) []byte { return fmt.Appendf(nil, "leaf %d %s", i, strings.Repeat("l", int(i%9))) }
func body(i uint64) []byte { return bytes.Repeat([]byte{byte(i) | 1}, int(i*7%50)) }

// commit adds n entries in one batch.
func commit(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	b := j.Batch()
	for range n {
		i, err := b.Add(leaf(j.Size()+uint64(b.Len())), body(j.Size()+uint64(b.Len())))
		require.NoError(t, err)
		require.Equal(t, j.Size()+uint64(b.Len())-1, i)
	}
	require.NoError(t, j.Commit(b))
}

// collect returns the indexes and the errors of a sequence, and checks what the entries hold.
func collect(t testing.TB, seq func(func(journal.Record, error) bool)) (indexes []uint64, errs []error) {
	t.Helper()
	for r, err := range seq {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !bytes.Equal(leaf(r.Index), r.Leaf) || !bytes.Equal(body(r.Index), r.Body) {
			t.Fatalf("entry %d is %q, %q", r.Index, r.Leaf, r.Body)
		}
		indexes = append(indexes, r.Index)
	}
	return indexes, errs
}

// between lists the indexes from a up to b.
func between(a, b uint64) (all []uint64) {
	for ; a < b; a++ {
		all = append(all, a)
	}
	return all
}

// sound checks that the journal at rest holds the entries from first up to size, and nothing else.
func sound(t testing.TB, dir string, first, size uint64) {
	t.Helper()
	indexes, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
	require.Empty(t, errs)
	require.Equal(t, between(first, size), indexes)
}

// holds checks all ways of reading of an open journal.
func holds(t testing.TB, j *journal.Journal, first, size uint64) {
	t.Helper()
	require.Equal(t, size, j.Size())
	indexes, errs := collect(t, j.Replay(first))
	require.Empty(t, errs)
	require.Equal(t, between(first, size), indexes)
	for i := first; i < size; i++ {
		r, err := j.Read(i)
		require.NoError(t, err)
		require.Equal(t, i, r.Index)
		require.Equal(t, string(leaf(i)), string(r.Leaf))
		require.Equal(t, string(body(i)), string(r.Body))
	}
	require.NoError(t, j.Intact())
}

// segments lists the names of the segments in dir.
func segments(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "0*.seg"))
	require.NoError(t, err)
	slices.Sort(names)
	return names
}

// filled makes a journal of some segments and closes it.
func filled(t testing.TB, entries uint64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	j, _ := open(t, dir, 0)
	for j.Size() < entries {
		commit(t, j, int(min(entries-j.Size(), 1+j.Size()%5)))
	}
	require.NoError(t, j.Close())
	return dir
}

func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

func TestEntriesAreReadAsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, r := open(t, dir, 0)
	require.Equal(t, journal.Recovery{}, r)
	holds(t, j, 0, 0)
	for n := range 12 {
		commit(t, j, n)
	}
	require.NoError(t, j.Prepare())
	for n := range 12 {
		commit(t, j, n)
	}
	holds(t, j, 0, 132)
	require.Greater(t, len(segments(t, dir)), 2)
	require.NoError(t, j.Close())
	sound(t, dir, 0, 132)
	for _, from := range []uint64{0, 1, 66, 131, 132} {
		j, r, err := journal.Open(dir, 132, from, small)
		require.NoError(t, err)
		require.Equal(t, journal.Recovery{Size: 132}, r)
		holds(t, j, 0, 132)
		indexes, errs := collect(t, j.Replay(from))
		require.Empty(t, errs)
		require.Equal(t, between(from, 132), indexes)
		require.NoError(t, j.Close())
		indexes, errs = collect(t, journal.Scan(os.DirFS(dir), from))
		require.Empty(t, errs)
		require.Equal(t, between(from, 132), indexes)
	}
}

func TestLargestEntriesFit(t *testing.T) {
	j, _, err := journal.Open(t.TempDir(), 0, 0, journal.Options{SegmentBytes: 2 << 20, ReserveBytes: 4096})
	require.NoError(t, err)
	defer j.Close()
	leaf, body := bytes.Repeat([]byte("l"), journal.MaxLeaf), bytes.Repeat([]byte("b"), journal.MaxBody)
	b := j.Batch()
	_, err = b.Add(leaf, body)
	require.NoError(t, err)
	_, err = b.Add(leaf, body)
	require.ErrorIs(t, err, journal.ErrBatchFull)
	require.NotErrorIs(t, err, opsec.ErrInvalid)
	require.Equal(t, 1, b.Len())
	_, err = b.Add([]byte("x"), nil)
	require.NoError(t, err, "a smaller one still has room")
	require.NoError(t, j.Commit(b))
	_, err = b.Add(leaf, body)
	require.NoError(t, err)
	require.NoError(t, j.Commit(b), "in the next segment")
	for _, i := range []uint64{0, 2} {
		r, err := j.Read(i)
		require.NoError(t, err)
		require.True(t, bytes.Equal(leaf, r.Leaf) && bytes.Equal(body, r.Body))
	}
}

func TestWhatCannotBeAnEntryIsRefused(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	tests := []struct {
		leaf, body int
		want       string
	}{
		{0, 1, "journal: leaf: 0 bytes"},
		{journal.MaxLeaf + 1, 0, "journal: leaf: 65536 bytes"},
		{1, journal.MaxBody + 1, "journal: body: 1048577 bytes"},
		{1, segmentBytes - segmentHeader - 24, "journal: entry: 4040 bytes, a segment holds 4032"},
	}
	for _, test := range tests {
		b := j.Batch()
		_, err := b.Add(make([]byte, test.leaf), make([]byte, test.body))
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, test.want)
		require.Zero(t, b.Len())
		require.NoError(t, j.Commit(b), "an empty batch")
	}
	_, err := j.Batch().Add([]byte("l"), make([]byte, segmentBytes-segmentHeader-25))
	require.NoError(t, err, "fills a segment")
	require.NoError(t, j.Commit(j.Batch()), "Batch dropped it")
	require.ErrorIs(t, j.Commit(&journal.Batch{}), nil)
	other, _ := open(t, t.TempDir(), 0)
	b := other.Batch()
	_, err = b.Add([]byte("l"), nil)
	require.NoError(t, err)
	require.ErrorIs(t, j.Commit(b), opsec.ErrInvalid, "another journal's batch")
	require.Zero(t, j.Size())
	require.Empty(t, segments(t, dir), "nothing half done")
}

func TestOptionsThatCannotBeAreRefused(t *testing.T) {
	for want, o := range map[string]journal.Options{
		"journal: Options.SegmentBytes: 100,":        {SegmentBytes: 100},
		"journal: Options.SegmentBytes: 4104,":       {SegmentBytes: 4104},
		"journal: Options.SegmentBytes: -4096,":      {SegmentBytes: -4096},
		"journal: Options.SegmentBytes: 2147483648,": {SegmentBytes: 2 << 30},
		"journal: Options.ReserveBytes: 1,":          {ReserveBytes: 1},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		_, _, err := journal.Open(dir, 0, 0, o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, want)
		require.NoDirExists(t, dir)
	}
}

func TestSizesMayChangeBetweenOpens(t *testing.T) {
	dir := filled(t, 60)
	for _, size := range []int64{8192, 4096, 16384} {
		j, r, err := journal.Open(dir, 0, 0, journal.Options{SegmentBytes: size, ReserveBytes: 2 * size})
		require.NoError(t, err)
		require.NoError(t, j.Prepare())
		for range 60 {
			commit(t, j, 3)
		}
		holds(t, j, 0, r.Size+180)
		require.NoError(t, j.Prepare())
		require.NoError(t, j.Close())
		sound(t, dir, 0, r.Size+180)
		info, err := os.Stat(filepath.Join(dir, "reserve"))
		require.NoError(t, err)
		require.Equal(t, 2*size, info.Size())
	}
}

func TestReadingOutsideIsNotFound(t *testing.T) {
	dir := filled(t, 200)
	j, _ := open(t, dir, 200)
	first, err := j.Prune(100)
	require.NoError(t, err)
	require.Positive(t, first)
	require.LessOrEqual(t, first, uint64(100))
	holds(t, j, first, 200)
	for _, i := range []uint64{0, first - 1, 200, 1 << 63} {
		_, err := j.Read(i)
		require.ErrorIs(t, err, opsec.ErrNotFound)
		if i == 200 {
			continue // Replay from the end is empty
		}
		indexes, errs := collect(t, j.Replay(i))
		require.Empty(t, indexes)
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], opsec.ErrNotFound)
	}
	empty, _ := open(t, t.TempDir(), 0)
	_, err = empty.Read(0)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, errs := collect(t, empty.Replay(1))
	require.ErrorIs(t, errors.Join(errs...), opsec.ErrNotFound)
}

func TestPruneKeepsTheCurrentSegment(t *testing.T) {
	dir := filled(t, 200)
	before := segments(t, dir)
	require.Greater(t, len(before), 3)
	j, _ := open(t, dir, 200)
	first, err := j.Prune(0)
	require.NoError(t, err)
	require.Zero(t, first)
	require.Equal(t, before, segments(t, dir))
	first, err = j.Prune(1 << 60)
	require.NoError(t, err)
	require.Equal(t, before[len(before)-1:], segments(t, dir))
	holds(t, j, first, 200)
	commit(t, j, 5)
	holds(t, j, first, 205)
	require.NoError(t, j.Close())
	sound(t, dir, first, 205)
	_, r := open(t, dir, 205)
	require.Equal(t, journal.Recovery{Size: 205, First: first}, r)
}

func TestPruneRemovesWholeSegmentsAlone(t *testing.T) {
	dir := filled(t, 200)
	j, _ := open(t, dir, 200)
	second := number(t, segments(t, dir)[1])
	first, err := j.Prune(second - 1)
	require.NoError(t, err)
	require.Zero(t, first, "its last entry is kept")
	first, err = j.Prune(second)
	require.NoError(t, err)
	require.Equal(t, second, first)
}

func TestReadRemembersEightSegments(t *testing.T) {
	dir := filled(t, 900)
	require.Greater(t, len(segments(t, dir)), 10)
	j, _ := open(t, dir, 900)
	for range 2 {
		for i := range uint64(900) {
			r, err := j.Read(i)
			require.NoError(t, err)
			require.Equal(t, i, r.Index)
		}
		require.Equal(t, 8, j.Tables())
	}
	_, err := j.Prune(900)
	require.NoError(t, err)
	require.Zero(t, j.Tables(), "none of what is gone")
}

func TestReplayStopsWhenItsReaderDoes(t *testing.T) {
	j, _ := open(t, filled(t, 200), 200)
	for n := range 200 {
		seen := 0
		for _, err := range j.Replay(0) {
			require.NoError(t, err)
			if seen++; seen > n {
				break
			}
		}
		require.Equal(t, n+1, seen)
	}
}

func TestClosedJournalDoesNothing(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	commit(t, j, 1)
	b := j.Batch()
	_, err := b.Add([]byte("l"), nil)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	require.NoError(t, j.Close())
	require.ErrorIs(t, j.Commit(b), fs.ErrClosed)
	require.Error(t, j.Prepare())
	_, err = j.Read(0)
	require.Error(t, err)
	sound(t, dir, 0, 1)
}

// names lists a directory.
func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func flip(t testing.TB, name string, off int64) {
	t.Helper()
	change(t, name, off, func(b byte) byte { return b ^ 1<<(off%8) })
}

func change(t testing.TB, name string, off int64, with func(byte) byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	require.True(t, err == nil || errors.Is(err, io.EOF))
	b[0] = with(b[0])
	_, err = f.WriteAt(b, off)
	require.NoError(t, err)
}
