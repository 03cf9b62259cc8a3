package journal

import (
	"errors"
	"io/fs"
	"iter"
)

// What a caller branches on.
var (
	ErrLocked    = errors.New("journal: open elsewhere")
	ErrTampered  = errors.New("journal: tampered with")
	ErrFull      = errors.New("journal: no room")
	ErrReplaced  = errors.New("journal: a file was replaced")
	ErrBroken    = errors.New("journal: broken by a failed write, open it anew")
	ErrBatchFull = errors.New("journal: the batch is full, commit it first")
)

type Options struct {
	SegmentBytes int64
	ReserveBytes int64
}

type Record struct {
	Index      uint64
	Leaf, Body []byte
}

type Recovery struct {
	Size  uint64
	Cut   int64
	First uint64
}

type DamageError struct {
	File   string
	Offset int64
	Index  uint64
	Reason string
}

func (e *DamageError) Error() string { return e.Reason }
func (e *DamageError) Unwrap() error { return ErrTampered }

type Journal struct{}

type Batch struct{}

func Open(dir string, synced, from uint64, o Options) (*Journal, Recovery, error) {
	return nil, Recovery{}, errors.ErrUnsupported
}
func (j *Journal) Size() uint64                                  { return 0 }
func (j *Journal) Batch() *Batch                                 { return nil }
func (b *Batch) Add(leaf, body []byte) (uint64, error)           { return 0, errors.ErrUnsupported }
func (b *Batch) Len() int                                        { return 0 }
func (j *Journal) Commit(b *Batch) error                         { return errors.ErrUnsupported }
func (j *Journal) Prepare() error                                { return errors.ErrUnsupported }
func (j *Journal) Low() bool                                     { return false }
func (j *Journal) Release() error                                { return errors.ErrUnsupported }
func (j *Journal) Read(index uint64) (Record, error)             { return Record{}, errors.ErrUnsupported }
func (j *Journal) Replay(from uint64) iter.Seq2[Record, error]   { return nil }
func (j *Journal) Intact() error                                 { return errors.ErrUnsupported }
func (j *Journal) Prune(before uint64) (first uint64, err error) { return 0, errors.ErrUnsupported }
func (j *Journal) Close() error                                  { return errors.ErrUnsupported }

func Scan(fsys fs.FS, from uint64) iter.Seq2[Record, error] { return nil }
