package journal

import (
	"errors"
	"io"
)

// maxVain is how many bytes of a segment are checksummed because they look like a record and are none.
const maxVain = 1 << 30

// scanner reads a segment from one of its records on, through a window that slides. It holds two megabytes at most.
type scanner struct {
	r    io.Reader
	seed uint32

	window []byte // read, and not yet passed
	buf    []byte // the memory of the window
	off    int64  // of the window in the file
	ended  bool   // r has no more
	err    error  // of r, other than its end

	dirty  int64 // find passed nothing but zeros since here
	budget int64 // how many bytes find may still checksum in vain
}

// newScanner reads r, which stands at offset off of a segment.
func newScanner(r io.Reader, off int64, seed uint32) *scanner {
	s := &scanner{seed: seed}
	s.start(r, off)
	return s
}

// start begins anew with another reader.
func (s *scanner) start(r io.Reader, off int64) {
	if s.buf == nil {
		s.buf = make([]byte, 0, 256<<10)
	}
	*s = scanner{r: r, seed: s.seed, buf: s.buf, off: off, budget: maxVain}
}

// peek returns the next n bytes, fewer at the end of the file, without passing them.
func (s *scanner) peek(n int) []byte {
	if len(s.window) < n && !s.ended {
		if cap(s.buf) < n {
			s.buf = make([]byte, 0, 2*n)
		}
		kept := copy(s.buf[:cap(s.buf)], s.window)
		read, err := io.ReadAtLeast(s.r, s.buf[kept:cap(s.buf)], n-kept)
		if err != nil {
			s.ended = true
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				s.err = err
			}
		}
		s.window = s.buf[:kept+read]
	}
	return s.window[:min(n, len(s.window))]
}

// skip passes n bytes that were peeked at.
func (s *scanner) skip(n int) {
	s.window = s.window[n:]
	s.off += int64(n)
}

// frame returns the record that begins here, without passing it. It is valid until the next call of any method.
func (s *scanner) frame() (frame, bool) {
	size, ok := measure(s.peek(headerBytes))
	if !ok {
		return frame{}, false
	}
	return parse(s.peek(size), s.seed)
}

// find passes what is no record, and returns the first that it comes to. It keeps count of what was not zero. When
// so many bytes only look like records that telling them apart would take too long, the budget is below zero.
func (s *scanner) find() (frame, bool) {
	s.dirty = max(s.dirty, s.off)
	for s.budget >= 0 {
		b := s.peek(4096)
		if len(b) < headerBytes {
			s.pass(b)
			return frame{}, false
		}
		if zero(b) { // no record begins with eight zeros
			s.skip(len(b) &^ 7)
			continue
		}
		n := 0
		for n+headerBytes <= len(b) {
			if _, ok := measure(b[n:]); ok {
				break
			}
			n += 8
		}
		if n > 0 {
			s.pass(b[:n])
			continue
		}
		if f, ok := s.frame(); ok {
			return f, true
		}
		size, _ := measure(b)
		s.budget -= int64(size)
		s.pass(s.peek(8))
	}
	return frame{}, false
}

// pass skips b, the next bytes, and moves dirty behind the last that is not zero.
func (s *scanner) pass(b []byte) {
	if !zero(b) {
		last := len(b)
		for b[last-1] == 0 {
			last--
		}
		s.dirty = s.off + int64(last)
	}
	s.skip(len(b))
}

// afterZeros passes all that follows, and returns where its last byte ends that is not zero, or 0.
func (s *scanner) afterZeros() (int64, error) {
	for {
		b := s.peek(64 << 10)
		if len(b) == 0 {
			return s.dirty, s.err
		}
		s.pass(b)
	}
}

// passFrame skips a record that find returned.
func (s *scanner) passFrame(f frame) {
	s.skip(f.size)
	s.dirty = s.off
}

// sequence knows which record comes next.
type sequence struct {
	next    uint64 // its index
	batch   uint64 // the first index of the batch that the record before belongs to
	running bool   // there was a record before, in this segment: a batch never goes on in the next
	joined  bool   // no record was seen before, but there may be one
}

// follows reports whether f is the next record.
func (q *sequence) follows(f frame) bool {
	return f.Index == q.next && (f.position == 0 || q.joined || q.running && f.start() == q.batch)
}

// took says that f was the one.
func (q *sequence) took(f frame) {
	*q = sequence{next: f.Index + 1, batch: f.start(), running: true}
}

// sameBatch reports whether f, found behind the place of the next record, was written together with it: with a record
// that was never acknowledged, unless f was not either.
func (q *sequence) sameBatch(f frame) bool {
	return f.Index > q.next && (f.start() == q.next || q.running && f.start() == q.batch)
}

// run passes the records that follow each other up to the index limit, or until each returns false. If it stops before,
// at something else, it returns that: a record that does not belong here, or none.
func (s *scanner) run(q *sequence, limit uint64, each func(frame) bool) (stopped frame, isRecord bool) {
	for q.next < limit {
		f, ok := s.frame()
		if !ok || !q.follows(f) {
			return f, ok
		}
		if !each(f) {
			break
		}
		q.took(f)
		s.skip(f.size)
	}
	return frame{}, false
}
