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

	here   *os.File // the folder that was entered last; none: not yet
	folder string   // its name below the place
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
	return &place{abs: strings.TrimSuffix(filepath.ToSlash(dir), "/") + "/", root: root}, file, nil
}

// real returns where a name below the place leads, link by link, without opening what is there; or why that is nowhere here.
// It returns what is there, unless the name is that of the place.
func (p *place) real(name string) (string, fs.FileInfo, error) {
	todo, done := strings.Split(name, "/"), "."
	var there fs.FileInfo
	for links := 0; len(todo) > 0; {
		step := todo[0]
		todo = todo[1:]
		switch step {
		case "", ".":
			continue
		case "..":
			if done == "." {
				return "", nil, errOutside
			}
			done, there = path.Dir(done), nil
			continue
		}
		next := path.Join(done, step)
		info, err := p.root.Lstat(next)
		switch {
		case err != nil:
			return "", nil, err
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > 40 {
				return "", nil, errLoop
			}
			to, err := p.root.Readlink(next)
			if err != nil {
				return "", nil, err
			}
			if to = filepath.ToSlash(to); path.IsAbs(to) {
				below, ok := strings.CutPrefix(path.Clean(to), p.abs)
				if !ok {
					return "", nil, errOutside
				}
				to, done, there = below, ".", nil
			}
			todo = append(strings.Split(to, "/"), todo...)
			continue
		case len(todo) > 0 && !info.IsDir():
			return "", nil, fs.ErrNotExist
		}
		done, there = next, info
	}
	return done, there, nil
}

// enter opens a folder of the place, for what [place.openIn] and a walk do there. It waits for nothing that has taken the folder's place.
func (p *place) enter(name string) (*os.File, error) {
	if p.here != nil && p.folder == name {
		return p.here, nil
	}
	d, err := p.root.OpenFile(name, os.O_RDONLY|asFolder, 0)
	if err != nil {
		return nil, err
	}
	if p.here != nil {
		err = p.here.Close()
	}
	p.here, p.folder = d, name
	return d, err
}

func (p *place) close() error {
	err := p.root.Close()
	if p.here != nil {
		err = errors.Join(err, p.here.Close())
	}
	return err
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("image: %w: %s", opsec.ErrInvalid, fmt.Sprintf(format, args...))
}
