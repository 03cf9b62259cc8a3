package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cloudopsec/opsec/backup/digest"
	"github.com/cloudopsec/opsec/internal/filetree"
)

const (
	smallFile = 1 << 20 // bytes; larger files are read by all cores together, one at a time
	maxRetry  = 2       // further readings of a file that changed while it was read
)

var (
	errChanging = errors.New("changed while it was read")
	errLarge    = errors.New("large: to be read by all cores")
)

// reader reads the places that a walk finds. Each worker has one of its own.
type reader struct {
	sha      bool
	careless bool                                   // do not look whether a file changed while it was read
	chunks   bool                                   // collect the chaining values of the groups, as a manifest's chunk lines need them
	pace     func(ctx context.Context, n int) error // or nil
	hasher   digest.Hasher
	buf      []byte
}

// entry reads what stands at n: metadata, and where the content is wanted, its digests. Of a file above smallFile it
// returns errLarge and the entry without digests. A file that changes under the reading is errChanging after some tries;
// one that is something else by now wraps filetree.ErrReplaced.
func (r *reader) entry(ctx context.Context, n filetree.Node, want bool) (*Entry, error) {
	if n.Err != nil {
		return nil, n.Err
	}
	if len(n.Path) > MaxPathLen {
		return nil, invalid("path of %d bytes: want at most %d", len(n.Path), MaxPathLen)
	}
	if !want || !n.Type.IsRegular() {
		return lstat(n)
	}
	for try := 0; ; try++ {
		e, err := r.file(ctx, n)
		if !errors.Is(err, errChanging) || try == maxRetry || ctx.Err() != nil {
			return e, err
		}
	}
}

// lstat describes what stands at n without opening it: everything of what is not a regular file; of one, not the
// digests, nor whether it has holes.
func lstat(n filetree.Node) (*Entry, error) {
	if n.Type == fs.ModeSymlink && !n.In.ReadsLinks() {
		return nil, fmt.Errorf("a link, which this file system cannot read: %w", errors.ErrUnsupported)
	}
	info, err := n.In.Lstat(n.Name)
	if err != nil {
		return nil, err
	}
	if info.Mode().Type() != n.Type {
		return nil, filetree.ErrReplaced
	}
	e := &Entry{Path: n.Path, Mode: info.Mode() & (permissions | fs.ModeType), ModTime: info.ModTime().UTC()}
	switch {
	case info.Mode().IsRegular():
		e.Kind, e.Sums.Size = File, info.Size()
	case info.IsDir():
		e.Kind, e.Mode = Directory, e.Mode&permissions
	case e.Mode.Type() == fs.ModeSymlink:
		e.Kind, e.Mode = Link, 0
		if e.Target, err = n.In.ReadLink(n.Name); err != nil {
			return nil, err
		}
		if err := checkTarget(e.Target); err != nil {
			return nil, err
		}
	default:
		if e.Kind = Special; e.special() == "" {
			e.Mode = e.Mode&permissions | fs.ModeIrregular
		}
	}
	return e, nil
}

// file opens, describes and hashes a regular file, and looks whether it stayed the same meanwhile.
func (r *reader) file(ctx context.Context, n filetree.Node) (*Entry, error) {
	c, err := n.In.Open(n.Name)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	e, before, err := describe(c, n.Path)
	if err != nil {
		return nil, err
	}
	size := before.Size
	if size > smallFile {
		return e, errLarge
	}
	if r.pace != nil {
		if err := r.pace(ctx, int(size)); err != nil {
			return nil, err
		}
	}
	if r.buf == nil {
		r.buf = make([]byte, smallFile+1)
	}
	var got int
	if once, ok := c.(interface {
		ReadOnce(p []byte, off int64) (int, error)
	}); ok { // one byte more than there should be: a grown file shows, and one read is enough to see the end
		got, err = once.ReadOnce(r.buf[:size+1], 0)
	} else {
		got, err = c.ReadAt(r.buf[:size+1], 0)
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	if int64(got) != size {
		return nil, errChanging
	}
	e.Sums = r.hasher.Sum(r.buf[:size], r.sha)
	if r.chunks && size > digest.GroupSize {
		collect := func(_ int64, cvs []Digest) error { e.cvs = append(e.cvs, cvs...); return nil }
		if _, _, err := (digest.Scan{Workers: 1, Groups: collect}).ReaderAt(ctx, bytes.NewReader(r.buf[:size]), size); err != nil {
			return nil, err
		}
	}
	if r.careless {
		return e, nil
	}
	return e, unchanged(c, before)
}

// describe makes the entry of an open file, without digests.
func describe(c filetree.Content, path string) (*Entry, filetree.Stat, error) {
	st, err := c.Look()
	if err != nil {
		return nil, st, err
	}
	if !st.Mode.IsRegular() {
		return nil, st, filetree.ErrReplaced
	}
	if st.Size < 0 {
		return nil, st, invalid("%s: size %d", Quote(path), st.Size)
	}
	e := &Entry{Path: path, Kind: File, Mode: st.Mode & permissions, ModTime: st.ModTime, Sums: Sums{Size: st.Size}}
	if st.Blocks >= 0 && st.Blocks*512 < st.Size && c.HasHoles(st.Size) {
		e.Kind = Sparse
	}
	return e, st, nil
}

// unchanged compares what an open file is now with what it was before. Blocks may come and go while a file system
// writes back what it holds in memory: they say nothing of the content.
func unchanged(c filetree.Content, before filetree.Stat) error {
	now, err := c.Look()
	now.Blocks = before.Blocks
	if err == nil && now != before {
		err = errChanging
	}
	return err
}

// large reads a file above smallFile with the scan given; it returns what entry returns, or a partial at a pause.
func large(ctx context.Context, n filetree.Node, s digest.Scan) (*Entry, *digest.Partial, error) {
	c, err := n.In.Open(n.Name)
	if err != nil {
		return nil, nil, err
	}
	defer c.Close()
	e, before, err := describe(c, n.Path)
	if err != nil {
		return nil, nil, err
	}
	if filetree.InOrder(c) {
		s.Workers = 1
	}
	sums, paused, err := s.ReaderAt(ctx, c, before.Size)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, nil, errChanging // shorter than it was
	case err != nil && !errors.Is(err, digest.ErrPaused):
		return nil, nil, err
	}
	e.Sums = sums
	e.Sums.Size = before.Size
	if changed := unchanged(c, before); changed != nil {
		return nil, nil, changed
	}
	return e, paused, err
}
