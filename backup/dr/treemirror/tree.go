package treemirror

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup"
)

const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// tree makes the tree of the next generation from the last and from the source.
type tree struct {
	*target
	src     fs.FS
	fetched int64

	bad    map[string]bool           // by quoted path: what the last generation has not, or has otherwise
	ranges map[string][]backup.Range // of those, where to look
	other  map[string]bool           // what differs in mode or time, or seems to

	durable *durable
}

func newTree(t *target, src fs.FS, r *backup.Report) *tree {
	n := &tree{target: t, src: src, bad: map[string]bool{}, ranges: map[string][]backup.Range{}, other: map[string]bool{}, durable: newDurable()}
	for _, p := range slices.Concat(r.Changed, r.Missing, r.Unreadable, r.Unstable) {
		n.bad[p] = true
	}
	for _, p := range r.Metadata {
		n.other[p] = true
	}
	for _, d := range r.Details {
		if len(d.Ranges) > 0 {
			n.ranges[d.Path] = d.Ranges
		}
	}
	return n
}

// same reports whether the last generation is what the manifest says: a link's own time and holes are not kept.
func (t *tree) same(m *backup.Manifest, r *backup.Report) (bool, error) {
	if r.Faults() > 0 {
		return false, nil
	}
	for e, err := range m.Entries() {
		if err != nil {
			return false, err
		}
		if !t.other[backup.Quote(e.Path)] || e.Kind == backup.Link {
			continue
		}
		if info, err := t.root.Lstat(path.Join(t.last, treeName, e.Path)); err != nil || !settled(e, info) {
			return false, err
		}
	}
	return true, nil
}

func settled(e *backup.Entry, info fs.FileInfo) bool {
	return info.Mode()&permissions == e.Mode && info.ModTime().Equal(e.ModTime)
}

func (t *tree) build(m *backup.Manifest) error {
	defer t.durable.wait() // also after an error: nothing is written to when build has returned
	dirs := []*backup.Entry{{Path: path.Join(t.next, treeName)}}
	for e, err := range m.Entries() {
		if err != nil {
			return err
		}
		name := path.Join(t.next, treeName, e.Path)
		switch e.Kind {
		case backup.Directory:
			dirs = append(dirs, &backup.Entry{Path: name, Mode: e.Mode, ModTime: e.ModTime})
			err = t.do(func() error { return t.root.Mkdir(name, 0o700) })
		case backup.Link:
			err = t.do(func() error { return t.root.Symlink(e.Target, name) })
		default:
			err = t.file(e, name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", backup.Quote(e.Path), err)
		}
	}
	for _, dir := range dirs {
		d, err := t.root.Open(dir.Path)
		if err != nil {
			return err
		}
		t.durable.add(d)
	}
	if err := t.durable.wait(); err != nil {
		return err
	}
	for _, e := range slices.Backward(dirs[1:]) { // after what is in them
		if err := t.do(func() error { return t.settle(e, e.Path) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) settle(e *backup.Entry, name string) error {
	return errors.Join(t.root.Chmod(name, e.Mode), t.root.Chtimes(name, e.ModTime, e.ModTime))
}

// file puts a file into the next generation. One that the last has, and whose content was found to be right, is shared
// with it; where the file system shares no files it is copied.
func (t *tree) file(e *backup.Entry, name string) error {
	shown := backup.Quote(e.Path)
	last := path.Join(t.last, treeName, e.Path)
	if t.bad[shown] {
		return t.make(e, name, last, t.ranges[shown])
	}
	var shared error
	if err := t.do(func() error { shared = t.root.Link(last, name); return nil }); err != nil {
		return err
	}
	if shared != nil {
		return t.make(e, name, last, []backup.Range{{}})
	}
	info, err := t.root.Lstat(name)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Size() != e.Sums.Size:
		return fmt.Errorf("changed at the target since it was compared: %w", opsec.ErrInvalid)
	case !settled(e, info):
		return t.do(func() error { return t.settle(e, name) })
	}
	return nil
}

// make makes a file.
func (t *tree) make(e *backup.Entry, name, last string, ranges []backup.Range) error {
	var f *os.File
	err := t.do(func() (err error) {
		f, err = t.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	if err = t.fill(f, e, last, ranges); err == nil {
		err = t.check(f, e)
	}
	if err == nil {
		err = t.do(func() error { return t.settle(e, name) })
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	t.durable.add(f)
	return nil
}

// check reads what a file has been filled with.
func (t *tree) check(f *os.File, e *backup.Entry) error {
	if err := f.Truncate(e.Sums.Size); err != nil { // it may end in a hole
		return err
	}
	sums, err := backup.SumReaderAt(t.ctx, f, e.Sums.Size, nil)
	if err != nil {
		return err
	}
	if sums.BLAKE3 != e.Sums.BLAKE3 {
		return fmt.Errorf("the source has changed since its manifest was made, or the target since it was compared: %w", opsec.ErrInvalid)
	}
	return nil
}

// fill takes the ranges from the source and the rest from the last generation; all from the source when there are none.
func (t *tree) fill(f *os.File, e *backup.Entry, last string, ranges []backup.Range) error {
	src, err := t.src.Open(e.Path)
	if err != nil {
		return err
	}
	defer src.Close()
	out := func(at int64) io.Writer {
		if e.Kind == backup.Sparse {
			return &holes{f: f, at: at}
		}
		f.Seek(at, io.SeekStart) // and not an io.OffsetWriter, which hides from the system that it copies files
		return f
	}
	size := e.Sums.Size
	random, ok := src.(io.ReaderAt)
	if !ok || len(ranges) == 0 {
		n, err := t.copy(out(0), src, size)
		t.fetched += n
		return err
	}
	old, err := t.root.Open(last)
	if err != nil {
		return err
	}
	defer old.Close()
	var at int64
	for _, r := range append(slices.Clone(ranges), backup.Range{First: size, End: size}) {
		first, end := min(r.First, size), min(r.End, size)
		if _, err := old.Seek(at, io.SeekStart); err != nil {
			return err
		}
		if _, err := t.copy(out(at), old, first-at); err != nil {
			return err
		}
		if at = first; end > first {
			n, err := t.copy(out(first), io.NewSectionReader(random, first, end-first), end-first)
			t.fetched += n
			if err != nil {
				return err
			}
			at = end
		}
	}
	return nil
}

// copy copies n bytes, or up to the end.
func (t *tree) copy(to io.Writer, from io.Reader, n int64) (done int64, err error) {
	for done < n && err == nil {
		var some int64
		some, err = io.CopyN(to, from, min(n-done, 64<<20))
		done += some
		err = cmp.Or(t.ctx.Err(), err)
	}
	if err == io.EOF {
		err = nil // its digest will tell
	}
	return done, err
}

// holes writes to a file that is empty yet, and leaves out what is nothing but zeros.
type holes struct {
	f  *os.File
	at int64
}

func (h *holes) Write(p []byte) (n int, err error) {
	n = len(p)
	if len(bytes.TrimLeft(p, "\x00")) > 0 {
		n, err = h.f.WriteAt(p, h.at)
	}
	h.at += int64(n)
	return n, err
}
