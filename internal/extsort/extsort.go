package extsort

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
)

// Options is how much memory, and where the files go.
type Options struct {
	Dir    string // of the temporary directory; default os.TempDir()
	Memory int64  // bytes for records, about; default 64 MiB, at least 64 KiB
}

// Record is what is sorted. It is valid until the next one is yielded.
type Record struct{ Key, Value []byte }

// MaxRecord is how many bytes key and value may have together.
const MaxRecord = 1 << 20

// ErrTooLarge says that a record is longer than MaxRecord.
var ErrTooLarge = errors.New("extsort: record too large")

const (
	minMemory   = 64 << 10
	usualMemory = 64 << 20
	arenaBlock  = 1 << 20 // or a quarter of the memory
	perEntry    = 40      // bytes beside the record
	maxFan      = 64      // runs that are merged at once
	perReader   = 4 * sealedBlock
)

// Sorter sorts records. It is for one goroutine. After an error other than ErrTooLarge, every method returns
// that error.
type Sorter struct {
	o     Options
	fan   int
	arena []byte // where the next record goes
	batch []entry
	used  int64
	files files
	runs  []int
	err   error
}

type entry struct {
	record []byte // key and value
	key    int32
	order  int32
}

// New returns a Sorter without records.
func New(o Options) *Sorter {
	o.Memory = max(cmp.Or(o.Memory, usualMemory), minMemory)
	return &Sorter{o: o, fan: int(min(max(o.Memory/perReader, 2), maxFan)), files: files{in: o.Dir}}
}

// Add takes a record, and copies it. An error is ErrTooLarge, or one of the temporary files, such as a full disk.
func (s *Sorter) Add(key, value []byte) error {
	if s.err != nil {
		return s.err
	}
	n := len(key) + len(value)
	if n > MaxRecord {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLarge, n, MaxRecord)
	}
	if len(s.batch) > 0 && s.used+int64(n+perEntry) > s.o.Memory {
		if s.err = s.spill(); s.err != nil {
			return s.err
		}
	}
	if cap(s.arena)-len(s.arena) < n {
		s.arena = make([]byte, 0, max(n, int(min(arenaBlock, s.o.Memory/4))))
	}
	from := len(s.arena)
	s.arena = append(append(s.arena, key...), value...)
	s.batch = append(s.batch, entry{s.arena[from:len(s.arena):len(s.arena)], int32(len(key)), int32(len(s.batch))})
	s.used += int64(n + perEntry)
	return nil
}

func (s *Sorter) sort() {
	slices.SortFunc(s.batch, func(a, b entry) int {
		return cmp.Or(bytes.Compare(a.record[:a.key], b.record[:b.key]), cmp.Compare(a.order, b.order))
	})
	for i := range s.batch {
		s.batch[i].order = int32(i) // still so when it is sorted again
	}
}

// spill writes what is in memory as a run.
func (s *Sorter) spill() error {
	s.sort()
	run, err := s.files.write(s.inMemory())
	if err != nil {
		return err
	}
	s.runs = append(s.runs, run)
	s.arena, s.batch, s.used = nil, slices.Delete(s.batch, 0, len(s.batch)), 0
	return nil
}

func (s *Sorter) inMemory() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, e := range s.batch {
			if !yield(Record{e.record[:e.key], e.record[e.key:]}, nil) {
				return
			}
		}
	}
}

// Sorted yields the records in order; an error ends it. It may be called again, also after more records have been added,
// but neither while it yields.
func (s *Sorter) Sorted() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if s.err == nil {
			s.sort()
			s.err = s.reduce()
		}
		if s.err != nil {
			yield(Record{}, s.err)
			return
		}
		sources := make([]iter.Seq2[Record, error], 0, len(s.runs)+1)
		for _, run := range s.runs {
			sources = append(sources, s.files.read(run))
		}
		for r, err := range merge(append(sources, s.inMemory())) {
			if err != nil {
				s.err = err
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// reduce merges runs that are next to each other until all that are left can be merged at once.
func (s *Sorter) reduce() error {
	for len(s.runs) > s.fan {
		var merged []int
		for group := range slices.Chunk(s.runs, s.fan) {
			if len(group) == 1 {
				merged = append(merged, group[0])
				continue
			}
			var sources []iter.Seq2[Record, error]
			for _, run := range group {
				sources = append(sources, s.files.read(run))
			}
			run, err := s.files.write(merge(sources))
			if err != nil {
				return err
			}
			for _, old := range group {
				if err := s.files.remove(old); err != nil {
					return err
				}
			}
			merged = append(merged, run)
		}
		s.runs = merged
	}
	return nil
}

// Close removes the temporary files. The Sorter is of no use afterwards.
func (s *Sorter) Close() error {
	s.arena, s.batch, s.runs = nil, nil, nil
	if s.err == nil {
		s.err = fmt.Errorf("extsort: %w", os.ErrClosed)
	}
	return s.files.close()
}
