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

	partials map[at][]int // widths of the partial files of smaller sizes

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
// missing. Report is called once for each file that is missing or wrong, or, where fsys lists directories ([Remote] does
// not), does not belong to the log or to a tree of this size.
func NewVerifier(fsys fs.FS, size, pruned uint64, report func(*DamageError)) (*Verifier, error) {
	if size > maxSize || pruned > size {
		return nil, fmt.Errorf("tile: size %d, pruned below %d: at most 2^62 and the size: %w", size, pruned, opsec.ErrInvalid)
	}
	v := &Verifier{fsys: fsys, size: size, pruned: pruned, report: report, partials: map[at][]int{}}
	// What cannot be listed cannot be read either, and will be reported then.
	fs.WalkDir(fsys, "tile", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			v.sort(name, d)
		}
		return nil
	})
	return v, nil
}

// sort looks at the name of a file: those that the entries will not lead to are reported.
func (v *Verifier) sort(name string, d fs.DirEntry) {
	level, n, width, err := ParsePath(name)
	l := max(level, 0)
	switch count, end := v.size>>(height*l), n*Width+uint64(width); {
	case path.Base(name) == temporary && d.Type().IsRegular(): // a Writer was stopped
		v.report(&DamageError{Path: name, Problem: Ahead, Index: v.size})
	case err != nil || l >= 64/height || !d.Type().IsRegular():
		v.report(&DamageError{Path: name, Problem: Unexpected})
	case end > count:
		v.report(&DamageError{Path: name, Problem: Ahead, Index: v.size})
	case width < Width && end < count:
		place := at{level, n}
		v.partials[place] = append(v.partials[place], width)
	}
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

// compare compares a tile with the hashes that it should hold, and what is left of smaller sizes.
func (v *Verifier) compare(level int, n uint64, hashes []byte) {
	v.compareTile(level, n, hashes)
	for _, width := range v.partials[at{level, n}] {
		name := Path(level, n, width)
		data, err := readFile(v.fsys, name, tileBytes, nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a Writer has cleaned up
		}
		if err != nil || !bytes.Equal(data, hashes[:width*tlog.HashSize]) {
			v.report(damaged(name, n*Width<<(height*level), err))
		}
	}
	if level > 0 {
		return
	}
	for _, width := range v.partials[at{LevelEntries, n}] {
		name := EntriesPath(n, width)
		data, err := readFile(v.fsys, name, maxBundle, nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var entries [][]byte
		if err == nil {
			entries, err = Entries(data, width)
		}
		same := err == nil
		for i, entry := range entries {
			same = same && tlog.RecordHash(entry) == tlog.Hash(hashes[i*tlog.HashSize:])
		}
		if !same {
			v.report(damaged(name, n*Width, err))
		}
	}
}

func (v *Verifier) compareTile(level int, n uint64, hashes []byte) {
	if level == 0 && v.leaves.reported {
		return
	}
	f := file{data: v.buf}
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

// Finish compares the partial tiles and returns the root of the tree, for the caller to compare with that of a signed
// checkpoint. An error is that of a caller who has added too few entries.
func (v *Verifier) Finish() (tlog.Hash, error) {
	if v.edge.size != v.size {
		return tlog.Hash{}, fmt.Errorf("tile: %d entries of the %d of the tree: %w", v.edge.size, v.size, opsec.ErrInvalid)
	}
	for l, t := range v.edge.levels {
		if len(t.hashes) > 0 {
			v.compare(l, t.n, t.hashes)
		}
	}
	return v.edge.root(), nil
}
