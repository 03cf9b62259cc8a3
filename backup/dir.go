package backup

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cloudopsec/opsec/internal/filetree"
)

// Dir is a local directory tree to build a manifest from or to verify. It is an [fs.FS] that stays below its directory
// whatever the tree holds ([os.Root]), never follows a link, never blocks on a FIFO, and, unlike other file systems of
// package io/fs, names files by their bytes: a name that is not UTF-8 works.
type Dir struct{ root *os.Root }

// OpenDir opens the directory called name. A link is followed here, and nowhere below.
func OpenDir(name string) (*Dir, error) {
	if name == "" {
		return nil, invalid("no directory given")
	}
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
	f, err := filetree.OpenNoFollow(d.root, name)
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
	f, err := filetree.OpenNoFollow(d.root, name)
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

// holds reports whether the file called name is, or would be, in the tree.
func (d *Dir) holds(name string) bool {
	var paths [2]string
	for i, p := range []string{d.root.Name(), filepath.Dir(name)} {
		p, err1 := filepath.EvalSymlinks(p)
		p, err2 := filepath.Abs(p)
		if paths[i] = p; err1 != nil || err2 != nil {
			return false
		}
	}
	below, err := filepath.Rel(paths[0], paths[1])
	return err == nil && filepath.IsLocal(below)
}

// openTree opens the top of a file system.
func openTree(fsys fs.FS) (*filetree.Folder, error) {
	switch d := fsys.(type) {
	case nil:
		return nil, invalid("no file system given")
	case *Dir:
		top, err := filetree.OpenRoot(d.root)
		if err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		return top, nil
	}
	return filetree.OpenFS(fsys), nil
}
