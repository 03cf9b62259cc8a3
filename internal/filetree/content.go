package filetree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"
)

// Content is an opened file. Its ReadAt may be called by several goroutines.
type Content interface {
	io.ReaderAt
	Look() (Stat, error)
	HasHoles(size int64) bool // before the end
	Close() error
}

// Stat is what a file system tells of a file.
type Stat struct {
	Mode    fs.FileMode
	Size    int64
	ModTime time.Time
	ctime   int64  // nanoseconds; 0 where there is none
	inode   uint64 // 0 where there is none
	device  uint64
	Blocks  int64 // of 512 bytes; -1 where not known
}

func statOf(info fs.FileInfo) Stat {
	return Stat{Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime().UTC(), Blocks: -1}
}

// Open opens what was listed as a regular file. What it is by now is for the caller to see from its stat.
func (f *Folder) Open(name string) (Content, error) {
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

func (f fsFile) Look() (Stat, error) {
	info, err := f.Stat()
	if err != nil {
		return Stat{}, err
	}
	return statOf(info), nil
}

func (f fsFile) HasHoles(int64) bool { return false }

// InOrder reports whether a content can be read from its beginning to its end only, by one goroutine.
func InOrder(c Content) bool { _, ok := c.(inOrder); return ok }

// inOrder marks a file that can be read from its beginning to its end only.
type inOrder struct{ fsFile }

type inOrderReader struct {
	r      io.Reader
	offset int64
}

func (r *inOrderReader) ReadAt(p []byte, off int64) (int, error) {
	if off > r.offset { // resumed: what an earlier session has read is passed over
		n, err := io.CopyN(io.Discard, r.r, off-r.offset)
		if r.offset += n; err != nil {
			return 0, err
		}
	}
	if off != r.offset {
		return 0, fmt.Errorf("filetree: read at %d of a file that can be read in order only: %w", off, errors.ErrUnsupported)
	}
	n, err := io.ReadFull(r.r, p)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	r.offset += int64(n)
	return n, err
}
