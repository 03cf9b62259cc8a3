package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"
)

// Dir is a local directory tree to build a manifest from or to verify. It is an [fs.FS] that stays below its directory
// whatever the tree holds ([os.Root]), never follows a link, never blocks on a FIFO, and, unlike other file systems of
// package io/fs, names files by their bytes: a name that is not UTF-8 works.
type Dir struct{ root *os.Root }

// OpenDir opens the directory called name. A link is followed here, and nowhere below.
func OpenDir(name string) (*Dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return &Dir{root}, nil
}

// Close releases the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Open opens the directory or regular file called name; anything else is an error wrapping [fs.ErrInvalid].
func (d *Dir) Open(name string) (fs.File, error) {
	f, err := openNoFollow(d.root, name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadDir implements [fs.ReadDirFS].
func (d *Dir) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := openNoFollow(d.root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

// Lstat implements [fs.ReadLinkFS].
func (d *Dir) Lstat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

// ReadLink implements [fs.ReadLinkFS].
func (d *Dir) ReadLink(name string) (string, error) { return d.root.Readlink(name) }

// openNoFollow opens name for reading. An [os.Root] would follow a link that stays inside; a manifest never does.
func openNoFollow(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		f.Close()
		return nil, errors.Join(err, &fs.PathError{Op: "open", Path: name, Err: errReplaced})
	}
	return f, nil
}

var errReplaced = errors.New("replaced while it was being opened")

// content is an opened regular file. Its ReadAt may be called by several goroutines.
type content interface {
	io.ReaderAt
	Stat() (fs.FileInfo, error)
	Close() error
}

// folder is an open directory of a tree. Names are single path elements. It is kept open by a count of its users,
// since files are read by other goroutines than the one that walks.
type folder struct {
	root  *os.Root // of a Dir: this directory itself
	fsys  fs.FS    // of any other file system: the whole,
	name  string   // and the path in it
	users atomic.Int32
}

// openTree opens the top of a file system.
func openTree(fsys fs.FS) (*folder, error) {
	if fsys == nil {
		return nil, invalid("no file system given")
	}
	f := &folder{fsys: fsys, name: "."}
	if d, ok := fsys.(*Dir); ok {
		root, err := d.root.OpenRoot(".")
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		f = &folder{root: root}
	}
	f.users.Store(1)
	return f, nil
}

// hold and release count users; the last release closes.
func (f *folder) hold() *folder { f.users.Add(1); return f }
func (f *folder) release() {
	if f.users.Add(-1) == 0 && f.root != nil {
		f.root.Close()
	}
}

// enter opens the directory called name in f, which must not be a link.
func (f *folder) enter(name string) (*folder, error) {
	sub := &folder{fsys: f.fsys, name: path.Join(f.name, name)}
	sub.users.Store(1)
	if f.root == nil {
		return sub, nil
	}
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errReplaced}
	}
	if sub.root, err = f.root.OpenRoot(name); err != nil {
		return nil, err
	}
	opened, err := sub.root.Lstat(".")
	if err != nil || !os.SameFile(info, opened) {
		sub.root.Close()
		return nil, errors.Join(err, &fs.PathError{Op: "open", Path: name, Err: errReplaced})
	}
	return sub, nil
}

// list returns the entries of f in no particular order. A name that cannot be an entry's is an error.
func (f *folder) list() ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	var err error
	if f.root != nil {
		var d *os.File
		if d, err = f.root.Open("."); err != nil {
			return nil, err
		}
		defer d.Close()
		entries, err = d.ReadDir(-1)
	} else {
		entries, err = fs.ReadDir(f.fsys, f.name)
	}
	for _, e := range entries {
		if n := e.Name(); n == "" || n == "." || n == ".." || strings.ContainsAny(n, "/\x00") {
			return nil, invalid("the file system lists a file called %s", Quote(n))
		}
	}
	return entries, err
}

func (f *folder) lstat(name string) (fs.FileInfo, error) {
	if f.root != nil {
		return f.root.Lstat(name)
	}
	return fs.Lstat(f.fsys, path.Join(f.name, name))
}

func (f *folder) readLink(name string) (string, error) {
	if f.root != nil {
		return f.root.Readlink(name)
	}
	return fs.ReadLink(f.fsys, path.Join(f.name, name))
}

// open opens what was listed as a regular file. What it is now is for the caller to see from its Stat.
func (f *folder) open(name string) (content, error) {
	if f.root != nil {
		return f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	}
	file, err := f.fsys.Open(path.Join(f.name, name))
	if err != nil {
		return nil, err
	}
	if c, ok := file.(content); ok {
		return c, nil
	}
	return &inOrder{File: file}, nil
}

// inOrder makes an [io.ReaderAt] of a file that can be read from its beginning to its end only. It is for one
// goroutine that reads so.
type inOrder struct {
	fs.File
	offset int64
}

func (r *inOrder) ReadAt(p []byte, off int64) (int, error) {
	if off != r.offset {
		return 0, fmt.Errorf("backup: read at %d of a file that can be read in order only: %w", off, errors.ErrUnsupported)
	}
	n, err := io.ReadFull(r.File, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	r.offset += int64(n)
	return n, err
}

// replaced reports whether another file stands under the name now. Only a Dir can tell.
func replaced(n node, before, now fs.FileInfo) bool {
	return n.in.root != nil && !os.SameFile(before, now)
}
