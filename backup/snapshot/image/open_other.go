//go:build !unix

package image

import (
	"errors"
	"os"
	"path"
	"time"
)

// regular is a regular file that is open.
type regular struct {
	*os.File
	size, taken int64
	time        time.Time
}

// openIn opens a file of a folder below the root.
func openIn(root *os.Root, dir *os.File, folder, name string) (*regular, error) {
	f, err := root.Open(path.Join(folder, name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotAFile
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &regular{f, info.Size(), info.Size(), info.ModTime().UTC()}, nil
}
