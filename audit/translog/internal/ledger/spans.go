package ledger

import (
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/internal/journal"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// maxOpenSpans is how many indexes of full spans are kept in memory, some 100 KiB to 2 MiB each.
const maxOpenSpans = 64

// Spans is the index of a log: a file for each full span, and what is growing. It is made of the journal, can be made
// again from there, and is never believed: what it finds is compared with the leaves.
type Spans struct {
	dir     string // of its files
	journal *journal.Journal

	mu      sync.Mutex
	growing *index.Builder
	indexer Indexer
	span    uint64 // which one is growing
	open    map[uint64]*index.Index
	order   []uint64 // of open, by when they were opened
}

// NewSpans returns the index of a log whose files are in dir. Entries are to be added from the span of first on.
func NewSpans(dir string, j *journal.Journal, first uint64) (*Spans, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	span := first / index.Span
	return &Spans{
		dir: dir, journal: j, growing: index.NewBuilder(span), span: span, open: map[uint64]*index.Index{},
	}, nil
}

// Add enters an entry; one that is there already changes nothing.
func (s *Spans) Add(i uint64, k Keys) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.turn(); err != nil { // has failed before
		return err
	}
	next := s.span*index.Span + uint64(s.growing.Len())
	switch {
	case i < next:
		return nil
	case i > next:
		return fmt.Errorf("entry %d comes to the index before entry %d", i, next)
	}
	if err := s.indexer.Add(s.growing, i, k); err != nil {
		return err
	}
	return s.turn()
}

// turn begins the next span when the growing one is full and has its file.
func (s *Spans) turn() error {
	if s.growing.Len() < index.Span {
		return nil
	}
	if err := s.store(s.span, s.growing.Encode()); err != nil {
		return err
	}
	s.span++
	s.growing = index.NewBuilder(s.span)
	return nil
}

// store writes the file of a span. It need not be durable.
func (s *Spans) store(span uint64, file []byte) error {
	return wholefile.Write(filepath.Join(s.dir, SpanFile(span)), 0o600, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	})
}

// Find yields the places of entries that may meet q, from one place on, upwards or downwards, below size.
func (s *Spans) Find(q index.Query, from, first, size uint64) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if first >= size || q.Descending && from < first {
			return
		}
		from = min(max(from, first), size-1)
		for span := from / index.Span; ; {
			found, err := s.in(span, q, uint16(from%index.Span))
			if err != nil {
				yield(0, err)
				return
			}
			for pos := range found {
				if i := span*index.Span + uint64(pos); i >= first && i < size && !yield(i, nil) {
					return
				}
			}
			if q.Descending {
				if span == first/index.Span {
					return
				}
				span--
				from = span*index.Span + index.Span - 1
			} else {
				if span == (size-1)/index.Span {
					return
				}
				span++
				from = span * index.Span
			}
		}
	}
}

func (s *Spans) in(span uint64, q index.Query, from uint16) (iter.Seq[uint16], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if span == s.span {
		return s.growing.Find(q, from), nil
	}
	x, ok := s.open[span]
	if !ok {
		var err error
		if x, err = s.load(span); err != nil {
			return nil, err
		}
		s.open[span] = x
		if s.order = append(s.order, span); len(s.order) > maxOpenSpans {
			delete(s.open, s.order[0])
			s.order = s.order[1:]
		}
	}
	return x.Find(q, from), nil
}

// load reads the file of a full span, or makes it anew from the journal when it is missing or damaged: of what was pruned
// it then knows nothing.
func (s *Spans) load(span uint64) (*index.Index, error) {
	file, err := os.ReadFile(filepath.Join(s.dir, SpanFile(span)))
	if err == nil {
		if x, err := index.Open(file, span); err == nil {
			return x, nil
		}
	}
	b, indexer := index.NewBuilder(span), Indexer{}
	first := max(s.journal.First(), span*index.Span)
	for i := span * index.Span; i < first; i++ {
		if err := indexer.Add(b, i, Keys{}); err != nil {
			return nil, err
		}
	}
	for r, err := range s.journal.Replay(first) {
		if err != nil {
			return nil, err
		}
		_, k, err := Parse(r.Leaf, r.Body)
		if err == nil {
			err = indexer.Add(b, r.Index, k)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", r.Index, err)
		}
		if b.Len() == index.Span {
			break
		}
	}
	file = b.Encode()
	s.store(span, file) // if it cannot be, it is made again the next time
	return index.Open(file, span)
}

// Drop removes the files of the spans that end before an entry.
func (s *Spans) Drop(before uint64) error {
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range names {
		if name := f.Name(); name[0] != '.' && name < SpanFile(before/index.Span) { // the others are being written
			if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
