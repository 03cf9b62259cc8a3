package tile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/internal/race"
)

// log is a log in memory that has been flushed at several sizes.
type log struct {
	files   fstest.MapFS
	size    uint64
	head    tlog.Hash
	entries [][]byte
	hashes  []tlog.Hash
}

func logOf(t testing.TB, entryLength int, sizes ...uint64) *log {
	t.Helper()
	root := openRoot(t)
	l := &log{files: fstest.MapFS{}}
	for _, size := range sizes {
		var more [][]byte
		more, _, l.head = fill(t, root, l.size, size, entryLength)
		l.size, l.entries = size, append(l.entries, more...)
	}
	for name, data := range files(t, root) {
		l.files[name] = &fstest.MapFile{Data: []byte(data)}
	}
	for _, e := range l.entries {
		l.hashes = append(l.hashes, tlog.RecordHash(e))
	}
	return l
}

// verify adds the entries from skip on, and returns the names of the files that are reported, with what is wrong.
func (l *log) verify(t testing.TB, skip, pruned uint64) (map[string]*tile.DamageError, tlog.Hash) {
	t.Helper()
	found := map[string]*tile.DamageError{}
	v, err := tile.NewVerifier(l.files, l.size, pruned, func(d *tile.DamageError) {
		require.Nil(t, found[d.Path], "%s is reported twice", d.Path)
		found[d.Path] = d
	})
	require.NoError(t, err)
	require.NoError(t, v.Skip(skip))
	for i := skip; i < l.size; i++ {
		require.NoError(t, v.Add(l.entries[i], l.hashes[i]))
	}
	head, err := v.Finish()
	require.NoError(t, err)
	return found, head
}

func TestVerifierAcceptsWhatAWriterWrites(t *testing.T) {
	for _, sizes := range [][]uint64{
		{0}, {1}, {255}, {256}, {257}, {100, 255, 256, 257, 300, 512, 700}, {65_536}, {65_535, 65_536 + 300},
	} {
		l := logOf(t, 8, sizes...)
		for _, skip := range []uint64{0, 1, 200, 256, 300, l.size - 1, l.size} {
			if skip > l.size {
				continue
			}
			found, head := l.verify(t, skip, 0)
			require.Empty(t, found, "%d, %d skipped", sizes, skip)
			require.Equal(t, l.head, head)
		}
	}
}

// mutation changes the files of a log and returns the names of those that a Verifier must report.
func (l *log) mutate(rnd *rand.Rand) (what string, damaged []string) {
	names := slices.Sorted(maps.Keys(l.files))
	name := names[rnd.IntN(len(names))]
	file := l.files[name]
	set := func(name string, data []byte) { l.files[name] = &fstest.MapFile{Data: data} }
	at := rnd.IntN(len(file.Data))
	switch rnd.IntN(7) {
	case 0, 1: // as often as all of the rest would be too much of the same
		data := bytes.Clone(file.Data)
		data[at] ^= byte(1 + rnd.IntN(255))
		set(name, data)
		return "one byte of " + name, []string{name}
	case 2:
		set(name, file.Data[:at])
		return "end of " + name, []string{name}
	case 3:
		set(name, append(bytes.Clone(file.Data), make([]byte, 1+rnd.IntN(40))...))
		return "more of " + name, []string{name}
	case 4:
		other := names[rnd.IntN(len(names))]
		if bytes.Equal(file.Data, l.files[other].Data) {
			return "", nil
		}
		l.files[name], l.files[other] = l.files[other], file
		return "swapped " + name + " and " + other, []string{name, other}
	case 5:
		delete(l.files, name)
		if l.superseded(name) {
			return "stale " + name, nil
		}
		return "without " + name, []string{name}
	default:
		stranger := []string{
			"tile/0/x", "tile/0/000.tmp", "tile/9/000", "tile/entries/README", "tile/0/00", "tile/data/000", "tile/0/x000/000",
			"tile/0/900", "tile/1/000.p/250", "tile/entries/700.p/3", "tile/2/000", "tile/.new",
		}[rnd.IntN(12)]
		set(stranger, bytes.Clone(file.Data))
		return "stranger " + stranger, []string{stranger}
	}
}

// superseded says whether a partial file is that of a smaller size.
func (l *log) superseded(name string) bool {
	level, n, width, err := tile.ParsePath(name)
	count := l.size >> (8 * max(level, 0))
	return err == nil && width < 256 && n*256+uint64(width) != count
}

func TestVerifierFindsEveryChangeOfAFile(t *testing.T) {
	l := logOf(t, 20, 100, 300, 511, 600, 700)
	good := l.files
	rnd := rand.New(rand.NewPCG(8, 9))
	for range race.Fewer(2_000) {
		l.files = maps.Clone(good)
		what, damaged := l.mutate(rnd)
		found, head := l.verify(t, 0, 0)
		require.Equal(t, l.head, head, "the entries are right, whatever the files are")
		require.ElementsMatch(t, damaged, slices.Collect(maps.Keys(found)), what)

		// Without the entries it is not always clear which file it is, but there is something wrong.
		found, head = l.verify(t, l.size, 0)
		require.Equal(t, len(damaged) == 0, len(found) == 0 && head == l.head, "%s, without entries: %v", what, found)
	}
}

func TestVerifierFindsChangesInALargeLog(t *testing.T) {
	l := logOf(t, 4, 65_000, 66_000)
	good := l.files
	rnd := rand.New(rand.NewPCG(10, 11))
	for range race.Fewer(30) {
		l.files = maps.Clone(good)
		what, damaged := l.mutate(rnd)
		found, _ := l.verify(t, 0, 0)
		require.ElementsMatch(t, damaged, slices.Collect(maps.Keys(found)), what)
	}
	for name, index := range map[string]uint64{ // at byte 40: in the second hash
		"tile/0/017": 17*256 + 1, "tile/1/000": 256, "tile/0/257.p/208": 257*256 + 1,
	} {
		l.files = maps.Clone(good)
		data := bytes.Clone(good[name].Data)
		data[40] ^= 1
		l.files[name] = &fstest.MapFile{Data: data}
		found, _ := l.verify(t, 0, 0)
		require.Equal(t, map[string]*tile.DamageError{name: {Path: name, Problem: tile.Altered, Index: index}}, found)
	}
}

func TestVerifierFindsEntriesThatAreNotThoseOfTheFiles(t *testing.T) {
	for what, change := range map[string]func(l *log){
		"changed": func(l *log) { l.entries[400] = []byte("forged") },
		"longer":  func(l *log) { l.entries[400] = append(bytes.Clone(l.entries[400]), 0) },
		"swapped": func(l *log) { l.entries[400], l.entries[401] = l.entries[401], l.entries[400] },
		"removed": func(l *log) {
			l.entries = append(slices.Delete(l.entries, 400, 401), []byte("the last"))
		},
		"put in": func(l *log) { l.entries = slices.Insert(l.entries, 400, []byte("new")) },
	} {
		l := logOf(t, 20, 700)
		change(l)
		for i := range l.hashes {
			l.hashes[i] = tlog.RecordHash(l.entries[i])
		}
		found, head := l.verify(t, 0, 0)
		require.NotEqual(t, l.head, head, what)
		require.Equal(t, uint64(400), found["tile/entries/001"].Index, what)
		require.Equal(t, uint64(400), found["tile/0/001"].Index, what)
		require.NotContains(t, found, "tile/0/000")
		require.NotContains(t, found, "tile/entries/000")
	}
}

func TestVerifierSaysWhatIsWrong(t *testing.T) {
	l := logOf(t, 20, 700)
	delete(l.files, "tile/0/001")
	delete(l.files, "tile/entries/002.p/188")
	l.files["tile/0/000"] = &fstest.MapFile{Data: []byte("short")}
	l.files["tile/0/secret"] = &fstest.MapFile{}
	l.files["tile/0/003"] = &fstest.MapFile{}
	l.files["tile/1/000.p/1"] = &fstest.MapFile{Data: make([]byte, 32)}
	l.files["tile/entries/001"] = &fstest.MapFile{Mode: fs.ModeDir}
	found, _ := l.verify(t, 0, 0)
	problems := map[string]tile.Problem{}
	for name, d := range found {
		problems[name] = d.Problem
		require.True(t, strings.HasPrefix(d.Error(), "tile: "+name), d.Error())
	}
	require.Equal(t, map[string]tile.Problem{
		"tile/0/000": tile.Altered, "tile/0/001": tile.Missing, "tile/0/003": tile.Ahead, "tile/0/secret": tile.Unexpected,
		"tile/1/000.p/1": tile.Altered, "tile/entries/001": tile.Altered, "tile/entries/002.p/188": tile.Missing,
	}, problems)
	require.ErrorIs(t, found["tile/0/001"], fs.ErrNotExist)
	require.Equal(t, uint64(256), found["tile/0/001"].Index)
	require.Equal(t, uint64(700), found["tile/0/003"].Index)
	require.Equal(t, "does not belong there", tile.Unexpected.String())
	require.Equal(t, "Problem(9)", tile.Problem(9).String())
}

func TestVerifierFollowsNoLinks(t *testing.T) {
	root := openRoot(t)
	entries, _, _ := fill(t, root, 0, 3, 4)
	require.NoError(t, root.Symlink("000.p", "tile/0/001"))
	v, err := tile.NewVerifier(root.FS(), 3, 0, func(d *tile.DamageError) {
		require.Equal(t, "tile/0/001", d.Path)
		require.Equal(t, tile.Unexpected, d.Problem)
		err := errors.New("found")
		t.Cleanup(func() { require.Error(t, err) })
	})
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, v.Add(e, tlog.RecordHash(e)))
	}
	_, err = v.Finish()
	require.NoError(t, err)
}

func TestVerifierOfAPrunedLog(t *testing.T) {
	l := logOf(t, 20, 700)
	delete(l.files, "tile/entries/000")
	found, head := l.verify(t, 300, 300)
	require.Empty(t, found)
	require.Equal(t, l.head, head)
	found, _ = l.verify(t, 300, 255)
	require.Contains(t, found, "tile/entries/000", "it has an entry that was not pruned")

	data := bytes.Clone(l.files["tile/entries/001"].Data)
	data[len(data)/300] ^= 1 // in an entry that is skipped
	l.files["tile/entries/001"] = &fstest.MapFile{Data: data}
	found, _ = l.verify(t, 300, 300)
	require.Equal(t, []string{"tile/entries/001"}, slices.Collect(maps.Keys(found)), "what is still there is compared")

	l.files["tile/entries/000"] = &fstest.MapFile{Data: []byte("forged")}
	found, _ = l.verify(t, 300, 300)
	require.Contains(t, found, "tile/entries/000")
}

func TestVerifierReadsTheFullTileWhereThePartialOneIsGone(t *testing.T) {
	l := logOf(t, 20, 700)
	l.size, l.entries, l.hashes = 600, l.entries[:600], l.hashes[:600]
	l.files["tile/0/002"] = &fstest.MapFile{Data: append(bytes.Clone(l.files["tile/0/002.p/188"].Data), make([]byte, 68*32)...)}
	delete(l.files, "tile/0/002.p/188")
	found, _ := l.verify(t, 0, 0)
	require.Equal(t, tile.Ahead, found["tile/0/002"].Problem, "its rest cannot be compared")
	require.Equal(t, tile.Missing, found["tile/entries/002.p/88"].Problem)
	require.NotContains(t, found, "tile/0/002.p/88")
}

func TestVerifierBesideAWriterThatCleansUp(t *testing.T) {
	l := logOf(t, 20, 100, 700)
	v, err := tile.NewVerifier(l.files, l.size, 0, func(d *tile.DamageError) { t.Error(d) })
	require.NoError(t, err)
	delete(l.files, "tile/0/000.p/100")
	delete(l.files, "tile/entries/000.p/100")
	require.NoError(t, v.Skip(l.size))
	_, err = v.Finish()
	require.NoError(t, err)
}

func TestVerifierWantsAllEntriesAndNoMore(t *testing.T) {
	l := logOf(t, 8, 3)
	v, err := tile.NewVerifier(l.files, 3, 0, func(d *tile.DamageError) { t.Error(d) })
	require.NoError(t, err)
	require.ErrorIs(t, v.Skip(4), opsec.ErrInvalid)
	require.NoError(t, v.Skip(2))
	_, err = v.Finish()
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.NoError(t, v.Add(l.entries[2], l.hashes[2]))
	require.ErrorIs(t, v.Add(l.entries[2], l.hashes[2]), opsec.ErrInvalid)
	require.ErrorIs(t, v.Skip(1), opsec.ErrInvalid)
	require.NoError(t, v.Skip(0))
	head, err := v.Finish()
	require.NoError(t, err)
	require.Equal(t, l.head, head)

	_, err = tile.NewVerifier(l.files, 1<<62+1, 0, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = tile.NewVerifier(l.files, 3, 4, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func ExampleVerifier() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	root, _ := os.OpenRoot(dir)
	defer root.Close()
	w, _ := tile.NewWriter(root, 0)
	var entries [][]byte
	for i := range 300 {
		entries = append(entries, fmt.Appendf(nil, "entry %d", i))
		w.Append(entries[i:], []tlog.Hash{tlog.RecordHash(entries[i])})
	}
	head, _ := w.Flush()
	w.Close()

	f, _ := root.OpenFile("tile/entries/000", os.O_WRONLY, 0)
	f.WriteAt([]byte("X"), 2)
	f.Close()

	v, _ := tile.NewVerifier(root.FS(), 300, 0, func(d *tile.DamageError) { fmt.Println(d) })
	for _, entry := range entries {
		v.Add(entry, tlog.RecordHash(entry))
	}
	again, err := v.Finish()
	fmt.Println(again == head, err)
	// Output:
	// tile: tile/entries/000 is damaged (from entry 0)
	// true <nil>
}
