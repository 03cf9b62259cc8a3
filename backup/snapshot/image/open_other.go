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

const (
	opensNoLink = false
	asFolder    = 0
)

// openIn opens a file of the folder that was entered, by a name without slashes.
func (p *place) openIn(name string) (*regular, error) {
	f, err := p.root.Open(path.Join(p.folder, name))
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
