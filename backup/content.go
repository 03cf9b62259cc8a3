package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// content is an opened file. Its ReadAt may be called by several goroutines.
type content interface {
	io.ReaderAt
	stat() (stat, error)
	hasHoles(size int64) bool // before the end
	Close() error
}

// stat is what a file system tells of a file.
type stat struct {
	mode   fs.FileMode
	size   int64
	mtime  time.Time
	ctime  int64  // nanoseconds; 0 where there is none
	inode  uint64 // 0 where there is none
	device uint64
	blocks int64 // of 512 bytes; -1 where not known
}

func statOf(info fs.FileInfo) stat {
	return stat{mode: info.Mode(), size: info.Size(), mtime: info.ModTime().UTC(), blocks: -1}
}

// open opens what was listed as a regular file. What it is by now is for the caller to see from its stat.
func (f *folder) open(name string) (content, error) {
	if f.root != nil {
		return f.openFile(name)
	}
	file, err := f.fsys.Open(path.Join(f.name, name))
	if err != nil {
		return nil, err
	}
	if r, ok := file.(io.ReaderAt); ok {
		return fsFile{file, r}, nil
	}
	return inOrder{fsFile{file, &inOrderReader{r: file}}}, nil
}

// fsFile is a file of package io/fs.
type fsFile struct {
	fs.File
	io.ReaderAt
}

func (f fsFile) stat() (stat, error) {
	info, err := f.Stat()
	if err != nil {
		return stat{}, err
	}
	return statOf(info), nil
}

func (f fsFile) hasHoles(int64) bool { return false }

// inOrder marks a file that can be read from its beginning to its end only. It is for one goroutine that reads so.
type inOrder struct{ fsFile }

type inOrderReader struct {
	r      io.Reader
	offset int64
}

func (r *inOrderReader) ReadAt(p []byte, off int64) (int, error) {
	if off != r.offset {
		return 0, fmt.Errorf("backup: read at %d of a file that can be read in order only: %w", off, errors.ErrUnsupported)
	}
	n, err := io.ReadFull(r.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	r.offset += int64(n)
	return n, err
}

// openPortably opens a file below an [os.Root], which follows a link if one has taken the file's place, but not out
// of its directory.
func openPortably(root *os.Root, name string) (content, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	return fsFile{f, f}, nil
}
