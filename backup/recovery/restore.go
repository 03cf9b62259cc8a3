package recovery

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
)

// Decrypter opens a stream: [tink.StreamingAEAD] is one. Nothing that it has not authenticated may come out of it.
//
// [tink.StreamingAEAD]: https://pkg.go.dev/github.com/tink-crypto/tink-go/v2/tink#StreamingAEAD
type Decrypter interface {
	NewDecryptingReader(r io.Reader, associatedData []byte) (io.Reader, error)
}

// Meter counts what is restored, and stops what is too much.
type Meter struct {
	ctx          context.Context
	files, bytes int64
	most         Limits
	err          error
}

func newMeter(ctx context.Context, most Limits) *Meter {
	if most.Bytes == 0 {
		most.Bytes = 1 << 40
	}
	if most.Files == 0 {
		most.Files = 10_000_000
	}
	return &Meter{ctx: ctx, most: most}
}

// Add counts; its error says that the limits are passed, or that time is up, and fails the test whether the Restorer heeds it or not.
func (m *Meter) Add(files, bytes int64) error {
	switch {
	case files < 0 || bytes < 0 || files > math.MaxInt64-m.files || bytes > math.MaxInt64-m.bytes:
		m.err = errors.Join(m.err, errors.New("a count that cannot be"))
		return m.err
	}
	m.files, m.bytes = m.files+files, m.bytes+bytes
	switch {
	case m.err != nil:
	case m.files > m.most.Files:
		m.err = fmt.Errorf("more than %d files", m.most.Files)
	case m.bytes > m.most.Bytes:
		m.err = fmt.Errorf("more than %d bytes", m.most.Bytes)
	case m.ctx.Err() != nil:
		m.err = context.Cause(m.ctx)
	}
	return m.err
}

// metered counts what is written through it, before it is.
type metered struct {
	io.Writer
	m *Meter
}

func (w metered) Write(p []byte) (int, error) {
	if err := w.m.Add(0, int64(len(p))); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

// timed is a stream that ends with an error when time is up.
type timed struct {
	io.Reader
	m *Meter
}

func (r timed) Read(p []byte) (int, error) {
	if err := r.m.Add(0, 0); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// Tree restores a point that is a tree of files, by copying it.
type Tree struct {
	// Open returns the tree of a point; an [io.Closer] is closed.
	Open func(ctx context.Context, p Point) (fs.FS, error)
}

// Restore implements [Restorer]. Folders, files and symbolic links are restored with their modes; anything else fails.
func (t Tree) Restore(ctx context.Context, p Point, key Decrypter, into *os.Root, m *Meter) (err error) {
	if key != nil {
		return errors.New("a tree of files is not encrypted as a whole")
	}
	tree, err := t.Open(ctx, p)
	if err != nil {
		return err
	}
	if c, ok := tree.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	var folders []folder
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if err := m.Add(1, 0); err != nil {
			return err
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			folders = append(folders, folder{name, info.Mode().Perm()})
			return into.Mkdir(name, 0o700)
		case fs.ModeSymlink:
			to, err := fs.ReadLink(tree, name)
			if err != nil {
				return err
			}
			return into.Symlink(to, name)
		case 0:
			f, err := tree.Open(name)
			if err != nil {
				return err
			}
			return errors.Join(write(into, name, info.Mode().Perm(), f, m), f.Close())
		}
		return fmt.Errorf("%q: neither a folder, a file nor a link: %v", name, info.Mode().Type())
	})
	if err != nil {
		return err
	}
	return finish(into, folders)
}

// folder is one whose mode is set when nothing comes into it any more.
type folder struct {
	name string
	mode fs.FileMode
}

// finish sets the modes of folders, what is in a folder before it, and returns when all is on the disk.
func finish(into *os.Root, folders []folder) error {
	slices.SortStableFunc(folders, func(a, b folder) int { return cmp.Compare(a.name, b.name) })
	for i := len(folders) - 1; i >= 0; i-- {
		if err := settle(into, folders[i].name); err != nil {
			return err
		}
		if err := into.Chmod(folders[i].name, folders[i].mode); err != nil {
			return err
		}
	}
	return flush(into)
}

// write writes a file that was not there, to the disk.
func write(into *os.Root, name string, mode fs.FileMode, r io.Reader, m *Meter) error {
	f, err := into.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(metered{f, m}, r)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = synced(f)
	}
	return errors.Join(err, f.Close())
}

// Archive restores a point that is a tar, encrypted or not.
type Archive struct {
	// Open returns the stream of a point, which is closed.
	Open func(ctx context.Context, p Point) (io.ReadCloser, error)
	// Context is the associated data that the stream was encrypted with; nil: none.
	Context func(p Point) []byte
}

// Restore implements [Restorer]. The stream is read to its end, so that what is cut off or changed there is found. Names must be local: an
// entry that leads outside, or comes a second time, fails (a folder may come again); so does one that is neither a folder, a file nor a symbolic
// link. Hard links fail too: their targets are names. Links are made last, and nothing is written through one; where they lead is not looked at.
func (a Archive) Restore(ctx context.Context, p Point, key Decrypter, into *os.Root, m *Meter) (err error) {
	stream, err := a.Open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	var r io.Reader = stream
	if key != nil {
		var with []byte
		if a.Context != nil {
			with = a.Context(p)
		}
		if r, err = key.NewDecryptingReader(stream, with); err != nil {
			return err
		}
	}
	return unpack(timed{r, m}, into, m)
}

func unpack(r io.Reader, into *os.Root, m *Meter) error {
	var folders []folder
	links := map[string]string{}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		name := path.Clean(h.Name)
		if name == "." && h.Typeflag == tar.TypeDir {
			continue
		}
		if !fs.ValidPath(name) {
			return fmt.Errorf("%q leads outside of the archive", h.Name)
		}
		if err := m.Add(1, 0); err != nil {
			return err
		}
		if err := above(into, name); err != nil {
			return err
		}
		mode := fs.FileMode(h.Mode).Perm()
		switch h.Typeflag {
		case tar.TypeDir:
			if err := into.MkdirAll(name, 0o700); err != nil {
				return err
			}
			folders = append(folders, folder{name, mode})
		case tar.TypeSymlink:
			if _, twice := links[name]; twice {
				return fmt.Errorf("%q stands twice", h.Name)
			}
			links[name] = h.Linkname
		case tar.TypeReg:
			if err := write(into, name, mode, t, m); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%q: neither a folder, a file nor a symbolic link", h.Name)
		}
	}
	if n, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("after the archive, at byte %d: %w", n, err)
	}
	for name, to := range links {
		if err := into.Symlink(to, name); err != nil {
			return err
		}
	}
	return finish(into, folders)
}

// above makes the folders that a name is in, where the archive has not named them.
func above(into *os.Root, name string) error {
	dir := path.Dir(name)
	if dir == "." {
		return nil
	}
	return into.MkdirAll(dir, 0o700)
}
