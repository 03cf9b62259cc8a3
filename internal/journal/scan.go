package journal

import (
	"fmt"
	"io/fs"
	"iter"
	"math"
)

// Scan reads a journal at rest, in the root of fsys, from the segment of the entry from on, and passes the entries from
// that index on, each whole and in order. What is not as a journal leaves it comes as a *[DamageError], and Scan goes
// on behind it: an entry that is missing, changed, there twice, or at an impossible position of its batch; bytes other
// than zero in paddings, behind the last entry, in the next segment or the reserve; a segment that is missing, of
// another journal or not of its length; a file that is none of a journal. After a crash, and before Open has put it
// right, a torn batch is one of these, and so is a header in the next segment. Leaf and Body are valid until the next step. Any other error is of fsys.
//
// Scan sees one journal, so it takes a shorter one, or another with entries of its own, for sound: that is for the
// checkpoint to tell.
func Scan(fsys fs.FS, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		c := scan{fsys: fsys, from: from, yield: yield}
		if !c.others() {
			return
		}
		all, id, err := list(fsys)
		if err != nil {
			yield(Record{}, err)
			return
		}
		c.scanner.seed = header{id: id}.seed()
		for i := range all {
			limit := uint64(math.MaxUint64)
			if i < len(all)-1 {
				limit = all[i+1].segment.first
			}
			if (limit > from || i == len(all)-1) && !c.segment(&all[i], limit) {
				return
			}
		}
	}
}

type scan struct {
	fsys    fs.FS
	from    uint64
	yield   func(Record, error) bool
	scanner scanner
}

func (c *scan) fail(err error) bool { return c.yield(Record{}, err) }

func (c *scan) damage(file string, offset int64, index uint64, reason string, args ...any) bool {
	return c.fail(&DamageError{File: file, Offset: offset, Index: index, Reason: fmt.Sprintf(reason, args...)})
}

// others looks at the files that are no segments.
func (c *scan) others() bool {
	entries, err := fs.ReadDir(c.fsys, ".")
	if err != nil {
		return c.fail(fmt.Errorf("journal: %w", err))
	}
	for _, e := range entries {
		name, more := e.Name(), true
		if _, ok := parseName(name); ok {
			continue
		}
		if name != nextName && name != reserveName || !e.Type().IsRegular() {
			more = c.damage(name, 0, 0, "no file of a journal")
		} else {
			more = c.zeros(name)
		}
		if !more {
			return false
		}
	}
	return true
}

// zeros looks at a file that is for later.
func (c *scan) zeros(name string) bool {
	f, err := c.fsys.Open(name)
	if err != nil {
		return c.fail(fmt.Errorf("journal: %w", err))
	}
	defer f.Close()
	s := &c.scanner
	s.start(f, 0)
	switch end, err := s.afterZeros(); {
	case err != nil:
		return c.fail(fmt.Errorf("journal: %w", err))
	case end > 0:
		return c.damage(name, end-1, 0, "there are bytes in a file that is not used yet")
	}
	return true
}

// segment passes the entries of one segment, which ends before the entry limit.
func (c *scan) segment(l *listed, limit uint64) bool {
	if l.damage != nil && !c.fail(l.damage) {
		return false
	}
	if l.info == nil {
		return true
	}
	if d := l.shortened(); l.damage == nil && d != nil && !c.fail(d) {
		return false
	}
	f, err := c.fsys.Open(l.name())
	if err != nil {
		return c.fail(fmt.Errorf("journal: %w", err))
	}
	defer f.Close()
	s := &c.scanner
	s.start(f, 0)
	s.skip(len(s.peek(segmentHeader)))
	q := sequence{next: l.segment.first}
	more := true
	for more {
		s.run(&q, limit, func(f frame) bool {
			more = f.Index < c.from || c.yield(f.Record, nil)
			return more
		})
		if !more {
			break
		}
		at := s.off
		r, found := s.find()
		if !found {
			more = c.end(l, s, &q, limit, at)
			break
		}
		more = c.stray(l, s, &q, limit, at, r)
	}
	return more
}

// stray says why the record r, found from the offset at on, is not the next one, and goes on with it if it can be.
func (c *scan) stray(l *listed, s *scanner, q *sequence, limit uint64, at int64, r frame) bool {
	switch {
	case r.Index < q.next || r.Index >= limit:
		off, index := s.off, r.Index
		s.passFrame(r)
		return c.damage(l.name(), off, index, "the entry stands where it does not belong")
	case r.Index > q.next:
		missing := q.next
		q.next, q.joined = r.Index, true
		return c.damage(l.name(), at, missing, "missing or not as it was written, up to entry %d", r.Index-1)
	case s.off > at:
		q.joined = true
		return c.damage(l.name(), at, r.Index, "there are bytes before the entry")
	default:
		q.joined = true
		return c.damage(l.name(), at, r.Index, "position %d in its batch does not follow", r.position)
	}
}

// end says what is wrong with what follows the offset at, where no record follows.
func (c *scan) end(l *listed, s *scanner, q *sequence, limit uint64, at int64) bool {
	switch {
	case s.err != nil:
		return c.fail(fmt.Errorf("journal: %s: %w", l.name(), s.err))
	case q.next < limit && limit < math.MaxUint64:
		return c.damage(l.name(), at, q.next, "missing or not as it was written, up to entry %d", limit-1)
	case s.dirty > at:
		return c.damage(l.name(), at, q.next, "there are bytes that are no entry")
	}
	return true
}
