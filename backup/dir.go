package backup

import (
	"cmp"
	"errors"
	"fmt"
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

var errReplaced = errors.New("replaced by something else meanwhile")

// folder is an open directory of a tree. Names are single path elements. It is kept open by a count of its users,
// since files are read by other goroutines than the one that walks.
type folder struct {
	root  *os.Root // of a Dir: this directory itself,
	dir   *os.File // opened for listing
	fsys  fs.FS    // of any other file system: the whole,
	name  string   // and the path in it
	users atomic.Int32
}

// openTree opens the top of a file system.
func openTree(fsys fs.FS) (*folder, error) {
	switch d := fsys.(type) {
	case nil:
		return nil, invalid("no file system given")
	case *Dir:
		root, err := d.root.OpenRoot(".")
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		f, err := newFolder(root)
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		return f, nil
	}
	f := &folder{fsys: fsys, name: "."}
	f.users.Store(1)
	return f, nil
}

// newFolder makes a folder of the directory root, or closes it.
func newFolder(root *os.Root) (*folder, error) {
	dir, err := root.Open(".")
	if err == nil {
		dir, err = forListing(dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	f := &folder{root: root, dir: dir}
	f.users.Store(1)
	return f, nil
}

// hold and release count users; the last release closes.
func (f *folder) hold() *folder { f.users.Add(1); return f }
func (f *folder) release() {
	if f.users.Add(-1) == 0 && f.root != nil {
		f.dir.Close()
		f.root.Close()
	}
}

// enter opens the directory called name in f, which must not be a link.
func (f *folder) enter(name string) (*folder, error) {
	if f.root == nil {
		sub := &folder{fsys: f.fsys, name: path.Join(f.name, name)}
		sub.users.Store(1)
		return sub, nil
	}
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errReplaced
	}
	root, err := f.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	sub, err := newFolder(root)
	if err != nil {
		return nil, err
	}
	opened, err := sub.dir.Stat()
	if err != nil || !os.SameFile(info, opened) {
		sub.release()
		return nil, cmp.Or(err, errReplaced)
	}
	return sub, nil
}

// list returns the entries of f in no particular order. A name that cannot be an entry's is an error.
func (f *folder) list() ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	var err error
	if f.root != nil {
		entries, err = f.dir.ReadDir(-1)
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
