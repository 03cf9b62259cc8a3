package backup

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

	"lukechampine.com/blake3/guts"

	"github.com/cloudopsec/opsec"
)

// Sums are the digests of one content.
type Sums struct {
	Size   int64  // bytes
	BLAKE3 Digest // as b3sum prints it
	SHA256 Digest // zero unless asked for
}

// SumOptions are the choices of [Sum] and its kin. Nil stands for the zero value.
type SumOptions struct {
	// SHA256 adds that digest, from the same single read. SHA-256 is serial, and runs beside BLAKE3 on one core: it
	// bounds the speed to that core's, some 2 GB/s with the SHA instructions.
	SHA256 bool
	// Workers is the number of goroutines that hash; below 1 stands for GOMAXPROCS, and more than 32 for 32, which
	// already hash faster than memory is read.
	Workers int
}

func (o *SumOptions) scan() scan {
	if o == nil {
		o = new(SumOptions)
	}
	return scan{sha256: o.SHA256, workers: o.Workers}
}

// Sum returns the digests of p. Above 1 MiB it uses all the workers that opts allows.
func Sum(p []byte, opts *SumOptions) Sums {
	s := opts.scan()
	if len(p) <= 1<<20 {
		var h *smallHasher
		if len(p) > guts.ChunkSize { // below, clearing the scratch space would cost more than hashing without it
			h = new(smallHasher)
		}
		return h.sum(p, s.sha256)
	}
	// Staging through the workers' buffers, as for a file, is faster than hashing in place: the vector code walks
	// 16 chunks at once, a pattern that is slow to come from memory and quick to come from the core's own cache.
	sums, _, err := s.readerAt(context.Background(), bytes.NewReader(p), int64(len(p)))
	if err != nil {
		panic(err) // a bytes.Reader does not fail
	}
	return sums
}

// SumReaderAt returns the digests of the first size bytes of r, each of which it reads once, about in order and from
// several goroutines at a time (see [io.ReaderAt]), or from one if opts allows one worker. It needs 0.5 MiB of memory
// for each worker, and 1 MiB with SHA-256, whatever the size.
//
// A content shorter than size is an error that wraps [io.ErrUnexpectedEOF]; whether there is more than size is not
// looked at. An error of r is wrapped with its offset. When ctx ends, SumReaderAt waits for the reads under way (an
// r that blocks should watch ctx itself) and returns the context's error. All goroutines have ended when it returns.
func SumReaderAt(ctx context.Context, r io.ReaderAt, size int64, opts *SumOptions) (Sums, error) {
	sums, _, err := opts.scan().readerAt(ctx, r, size)
	return sums, err
}

// sum returns the digests of p.
func (h *smallHasher) sum(p []byte, sha bool) Sums {
	s := Sums{Size: int64(len(p)), BLAKE3: h.blake3(p)}
	if sha {
		s.SHA256 = sha256.Sum256(p)
	}
	return s
}

const (
	readSize   = 8 * groupSize  // bytes of one read: in L2, and large enough that system calls do not count
	pieceSize  = 64 * groupSize // bytes that a worker takes at most: so much that handing over does not count
	maxWorkers = 32             // whose buffers, with SHA-256, are 32 MiB
)

// errPaused is returned by a scan that was told to stop.
var errPaused = errors.New("backup: paused")

// scan reads one content once, in order, with all its digests. Callbacks run on the goroutine that called readerAt.
type scan struct {
	sha256  bool
	workers int // below 1: GOMAXPROCS; with 1, everything runs on the calling goroutine

	// groups, if set, receives the CVs of consecutive 64 KiB groups, in order, beginning with the group of index
	// first; cvs is valid during the call. An error ends the scan. It is not called for contents up to 64 KiB.
	groups func(first int64, cvs []Digest) error
	// pace, if set, is called before each read with its length in bytes, 512 KiB at most, and may block. An error ends
	// the scan.
	pace func(ctx context.Context, n int) error
	// stop, if set, is asked between pieces of up to 4 MiB; true ends the scan with errPaused and a partial. It is not
	// asked before the first piece, so that every call gets ahead, nor after the last.
	stop func() bool
	// from, if set, continues an earlier scan of the same content. It is not changed.
	from *partial
}

// readerAt scans the first size bytes of r. The partial is set with errPaused only.
func (s scan) readerAt(ctx context.Context, r io.ReaderAt, size int64) (Sums, *partial, error) {
	at, err := s.begin(size)
	if err != nil {
		return Sums{}, nil, err
	}
	if size <= groupSize {
		sums, err := s.small(ctx, r, int(size))
		return sums, nil, err
	}
	err = s.run(ctx, r, at)
	switch {
	case err != nil:
		return Sums{}, nil, err
	case at.offset() < size:
		return Sums{}, at, errPaused
	}
	return at.sums(), nil, nil
}

// small scans a content of a single group.
func (s scan) small(ctx context.Context, r io.ReaderAt, size int) (Sums, error) {
	p := make([]byte, size)
	if s.pace != nil && size > 0 {
		if err := s.pace(ctx, size); err != nil {
			return Sums{}, err
		}
	}
	if err := readAt(ctx, r, p, 0); err != nil {
		return Sums{}, err
	}
	return new(smallHasher).sum(p, s.sha256), nil
}

// run brings at to its end, or to where stop was true.
//
// This goroutine hands out the pieces in order, by way of a ring, and takes them back in order: the CVs to the tree,
// the bytes to SHA-256. Between the two the workers read and hash them, each piece as a whole, so that the core that
// hashes it is the one that has just copied it.
func (s scan) run(ctx context.Context, r io.ReaderAt, at *partial) error {
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
		if off > start && s.stop != nil && s.stop() {
			end = off
			continue
		}
		n := min(end-off, size)
		if s.pace != nil {
			if err := s.pace(ctx, int(n)); err != nil {
				return err
			}
		}
		p := &ring[sent%len(ring)]
		p.cut(off, n, s.sha256)
		send(p)
		sent++
		off += n
	}
	return nil
}

// split returns the number of workers for n bytes, and the size of the pieces they take.
func (s scan) split(n int64) (workers int, size int64) {
	workers = s.workers
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	workers = int(min(int64(workers), maxWorkers, (n-1)/readSize+1))
	if workers == 1 || s.sha256 || s.pace != nil {
		return workers, readSize // nothing to hand over, pieces kept in memory, or each read to be asked for
	}
	eighth := n / int64(8*workers) // of a worker's share, lest one works while the others have finished
	return workers, min(max(eighth/readSize*readSize, readSize), pieceSize)
}

// inline returns a function that hashes a piece on the calling goroutine.
func inline(ctx context.Context, r io.ReaderAt) func(*piece) {
	h, buf := new(smallHasher), []byte(nil)
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
func (s scan) take(p *piece, at *partial) error {
	<-p.done
	if p.err != nil {
		return p.err
	}
	if s.groups != nil {
		if err := s.groups(at.tree.n, p.cvs); err != nil {
			return err
		}
	}
	for _, cv := range p.cvs {
		at.tree.push(cv)
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
func (p *piece) hash(ctx context.Context, r io.ReaderAt, h *smallHasher, buf []byte) error {
	p.cvs = p.cvs[:0]
	for done := int64(0); done < p.n; done += readSize {
		if p.data != nil {
			buf = p.data[done:]
		}
		read := buf[:min(p.n-done, readSize)]
		if err := readAt(ctx, r, read, p.off+done); err != nil {
			return err
		}
		index := (p.off + done) / groupSize
		for group := range slices.Chunk(read, groupSize) {
			p.cvs = append(p.cvs, h.group(group, index))
			index++
		}
	}
	return nil
}

// readAt fills p from offset off of r, or says where it could not.
func readAt(ctx context.Context, r io.ReaderAt, p []byte, off int64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("backup: reading at offset %d: %w", off, err)
	}
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil // with io.EOF, or without
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("backup: reading at offset %d: %w", off+int64(min(max(n, 0), len(p))), err)
}

// partial is a scan that stopped after a whole number of groups.
type partial struct {
	size int64 // of the content, bytes
	tree groupTree
	sha  hash.Cloner // nil unless asked for
}

// begin returns a partial of nothing, or a copy of s.from.
func (s scan) begin(size int64) (*partial, error) {
	switch {
	case size < 0:
		return nil, fmt.Errorf("backup: content of %d bytes: %w", size, opsec.ErrInvalid)
	case s.from == nil && s.sha256:
		return &partial{size: size, sha: sha256.New().(hash.Cloner)}, nil
	case s.from == nil:
		return &partial{size: size}, nil
	case s.from.size != size:
		return nil, fmt.Errorf("backup: content of %d bytes, paused when it had %d: %w",
			size, s.from.size, opsec.ErrInvalid)
	case (s.from.sha != nil) != s.sha256:
		return nil, fmt.Errorf("backup: paused with other digests than now asked for: %w", opsec.ErrInvalid)
	}
	at := *s.from
	if at.sha != nil {
		c, err := at.sha.Clone()
		if err != nil {
			return nil, fmt.Errorf("backup: SHA-256: %w", err)
		}
		at.sha = c
	}
	return &at, nil
}

// offset is where the scan continues, in bytes, or the content's end.
func (p *partial) offset() int64 {
	if p.tree.n > p.size/groupSize {
		return p.size // the last group is a short one
	}
	return p.tree.n * groupSize
}

// sums are those of a content that was scanned to its end.
func (p *partial) sums() Sums {
	s := Sums{Size: p.size, BLAKE3: p.tree.root()}
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
func (p partial) MarshalJSON() ([]byte, error) {
	j := partialJSON{Size: p.size, Groups: p.tree.n, Stack: p.tree.stack[:p.tree.depth()]}
	if p.sha != nil {
		state, err := p.sha.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("backup: state of SHA-256: %w", err)
		}
		j.SHA256 = state
	}
	return json.Marshal(j)
}

// UnmarshalJSON accepts what [partial.MarshalJSON] returns, with other white space at most, and nothing else: a
// duplicate or unknown field, a stack that does not fit the number of groups, a place beyond the content's end or a
// state of SHA-256 for another place is an error that wraps [opsec.ErrInvalid] and leaves p unchanged. It cannot know
// whether the CVs are true: a paused scan is to be kept where only its owner writes.
func (p *partial) UnmarshalJSON(data []byte) error {
	var j partialJSON
	if len(data) > 8<<10 {
		return fmt.Errorf("backup: paused scan of %d bytes: want 8192 at most: %w", len(data), opsec.ErrInvalid)
	}
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("backup: paused scan: %w: %w", err, opsec.ErrInvalid)
	}
	v := partial{size: j.Size, tree: groupTree{n: j.Groups}}
	if j.Size <= groupSize || j.Groups < 0 || j.Groups > (j.Size-1)/groupSize || len(j.Stack) != v.tree.depth() {
		return fmt.Errorf("backup: paused scan with %d groups and %d CVs of a content of %d bytes: %w",
			j.Groups, len(j.Stack), j.Size, opsec.ErrInvalid)
	}
	copy(v.tree.stack[:], j.Stack)
	if j.SHA256 != nil {
		h := sha256.New()
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(j.SHA256); err != nil {
			return fmt.Errorf("backup: paused scan: %w: %w", err, opsec.ErrInvalid)
		}
		if done := binary.BigEndian.Uint64(j.SHA256[len(j.SHA256)-8:]); done != uint64(v.offset()) {
			return fmt.Errorf("backup: paused scan: SHA-256 of %d bytes at offset %d: %w",
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
		return fmt.Errorf("backup: paused scan is not in its one encoding: %w", opsec.ErrInvalid)
	}
	*p = v
	return nil
}
