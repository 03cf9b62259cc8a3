package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Recovery is what Open has found.
type Recovery struct {
	Size  uint64 // the next index
	Cut   int64  // bytes of a torn batch that were overwritten with zeros
	First uint64 // index of the first entry that is kept; what was pruned is below
}

// Open opens the journal in dir, which it makes if it is not there. It returns [ErrLocked] at once if the directory is
// open already, by whatever path, and [errors.ErrUnsupported] where the system has no flock(2).
//
// Synced is the number of entries that must be there, as the last signed checkpoint says, and from the first one that
// the caller will replay: those before it must be there too. Open reads the header of every segment, and everything
// from the segment of from on. What a crash leaves is put right: an entry that is not whole, and what was written
// together with it behind it, was never acknowledged and is overwritten with zeros; entries before it that are whole stay.
// It returns [ErrTampered] if an entry below synced is not as it was, if an entry of a later batch stands behind one
// that is not whole (a batch is written when the one before is durable), if a segment is missing, from elsewhere, or
// not of its length, and for bytes behind the last entry of a segment that is full. Then nothing has been changed.
func Open(dir string, synced, from uint64, o Options) (*Journal, Recovery, error) {
	o, err := o.complete()
	if err != nil {
		return nil, Recovery{}, err
	}
	if err := makeDir(dir); err != nil {
		return nil, Recovery{}, fmt.Errorf("journal: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, Recovery{}, fmt.Errorf("journal: %w", err)
	}
	release, err := lock(root)
	if err != nil {
		root.Close()
		return nil, Recovery{}, fmt.Errorf("%w: %s", err, dir)
	}
	j := &Journal{dir: dir, options: o, root: root, release: release, tail: newTable(), pwrite: pwrite, datasync: datasync}
	r, err := j.recover(max(synced, from), from)
	if err == nil {
		err = j.settle()
	}
	if err != nil {
		j.Close()
		return nil, Recovery{}, err
	}
	j.seed = header{id: j.id}.seed()
	j.batch = Batch{seed: j.seed, limit: int(min(o.SegmentBytes-segmentHeader, maxBatch))}
	j.size.Store(r.Size)
	return j, r, nil
}

// makeDir makes the directory and its name durable.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return syncDir(d)
}

// listed is a segment with its header.
type listed struct {
	segment
	header
	damage *DamageError // of the header
}

// list returns the segments of a journal in their order, and the journal's id, which the first sound header has.
func list(fsys fs.FS) (all []listed, id [16]byte, err error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, id, fmt.Errorf("journal: %w", err)
	}
	for _, e := range entries { // sorted by name, which is by index
		if first, ok := parseName(e.Name()); ok {
			l := listed{segment: segment{first: first}}
			if err := l.read(fsys, e); err != nil {
				return nil, id, fmt.Errorf("journal: %w", err)
			}
			all = append(all, l)
		}
	}
	if i := slices.IndexFunc(all, func(l listed) bool { return l.damage == nil }); i >= 0 {
		id = all[i].id
	}
	for i := range all {
		l := &all[i]
		switch {
		case l.damage != nil:
		case l.header.first != l.segment.first:
			l.damage = l.damaged(fmt.Sprintf("it is the segment of entry %d", l.header.first))
		case l.id != id:
			l.damage = l.damaged("a segment of another journal")
		case i > 0 && l.previous != all[i-1].segment.first:
			l.damage = l.damaged(fmt.Sprintf("the segment before it, of entry %d, is missing", l.previous))
		}
	}
	return all, id, nil
}

func (l *listed) read(fsys fs.FS, e fs.DirEntry) error {
	if !e.Type().IsRegular() {
		l.damage = l.damaged("no regular file")
		return nil
	}
	f, err := fsys.Open(e.Name())
	if err != nil {
		return err
	}
	defer f.Close()
	if l.info, err = f.Stat(); err != nil {
		return err
	}
	b := make([]byte, segmentHeader)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if l.header, err = decodeHeader(b[:n]); err != nil {
		l.damage = l.damaged(err.Error())
	}
	return nil
}

// damaged is an error about the whole segment.
func (l *listed) damaged(reason string) *DamageError {
	return &DamageError{File: l.name(), Index: l.segment.first, Reason: reason}
}

// shortened returns an error if the file is not as long as it was made.
func (l *listed) shortened() *DamageError {
	if l.info.Size() == l.length {
		return nil
	}
	return l.damaged(fmt.Sprintf("%d bytes long, it was made with %d", l.info.Size(), l.length))
}

// recover finds the end of the journal, which may not be before the entry must.
func (j *Journal) recover(must, from uint64) (Recovery, error) {
	all, id, err := list(j.root.FS())
	if err != nil {
		return Recovery{}, err
	}
	if len(all) == 0 {
		if must > 0 {
			return Recovery{}, &DamageError{File: segmentName(0), Reason: fmt.Sprintf("no segment is there, of %d entries", must)}
		}
		rand.Read(j.id[:])
		return Recovery{}, nil
	}
	j.id = id
	begin := 0
	for i := range all {
		if all[i].damage != nil {
			return Recovery{}, all[i].damage
		}
		if d := all[i].shortened(); d != nil && (i < len(all)-1 || all[i].info.Size() > all[i].length) {
			return Recovery{}, d
		}
		if all[i].segment.first <= from {
			begin = i
		}
		j.segments = append(j.segments, all[i].segment)
	}
	for i := begin; i < len(all)-1; i++ {
		if err := j.check(all[i], all[i+1].segment.first); err != nil {
			return Recovery{}, err
		}
	}
	last := &all[len(all)-1]
	r := Recovery{First: all[0].segment.first}
	if r.Size, r.Cut, err = j.resume(last, must); err != nil {
		return Recovery{}, err
	}
	return r, nil
}

// settle removes a next segment that was given a header, or a part of one, before a crash came, and makes the names
// durable: a rename before the crash may not have been.
func (j *Journal) settle() error {
	f, err := j.root.OpenFile(nextName, os.O_RDONLY|openFlags, 0)
	if err == nil { // otherwise Prepare looks at it again
		defer f.Close()
		b := make([]byte, segmentHeader)
		if n, _ := f.ReadAt(b, 0); !zero(b[:n]) {
			if err := j.root.Remove(nextName); err != nil {
				return fmt.Errorf("journal: %w", err)
			}
		}
	}
	if err := j.syncNames(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// check reads a segment that is full and must hold every entry below limit.
func (j *Journal) check(l listed, limit uint64) error {
	f, err := j.root.Open(l.name())
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	s := newScanner(f, 0, l.seed())
	s.skip(len(s.peek(segmentHeader)))
	q := sequence{next: l.segment.first}
	s.run(&q, limit, func(frame) bool { return true })
	damage := &DamageError{File: l.name(), Offset: s.off, Index: q.next}
	switch end := s.off; {
	case q.next < limit:
		damage.Reason = "missing or not as it was written"
	case s.trailing():
		damage.Offset, damage.Reason = end, "there are bytes behind the last entry of the segment"
	default:
		damage = nil
	}
	if s.err != nil {
		return fmt.Errorf("journal: %w", s.err)
	}
	if damage != nil {
		return damage
	}
	return nil
}

// trailing reports whether anything but zeros follows, up to the end of the file.
func (s *scanner) trailing() bool {
	end := s.off
	_, found := s.find()
	return found || s.dirty > end
}

// resume reads the last segment, cuts what is torn, and makes the segment the current one.
func (j *Journal) resume(l *listed, must uint64) (size uint64, cut int64, err error) {
	f, err := j.root.OpenFile(l.name(), os.O_RDWR, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("journal: %w", err)
	}
	j.current, j.head = f, l.segment.first
	s := newScanner(f, 0, l.seed())
	s.skip(len(s.peek(segmentHeader)))
	q := sequence{next: l.segment.first}
	stray, isRecord := s.run(&q, math.MaxUint64, func(r frame) bool {
		j.tail = append(j.tail, uint32((s.off+int64(r.size))/8))
		return true
	})
	end, reason := s.off, ""
	switch torn := s.torn(&q); {
	case s.err != nil:
		return 0, 0, fmt.Errorf("journal: %w", s.err)
	case isRecord:
		reason = fmt.Sprintf("entry %d stands in its place", stray.Index)
	case !torn:
		reason = "not whole, though what stands behind it was written later"
	case q.next < must:
		reason = fmt.Sprintf("missing or not as it was written; the journal had %d entries", must)
	}
	if reason != "" {
		return 0, 0, &DamageError{File: l.name(), Offset: end, Index: q.next, Reason: reason}
	}
	if err := j.mend(f, l, end, s.dirty); err != nil {
		return 0, 0, fmt.Errorf("journal: %s: %w", l.name(), err)
	}
	if q.running && q.next > must {
		if err := j.again(f, q.batch, end); err != nil {
			return 0, 0, fmt.Errorf("journal: %s: %w", l.name(), err)
		}
	}
	if err := f.Sync(); err != nil {
		return 0, 0, fmt.Errorf("journal: %w", err)
	}
	if j.opened, err = f.Stat(); err != nil {
		return 0, 0, fmt.Errorf("journal: %w", err)
	}
	j.segments[len(j.segments)-1].info = j.opened
	return q.next, s.dirty - end, nil
}

// torn passes all that follows, and reports whether it can be what is left of the batch that has the next record.
func (s *scanner) torn(q *sequence) bool {
	for {
		f, ok := s.find()
		if !ok {
			return s.budget >= 0
		}
		if !q.sameBatch(f) {
			return false
		}
		s.passFrame(f)
	}
}

// mend puts zeros from end to dirty, and behind the file up to the length that it was made with.
func (j *Journal) mend(f *os.File, l *listed, end, dirty int64) error {
	if err := j.zeros(f, end, dirty); err != nil {
		return err
	}
	err := j.zeros(f, l.info.Size(), l.length)
	if isFull(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// again writes the last batch once more. When its sync had failed, the system may show from memory what the disk does
// not have, and would take the next sync for done.
func (j *Journal) again(f *os.File, batch uint64, end int64) error {
	from := int64(j.tail[batch-j.head]) * 8
	b := make([]byte, end-from)
	if _, err := f.ReadAt(b, from); err != nil {
		return err
	}
	return j.pwrite(f, b, from)
}
