package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/journal"
)

// size is how long the record of an index is in its segment.
func size(i uint64) int64 { return (24 + int64(len(leaf(i))+len(body(i))) + 7) &^ 7 }

// number is the index of a segment's first entry.
func number(t testing.TB, segment string) (first uint64) {
	t.Helper()
	_, err := fmt.Sscanf(filepath.Base(segment), "%d.seg", &first)
	require.NoError(t, err)
	return first
}

// place says where the records of the indexes from a up to b are, which one segment holds.
func place(t testing.TB, dir string, a, b uint64) (name string, from, to int64) {
	t.Helper()
	for _, s := range segments(t, dir) {
		first := number(t, s)
		if first > a {
			break
		}
		name, from = s, segmentHeader
		for i := first; i < a; i++ {
			from += size(i)
		}
	}
	for to = from; a < b; a++ {
		to += size(a)
	}
	require.LessOrEqual(t, to, int64(segmentBytes))
	return name, from, to
}

// contents of all files.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range names(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		all[name] = string(b)
	}
	return all
}

func write(t testing.TB, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(int64(len(text))))
}

// tampered says that Open finds something, and changes nothing.
func tampered(t testing.TB, dir string, synced, from uint64) *journal.DamageError {
	t.Helper()
	before := contents(t, dir)
	defer func() { require.Equal(t, before, contents(t, dir)) }()
	return refused(t, dir, synced, from)
}

// refused is tampered without a look at the files.
func refused(t testing.TB, dir string, synced, from uint64) *journal.DamageError {
	t.Helper()
	j, r, err := journal.Open(dir, synced, from, small)
	if err == nil {
		j.Close()
	}
	require.ErrorIs(t, err, journal.ErrTampered)
	require.Zero(t, r)
	var damage *journal.DamageError
	require.ErrorAs(t, err, &damage)
	return damage
}

// found says that Scan finds something, and passes nothing but entries that are right, in order.
func found(t testing.TB, dir string) []uint64 {
	t.Helper()
	indexes, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
	require.NotEmpty(t, errs)
	for _, err := range errs {
		require.ErrorIs(t, err, journal.ErrTampered)
	}
	require.IsIncreasing(t, append([]uint64{}, indexes...))
	return indexes
}

// lastBatch makes a journal of n entries and another batch of six, all in one segment.
func lastBatch(t testing.TB, n int) (dir string, acknowledged uint64) {
	dir = t.TempDir()
	j, _ := open(t, dir, 0)
	commit(t, j, n)
	commit(t, j, 6)
	require.NoError(t, j.Close())
	return dir, uint64(n)
}

func TestBatchCutAnywhereLosesNothingAcknowledged(t *testing.T) {
	dir, kept := lastBatch(t, 5)
	name, from, to := place(t, dir, kept, kept+6)
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	ways := map[string]func(at int64) []byte{
		"shorter": func(at int64) []byte { return whole[:at] },
		"zeros": func(at int64) []byte {
			return append(bytes.Clone(whole[:at]), make([]byte, segmentBytes-at)...)
		},
		"garbage": func(at int64) []byte {
			b := bytes.Clone(whole)
			for i := at; i < to; i++ {
				b[i] = byte(random.Uint32())
			}
			return b
		},
		"hole": func(at int64) []byte { // sectors reach the disk in any order
			b := bytes.Clone(whole)
			clear(b[at:min(at+40, to)])
			return b
		},
	}
	for way, cut := range ways {
		t.Run(way, func(t *testing.T) {
			step := int64(1)
			if way != "shorter" || testing.Short() {
				step = 5
			}
			for at := from; at < to; at += step {
				torn := cut(at)
				if bytes.Equal(torn, whole) {
					continue // it was zero before
				}
				write(t, name, string(torn))
				changed := at
				for int(changed) < len(torn) && torn[changed] == whole[changed] {
					changed++
				}
				if way == "garbage" || way == "hole" || len(bytes.TrimRight(torn[at:], "\x00")) == 0 {
					damage := tampered(t, dir, kept+6, 0)
					require.Equal(t, filepath.Base(name), damage.File)
					require.GreaterOrEqual(t, damage.Index, kept)
					require.LessOrEqual(t, damage.Offset, changed)
				}
				j, r := open(t, dir, kept)
				require.GreaterOrEqual(t, r.Size, kept)
				require.Less(t, r.Size, kept+6)
				_, _, intact := place(t, dir, kept, r.Size)
				require.LessOrEqual(t, intact, changed)
				require.Greater(t, intact+size(r.Size), changed, "what is whole stays")
				holds(t, j, 0, r.Size)
				commit(t, j, 3)
				holds(t, j, 0, r.Size+3)
				require.NoError(t, j.Close())
				sound(t, dir, 0, r.Size+3)
			}
		})
	}
}

func TestCutSaysHowMuchItWas(t *testing.T) {
	dir, kept := lastBatch(t, 5)
	name, from, to := place(t, dir, kept, kept+6)
	flip(t, name, from+30)
	_, r := open(t, dir, kept)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, kept, r.Size)
	require.LessOrEqual(t, r.Cut, to-from)
	require.Greater(t, r.Cut, to-from-8, "up to the padding")
	require.Equal(t, make([]byte, segmentBytes-from), b[from:])
}

func TestEveryChangedByteIsFound(t *testing.T) {
	const entries = 75
	dir := filled(t, entries)
	all := segments(t, dir)
	require.GreaterOrEqual(t, len(all), 2)
	_, _, end := place(t, dir, entries-1, entries)
	for n, name := range all {
		for off := range int64(segmentBytes) {
			flip(t, name, off)
			if indexes := found(t, dir); off >= segmentHeader {
				require.GreaterOrEqual(t, len(indexes), entries-1, "the others are still read: byte %d", off)
			}
			if n < len(all)-1 || off < end {
				damage := refused(t, dir, entries, 0)
				require.Equal(t, filepath.Base(name), damage.File)
				if off >= segmentHeader && (n < len(all)-1 || off < end) {
					require.LessOrEqual(t, damage.Offset, off)
				}
			}
			flip(t, name, off)
		}
	}
	sound(t, dir, 0, entries)
}

func TestEveryTruncationIsFound(t *testing.T) {
	const entries = 75
	dir := filled(t, entries)
	all := segments(t, dir)
	_, _, end := place(t, dir, entries-1, entries)
	for n, name := range all {
		whole, err := os.ReadFile(name)
		require.NoError(t, err)
		for off := int64(segmentBytes - 1); off >= 0; off-- {
			require.NoError(t, os.Truncate(name, off))
			found(t, dir)
			if n < len(all)-1 || off < end-7 { // a padding can be put back
				refused(t, dir, entries, entries)
			}
		}
		write(t, name, string(whole))
	}
	write(t, all[len(all)-1], string(must(os.ReadFile(all[len(all)-1])))+"\x00")
	found(t, dir)
	tampered(t, dir, 0, entries)
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestDamageBeforeALaterBatchIsNoCrash(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	commit(t, j, 3)
	commit(t, j, 3)
	commit(t, j, 3)
	require.NoError(t, j.Close())
	for i := range uint64(9) {
		name, from, to := place(t, dir, i, i+1)
		for off := from; off < to; off++ {
			flip(t, name, off)
			if i < 6 {
				damage := tampered(t, dir, 0, 0)
				require.Equal(t, i, damage.Index)
				require.Equal(t, from, damage.Offset)
				require.ErrorContains(t, damage, fmt.Sprintf("tampered with: %s, offset %d, entry %d: not whole", damage.File, from, i))
			} else {
				copied := copyDir(t, dir)
				_, r := open(t, copied, 0)
				require.Equal(t, i, r.Size, "of the last batch, what is whole before the damage stays")
			}
			flip(t, name, off)
		}
	}
	sound(t, dir, 0, 9)
}

func TestDamageBeforeALaterSegmentIsNoCrash(t *testing.T) {
	dir := filled(t, 130)
	all := segments(t, dir)
	second := number(t, all[1])
	name, from, _ := place(t, dir, second-1, second)
	flip(t, name, from)
	damage := tampered(t, dir, 0, 0)
	require.Equal(t, journal.DamageError{File: filepath.Base(name), Offset: from, Index: second - 1,
		Reason: "missing or not as it was written"}, *damage)
}

func TestLoggedBytesThatLookLikeAnEntryAreNone(t *testing.T) {
	other := t.TempDir()
	j, _ := open(t, other, 0)
	commit(t, j, 40)
	b := must(os.ReadFile(segments(t, other)[0]))
	_, from, to := place(t, other, 20, 26)
	dir := t.TempDir()
	j, _ = open(t, dir, 0)
	batch := j.Batch()
	for range 3 {
		_, err := batch.Add([]byte("12345678"), b[from:to]) // the body begins at a multiple of eight
		require.NoError(t, err)
	}
	require.NoError(t, j.Commit(batch))
	require.NoError(t, j.Close())
	flip(t, segments(t, dir)[0], segmentHeader+24)
	_, r := open(t, dir, 0)
	require.Zero(t, r.Size)
	require.Positive(t, r.Cut)
}

func TestTooManyBytesThatLookLikeEntriesAreTampering(t *testing.T) {
	dir := t.TempDir()
	j, _, err := journal.Open(dir, 0, 0, journal.Options{SegmentBytes: 4 << 20, ReserveBytes: 4096})
	require.NoError(t, err)
	commit(t, j, 1)
	require.NoError(t, j.Close())
	name := segments(t, dir)[0]
	b := must(os.ReadFile(name))
	header := []byte("crc \xff\xff\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00") // 64 KiB and 1 MiB
	write(t, name, string(append(b[:1<<10], bytes.Repeat(header, (3<<20)/len(header))...))+strings.Repeat("\x00", 1<<20-1<<10))
	tampered(t, dir, 0, 0)
	indexes, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
	require.Equal(t, []uint64{0}, indexes)
	require.Len(t, errs, 1)
}

func TestSegmentsMissingOrFromElsewhereAreFound(t *testing.T) {
	const entries = 250
	dir, foreign := filled(t, entries), filled(t, entries)
	all := segments(t, dir)
	require.GreaterOrEqual(t, len(all), 5)
	name := func(i int) string { return filepath.Base(all[i]) }
	last := len(all) - 1
	move := func(t *testing.T, from, to string) { require.NoError(t, os.Rename(from, to)) }
	tests := map[string]struct {
		change func(t *testing.T, dir string)
		want   string
	}{
		"middle missing": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, name(2))))
		}, "is missing"},
		"last missing": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, name(last))))
		}, "the journal had 250 entries"},
		"all missing": {func(t *testing.T, dir string) {
			for i := range all {
				require.NoError(t, os.Remove(filepath.Join(dir, name(i))))
			}
		}, "no segment is there, of 250 entries"},
		"swapped": {func(t *testing.T, dir string) {
			move(t, filepath.Join(dir, name(1)), filepath.Join(dir, "x"))
			move(t, filepath.Join(dir, name(2)), filepath.Join(dir, name(1)))
			move(t, filepath.Join(dir, "x"), filepath.Join(dir, name(2)))
		}, "it is the segment of entry"},
		"another journal's": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, name(1)), string(must(os.ReadFile(filepath.Join(foreign, name(1))))))
		}, "of another journal"},
		"another journal's last": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, name(last)), string(must(os.ReadFile(filepath.Join(foreign, name(last))))))
		}, "of another journal"},
		"repeated": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, name(2)), string(must(os.ReadFile(filepath.Join(dir, name(1))))))
		}, "it is the segment of entry"},
		"empty": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, name(2)), "")
		}, "no sound segment header"},
		"a directory": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, name(2))))
			require.NoError(t, os.Mkdir(filepath.Join(dir, name(2)), 0o700))
		}, "no regular file"},
		"a link": {func(t *testing.T, dir string) {
			move(t, filepath.Join(dir, name(2)), filepath.Join(dir, "x"))
			require.NoError(t, os.Symlink("x", filepath.Join(dir, name(2))))
		}, "no regular file"},
		"longer": {func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, name(2)), 2*segmentBytes))
		}, "8192 bytes long, it was made with 4096"},
		"shorter by its tail": {func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(filepath.Join(dir, name(2)), segmentBytes-1))
		}, "4095 bytes long, it was made with 4096"},
		"cut off with zeros": {func(t *testing.T, dir string) {
			_, from, to := place(t, dir, number(t, name(2))-1, number(t, name(2)))
			b := must(os.ReadFile(filepath.Join(dir, name(1))))
			clear(b[from:to])
			write(t, filepath.Join(dir, name(1)), string(b))
		}, "missing or not as it was written"},
		"an entry behind its last": {func(t *testing.T, dir string) {
			b := must(os.ReadFile(filepath.Join(dir, name(1))))
			end := int64(segmentHeader)
			for i := number(t, name(1)); i < number(t, name(2)); i++ {
				end += size(i)
			}
			require.Less(t, end+size(number(t, name(1))), int64(segmentBytes))
			copy(b[end:], b[segmentHeader:segmentHeader+size(number(t, name(1)))])
			write(t, filepath.Join(dir, name(1)), string(b))
		}, "there are bytes behind the last entry"},
		"an earlier copy": {func(t *testing.T, dir string) {
			_, from, to := place(t, dir, entries-1, entries)
			b := must(os.ReadFile(filepath.Join(dir, name(last))))
			clear(b[from:to])
			write(t, filepath.Join(dir, name(last)), string(b))
		}, "the journal had 250 entries"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			dir := copyDir(t, dir)
			test.change(t, dir)
			for _, from := range []uint64{0, entries} { // wherever the reading begins
				if from > 0 && (what == "an entry behind its last" || what == "cut off with zeros") {
					indexes, errs := collect(t, journal.Scan(os.DirFS(dir), from))
					require.Empty(t, indexes)
					require.Empty(t, errs, "which is before")
					continue
				}
				_, _, err := journal.Open(dir, entries, from, small)
				require.ErrorIs(t, err, journal.ErrTampered)
				require.ErrorContains(t, err, test.want)
			}
			if !strings.Contains("last missing, all missing, an earlier copy", what) {
				found(t, dir)
			}
		})
	}
}

func TestShorterThanWhatWasReplayedIsTampered(t *testing.T) {
	dir := filled(t, 30)
	require.Equal(t, uint64(30), tampered(t, dir, 31, 0).Index)
	require.Equal(t, uint64(30), tampered(t, dir, 0, 31).Index)
	tampered(t, t.TempDir(), 1, 0)
	tampered(t, t.TempDir(), 0, 1)
}

func TestScanFindsWhatIsNoPartOfAJournal(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir, 0)
	commit(t, j, 30)
	require.NoError(t, j.Prepare())
	require.NoError(t, j.Close())
	sound(t, dir, 0, 30)
	require.Equal(t, []string{"00000000000000000000.seg", "next.seg", "reserve"}, names(t, dir))
	for _, name := range []string{"next.seg", "reserve"} {
		for off := int64(0); off < segmentBytes; off += 41 {
			flip(t, filepath.Join(dir, name), off)
			require.Len(t, found(t, dir), 30)
			flip(t, filepath.Join(dir, name), off)
		}
	}
	for _, name := range []string{"other", "30.seg", "00000000000000000031.SEG", "0000000000000000003x.seg", "99999999999999999999.seg"} {
		write(t, filepath.Join(dir, name), "")
		require.Len(t, found(t, dir), 30)
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
	}
	sound(t, dir, 0, 30)
}

func TestScanNamesEntriesThatWereMoved(t *testing.T) {
	dir, _ := lastBatch(t, 5)
	name, from, to := place(t, dir, 5, 8)
	_, _, end := place(t, dir, 10, 11)
	whole := must(os.ReadFile(name))
	pad := func(b ...[]byte) string {
		all := bytes.Join(b, nil)
		return string(append(all, make([]byte, segmentBytes-len(all))...))
	}
	tests := map[string]struct {
		text    string
		index   uint64
		reason  string
		entries []uint64
	}{
		"taken out": {pad(whole[:from], whole[to:end]), 5, "missing or not as it was written, up to entry 7",
			append(between(0, 5), 8, 9, 10)},
		"there twice": {pad(whole[:to], whole[from:to], whole[to:end]), 5, "the entry stands where it does not belong", between(0, 11)},
		"moved on":    {pad(whole[:from], []byte("12345678"), whole[from:end]), 5, "there are bytes before the entry", between(0, 11)},
		"added to":    {pad(whole[:end], []byte("12345678")), 11, "there are bytes that are no entry", between(0, 11)},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			write(t, name, test.text)
			indexes, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
			require.Equal(t, test.entries, indexes)
			require.NotEmpty(t, errs)
			var damage *journal.DamageError
			require.ErrorAs(t, errs[0], &damage)
			require.Equal(t, test.index, damage.Index)
			require.Equal(t, test.reason, damage.Reason)
			if what != "added to" { // which a crash may have left
				tampered(t, dir, 0, 0)
			}
		})
	}
}

func TestEntryOutOfPlaceInItsBatchIsFound(t *testing.T) {
	for _, test := range []struct {
		index    uint64 // in batches of 5 and 6
		position byte
	}{{1, 0}, {3, 1}, {3, 2}, {5, 1}, {7, 1}, {7, 6}, {10, 0}, {10, 2}} {
		dir, _ := lastBatch(t, 5)
		name, from, _ := place(t, dir, test.index, test.index+1)
		b := must(os.ReadFile(name))
		b[from+12] = test.position
		mend(b) // by somebody who knows how
		write(t, name, string(b))
		indexes, errs := collect(t, journal.Scan(os.DirFS(dir), 0))
		require.Equal(t, between(0, 11), indexes)
		if test.index == 10 && test.position == 0 {
			require.Empty(t, errs, "a batch of its own")
			continue
		}
		require.NotEmpty(t, errs)
		require.ErrorContains(t, errs[0], "in its batch does not follow")
		refused(t, dir, 0, 0)
	}
}

func TestReadingShowsDamageUnderARunningJournal(t *testing.T) {
	dir := filled(t, 130)
	for _, i := range []uint64{3, 129} {
		for _, read := range []bool{false, true} { // what was read before is remembered where, not how
			age(t, dir)
			j, _ := open(t, dir, 130)
			if read {
				_, err := j.Read(i)
				require.NoError(t, err)
			}
			name, from, _ := place(t, dir, i, i+1)
			flip(t, name, from+25)
			_, err := j.Read(i)
			require.ErrorIs(t, err, journal.ErrTampered)
			require.ErrorContains(t, err, fmt.Sprintf("entry %d:", i))
			indexes, errs := collect(t, j.Replay(0))
			require.Equal(t, between(0, i), indexes)
			require.ErrorIs(t, errors.Join(errs...), journal.ErrTampered)
			if i == 3 {
				require.ErrorIs(t, j.Intact(), journal.ErrReplaced, "a segment that is full was written to")
			}
			flip(t, name, from+25)
			_, err = j.Read(i)
			require.NoError(t, err, "a failure is not remembered")
			require.NoError(t, j.Close())
		}
	}
}
