package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec"
)

const (
	readSize   = 8 * GroupSize  // bytes of one read: in L2, and large enough that system calls do not count
	pieceSize  = 64 * GroupSize // bytes that a worker takes at most: so much that handing over does not count
	maxWorkers = 32             // whose buffers, with SHA-256, are 32 MiB
)

// ErrPaused is returned by a [Scan] that was told to stop.
var ErrPaused = errors.New("digest: paused")

// Scan reads one content once, in order, with all its digests. Callbacks run on the goroutine that called ReaderAt.
type Scan struct {
	SHA256  bool
	Workers int // below 1: GOMAXPROCS; with 1, everything runs on the calling goroutine

	// Groups, if set, receives the CVs of consecutive 64 KiB groups, in order, beginning with the group of index
	// first; cvs is valid during the call. An error ends the scan. It is not called for contents up to 64 KiB.
	Groups func(first int64, cvs []Digest) error
	// Pace, if set, is called before each read with its length in bytes, 512 KiB at most, and may block. An error ends
	// the scan.
	Pace func(ctx context.Context, n int) error
	// Stop, if set, is asked between pieces of up to 4 MiB; true ends the scan with [ErrPaused] and a [Partial]. It is not
	// asked before the first piece, so that every call gets ahead, nor after the last.
	Stop func() bool
	// From, if set, continues an earlier scan of the same content. It is not changed.
	From *Partial
}

// ReaderAt scans the first size bytes of r. The [Partial] is set with [ErrPaused] only.
func (s Scan) ReaderAt(ctx context.Context, r io.ReaderAt, size int64) (Sums, *Partial, error) {
	at, err := s.begin(size)
	if err != nil {
		return Sums{}, nil, err
	}
	if size <= GroupSize {
		sums, err := s.small(ctx, r, int(size))
		return sums, nil, err
	}
	err = s.run(ctx, r, at)
	switch {
	case err != nil:
		return Sums{}, nil, err
	case at.offset() < size:
		return Sums{}, at, ErrPaused
	}
	return at.sums(), nil, nil
}

// small scans a content of a single group.
func (s Scan) small(ctx context.Context, r io.ReaderAt, size int) (Sums, error) {
	p := make([]byte, size)
	if s.Pace != nil && size > 0 {
		if err := s.Pace(ctx, size); err != nil {
			return Sums{}, err
		}
	}
	if err := readAt(ctx, r, p, 0); err != nil {
		return Sums{}, err
	}
	return new(Hasher).Sum(p, s.SHA256), nil
}

// run brings at to its end, or to where stop was true.
//
// This goroutine hands out the pieces in order, by way of a ring, and takes them back in order: the CVs to the tree,
// the bytes to SHA-256. Between the two the workers read and hash them, each piece as a whole, so that the core that
// hashes it is the one that has just copied it.
func (s Scan) run(ctx context.Context, r io.ReaderAt, at *Partial) error {
	start, end := at.offset(), at.size
	workers, size := s.split(end - start)
	ring := make([]piece, 2*workers)
	send, finish := inline(ctx, r), func() {}
	if workers > 1 {
		send, finish = beside(ctx, r, workers, len(ring))
	} else {
		ring = ring[:1]
	}
	defer finish()

	sent, taken := 0, 0
	for off := start; off < end || taken < sent; {
		if off == end || sent-taken == len(ring) {
			if err := s.take(&ring[taken%len(ring)], at); err != nil {
				return err
			}
			taken++
			continue
		}
		if off > start && s.Stop != nil && s.Stop() {
			end = off
			continue
		}
		n := min(end-off, size)
		if s.Pace != nil {
			if err := s.Pace(ctx, int(n)); err != nil {
				return err
			}
		}
		p := &ring[sent%len(ring)]
		p.cut(off, n, s.SHA256)
		send(p)
		sent++
		off += n
	}
	return nil
}

// split returns the number of workers for n bytes, and the size of the pieces they take.
func (s Scan) split(n int64) (workers int, size int64) {
	workers = s.Workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = int(min(int64(workers), maxWorkers, (n-1)/readSize+1))
	if workers == 1 || s.SHA256 || s.Pace != nil {
		return workers, readSize // nothing to hand over, pieces kept in memory, or each read to be asked for
	}
	eighth := n / int64(8*workers) // of a worker's share, lest one works while the others have finished
	return workers, min(max(eighth/readSize*readSize, readSize), pieceSize)
}

// inline returns a function that hashes a piece on the calling goroutine.
func inline(ctx context.Context, r io.ReaderAt) func(*piece) {
	h, buf := new(Hasher), []byte(nil)
	return func(p *piece) {
		if buf == nil && p.data == nil {
			buf = make([]byte, min(p.n, readSize))
		}
		p.err = p.hash(ctx, r, h, buf)
		p.done <- struct{}{}
	}
}

// beside starts workers, and returns a function that gives them a piece, of at most depth unfinished ones, and one that
// ends them: a read under way is waited for, the pieces behind it are dropped.
func beside(ctx context.Context, r io.ReaderAt, workers, depth int) (send func(*piece), finish func()) {
	ctx, cancel := context.WithCancel(ctx)
	jobs := make(chan *piece, depth)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			hash := inline(ctx, r)
			for p := range jobs {
				hash(p)
			}
		})
	}
	return func(p *piece) { jobs <- p }, func() {
		cancel()
		close(jobs)
		wg.Wait()
	}
}

// take waits for p, the next piece, and adds it to at.
func (s Scan) take(p *piece, at *Partial) error {
	<-p.done
	if p.err != nil {
		return p.err
	}
	if s.Groups != nil {
		if err := s.Groups(at.tree.n, p.cvs); err != nil {
			return err
		}
	}
	for _, cv := range p.cvs {
		at.tree.Push(cv)
	}
	if at.sha != nil {
		at.sha.Write(p.data[:p.n])
	}
	return nil
}

// piece is a stretch of a content on its way through a worker. It is reused for later ones.
type piece struct {
	off, n int64
	data   []byte        // its bytes, if SHA-256 is to see them
	cvs    []Digest      // of its groups
	err    error         // of the reader, or the context's
	done   chan struct{} // receives once cvs or err is set
}

// cut makes p the n bytes at off, which it is to keep or not.
func (p *piece) cut(off, n int64, keep bool) {
	if p.done == nil {
		p.done = make(chan struct{}, 1)
		if keep {
			p.data = make([]byte, n) // a ring's first pieces are its longest
		}
	}
	p.off, p.n = off, n
}

// hash reads p, into buf unless it has to keep its bytes, and computes its CVs.
func (p *piece) hash(ctx context.Context, r io.ReaderAt, h *Hasher, buf []byte) error {
	p.cvs = p.cvs[:0]
	for done := int64(0); done < p.n; done += readSize {
		if p.data != nil {
			buf = p.data[done:]
		}
		read := buf[:min(p.n-done, readSize)]
		if err := readAt(ctx, r, read, p.off+done); err != nil {
			return err
		}
		index := (p.off + done) / GroupSize
		for group := range slices.Chunk(read, GroupSize) {
			p.cvs = append(p.cvs, h.group(group, index))
			index++
		}
	}
	return nil
}

// readAt fills p from offset off of r, or says where it could not.
func readAt(ctx context.Context, r io.ReaderAt, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("digest: reading at offset %d: %w", off, err)
	}
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil // with io.EOF, or without
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("digest: reading at offset %d: %w", off+int64(min(max(n, 0), len(p))), err)
}

// Partial is a [Scan] that stopped after a whole number of groups.
type Partial struct {
	size int64 // of the content, bytes
	tree GroupTree
	sha  hash.Cloner // nil unless asked for
}

// begin returns a partial of nothing, or a copy of s.From.
func (s Scan) begin(size int64) (*Partial, error) {
	switch {
	case size < 0:
		return nil, fmt.Errorf("digest: content of %d bytes: %w", size, opsec.ErrInvalid)
	case s.From == nil && s.SHA256:
		return &Partial{size: size, sha: sha256.New().(hash.Cloner)}, nil
	case s.From == nil:
		return &Partial{size: size}, nil
	case s.From.size != size:
		return nil, fmt.Errorf("digest: content of %d bytes, paused when it had %d: %w",
			size, s.From.size, opsec.ErrInvalid)
	case (s.From.sha != nil) != s.SHA256:
		return nil, fmt.Errorf("digest: paused with other digests than now asked for: %w", opsec.ErrInvalid)
	}
	at := *s.From
	if at.sha != nil {
		c, err := at.sha.Clone()
		if err != nil {
			return nil, fmt.Errorf("digest: SHA-256: %w", err)
		}
		at.sha = c
	}
	return &at, nil
}

// offset is where the scan continues, in bytes, or the content's end.
func (p *Partial) offset() int64 {
	if p.tree.n > p.size/GroupSize {
		return p.size // the last group is a short one
	}
	return p.tree.n * GroupSize
}

// sums are those of a content that was scanned to its end.
func (p *Partial) sums() Sums {
	s := Sums{Size: p.size, BLAKE3: p.tree.Root()}
	if p.sha != nil {
		p.sha.Sum(s.SHA256[:0])
	}
	return s
}

// partialJSON is the one encoding of a partial. The stack's length follows from the number of groups.
type partialJSON struct {
	Size   int64    `json:"size"`
	Groups int64    `json:"groups"`
	Stack  []Digest `json:"stack"`
	SHA256 []byte   `json:"sha256,omitempty"` // as crypto/sha256 marshals it, for which Go promises compatibility
}

// MarshalJSON returns the one encoding of p.
func (p Partial) MarshalJSON() ([]byte, error) {
	j := partialJSON{Size: p.size, Groups: p.tree.n, Stack: p.tree.stack[:p.tree.depth()]}
	if p.sha != nil {
		state, err := p.sha.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("digest: state of SHA-256: %w", err)
		}
		j.SHA256 = state
	}
	return json.Marshal(j)
}

// UnmarshalJSON accepts what [Partial.MarshalJSON] returns, with other white space at most, and nothing else: a
// duplicate or unknown field, a stack that does not fit the number of groups, a place beyond the content's end or a
// state of SHA-256 for another place is an error that wraps [opsec.ErrInvalid] and leaves p unchanged. It cannot know
// whether the CVs are true: a paused scan is to be kept where only its owner writes.
func (p *Partial) UnmarshalJSON(data []byte) error {
	var j partialJSON
	if len(data) > 8<<10 {
		return fmt.Errorf("digest: paused scan of %d bytes: want 8192 at most: %w", len(data), opsec.ErrInvalid)
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("digest: paused scan: %w: %w", err, opsec.ErrInvalid)
	}
	v := Partial{size: j.Size, tree: GroupTree{n: j.Groups}}
	if j.Size <= GroupSize || j.Groups < 0 || j.Groups > (j.Size-1)/GroupSize || len(j.Stack) != v.tree.depth() {
		return fmt.Errorf("digest: paused scan with %d groups and %d CVs of a content of %d bytes: %w",
			j.Groups, len(j.Stack), j.Size, opsec.ErrInvalid)
	}
	copy(v.tree.stack[:], j.Stack)
	if j.SHA256 != nil {
		h := sha256.New()
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(j.SHA256); err != nil {
			return fmt.Errorf("digest: paused scan: %w: %w", err, opsec.ErrInvalid)
		}
		if done := binary.BigEndian.Uint64(j.SHA256[len(j.SHA256)-8:]); done != uint64(v.offset()) {
			return fmt.Errorf("digest: paused scan: SHA-256 of %d bytes at offset %d: %w",
				done, v.offset(), opsec.ErrInvalid)
		}
		v.sha = h.(hash.Cloner)
	}
	var given bytes.Buffer
	canonical, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	if err := json.Compact(&given, data); err != nil || !bytes.Equal(given.Bytes(), canonical) {
		return fmt.Errorf("digest: paused scan is not in its one encoding: %w", opsec.ErrInvalid)
	}
	*p = v
	return nil
}
