package treemirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/cloudopsec/opsec"
)

// The names in a target. A generation is a directory with a manifest and a tree; currentName leads to the last complete
// one, and the other is the one before or one that is being made.
const (
	currentName  = "current"
	newName      = "new" // what becomes currentName
	adoptedName  = "adopted"
	treeName     = "tree"
	manifestName = "manifest"
)

var sides = []string{"a", "b", adoptedName}

// target is the directory of a copy in the course of one Sync.
type target struct {
	ctx   context.Context
	root  *os.Root
	gate  Gate
	token uint64
	last  string // the generation that is there, or ""
	next  string // the one that is being made
}

// do changes something at the target, if the token still may.
func (t *target) do(fn func() error) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	return t.gate.Do(t.token, fn)
}

// begin finds the last generation, and makes room for the next.
func (t *target) begin() (next *os.File, err error) {
	if err := t.adopt(); err != nil {
		return nil, err
	}
	switch to, err := t.root.Readlink(currentName); {
	case err == nil && slices.Contains(sides, to):
		t.last = to
	case err == nil:
		return nil, fmt.Errorf("%s leads to %q, which no Mirror has made; take it away: %w", currentName, to, opsec.ErrInvalid)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if t.next = sides[0]; t.last == t.next {
		t.next = sides[1]
	}
	for _, name := range append(slices.Clone(sides), newName) {
		if name != t.last {
			if err := t.remove(t.root, name); err != nil {
				return nil, err
			}
		}
	}
	err = t.do(func() (err error) {
		if err := errors.Join(t.root.Mkdir(t.next, 0o700), t.root.Mkdir(path.Join(t.next, treeName), 0o700)); err != nil {
			return err
		}
		next, err = t.root.OpenFile(path.Join(t.next, manifestName), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return next, err
}

// adopt takes a directory that stands where a Mirror has a link, as at a former primary, for a generation.
func (t *target) adopt() error {
	info, err := t.root.Lstat(currentName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := t.root.Lstat(adoptedName); err != nil {
			return nil // else a crash has come between what is done below
		}
		return t.do(func() error { return t.root.Symlink(adoptedName, currentName) })
	case err != nil || info.Mode().Type() == fs.ModeSymlink:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is neither a link nor a directory; take it away: %w", currentName, opsec.ErrInvalid)
	}
	if err := t.remove(t.root, adoptedName); err != nil {
		return err
	}
	if err := t.do(func() error { return t.root.Rename(currentName, adoptedName) }); err != nil {
		return err
	}
	return t.do(func() error { return t.root.Symlink(adoptedName, currentName) })
}

// holds reports whether the last generation is one, whatever is in its tree.
func (t *target) holds() bool {
	if info, err := t.root.Lstat(path.Join(t.last, manifestName)); err == nil && !info.Mode().IsRegular() {
		return false
	}
	for _, name := range []string{t.last, path.Join(t.last, treeName)} {
		if info, err := t.root.Lstat(name); t.last == "" || err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// complete makes the next generation the last.
func (t *target) complete() error {
	return t.do(func() error {
		if err := errors.Join(syncDir(t.root, t.next), t.root.Symlink(t.next, newName)); err != nil {
			return err
		}
		return errors.Join(t.root.Rename(newName, currentName), syncDir(t.root, "."))
	})
}

// restate gives the last generation the manifest of the next, when both are one.
func (t *target) restate() error {
	return t.do(func() error {
		err := t.root.Rename(path.Join(t.next, manifestName), path.Join(t.last, manifestName))
		return errors.Join(err, syncDir(t.root, t.last))
	})
}

// remove takes a name away with all that is in it, one thing at a time: a newer primary does not wait for it all.
func (t *target) remove(in *os.Root, name string) error {
	info, err := in.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		err := t.do(func() error { return in.Chmod(name, 0o700) }) // a directory that may not be written to cannot be emptied
		if err != nil {
			return err
		}
		if err := t.empty(in, name); err != nil {
			return err
		}
	}
	return t.do(func() error { return in.Remove(name) })
}

func (t *target) empty(in *os.Root, name string) error {
	dir, err := in.OpenRoot(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	list, err := dir.Open(".")
	if err != nil {
		return err
	}
	names, err := list.Readdirnames(-1)
	if err := errors.Join(err, list.Close()); err != nil {
		return err
	}
	for _, n := range names {
		if err := t.remove(dir, n); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
