package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"github.com/cloudopsec/opsec"
)

// What a caller branches on.
var (
	// ErrLocked says that this directory has a Journal already, in this process or another.
	ErrLocked = errors.New("journal: open already")
	// ErrTampered says that something is not there, or not as it was written, which no crash explains. The error that
	// wraps it is a *DamageError with what and where.
	ErrTampered = errors.New("journal: tampered with")
	// ErrFull says that the disk has no room for another segment. Nothing was written. It may be tried again.
	ErrFull = errors.New("journal: no room on the disk")
	// ErrReplaced says that a file under the running journal was removed, or another one has its name.
	ErrReplaced = errors.New("journal: replaced under the running journal")
	// ErrBroken says that a write failed, or that a file was replaced: no Commit will succeed. Opening the directory
	// anew shows what has remained.
	ErrBroken = errors.New("journal: broken, to be opened anew")
	// ErrBatchFull says that the batch has no room for the entry, and an empty one would have.
	ErrBatchFull = errors.New("journal: the batch is full")
)

// DamageError says what is missing or not as it was written. It wraps [ErrTampered].
type DamageError struct {
	File   string // in the journal's directory
	Offset int64  // in File, bytes
	Index  uint64 // of the entry that should have been there, or come next
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%v: %s, offset %d, entry %d: %s", ErrTampered, e.File, e.Offset, e.Index, e.Reason)
}

func (e *DamageError) Unwrap() error { return ErrTampered }

// Options size the files. The zero value is what a log in service needs.
type Options struct {
	SegmentBytes int64 // of a segment made from now on: a multiple of 4,096, up to 1 GiB; 0 is 64 MiB
	ReserveBytes int64 // of the reserve, and what Prepare leaves free on the disk: at least 4,096; 0 is 16 MiB
}

const (
	blockBytes = 4096
	maxSegment = 1 << 30
	maxBatch   = 16 << 20
)

func (o Options) complete() (Options, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 16 << 20
	}
	if o.SegmentBytes < blockBytes || o.SegmentBytes > maxSegment || o.SegmentBytes%blockBytes != 0 {
		return o, fmt.Errorf("journal: Options.SegmentBytes: %d, must be a multiple of %d up to %d: %w",
			o.SegmentBytes, blockBytes, maxSegment, opsec.ErrInvalid)
	}
	if o.ReserveBytes < blockBytes {
		return o, fmt.Errorf("journal: Options.ReserveBytes: %d, must be at least %d: %w", o.ReserveBytes, blockBytes, opsec.ErrInvalid)
	}
	return o, nil
}

// segment is a file of the journal.
type segment struct {
	first uint64
	info  fs.FileInfo // as it was opened, made or filled up
}

func (s segment) name() string { return segmentName(s.first) }

// Journal is a journal that was opened. Commit and Batch are for one goroutine; all else is for any at any time.
type Journal struct {
	dir     string
	options Options
	root    *os.Root
	release func() // of the lock
	id      [16]byte
	seed    uint32

	size  atomic.Uint64 // entries, each of them durable
	low   atomic.Bool
	ready atomic.Bool // next stands

	writing sync.Mutex // Commit and Close
	batch   Batch
	current *os.File    // the last segment, nil before there is one
	opened  fs.FileInfo // current as it was opened or made
	head    uint64      // index of its first record
	broken  error

	house   sync.Mutex // which files there are: Prepare, Release, Intact, Prune, the change to another segment
	next    *os.File   // the segment that is ready, nil if none is
	reserve bool       // stands

	mu       sync.RWMutex // what Read sees
	segments []segment    // in their order
	tail     table        // of the last one
	tables   tables       // of others

	pwrite   func(f *os.File, b []byte, off int64) error // for tests that let it fail
	datasync func(f *os.File) error
}

// Size returns how many entries there are: the index of the next one. All are on stable storage.
func (j *Journal) Size() uint64 { return j.size.Load() }

// Close gives the directory back. What was committed stays.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.house.Lock()
	defer j.house.Unlock()
	if errors.Is(j.broken, fs.ErrClosed) {
		return nil
	}
	j.broken = fmt.Errorf("journal: %w", fs.ErrClosed)
	var errs []error
	for _, f := range []*os.File{j.current, j.next} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	j.next = nil
	errs = append(errs, j.root.Close())
	j.release()
	return errors.Join(errs...)
}

func pwrite(f *os.File, b []byte, off int64) error {
	_, err := f.WriteAt(b, off)
	return err
}

// syncNames makes the names in the directory durable.
func (j *Journal) syncNames() error {
	d, err := j.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return syncDir(d)
}
