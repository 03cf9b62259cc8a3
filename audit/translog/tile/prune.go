package tile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Prune removes the entry bundles whose entries are all below before, partial ones with them (C2SP tlog-tiles, Pruning).
// The hashes stay, so every proof can still be made; [Tree.Entry] of what is gone is [fs.ErrNotExist]. It may be called
// beside a [Writer] of the directory; before must not be greater than the size of a published checkpoint.
func Prune(root *os.Root, before uint64) error {
	err := prune(root, "tile/entries", 0, before/Width)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("tile: prune: %w", err)
	}
	return nil
}

// prune removes the bundles below limit from a directory, to whose name the number base belongs: its files are
// 1000 base + 0 to 999, its directories x000 to x999 have bases of their own.
func prune(root *os.Root, dir string, base, limit uint64) error {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		digits := strings.TrimSuffix(strings.TrimPrefix(name, "x"), ".p")
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) != 3 || base >= maxN {
			continue // not ours
		}
		n += base * 1000
		path := dir + "/" + name
		switch {
		case name[0] != 'x' && n < limit:
			err = root.RemoveAll(path)
		case name[0] == 'x' && n*1000 < limit && e.IsDir():
			if err = prune(root, path, n, limit); err == nil && (n+1)*1000 <= limit {
				root.Remove(path) // fails while there is something in it
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
