package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"slices"
	"sort"
	"sync"

	"github.com/cloudopsec/opsec"
)

// table says where the records of a segment begin, and where the last one ends, in units of eight bytes.
type table []uint32

func newTable() table { return table{segmentHeader / 8} }

// tables keeps the tables of the segments that were read last.
type tables struct {
	mu     sync.Mutex
	recent []*cached
}

type cached struct {
	first uint64
	once  sync.Once
	table table
	err   error
}

const maxTables = 8

// get returns the table of a segment, which build makes if it is not kept. Others who need it wait for that.
func (t *tables) get(first uint64, build func() (table, error)) (table, error) {
	t.mu.Lock()
	var c *cached
	if i := slices.IndexFunc(t.recent, func(c *cached) bool { return c.first == first }); i >= 0 {
		c = t.recent[i]
		t.recent = slices.Delete(t.recent, i, i+1)
	} else {
		c = &cached{first: first}
	}
	t.recent = append(t.recent, c)
	if len(t.recent) > maxTables {
		t.recent = slices.Delete(t.recent, 0, 1)
	}
	t.mu.Unlock()
	c.once.Do(func() {
		if c.table, c.err = build(); c.err != nil {
			t.drop(func(x *cached) bool { return x == c })
		}
	})
	return c.table, c.err
}

func (t *tables) drop(which func(*cached) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.recent = slices.DeleteFunc(t.recent, which)
}

// view is what Read and Replay work on: the segments and the end at one moment.
type view struct {
	segments []segment
	tail     table
}

func (j *Journal) view() view {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return view{j.segments, j.tail} // what these show is never written again
}

// end is the index behind the last record of segment i.
func (v view) end(i int) uint64 {
	if i == len(v.segments)-1 {
		return v.segments[i].first + uint64(len(v.tail)) - 1
	}
	return v.segments[i+1].first
}

// locate returns the number of the segment that has the entry index.
func (v view) locate(index uint64) (int, error) {
	i := sort.Search(len(v.segments), func(i int) bool { return v.segments[i].first > index }) - 1
	switch {
	case len(v.segments) == 0 || i >= 0 && index >= v.end(i):
		return 0, fmt.Errorf("journal: entry %d is not written yet: %w", index, opsec.ErrNotFound)
	case i < 0:
		return 0, fmt.Errorf("journal: entry %d was pruned: %w", index, opsec.ErrNotFound)
	}
	return i, nil
}

// Read returns one entry, in memory of its own. An entry that was pruned or is not there yet is [opsec.ErrNotFound];
// one that is not as it was written a *[DamageError]. The first Read in a segment that is full passes all of it, to
// learn where its entries are; that is remembered of the last eight.
func (j *Journal) Read(index uint64) (Record, error) {
	v := j.view()
	i, err := v.locate(index)
	if err != nil {
		return Record{}, err
	}
	s := v.segments[i]
	t, err := j.table(v, i)
	if err != nil {
		return Record{}, err
	}
	f, err := j.open(s)
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	from, to := int64(t[index-s.first])*8, int64(t[index-s.first+1])*8
	b := make([]byte, to-from)
	if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
		return Record{}, fmt.Errorf("journal: %w", err)
	}
	if r, ok := parse(b, j.seed); ok && r.Index == index && r.size == len(b) {
		return r.Record, nil
	}
	return Record{}, &DamageError{File: s.name(), Offset: from, Index: index, Reason: "not as it was written"}
}

// table returns where the entries of segment i are.
func (j *Journal) table(v view, i int) (table, error) {
	if i == len(v.segments)-1 {
		return v.tail, nil
	}
	return j.tables.get(v.segments[i].first, func() (table, error) {
		t := newTable()
		err := j.pass(v, i, v.segments[i].first, func(f frame, end int64) bool {
			t = append(t, uint32(end/8))
			return true
		})
		return t, err
	})
}

// pass calls each with the records of segment i from the entry index on, and with the offset where they end.
func (j *Journal) pass(v view, i int, from uint64, each func(f frame, end int64) bool) error {
	s := v.segments[i]
	off, to := int64(segmentHeader), int64(math.MaxInt64)
	q := sequence{next: from}
	if from > s.first {
		t, err := j.table(v, i)
		if err != nil {
			return err
		}
		off, q.joined = int64(t[from-s.first])*8, true
	}
	if i == len(v.segments)-1 {
		to = int64(v.tail[len(v.tail)-1]) * 8
	}
	f, err := j.open(s)
	if err != nil {
		return err
	}
	defer f.Close()
	r := newScanner(io.NewSectionReader(f, off, to-off), off, j.seed)
	stopped := false
	r.run(&q, v.end(i), func(f frame) bool {
		stopped = !each(f, r.off+int64(f.size))
		return !stopped
	})
	switch {
	case stopped || q.next == v.end(i):
		return nil
	case r.err != nil:
		return fmt.Errorf("journal: %w", r.err)
	}
	return &DamageError{File: s.name(), Offset: r.off, Index: q.next, Reason: "missing or not as it was written"}
}

// open opens a segment to read it, if it is the one that it was.
func (j *Journal) open(s segment) (*os.File, error) {
	f, err := j.root.OpenFile(s.name(), os.O_RDONLY|openFlags, 0)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && os.SameFile(info, s.info) && info.Size() == s.info.Size() {
			return f, nil
		}
		f.Close()
	}
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("journal: %w", err)
	case s.first < j.First():
		return nil, fmt.Errorf("journal: entry %d was pruned: %w", s.first, opsec.ErrNotFound)
	}
	return nil, fmt.Errorf("%w: %s", ErrReplaced, s.name())
}

// First is the index of the first entry that is kept.
func (j *Journal) First() uint64 {
	if v := j.view(); len(v.segments) > 0 {
		return v.segments[0].first
	}
	return 0
}

// Replay passes the entries from the index from on, up to the Size at the time of the call. Leaf and Body are valid
// until the next step. It ends after an error: [opsec.ErrNotFound] if from was pruned or is beyond Size, a
// *[DamageError] for an entry that is not as it was written.
func (j *Journal) Replay(from uint64) iter.Seq2[Record, error] {
	v := j.view()
	return func(yield func(Record, error) bool) {
		if len(v.segments) == 0 && from == 0 || len(v.segments) > 0 && from == v.end(len(v.segments)-1) {
			return
		}
		i, err := v.locate(from)
		for at, more := from, true; err == nil && more && i < len(v.segments); i++ {
			err = j.pass(v, i, at, func(f frame, _ int64) bool {
				more = yield(f.Record, nil)
				return more
			})
			at = v.end(i)
		}
		if err != nil {
			yield(Record{}, err)
		}
	}
}
