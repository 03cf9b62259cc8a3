package filetree

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"github.com/cloudopsec/opsec"
)

// Folder is an open directory of a tree. Names are single path elements. It is kept open by a count of its users,
// since files are read by other goroutines than the one that walks.
type Folder struct {
	root  *os.Root // of a Dir: this directory itself,
	dir   *os.File // opened for listing
	fsys  fs.FS    // of any other file system: the whole,
	name  string   // and the path in it
	users atomic.Int32
}

// OpenFS opens the top of a file system.
func OpenFS(fsys fs.FS) *Folder {
	f := &Folder{fsys: fsys, name: "."}
	f.users.Store(1)
	return f
}

// OpenRoot opens the directory of an [os.Root], which stays the caller's.
func OpenRoot(r *os.Root) (*Folder, error) {
	own, err := r.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	return newFolder(own)
}

// newFolder makes a folder of the directory root, or closes it.
func newFolder(root *os.Root) (*Folder, error) {
	dir, err := root.Open(".")
	if err == nil {
		dir, err = forListing(dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	f := &Folder{root: root, dir: dir}
	f.users.Store(1)
	return f, nil
}

// Hold and Release count users; the last release closes.
func (f *Folder) Hold() *Folder { f.users.Add(1); return f }
func (f *Folder) Release() {
	if f.users.Add(-1) == 0 && f.root != nil {
		f.dir.Close()
		f.root.Close()
	}
}

// Enter opens the directory called name in f, which must not be a link.
func (f *Folder) Enter(name string) (*Folder, error) {
	if f.root == nil {
		sub := &Folder{fsys: f.fsys, name: path.Join(f.name, name)}
		sub.users.Store(1)
		return sub, nil
	}
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, ErrReplaced
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
		sub.Release()
		return nil, cmp.Or(err, ErrReplaced)
	}
	return sub, nil
}

// List returns the entries of f in no particular order. A name that cannot be an entry's is an error.
func (f *Folder) List() ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	var err error
	if f.root != nil {
		entries, err = f.dir.ReadDir(-1)
	} else {
		entries, err = fs.ReadDir(f.fsys, f.name)
	}
	for _, e := range entries {
		if n := e.Name(); n == "" || n == "." || n == ".." || strings.ContainsAny(n, "/\x00") {
			return nil, fmt.Errorf("filetree: the file system lists a file called %q: %w", n, opsec.ErrInvalid)
		}
	}
	return entries, err
}

// ReadsLinks reports whether the file system tells links from what they lead to.
func (f *Folder) ReadsLinks() bool {
	_, ok := f.fsys.(fs.ReadLinkFS)
	return f.root != nil || ok
}

func (f *Folder) Lstat(name string) (fs.FileInfo, error) {
	if f.root != nil {
		return f.root.Lstat(name)
	}
	return fs.Lstat(f.fsys, path.Join(f.name, name))
}

func (f *Folder) ReadLink(name string) (string, error) {
	if f.root != nil {
		return f.root.Readlink(name)
	}
	return fs.ReadLink(f.fsys, path.Join(f.name, name))
}

// OpenFile opens what stands under name in a folder of an [os.Root], unless it is a link. (The root would follow one
// that stays inside.) It does not wait on a FIFO.
func (f *Folder) OpenFile(name string) (*os.File, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	file, err := f.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := file.Stat(); err != nil || !os.SameFile(info, opened) {
		file.Close()
		return nil, cmp.Or(err, error(&fs.PathError{Op: "open", Path: name, Err: ErrReplaced}))
	}
	return file, nil
}

var ErrReplaced = errors.New("replaced by something else meanwhile")
