package tile_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

func TestPathsAreThoseOfTheSpecification(t *testing.T) {
	for _, c := range []struct {
		level int
		n     uint64
		width int
		want  string
	}{
		{0, 0, 256, "tile/0/000"},
		{0, 0, 1, "tile/0/000.p/1"},
		{0, 999, 255, "tile/0/999.p/255"},
		{0, 1000, 256, "tile/0/x001/000"},
		{0, 1234067, 256, "tile/0/x001/x234/067"},
		{1, 1234067, 7, "tile/1/x001/x234/067.p/7"},
		{63, 5, 256, "tile/63/005"},
		{tile.LevelEntries, 0, 256, "tile/entries/000"},
		{tile.LevelEntries, 273, 112, "tile/entries/273.p/112"},
		{tile.LevelEntries, 1<<54 - 1, 256, "tile/entries/x018/x014/x398/x509/x481/983"},
	} {
		require.Equal(t, c.want, tile.Path(c.level, c.n, c.width))
		level, n, width, err := tile.ParsePath(c.want)
		require.NoError(t, err)
		require.Equal(t, []any{c.level, c.n, c.width}, []any{level, n, width})
		if c.level == tile.LevelEntries {
			require.Equal(t, c.want, tile.EntriesPath(c.n, c.width))
		}
	}
	require.Equal(t, "tile/0/x018/x446/x744/x073/x709/x551/615", tile.Path(0, math.MaxUint64, 256))
}

func TestPathIsThatOfTlogWithoutTheHeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.IntRange(0, 63).Draw(t, "level")
		n := rapid.Uint64Range(0, 1<<54-1).Draw(t, "n") >> rapid.IntRange(0, 54).Draw(t, "shift")
		width := rapid.IntRange(1, 256).Draw(t, "width")
		theirs := tlog.Tile{H: 8, L: level, N: int64(n), W: width}.Path()
		path := tile.Path(level, n, width)
		require.Equal(t, theirs, "tile/8/"+path[len("tile/"):])
		l, m, w, err := tile.ParsePath(path)
		require.NoError(t, err)
		require.Equal(t, []any{level, n, width}, []any{l, m, w})
	})
}

func TestOtherPathsAreRefused(t *testing.T) {
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "/tile/0/000", "tile/0/000/",
		"tile//000", "tile/00/000", "tile/-1/000", "tile/+1/000", "tile/64/000", "tile/data/000", "tile/Entries/000",
		"tile/0/x000/000", "tile/0/001/000", "tile/0/x001", "tile/0/X001/000", "tile/0/xx01/000", "tile/0/x1000/000",
		"tile/0/-01", "tile/0/+01", "tile/0/ 01", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256",
		"tile/0/000.p/01", "tile/0/000.p/+1", "tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/x001.p/1/000", "tile/0/.p/1",
		"tile/0/../0/000", "tile/./0/000", "tile/0/%30", "tile/0/000\x00", "tile/0/٠٠٠",
		"tile/0/x018/x014/x398/x509/x481/984", // 2^54: beyond 2^62 entries
		"tile/0/x018/x446/x744/x073/x709/x551/615", "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/x999/999",
	} {
		_, _, _, err := tile.ParsePath(path)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%q", path)
	}
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"tile/0/x001/x234/067.p/9", "tile/entries/000", "tile/63/999.p/255", "checkpoint"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		level, n, width, err := tile.ParsePath(path)
		if err == nil && tile.Path(level, n, width) != path {
			t.Fatalf("%q is %d, %d, %d, whose path is %q", path, level, n, width, tile.Path(level, n, width))
		}
	})
}

func TestBundleIsLengthsAndEntries(t *testing.T) {
	bundle, err := tile.AppendEntry(nil, []byte("ab"))
	require.NoError(t, err)
	bundle, err = tile.AppendEntry(bundle, nil)
	require.NoError(t, err)
	bundle, err = tile.AppendEntry(bundle, bytes.Repeat([]byte{'c'}, 258))
	require.NoError(t, err)
	require.Equal(t, append([]byte("\x00\x02ab\x00\x00\x01\x02"), bytes.Repeat([]byte{'c'}, 258)...), bundle)

	entries, err := tile.Entries(bundle, 3)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.Equal(t, "ab", string(entries[0]))
	require.Empty(t, entries[1])
	require.Len(t, entries[2], 258)
	_ = append(entries[0], "xx"...)
	require.Equal(t, byte(0), bundle[4], "an entry that grows does not grow into the next")

	for width, damaged := range map[int][]byte{
		0: bundle, 2: bundle, 4: bundle, -1: bundle, 257: bundle,
		3: bundle[:len(bundle)-1],
		1: {0},
	} {
		_, err := tile.Entries(damaged, width)
		require.ErrorIs(t, err, opsec.ErrInvalid, "width %d", width)
	}
}

func TestEntryHasAGreatestLength(t *testing.T) {
	bundle, err := tile.AppendEntry([]byte("x"), make([]byte, tile.MaxEntry))
	require.NoError(t, err)
	require.Len(t, bundle, 1+2+tile.MaxEntry)
	bundle, err = tile.AppendEntry([]byte("x"), make([]byte, tile.MaxEntry+1))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.Equal(t, "x", string(bundle))
}

func FuzzEntries(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x00"), 2)
	f.Add([]byte("\xff\xff"), 1)
	f.Add([]byte(nil), 0)
	f.Fuzz(func(t *testing.T, bundle []byte, width int) {
		entries, err := tile.Entries(bundle, width)
		if err != nil {
			return
		}
		var again []byte
		for _, entry := range entries {
			again, err = tile.AppendEntry(again, entry)
			require.NoError(t, err)
		}
		require.Len(t, entries, width)
		require.True(t, bytes.Equal(bundle, again))
	})
}

func ExamplePath() {
	fmt.Println(tile.Path(0, 1234067, tile.Width))
	fmt.Println(tile.Path(2, 0, 1))
	fmt.Println(tile.EntriesPath(273, 112))
	// Output:
	// tile/0/x001/x234/067
	// tile/2/000.p/1
	// tile/entries/273.p/112
}

func ExampleParsePath() {
	level, n, width, err := tile.ParsePath("tile/1/x001/000.p/17")
	fmt.Println(level, n, width, err)
	_, _, _, err = tile.ParsePath("tile/1/../checkpoint")
	fmt.Println(err)
	// Output:
	// 1 1000 17 <nil>
	// tile: "tile/1/../checkpoint" is not the path of a tile or an entry bundle: invalid
}

func ExampleAppendEntry() {
	bundle, _ := tile.AppendEntry(nil, []byte("first"))
	bundle, _ = tile.AppendEntry(bundle, []byte("second"))
	fmt.Printf("%q\n", bundle)
	// Output: "\x00\x05first\x00\x06second"
}

func ExampleEntries() {
	entries, err := tile.Entries([]byte("\x00\x05first\x00\x06second"), 2)
	fmt.Printf("%q %v\n", entries, err)
	_, err = tile.Entries([]byte("\x00\x05first\x00\x06seco"), 2)
	fmt.Println(err)
	// Output:
	// ["first" "second"] <nil>
	// tile: a bundle ends in entry 1 of 2: invalid
}
