package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/cloudopsec/opsec"
)

// place is a folder that is looked at, with all below it. Nothing outside of it is opened.
type place struct {
	abs  string // its path, with '/' between folders, and at its end
	root *os.Root
}

// place errors, which become findings.
var (
	errOutside  = errors.New("it leads out of what is looked at")
	errNotAFile = errors.New("it is not a file")
	errLoop     = errors.New("it is a link to itself")
)

// open opens the folder that a path is, or is in. Links on the way to what a caller names are followed.
func openPlace(name string) (p *place, file string, err error) {
	abs, err := filepath.Abs(name)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, "", err
	}
	info, err := os.Lstat(abs)
	if err != nil {
		return nil, "", err
	}
	dir := abs
	switch {
	case info.Mode().IsRegular():
		dir, file = filepath.Dir(abs), filepath.Base(abs)
	case !info.IsDir():
		return nil, "", invalid("%q: neither a file nor a folder", name)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", err
	}
	return &place{strings.TrimSuffix(filepath.ToSlash(dir), "/") + "/", root}, file, nil
}

// real returns where a name below the place leads, link by link, without opening what is there; or why that is nowhere here.
func (p *place) real(name string) (string, error) {
	todo, done := strings.Split(name, "/"), "."
	for links := 0; len(todo) > 0; {
		step := todo[0]
		todo = todo[1:]
		switch step {
		case "", ".":
			continue
		case "..":
			if done == "." {
				return "", errOutside
			}
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, step)
		info, err := p.root.Lstat(next)
		switch {
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > 40 {
				return "", errLoop
			}
			to, err := p.root.Readlink(next)
			if err != nil {
				return "", err
			}
			if to = filepath.ToSlash(to); path.IsAbs(to) {
				below, ok := strings.CutPrefix(path.Clean(to), p.abs)
				if !ok {
					return "", errOutside
				}
				to, done = below, "."
			}
			todo = append(strings.Split(to, "/"), todo...)
			continue
		case len(todo) > 0 && !info.IsDir():
			return "", fs.ErrNotExist
		}
		done = next
	}
	return done, nil
}

// open opens a regular file of the place, and nothing else: to open a FIFO would wait, and to open a device can do anything.
func (p *place) open(name string) (*os.File, fs.FileInfo, error) {
	info, err := p.root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errNotAFile
	}
	f, err := p.root.OpenFile(name, os.O_RDONLY|quietly, 0)
	if err != nil {
		return nil, nil, err
	}
	now, err := f.Stat()
	if err == nil && !os.SameFile(info, now) {
		err = errors.New("it was replaced meanwhile")
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, now, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("image: %w: %s", opsec.ErrInvalid, fmt.Sprintf(format, args...))
}
