package tile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// A Verifier compares all files of a log with the entries that they should hold. The entries come to it in order, with
// the leaf hashes that the caller has computed, so that nothing is hashed twice; it holds one bundle in memory.
//
//	v, err := tile.NewVerifier(dir.FS(), checkpoint.Size, 0, report)
//	for ... {
//		v.Add(entry, leaf)
//	}
//	root, err := v.Finish() // compare it with checkpoint.Root
type Verifier struct {
	fsys         fs.FS
	size, pruned uint64
	report       func(*DamageError)

	edge   edge
	bundle file // of the entries that come
	leaves file // the tile over them, read by Skip
	buf    []byte
}

// file is what is compared with what comes.
type file struct {
	name     string
	data     []byte // all of it
	rest     []byte // what has not been compared yet
	whole    bool   // it is not a full file that stands in for a partial one
	usable   bool   // it is there, and nothing has differed so far
	reported bool
}

// NewVerifier begins with the first entry of the tree of the given size. Entry bundles wholly below pruned may be
// missing. Report is called for each file that is missing or wrong, once, in the order of the entries, and then for those
// that do not belong there.
func NewVerifier(fsys fs.FS, size, pruned uint64, report func(*DamageError)) (*Verifier, error) {
	if size > maxSize || pruned > size {
		return nil, fmt.Errorf("tile: size %d, pruned below %d: at most 2^62 and the size: %w", size, pruned, opsec.ErrInvalid)
	}
	return &Verifier{fsys: fsys, size: size, pruned: pruned, report: report}, nil
}

// Add goes on with the next entry; leaf is tlog.RecordHash of it. Damage is reported, not returned: an error is that of a
// caller who adds more entries than the tree has, and wraps [opsec.ErrInvalid].
func (v *Verifier) Add(entry []byte, leaf tlog.Hash) error {
	if err := v.room(1); err != nil {
		return err
	}
	v.begin()
	if b := &v.bundle; b.usable {
		if next, rest, ok := cutEntry(b.rest); ok && bytes.Equal(next, entry) {
			b.rest = rest
		} else {
			v.differs(b, v.edge.size)
		}
	}
	v.push(leaf)
	return nil
}

// Skip goes on with n entries that the caller does not have, because they have been pruned from where he reads, or are in
// the log alone. Their leaf hashes are taken from the tiles, and their bundles, where there are any, compared with these;
// where the two disagree the bundle is reported, though it may be the tile.
func (v *Verifier) Skip(n uint64) error {
	if err := v.room(n); err != nil {
		return err
	}
	for range n {
		v.begin()
		var leaf tlog.Hash // stays zero where neither file tells, and the root will be wrong
		known := false
		if t := v.tile(); t.usable {
			leaf, known = tlog.Hash(t.data[v.edge.size%Width*tlog.HashSize:]), true
		}
		if b := &v.bundle; b.usable {
			entry, rest, ok := cutEntry(b.rest)
			if ok {
				b.rest = rest
				hash := tlog.RecordHash(entry)
				ok = !known || hash == leaf
				if !known {
					leaf = hash
				}
			}
			if !ok {
				v.differs(b, v.edge.size)
			}
		}
		v.push(leaf)
	}
	return nil
}

// room says whether the tree has n more entries.
func (v *Verifier) room(n uint64) error {
	if n > v.size-v.edge.size {
		return fmt.Errorf("tile: more entries than the %d of the tree: %w", v.size, opsec.ErrInvalid)
	}
	return nil
}

// begin reads the bundle of the next entry, if that is the first of one.
func (v *Verifier) begin() {
	if v.edge.size%Width > 0 {
		return
	}
	n := v.edge.size / Width
	width := int(min(Width, v.size-n*Width))
	v.read(&v.bundle, LevelEntries, n, width, n*Width+uint64(width) <= v.pruned)
	v.leaves = file{data: v.leaves.data}
}

// read reads a tile or a bundle, from the full one when the partial one is gone.
func (v *Verifier) read(f *file, level int, n uint64, width int, mayMiss bool) {
	limit := maxBundle
	if level != LevelEntries {
		limit = tileBytes
	}
	*f = file{name: Path(level, n, width), data: f.data, whole: true}
	var err error
	f.data, err = readFile(v.fsys, f.name, limit, f.data)
	if width < Width && errors.Is(err, fs.ErrNotExist) {
		var full error
		if f.data, full = readFile(v.fsys, Path(level, n, Width), limit, f.data); full == nil {
			f.name, f.whole, err = Path(level, n, Width), false, nil
		}
	}
	f.rest, f.usable = f.data, err == nil
	if err != nil && !(mayMiss && errors.Is(err, fs.ErrNotExist)) {
		f.reported = true
		v.report(damaged(f.name, n*Width<<(height*max(level, 0)), err))
	}
}

// tile returns the tile over the next entry as the log has it.
func (v *Verifier) tile() *file {
	if v.leaves.name == "" {
		n := v.edge.size / Width
		width := int(min(Width, v.size-n*Width))
		v.read(&v.leaves, 0, n, width, false)
		if v.leaves.usable && len(v.leaves.data) < width*tlog.HashSize {
			v.differs(&v.leaves, n*Width)
		}
	}
	return &v.leaves
}

// differs reports a file.
func (v *Verifier) differs(f *file, index uint64) {
	f.usable = false
	if !f.reported {
		f.reported = true
		v.report(damaged(f.name, index, nil))
	}
}

// push appends a leaf to the tree, and ends the bundle if it was its last.
func (v *Verifier) push(leaf tlog.Hash) {
	v.edge.push(leaf, func(level int, n uint64, hashes []byte) error {
		v.compare(level, n, hashes)
		return nil
	})
	if b := &v.bundle; v.edge.size%Width == 0 || v.edge.size == v.size {
		if b.usable && b.whole && len(b.rest) > 0 {
			v.differs(b, v.edge.size-1)
		}
	}
}

// compare compares a tile with the hashes that it should hold.
func (v *Verifier) compare(level int, n uint64, hashes []byte) {
	f := file{data: v.buf}
	if level == 0 && v.leaves.reported {
		return
	}
	v.read(&f, level, n, len(hashes)/tlog.HashSize, false)
	v.buf = f.data
	if !f.usable || bytes.Equal(f.data, hashes) || !f.whole && bytes.HasPrefix(f.data, hashes) {
		return
	}
	i := 0
	for i < len(hashes) && i < len(f.data) && f.data[i] == hashes[i] {
		i++
	}
	i = min(i, len(hashes)-1) / tlog.HashSize
	v.differs(&f, (n*Width+uint64(i))<<(height*level))
}

// Finish compares the partial tiles, and all partial files that are left of smaller sizes; it reports files that do not
// belong to the log, or to the tree of this size, where fsys lists directories ([Remote] does not). It returns the root
// of the tree, for the caller to compare. An error is that of a caller who has added too few entries.
func (v *Verifier) Finish() (tlog.Hash, error) {
	if v.edge.size != v.size {
		return tlog.Hash{}, fmt.Errorf("tile: %d entries of the %d of the tree: %w", v.edge.size, v.size, opsec.ErrInvalid)
	}
	for l, t := range v.edge.levels {
		if len(t.hashes) > 0 {
			v.compare(l, t.n, t.hashes)
		}
	}
	// What cannot be listed was not there to be read either, and that has been reported.
	fs.WalkDir(v.fsys, "tile", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		v.stray(name, d)
		return nil
	})
	return v.edge.root(), nil
}

// stray looks at a file by its name: those that the entries led to have been compared already.
func (v *Verifier) stray(name string, d fs.DirEntry) {
	level, n, width, err := ParsePath(name)
	l := max(level, 0)
	switch count := v.size >> (height * l); {
	case path.Base(name) == temporary && d.Type().IsRegular():
		v.report(&DamageError{Path: name, Problem: Ahead, Index: v.size}) // a Writer was stopped
	case err != nil || l >= 64/height || !d.Type().IsRegular():
		v.report(&DamageError{Path: name, Problem: Unexpected})
	case n*Width+uint64(width) > count:
		v.report(&DamageError{Path: name, Problem: Ahead, Index: (n*Width + uint64(width)) << (height * l)})
	case width < Width && (n < count/Width || width < int(count%Width)):
		v.stale(name, level, n, width, count)
	}
}

// stale compares a partial file that a larger one has superseded.
func (v *Verifier) stale(name string, level int, n uint64, width int, count uint64) {
	l := max(level, 0)
	hashes, _, err := readTile(v.fsys, l, n, int(min(Width, count-n*Width)))
	if err != nil {
		return // reported already
	}
	same := false
	if level == LevelEntries {
		entries, got, err := readBundle(v.fsys, n, width)
		same = err == nil && got == name
		for i, entry := range entries {
			same = same && tlog.RecordHash(entry) == tlog.Hash(hashes[i*tlog.HashSize:])
		}
	} else {
		data, err := readFile(v.fsys, name, tileBytes, nil)
		same = err == nil && bytes.Equal(data, hashes[:width*tlog.HashSize])
	}
	if !same {
		v.report(damaged(name, n*Width<<(height*l), nil))
	}
}
