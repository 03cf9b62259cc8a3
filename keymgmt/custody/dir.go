package custody

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/cloudopsec/opsec/internal/wholefile"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Dir keeps documents as files of one directory, which is for them alone. Make it with [OpenDir].
type Dir struct{ path string }

// Prefixes of files that are not documents: one that is not whole yet, and one that is being erased.
const (
	newFile     = ".new-"
	erasedFile  = ".erase-"
	documentEnd = ".json"
)

// OpenDir returns the directory, which it makes when there is none, with access for its owner alone. It refuses one that
// others have access to (not on Windows), with an error that wraps [opsec.ErrInvalid]. What a crash has left is put in
// order: files that were not whole yet are removed after an hour, erasures are done to their end.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("custody: directory: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("custody: directory: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, invalid("directory %s has mode %#o, want no access for group and others", path, mode)
	}
	d := &Dir{path}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("custody: directory: %w", err)
	}
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), newFile):
			err = removeOld(filepath.Join(path, e.Name()))
		case strings.HasPrefix(e.Name(), erasedFile):
			err = d.erase(e.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("custody: what a crash has left: %w", err)
		}
	}
	return d, nil
}

// removeOld removes a file that was not whole yet, unless another process may be at it. It is not overwritten: it may be
// another name of a document.
func removeOld(path string) error {
	info, err := os.Lstat(path)
	if err == nil && time.Since(info.ModTime()) > time.Hour {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *Dir) file(name string) string { return filepath.Join(d.path, name+documentEnd) }

// check refuses a context that has ended and names that are no names.
func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if name == "" || len(name) > 100 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return invalid("name of a document: want 1 to 100 of a-z, 0-9 and '-'")
	}
	return nil
}

// Get implements [Blobs]. A file of more than [MaxMaterial] bytes is refused.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	f, err := os.Open(d.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxMaterial+1))
	if err == nil && len(b) > MaxMaterial {
		err = invalid("%s: more than %d bytes", d.file(name), MaxMaterial)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Create implements [Blobs], by a hard link onto a file that is whole.
func (d *Dir) Create(ctx context.Context, name string, document []byte) (made bool, err error) {
	if err := check(ctx, name); err != nil {
		return false, err
	}
	for range 3 { // a process whose clock is ahead may take the file for one that a crash has left
		if made, err = d.create(name, document); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return made, err
}

func (d *Dir) create(name string, document []byte) (bool, error) {
	f, err := os.CreateTemp(d.path, newFile) // mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(document)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	err = os.Link(f.Name(), d.file(name))
	if errors.Is(err, fs.ErrExist) {
		return false, d.sync() // whoever was first may not have done so yet
	}
	if err != nil {
		return false, err
	}
	return true, d.sync()
}

// Replace implements [Blobs]. What the file was before stays on the medium until it is used for something else.
func (d *Dir) Replace(ctx context.Context, name string, document []byte) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	return wholefile.Write(d.file(name), 0o600, func(w io.Writer) error {
		_, err := w.Write(document)
		return err
	})
}

// Erase implements [Blobs]: the file is renamed, overwritten once with random bytes, and unlinked. Erased anew, remains
// of an erasure that failed half-way are erased too.
func (d *Dir) Erase(ctx context.Context, name string) (keymgmt.Evidence, error) {
	if err := check(ctx, name); err != nil {
		return keymgmt.Evidence{}, err
	}
	aside := erasedFile + name
	// The rename would take their name from remains, and leave them on the medium as they are.
	remains, err := d.there(aside)
	if err == nil && remains {
		err = d.erase(aside)
	}
	if err != nil {
		return keymgmt.Evidence{}, err
	}
	err = os.Rename(d.file(name), filepath.Join(d.path, aside))
	gone := errors.Is(err, fs.ErrNotExist)
	if err != nil && !gone {
		return keymgmt.Evidence{}, err
	}
	if err := d.sync(); err != nil { // it does not come back under its name, whatever happens from here
		return keymgmt.Evidence{}, err
	}
	if gone && !remains { // unless another process is at it
		if remains, err = d.there(aside); err != nil || !remains {
			return keymgmt.Evidence{}, err
		}
	}
	if err := d.erase(aside); err != nil {
		return keymgmt.Evidence{}, err
	}
	return keymgmt.Evidence{
		Method: "overwritten once with random bytes, and unlinked",
		Copies: []string{d.file(name)},
		Left: []string{
			"what the file system and the medium keep by themselves: journals, snapshots, moved blocks of flash memory",
			"backups of " + d.path,
		},
	}, nil
}

func (d *Dir) there(base string) (bool, error) {
	_, err := os.Lstat(filepath.Join(d.path, base))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// erase overwrites and unlinks a file. Another process may be doing the same.
func (d *Dir) erase(base string) error {
	path := filepath.Join(d.path, base)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return d.sync()
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = invalid("%s is not a regular file", path)
	}
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, info.Size())
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.sync()
}

// sync makes names durable. Windows knows no such thing.
func (d *Dir) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
