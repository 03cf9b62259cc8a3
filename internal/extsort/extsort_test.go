package extsort_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/internal/extsort"
)

const least = 64 << 10 // the least memory: a run every few hundred records

type pair struct{ key, value string }

func add(t require.TestingT, s *extsort.Sorter, pairs ...pair) {
	for _, p := range pairs {
		require.NoError(t, s.Add([]byte(p.key), []byte(p.value)))
	}
}

func sorted(t require.TestingT, s *extsort.Sorter) (pairs []pair) {
	for r, err := range s.Sorted() {
		require.NoError(t, err)
		pairs = append(pairs, pair{string(r.Key), string(r.Value)})
	}
	return pairs
}

func stable(pairs []pair) []pair {
	pairs = slices.Clone(pairs)
	slices.SortStableFunc(pairs, func(a, b pair) int { return bytes.Compare([]byte(a.key), []byte(b.key)) })
	return pairs
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	return names
}

func TestSortsAsAStableSortInMemoryDoes(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		s := extsort.New(extsort.Options{Dir: dir, Memory: least})
		defer s.Close()
		size := rapid.SampledFrom([]int{0, 10, 3000}).Draw(t, "bytes of a value")
		var pairs []pair
		for range 2 { // it goes on behind a first reading
			for range rapid.IntRange(0, 150).Draw(t, "records") {
				key := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00")), 0, 3, -1).Draw(t, "key")
				pairs = append(pairs, pair{key, fmt.Sprintf("%0*d", size, len(pairs))})
				add(t, s, pairs[len(pairs)-1])
			}
			require.Equal(t, stable(pairs), sorted(t, s))
		}
		require.Equal(t, stable(pairs), sorted(t, s))
	})
	require.Empty(t, files(t, dir), "closed sorters leave nothing")
}

// Two runs are merged at once with so little memory, so these take several passes.
func TestSortsManyRuns(t *testing.T) {
	dir := t.TempDir()
	s := extsort.New(extsort.Options{Dir: dir, Memory: least})
	rng := rand.New(rand.NewPCG(1, 2))
	var pairs []pair
	for i := range 20_000 {
		pairs = append(pairs, pair{fmt.Sprint(rng.IntN(5000)), fmt.Sprintf("value %d of some length", i)})
	}
	add(t, s, pairs...)
	require.Greater(t, len(files(t, dir)), 10)
	require.Equal(t, stable(pairs), sorted(t, s))
	require.LessOrEqual(t, len(files(t, dir)), 2, "merged runs are removed")
	require.NoError(t, s.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestReadingMayEndEarly(t *testing.T) {
	s := extsort.New(extsort.Options{Dir: t.TempDir(), Memory: least})
	defer s.Close()
	for i := range 10_000 {
		add(t, s, pair{fmt.Sprint(i), "value"})
	}
	for range s.Sorted() {
		break
	}
	require.Len(t, sorted(t, s), 10_000)
}

func spilled(t *testing.T) (*extsort.Sorter, string) {
	dir := t.TempDir()
	s := extsort.New(extsort.Options{Dir: dir, Memory: least})
	t.Cleanup(func() { s.Close() })
	for i := range 6000 {
		add(t, s, pair{fmt.Sprint(i), "hunter2 hunter2 hunter2 hunter2 hunter2 hunter2"})
	}
	require.NotEmpty(t, files(t, dir))
	return s, dir
}

func TestFilesCannotBeRead(t *testing.T) {
	_, dir := spilled(t)
	for _, name := range files(t, dir) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotContains(t, string(text), "hunter")
		stat, err := os.Stat(name)
		require.NoError(t, err)
		require.Zero(t, stat.Mode().Perm()&0o077)
	}
}

// A run is length, block, length, block ...: the last one is marked as such.
func TestFilesThatWereChangedAreRefused(t *testing.T) {
	lastBlock := func(text []byte) []byte {
		at := 0
		for next := 0; next < len(text); {
			at = next
			next += 4 + int(binary.BigEndian.Uint32(text[next:]))
		}
		return text[:at]
	}
	flip := func(at int) func([]byte) []byte {
		return func(text []byte) []byte { text[(at+len(text))%len(text)] ^= 1; return text }
	}
	for name, change := range map[string]func([]byte) []byte{
		"a bit of the length":    flip(0),
		"a bit of a block":       flip(5000),
		"the last bit":           flip(-1),
		"cut short":              func(text []byte) []byte { return text[:len(text)-1] },
		"without its last block": lastBlock,
		"nothing left":           func([]byte) []byte { return nil },
		"a block twice":          func(text []byte) []byte { return append(text, text...) },
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := spilled(t)
			victim := files(t, dir)[0]
			text, err := os.ReadFile(victim)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(victim, change(text), 0o600))
			var last error
			for _, last = range s.Sorted() {
			}
			require.ErrorContains(t, last, "extsort: run ")
			require.Equal(t, last, s.Add(nil, nil), "an error stays")
		})
	}
}

func TestOneRunIsNotAnother(t *testing.T) {
	s, dir := spilled(t)
	names := files(t, dir)
	text, err := os.ReadFile(names[1])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(names[0], text, 0o600))
	var last error
	for _, last = range s.Sorted() {
	}
	require.ErrorContains(t, last, "is not what was written")
}

func TestAFileThatCannotBeWrittenIsAnError(t *testing.T) {
	s := extsort.New(extsort.Options{Dir: filepath.Join(t.TempDir(), "missing"), Memory: least})
	var err error
	for i := 0; err == nil && i < 100_000; i++ {
		err = s.Add([]byte("key"), []byte("value"))
	}
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, again := range s.Sorted() {
		require.Equal(t, err, again)
	}
	require.NoError(t, s.Close())
}

func TestRecordsAreOfLimitedSize(t *testing.T) {
	s := extsort.New(extsort.Options{Dir: t.TempDir()})
	defer s.Close()
	require.NoError(t, s.Add([]byte("k"), make([]byte, extsort.MaxRecord-1)))
	require.ErrorIs(t, s.Add([]byte("k"), make([]byte, extsort.MaxRecord)), extsort.ErrTooLarge)
	require.Len(t, sorted(t, s), 1)
}

func TestNothingIsSortedAfterClose(t *testing.T) {
	s := extsort.New(extsort.Options{})
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Add(nil, nil), os.ErrClosed)
	for _, err := range s.Sorted() {
		require.ErrorIs(t, err, os.ErrClosed)
	}
	require.NoError(t, s.Close())
}

func TestASorterThatIsClosedWhileItYieldsStaysClosed(t *testing.T) {
	dir := t.TempDir()
	s := extsort.New(extsort.Options{Dir: dir, Memory: least})
	for i := range 10_000 {
		add(t, s, pair{fmt.Sprint(i), "value"})
	}
	read := 0
	for range s.Sorted() {
		if read++; read == 5 {
			require.NoError(t, s.Close())
		}
	}
	require.ErrorIs(t, s.Add(nil, nil), os.ErrClosed)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func BenchmarkSort(b *testing.B) {
	key := make([]byte, 40)
	for _, memory := range []int64{1 << 30, 16 << 20} {
		b.Run(fmt.Sprintf("memory=%dMiB", memory>>20), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				s := extsort.New(extsort.Options{Dir: b.TempDir(), Memory: memory})
				rng := rand.New(rand.NewPCG(1, 2))
				for range 500_000 {
					binary.BigEndian.PutUint64(key, rng.Uint64())
					if err := s.Add(key, key); err != nil {
						b.Fatal(err)
					}
				}
				for _, err := range s.Sorted() {
					if err != nil {
						b.Fatal(err)
					}
				}
				s.Close()
			}
			b.ReportMetric(float64(b.N)*500_000/b.Elapsed().Seconds(), "records/s")
		})
	}
}
