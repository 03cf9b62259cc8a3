package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/cloudopsec/opsec/backup"
)

// copyTree copies a directory as a backup tool would, with modes and times.
func copyTree(to string, from *backup.Dir, m *backup.Manifest) {
	check(os.CopyFS(to, from))
	var entries []*backup.Entry
	for e, err := range m.Entries() {
		check(err)
		if e.Kind != backup.Link {
			entries = append(entries, e)
		}
	}
	for _, e := range slices.Backward(entries) { // what is in a directory before the directory, whose time it would change
		name := filepath.Join(to, filepath.FromSlash(e.Path))
		check(os.Chmod(name, e.Mode))
		check(os.Chtimes(name, e.ModTime, e.ModTime))
	}
}

// flipBit flips one bit of the largest file of a copy, keeps the file's time as it was, as silent damage does, and
// says where the bit was.
func flipBit(dir string, m *backup.Manifest) string {
	var largest backup.Entry
	for e, err := range m.Entries() {
		check(err)
		if e.Kind == backup.File && e.Sums.Size > largest.Sums.Size {
			largest = *e
		}
	}
	if largest.Path == "" {
		return "nowhere: there is no file with content"
	}
	name := filepath.Join(dir, filepath.FromSlash(largest.Path))
	info, err := os.Stat(name)
	check(err)
	check(os.Chmod(name, info.Mode()|0o200))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	check(err)
	defer f.Close()
	offset, one := rand.Int64N(largest.Sums.Size), make([]byte, 1)
	_, err = f.ReadAt(one, offset)
	check(err)
	one[0] ^= 1 << rand.IntN(8)
	_, err = f.WriteAt(one, offset)
	check(err)
	check(os.Chtimes(name, info.ModTime(), info.ModTime()))
	return fmt.Sprintf("at byte %d of %d", offset, largest.Sums.Size)
}
