package tile

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// Width is the number of hashes of a full tile, and of entries of a full bundle.
const Width = 1 << height

const (
	height    = 8                     // levels of the tree that one tile spans
	tileBytes = Width * tlog.HashSize // length of a full tile
	maxLevel  = 63                    // of a path; no tree of this package has more than eight
	maxSize   = 1 << 62               // of a tree: tlog counts the stored hashes, two an entry, in an int64
	maxN      = maxSize / Width
)

// LevelEntries stands for a level where a path is that of an entry bundle.
const LevelEntries = -1

// Path is the name of the n-th tile of a level, below the log's directory or URL, for example "tile/0/x001/x234/067" or
// "tile/1/000.p/3". A width of 1 to 255 means a partial tile, 256 a full one (C2SP tlog-tiles, Merkle Tree).
func Path(level int, n uint64, width int) string {
	b := append(make([]byte, 0, 48), "tile/"...)
	if level == LevelEntries {
		b = append(b, "entries"...)
	} else {
		b = strconv.AppendInt(b, int64(level), 10)
	}
	var groups [7]uint64 // a uint64 has at most seven groups of three digits
	i := 0
	for ; n >= 1000; n /= 1000 {
		groups[i] = n % 1000
		i++
	}
	groups[i] = n
	for ; i >= 0; i-- {
		b = append(b, '/')
		if i > 0 {
			b = append(b, 'x')
		}
		g := groups[i]
		b = append(b, byte('0'+g/100), byte('0'+g/10%10), byte('0'+g%10))
	}
	if width < Width {
		b = strconv.AppendInt(append(b, ".p/"...), int64(width), 10)
	}
	return string(b)
}

// EntriesPath is the name of the n-th entry bundle, for example "tile/entries/000.p/7" (C2SP tlog-tiles, Log entries).
func EntriesPath(n uint64, width int) string { return Path(LevelEntries, n, width) }

// ParsePath is the inverse of [Path]. It accepts only what Path returns for levels up to 63 and for tiles of trees of at
// most 2^62 entries; all else is an error that wraps [opsec.ErrInvalid].
func ParsePath(path string) (level int, n uint64, width int, err error) {
	bad := func() (int, uint64, int, error) {
		return 0, 0, 0, fmt.Errorf("tile: %.80q is not the path of a tile or an entry bundle: %w", path, opsec.ErrInvalid)
	}
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 80 {
		return bad()
	}
	name, rest, ok := strings.Cut(rest, "/")
	if !ok {
		return bad()
	}
	if name == "entries" {
		level = LevelEntries
	} else if level, err = strconv.Atoi(name); err != nil || level < 0 || level > maxLevel {
		return bad()
	}
	width = Width
	if number, w, partial := strings.Cut(rest, ".p/"); partial {
		rest = number
		if width, err = strconv.Atoi(w); err != nil || width < 1 || width >= Width {
			return bad()
		}
	}
	for group := range strings.SplitSeq(rest, "/") {
		g, err := strconv.ParseUint(strings.TrimPrefix(group, "x"), 10, 64)
		if err != nil || g > 999 || n >= maxN {
			return bad()
		}
		n = n*1000 + g
	}
	if n >= maxN || Path(level, n, width) != path { // the one form: no sign, no leading zero, x on all groups but the last
		return bad()
	}
	return level, n, width, nil
}
