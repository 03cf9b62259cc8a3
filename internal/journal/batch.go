package journal

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/cloudopsec/opsec"
)

// Batch collects entries that become durable together.
type Batch struct {
	first uint64
	buf   []byte
	ends  []uint32 // of each record in buf, in units of eight bytes
	limit int
	seed  uint32
}

// Batch returns the journal's batch, empty, beginning at Size. There is one, whose memory is used again: calling Batch
// drops what the batch held.
func (j *Journal) Batch() *Batch {
	b := &j.batch
	b.first, b.buf, b.ends = j.Size(), b.buf[:0], b.ends[:0]
	return b
}

// Len returns how many entries were added.
func (b *Batch) Len() int { return len(b.ends) }

// Add appends an entry, and returns the index that it will have once the batch is committed. It copies leaf and body.
// It returns [ErrBatchFull] if the batch must be committed first: one holds 16 MiB, or what fits a segment.
func (b *Batch) Add(leaf, body []byte) (index uint64, err error) {
	if err := checkEntry(leaf, body); err != nil {
		return 0, err
	}
	size := frameBytes(len(leaf), len(body))
	if len(b.buf)+size > b.limit {
		if size > b.limit {
			return 0, fmt.Errorf("journal: entry: %d bytes, a segment holds %d: %w", size, b.limit, opsec.ErrInvalid)
		}
		return 0, ErrBatchFull
	}
	index = b.first + uint64(len(b.ends))
	b.buf = appendFrame(b.buf, b.seed, index, uint32(len(b.ends)), leaf, body)
	b.ends = append(b.ends, uint32(len(b.buf)/8))
	return index, nil
}

// Commit makes the entries of b durable, all by one write and one fdatasync: they are on stable storage when it returns
// nil, and Read and Replay show them from then on. b is empty then and begins at the new Size.
//
// If there must be another segment and none can be made, because of [ErrFull] or for another reason, nothing has been
// written, and b may be committed again. After a write that failed the journal is broken ([ErrBroken]): which entries of
// b have remained shows when it is opened anew. The same holds when the file written to no longer has its name
// ([ErrReplaced]).
func (j *Journal) Commit(b *Batch) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.broken != nil {
		return j.broken
	}
	if b.Len() == 0 {
		return nil
	}
	if b != &j.batch || b.first != j.Size() {
		return fmt.Errorf("journal: batch: begins at %d, the journal ends at %d: %w", b.first, j.Size(), opsec.ErrInvalid)
	}
	if j.current == nil || j.end()+int64(len(b.buf)) > j.opened.Size() {
		if err := j.turn(); err != nil {
			return err
		}
	}
	if err := j.write(b); err != nil {
		return j.breaks(err)
	}
	j.mu.Lock()
	base := j.tail[len(j.tail)-1]
	for _, end := range b.ends {
		j.tail = append(j.tail, base+end)
	}
	j.size.Add(uint64(b.Len()))
	j.mu.Unlock()
	j.Batch()
	return nil
}

// end is where the last record of the current segment ends. Only Commit moves it.
func (j *Journal) end() int64 { return int64(j.tail[len(j.tail)-1]) * 8 }

func (j *Journal) breaks(err error) error {
	j.broken = fmt.Errorf("%w: %w", ErrBroken, err)
	return j.broken
}

func (j *Journal) write(b *Batch) error {
	if err := j.pwrite(j.current, b.buf, j.end()); err != nil {
		return err
	}
	if err := j.datasync(j.current); err != nil {
		return err
	}
	// Whoever removed the file before the sync is found here, whoever did it after has removed what was acknowledged.
	return j.same(segmentName(j.head), j.opened)
}

// turn makes the prepared segment the current one. Before it gets its name it has a durable header, so a named segment
// without one is no accident.
func (j *Journal) turn() error {
	j.house.Lock()
	defer j.house.Unlock()
	if err := j.prepareNext(); err != nil {
		return err
	}
	if err := j.rename(); err != nil {
		return j.breaks(err)
	}
	return nil
}

func (j *Journal) rename() error {
	h := header{first: j.Size(), previous: j.Size(), length: j.options.SegmentBytes, id: j.id}
	if j.current != nil {
		h.previous = j.head
	}
	if err := j.pwrite(j.next, h.encode(), 0); err != nil {
		return err
	}
	if err := j.datasync(j.next); err != nil {
		return err
	}
	info, err := j.next.Stat()
	if err != nil {
		return err
	}
	if err := j.same(nextName, info); err != nil {
		return err
	}
	if err := j.root.Rename(nextName, segmentName(h.first)); err != nil {
		return err
	}
	if err := j.syncNames(); err != nil {
		return err
	}
	var filled fs.FileInfo
	if j.current != nil {
		if filled, err = j.current.Stat(); err != nil {
			return err
		}
		j.current.Close()
	}
	segments := slices.Clone(j.segments) // Read may be looking at the old ones
	if filled != nil {
		segments[len(segments)-1].info = filled
		full := j.tail
		j.tables.get(j.head, func() (table, error) { return full, nil })
	}
	segments = append(segments, segment{first: h.first, info: info})
	j.mu.Lock()
	j.segments, j.tail = segments, newTable()
	j.mu.Unlock()
	j.current, j.opened, j.head, j.next = j.next, info, h.first, nil
	j.ready.Store(false)
	return nil
}
