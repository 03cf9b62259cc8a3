package treemirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
	"github.com/cloudopsec/opsec/internal/filetree"
)

// copier makes a target what a manifest says, from the differences that a verification has found.
type copier struct {
	ctx     context.Context
	src     fs.FS
	gate    Gate
	token   uint64
	report  *backup.Report
	fetched int64

	top, root *os.Root // the target, and the tree in it
}

func set(paths []string) map[string]bool {
	s := make(map[string]bool, len(paths))
	for _, p := range paths {
		s[p] = true
	}
	return s
}

func (c *copier) run(top *os.Root, m *backup.Manifest) error {
	root, err := top.OpenRoot(TreeName)
	if err != nil {
		return err
	}
	defer root.Close()
	c.top, c.root = top, root
	if n := len(c.report.Unreadable) + len(c.report.Unstable); n > 0 {
		return fmt.Errorf("%d places of the target cannot be read or do not hold still: %w", n, opsec.ErrInvalid)
	}
	bad, metadata := set(slices.Concat(c.report.Changed, c.report.Missing)), set(c.report.Metadata)
	ranges := map[string][]backup.Range{}
	for _, d := range c.report.Details {
		ranges[d.Path] = d.Ranges
	}
	var dirs []*backup.Entry
	for e, err := range m.Entries() {
		if err := errors.Join(err, c.ctx.Err()); err != nil {
			return err
		}
		shown := backup.Quote(e.Path)
		if e.Kind == backup.Directory {
			dirs = append(dirs, &backup.Entry{Path: e.Path, Mode: e.Mode, ModTime: e.ModTime})
		}
		switch {
		case e.Kind == backup.Special:
			err = fmt.Errorf("a FIFO, socket or device: %w", opsec.ErrInvalid)
		case bad[shown] && e.Kind == backup.Directory:
			err = c.directory(e)
		case bad[shown] && e.Kind == backup.Link:
			err = c.link(e)
		case bad[shown]:
			err = c.file(e, ranges[shown])
		case e.Kind == backup.Directory:
			err = c.do(func() error { return c.root.Chmod(e.Path, e.Mode|0o700) })
		case metadata[shown] && e.Kind != backup.Link:
			err = c.do(func() error { return c.settle(e) })
		}
		if err != nil {
			return fmt.Errorf("%s: %w", shown, err)
		}
	}
	if err := c.remove(); err != nil {
		return err
	}
	for _, e := range slices.Backward(dirs) { // after what is in them
		if err := c.do(func() error { return errors.Join(syncDir(c.root, e.Path), c.settle(e)) }); err != nil {
			return fmt.Errorf("%s: %w", backup.Quote(e.Path), err)
		}
	}
	return syncDir(c.root, ".")
}

func (c *copier) do(fn func() error) error { return c.gate.Do(c.token, fn) }

func (c *copier) settle(e *backup.Entry) error {
	return errors.Join(c.root.Chmod(e.Path, e.Mode), c.root.Chtimes(e.Path, e.ModTime, e.ModTime))
}

// clear removes a directory that stands where something else shall.
func (c *copier) clear(name string) error {
	info, err := c.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return c.root.RemoveAll(name)
	}
	return nil
}

func (c *copier) directory(e *backup.Entry) error {
	return c.do(func() error {
		if info, err := c.root.Lstat(e.Path); err == nil && !info.IsDir() {
			if err := c.root.Remove(e.Path); err != nil {
				return err
			}
		}
		if err := c.root.Mkdir(e.Path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return c.root.Chmod(e.Path, e.Mode|0o700) // for what comes into it; the mode follows
	})
}

func (c *copier) link(e *backup.Entry) error {
	return c.do(func() error {
		if err := errors.Join(c.top.RemoveAll(partName), c.clear(e.Path)); err != nil {
			return err
		}
		if err := c.top.Symlink(e.Target, partName); err != nil {
			return err
		}
		return c.top.Rename(partName, path.Join(TreeName, e.Path))
	})
}

// file makes a file beside the tree, checks it, and puts it in its place.
func (c *copier) file(e *backup.Entry, ranges []backup.Range) error {
	src, err := c.src.Open(e.Path)
	if err != nil {
		return err
	}
	defer src.Close()
	part, err := c.part(e, src, ranges)
	if err != nil {
		return err
	}
	defer part.Close()
	sums, err := backup.SumReaderAt(c.ctx, part, e.Sums.Size, nil)
	if err != nil {
		return err
	}
	if sums.BLAKE3 != e.Sums.BLAKE3 {
		return fmt.Errorf("the source has changed since its manifest was made: %w", opsec.ErrInvalid)
	}
	return c.do(func() error {
		err := errors.Join(part.Chmod(e.Mode), c.top.Chtimes(partName, e.ModTime, e.ModTime), part.Sync(), c.clear(e.Path))
		if err != nil {
			return err
		}
		return c.top.Rename(partName, path.Join(TreeName, e.Path))
	})
}

func (c *copier) part(e *backup.Entry, src fs.File, ranges []backup.Range) (part *os.File, err error) {
	err = c.do(func() (err error) { part, err = fresh(c.top, partName); return err })
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			part.Close()
		}
	}()
	at, random := src.(io.ReaderAt)
	info, statErr := c.root.Lstat(e.Path)
	if !random || len(ranges) == 0 || statErr != nil || !info.Mode().IsRegular() {
		n, err := io.Copy(part, io.LimitReader(src, e.Sums.Size))
		c.fetched += n
		return part, err
	}
	old, err := c.root.Open(e.Path)
	if err != nil {
		return nil, err
	}
	defer old.Close()
	if _, err := io.Copy(part, old); err != nil {
		return nil, err
	}
	if err := part.Truncate(e.Sums.Size); err != nil {
		return nil, err
	}
	for _, r := range ranges {
		first, end := min(r.First, e.Sums.Size), min(r.End, e.Sums.Size)
		n, err := io.Copy(io.NewOffsetWriter(part, first), io.NewSectionReader(at, first, end-first))
		c.fetched += n
		if err != nil {
			return nil, err
		}
	}
	return part, nil
}

// remove takes away what is not in the source.
func (c *copier) remove() error {
	if len(c.report.Extra) == 0 {
		return nil
	}
	extra, names := set(c.report.Extra), []string(nil)
	top, err := filetree.OpenRoot(c.root)
	if err != nil {
		return err
	}
	filetree.Walk(top, "", func(n filetree.Node) bool {
		n.In.Release()
		if extra[backup.Quote(n.Path)] {
			names = append(names, n.Path)
		}
		return true
	})
	top.Release()
	for _, name := range slices.Backward(names) { // what is in a directory before it
		if err := errors.Join(c.ctx.Err(), c.do(func() error { return c.root.RemoveAll(name) })); err != nil {
			return fmt.Errorf("%s: %w", backup.Quote(name), err)
		}
	}
	return nil
}
