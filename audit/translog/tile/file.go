package tile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// A Problem says what is wrong with a file of a log.
type Problem int

const (
	Missing    Problem = 1 + iota // it should be there
	Altered                       // its bytes are not those of the tree
	Unexpected                    // no file of that name belongs to a log
	Ahead                         // it belongs to a larger tree than the one that was verified
)

// String returns the problem in a word or a few.
func (p Problem) String() string {
	switch p {
	case Missing:
		return "is missing"
	case Altered:
		return "is damaged"
	case Unexpected:
		return "does not belong there"
	case Ahead:
		return "belongs to a larger tree"
	}
	return fmt.Sprintf("Problem(%d)", int(p))
}

// DamageError names a file that is not as the log wrote it.
type DamageError struct {
	Path    string
	Problem Problem
	Index   uint64 // of the first entry that is affected; 0 if Problem is Unexpected
	Err     error  // what the file system says, may be nil
}

// Error names the file, what is wrong with it, and the first entry concerned.
func (e *DamageError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("tile: %s %s (from entry %d): %v", e.Path, e.Problem, e.Index, e.Err)
	}
	return fmt.Sprintf("tile: %s %s (from entry %d)", e.Path, e.Problem, e.Index)
}

// Unwrap returns the error of the file system: [fs.ErrNotExist] where a file is missing.
func (e *DamageError) Unwrap() error { return e.Err }

// readFile reads a file of at most limit bytes into buf, which it may replace by a larger one.
func readFile(fsys fs.FS, name string, limit int, buf []byte) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return buf[:0], err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return buf[:0], err
	}
	if st.IsDir() || st.Size() > int64(limit) {
		return buf[:0], fmt.Errorf("%s is a directory or longer than %d bytes", name, limit)
	}
	buf = buf[:0]
	if want := int(st.Size()) + 1; cap(buf) < want { // one more: the read that finds the end
		buf = make([]byte, 0, max(want, 512))
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > limit {
			return buf[:0], fmt.Errorf("%s is longer than %d bytes", name, limit)
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf[:0], err
		}
	}
}

// readTile reads width hashes of a tile, from the full one when the partial one is gone. The hashes are not
// authenticated. name is that of the file they are from.
func readTile(fsys fs.FS, level int, n uint64, width int) (hashes []byte, name string, err error) {
	name, want := Path(level, n, width), width
	hashes, err = readFile(fsys, name, tileBytes, nil)
	if width < Width && errors.Is(err, fs.ErrNotExist) {
		name, want = Path(level, n, Width), Width
		hashes, err = readFile(fsys, name, tileBytes, nil)
	}
	if err != nil || len(hashes) != want*tlog.HashSize {
		return nil, name, damaged(name, n*Width<<(height*level), err)
	}
	return hashes[:width*tlog.HashSize], name, nil
}

// readBundle reads the first width entries of a bundle, from the full one when the partial one is gone. The entries are
// not authenticated.
func readBundle(fsys fs.FS, n uint64, width int) (entries [][]byte, name string, err error) {
	name, want := EntriesPath(n, width), width
	bundle, err := readFile(fsys, name, maxBundle, nil)
	if width < Width && errors.Is(err, fs.ErrNotExist) {
		name, want = EntriesPath(n, Width), Width
		bundle, err = readFile(fsys, name, maxBundle, nil)
	}
	if err == nil {
		entries, err = Entries(bundle, want)
	}
	if err != nil {
		return nil, name, damaged(name, n*Width, err)
	}
	return entries[:width], name, nil
}

// damaged is the error for a file that cannot be read, or whose length is wrong.
func damaged(name string, index uint64, err error) *DamageError {
	problem := Altered
	if errors.Is(err, fs.ErrNotExist) {
		problem = Missing
	}
	return &DamageError{Path: name, Problem: problem, Index: index, Err: err}
}
