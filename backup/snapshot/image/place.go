package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// real returns where an absolute name leads, link by link, without opening what is there: in which place, and by which name; or why that is nowhere
// here. The path to a place has no links, so that only what is below one is looked at.
func real(places []*place, name string) (p *place, below string, err error) {
	volume := filepath.VolumeName(name)
	todo, done := strings.Split(name[len(volume):], "/"), volume
	var info fs.FileInfo // of what is done, if that is below a place
	for links := 0; len(todo) > 0; {
		step := todo[0]
		todo = todo[1:]
		switch step {
		case "", ".":
			continue
		case "..":
			done, info = done[:max(strings.LastIndexByte(done, '/'), len(volume))], nil
			continue
		}
		next := done + "/" + step
		if p, below, err = within(places, next); err != nil {
			return nil, "", err
		}
		if below == "" {
			done, info = next, nil
			continue
		}
		if info, err = p.root.Lstat(below); err != nil {
			return nil, "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if len(todo) > 0 && !info.IsDir() {
				return nil, "", fs.ErrNotExist
			}
			done = next
			continue
		}
		if links++; links > 40 {
			return nil, "", errLoop
		}
		to, err := p.root.Readlink(below)
		if err != nil {
			return nil, "", err
		}
		if filepath.IsAbs(to) {
			volume = filepath.VolumeName(to)
			to, done = to[len(volume):], volume
		}
		todo, info = append(strings.Split(filepath.ToSlash(to), "/"), todo...), nil
	}
	if info == nil || !info.Mode().IsRegular() {
		return nil, "", errNotAFile
	}
	return p, below, nil
}

// within returns the place that an absolute name without links is in, and its name there: none when it is a place, or on the way to one.
func within(places []*place, name string) (*place, string, error) {
	err := errOutside
	for _, p := range places {
		switch below, ok := strings.CutPrefix(name, p.abs); {
		case ok:
			return p, below, nil
		case strings.HasPrefix(p.abs, name+"/"):
			err = nil
		}
	}
	return nil, "", err
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
