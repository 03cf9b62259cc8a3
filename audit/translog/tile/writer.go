package tile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
)

// A Writer appends entries to a log's tiles and entry bundles. It has the right edge of the tree in memory, and of the
// bundles the one that is open; so neither opening nor appending depends on the size of the log.
//
// Files appear under their names whole, by renaming. There must be one Writer of a directory at a time, and one
// goroutine at a time calls its methods. After an error all of them return that error; begin anew with [NewWriter], at
// the last size that was flushed and synced.
type Writer struct {
	root   *os.Root
	edge   *edge
	bundle []byte // the open one
	err    error

	flushed  uint64      // the size whose partial files are there
	partials []partial   // directories of partial files that Clean may remove
	dirs     []directory // by level, the entries' first: where the last file was written
	syncer   *syncer
}

// directory is an open directory of a thousand tiles.
type directory struct {
	*os.Root
	thousand uint64
}

// partial names the directory of the partial files of one tile.
type partial struct {
	level int
	n     uint64
}

func (p partial) dir() string { return Path(p.level, p.n, Width) + ".p" }

// temporary is the name of a file, beside its place, until it is whole.
const temporary = ".new"

// NewWriter goes on at the given size, 0 for a new log, in the directory root, which it goes on using until Close. The
// tiles and the bundle at that size must be there, partial or full: else the error is a [*DamageError]. Files of larger
// sizes, whatever is in them, are replaced as entries come.
//
// The bundle's entries are compared with the tiles. Whether these are the right ones, only a signed checkpoint can say:
// compare its root with [Writer.Root].
func NewWriter(root *os.Root, size uint64) (*Writer, error) {
	if size > maxSize {
		return nil, fmt.Errorf("tile: size %d, at most 2^62: %w", size, opsec.ErrInvalid)
	}
	w := &Writer{root: root, flushed: size}
	fsys := root.FS()
	var err error
	w.edge, err = edgeOf(size, func(level int, n uint64, width int) ([]byte, error) {
		hashes, name, err := readTile(fsys, level, n, width)
		if name != Path(level, n, width) {
			w.flushed = 0 // from the full tile: the partial ones are to be written
		}
		return hashes, err
	})
	if err != nil {
		return nil, err
	}
	if n, width := size/Width, int(size%Width); width > 0 {
		entries, name, err := readBundle(fsys, n, width)
		if err != nil {
			return nil, err
		}
		if name != EntriesPath(n, width) {
			w.flushed = 0
		}
		hashes := w.edge.levels[0].hashes
		for i, entry := range entries {
			if tlog.RecordHash(entry) != tlog.Hash(hashes[i*tlog.HashSize:]) {
				return nil, damaged(name, n*Width+uint64(i), nil)
			}
			w.bundle, _ = AppendEntry(w.bundle, entry)
		}
	}
	if err := w.findPartials(); err != nil {
		return nil, fmt.Errorf("tile: %w", err)
	}
	if w.syncer, err = newSyncer(root); err != nil {
		return nil, fmt.Errorf("tile: %w", err)
	}
	return w, nil
}

// findPartials looks where the right edge is for partial files that a Writer before this one has not cleaned up.
func (w *Writer) findPartials() error {
	for l := LevelEntries; l < len(w.edge.levels); l++ {
		n := w.edge.size >> (height * (max(l, 0) + 1))
		d, err := fs.ReadDir(w.root.FS(), path.Dir(Path(l, n, Width)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range d {
			if name, ok := strings.CutSuffix(entry.Name(), ".p"); ok {
				_, _, _, err := ParsePath("tile/0/" + name)
				if err == nil && entry.IsDir() {
					var at uint64
					for _, digit := range name {
						at = at*10 + uint64(digit-'0')
					}
					w.partials = append(w.partials, partial{l, n/1000*1000 + at})
				}
			}
		}
	}
	return nil
}

// Size is the number of entries appended so far, those before NewWriter included.
func (w *Writer) Size() uint64 { return w.edge.size }

// Root is the tree's head at the present size (RFC 6962, section 2.1).
func (w *Writer) Root() tlog.Hash { return w.edge.root() }

// Append appends entries, at most [MaxEntry] bytes each, whose leaf hashes (tlog.RecordHash) the caller has. Tiles and
// bundles that become full are written, without waiting for the disk. The slices are not kept. Entries that cannot be
// appended are an error that wraps [opsec.ErrInvalid] and changes nothing.
func (w *Writer) Append(entries [][]byte, hashes []tlog.Hash) error {
	if w.err != nil {
		return w.err
	}
	if len(entries) != len(hashes) {
		return fmt.Errorf("tile: %d entries with %d hashes: %w", len(entries), len(hashes), opsec.ErrInvalid)
	}
	if uint64(len(entries)) > maxSize-w.edge.size {
		return fmt.Errorf("tile: the log would have more than 2^62 entries: %w", opsec.ErrInvalid)
	}
	for _, entry := range entries {
		if len(entry) > MaxEntry {
			return fmt.Errorf("tile: an entry of %d bytes, at most %d: %w", len(entry), MaxEntry, opsec.ErrInvalid)
		}
	}
	for i, entry := range entries {
		w.bundle, _ = AppendEntry(w.bundle, entry)
		if err := w.edge.push(hashes[i], w.full); err != nil {
			w.err = err
			return err
		}
	}
	return nil
}

// full writes a tile that has become full, and the bundle with it.
func (w *Writer) full(level int, n uint64, hashes []byte) error {
	if level == 0 {
		if err := w.write(LevelEntries, n, Width, w.bundle); err != nil {
			return err
		}
		w.bundle = w.bundle[:0]
	}
	return w.write(level, n, Width, hashes)
}

// Flush writes the partial tiles and the partial bundle of the present size, as far as they are not there already, and
// returns the tree's head. Nothing is on stable storage before [Writer.Sync].
func (w *Writer) Flush() (tlog.Hash, error) {
	if w.err != nil {
		return tlog.Hash{}, w.err
	}
	for l := range w.edge.levels {
		width := w.edge.width(l)
		if width == 0 || w.edge.size>>(height*l) == w.flushed>>(height*l) {
			continue
		}
		t := &w.edge.levels[l]
		if l == 0 {
			w.partial(LevelEntries, t.n, width, w.bundle)
		}
		w.partial(l, t.n, width, t.hashes)
	}
	if w.err != nil {
		return tlog.Hash{}, w.err
	}
	w.flushed = w.edge.size
	return w.edge.root(), nil
}

// partial writes a partial file, unless there has been an error.
func (w *Writer) partial(level int, n uint64, width int, data []byte) {
	if w.err != nil {
		return
	}
	w.err = w.write(level, n, width, data)
	p := partial{level, n}
	for _, known := range w.partials {
		if known == p {
			return
		}
	}
	w.partials = append(w.partials, p)
}

// write makes a file, or replaces it.
func (w *Writer) write(level int, n uint64, width int, data []byte) error {
	name := Path(level, n, width)
	err := w.try(level, n, name, data)
	for again := 0; again < 3 && errors.Is(err, fs.ErrNotExist); again++ { // Prune may have removed an empty directory
		w.leave(level)
		err = w.try(level, n, name, data)
	}
	if err != nil {
		return fmt.Errorf("tile: %s: %w", name, err)
	}
	w.syncer.wrote(name)
	return nil
}

func (w *Writer) try(level int, n uint64, name string, data []byte) error {
	dir, err := w.enter(level, n)
	if err != nil {
		return err
	}
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	below := path.Base(name)
	if p := path.Base(path.Dir(name)); strings.HasSuffix(p, ".p") {
		if err := dir.Mkdir(p, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		below = p + "/" + below
	}
	return dir.Rename(temporary, below)
}

// enter opens the directory of a tile, and makes it when there is none.
func (w *Writer) enter(level int, n uint64) (*os.Root, error) {
	for len(w.dirs) <= level-LevelEntries {
		w.dirs = append(w.dirs, directory{})
	}
	d := &w.dirs[level-LevelEntries]
	if d.Root != nil && d.thousand == n/1000 {
		return d.Root, nil
	}
	w.leave(level)
	name := path.Dir(Path(level, n, Width))
	if err := w.root.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	root, err := w.root.OpenRoot(name)
	if err == nil {
		*d = directory{root, n / 1000}
	}
	return root, err
}

// leave closes the directory of a level.
func (w *Writer) leave(level int) {
	if d := &w.dirs[level-LevelEntries]; d.Root != nil {
		d.Root.Close() // it was only a place to begin at
		d.Root = nil
	}
}

// Sync returns nil when all that was written is on stable storage. On Linux it is one syncfs(2), which takes the whole
// file system along, and reports errors since Linux 5.8; elsewhere each file and its directory are synced.
func (w *Writer) Sync() error {
	if w.err == nil {
		if err := w.syncer.sync(); err != nil {
			w.err = fmt.Errorf("tile: sync: %w", err)
		}
	}
	return w.err
}

// Clean removes partial files that full ones have superseded in the tree of the published size, whose full files must
// have been synced. A client that has an older checkpoint reads the full ones (C2SP tlog-tiles, Partial Tiles).
func (w *Writer) Clean(published uint64) error {
	if w.err != nil {
		return w.err
	}
	if published > w.edge.size {
		return fmt.Errorf("tile: published size %d of a log of %d entries: %w", published, w.edge.size, opsec.ErrInvalid)
	}
	kept := w.partials[:0]
	var failed error
	for _, p := range w.partials {
		if p.n >= published>>(height*(max(p.level, 0)+1)) {
			kept = append(kept, p)
		} else if err := w.root.RemoveAll(p.dir()); err != nil {
			kept, failed = append(kept, p), fmt.Errorf("tile: %w", err)
		}
	}
	w.partials = kept
	return failed
}

// Close frees what the Writer holds. It neither flushes nor syncs, and leaves the root open.
func (w *Writer) Close() error {
	if w.err == nil {
		w.err = fmt.Errorf("tile: writer: %w", fs.ErrClosed)
	}
	for i := range w.dirs {
		w.leave(i + LevelEntries)
	}
	return w.syncer.close()
}
