package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	info, err := os.Stat(name) // before opening, which waits on a FIFO
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("not a directory")}
	}
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return &Dir{root}, nil
}

// Close releases the directory.
func (d *Dir) Close() error { return d.root.Close() }

// Open opens the directory or regular file called name; anything else, a link among it, is an error wrapping
// [fs.ErrInvalid].
func (d *Dir) Open(name string) (fs.File, error) {
	return at(d, "open", name, func(f *filetree.Folder, base string) (fs.File, error) {
		file, err := f.OpenFile(base)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
			err = fs.ErrInvalid
		}
		if err != nil {
			file.Close()
			return nil, err
		}
		return file, nil
	})
}

// ReadDir implements [fs.ReadDirFS].
func (d *Dir) ReadDir(name string) ([]fs.DirEntry, error) {
	return at(d, "readdir", name, func(f *filetree.Folder, base string) ([]fs.DirEntry, error) {
		file, err := f.OpenFile(base)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		entries, err := file.ReadDir(-1)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return entries, err
	})
}

// Lstat implements [fs.ReadLinkFS].
func (d *Dir) Lstat(name string) (fs.FileInfo, error) {
	return at(d, "lstat", name, (*filetree.Folder).Lstat)
}

// ReadLink implements [fs.ReadLinkFS].
func (d *Dir) ReadLink(name string) (string, error) {
	return at(d, "readlink", name, (*filetree.Folder).ReadLink)
}

// at calls do with the folder that name is in, which it reaches without following a link, and the last part of name.
func at[T any](d *Dir, op, name string, do func(*filetree.Folder, string) (T, error)) (v T, err error) {
	defer func() {
		var at *fs.PathError
		if err != nil && errors.As(err, &at) {
			err = at.Err
		}
		if err != nil {
			err = &fs.PathError{Op: op, Path: name, Err: err}
		}
	}()
	if name != "." && checkPath(name) != nil {
		return v, fs.ErrInvalid
	}
	f, err := filetree.OpenRoot(d.root)
	if err != nil {
		return v, err
	}
	defer func() { f.Release() }()
	for {
		part, rest, more := strings.Cut(name, "/")
		if !more {
			return do(f, part)
		}
		next, err := f.Enter(part)
		if err != nil {
			return v, err
		}
		f.Release()
		f, name = next, rest
	}
}

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
