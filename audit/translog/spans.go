package translog

import (
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/index"
	"github.com/cloudopsec/opsec/internal/journal"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// The kinds of keys in the index, beside those of [entry.TermKind].
const (
	keyTenant  = 't'
	keyAction  = 'c'
	keyOutcome = 'o'
)

// maxOpenSpans is how many indexes of full spans are kept in memory, some 100 KiB to 2 MiB each.
const maxOpenSpans = 64

// spans is the index of a log: a file for each full span, and what is growing. It is made of the journal, can be made
// again from there, and is never believed: what it finds is compared with the leaves.
type spans struct {
	dir     string // of its files
	journal *journal.Journal

	mu      sync.Mutex
	growing *index.Builder
	span    uint64 // which one is growing
	open    map[uint64]*index.Index
	order   []uint64 // of open, by when they were opened
}

func newSpans(dir string, j *journal.Journal, first uint64) (*spans, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	span := first / index.Span
	return &spans{
		dir: dir, journal: j, growing: index.NewBuilder(span), span: span, open: map[uint64]*index.Index{},
	}, nil
}

// spanFile is the name of a span's file, below the directory of the index.
func spanFile(span uint64) string { return fmt.Sprintf("%012d", span) }

// add enters an entry; one that is there already changes nothing.
func (s *spans) add(i uint64, leaf, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.span*index.Span + uint64(s.growing.Len())
	switch {
	case i < next:
		return nil
	case i > next:
		return fmt.Errorf("entry %d comes to the index before entry %d", i, next)
	}
	if err := addEntry(s.growing, i, leaf, body); err != nil {
		return err
	}
	if s.growing.Len() < index.Span {
		return nil
	}
	file := s.growing.Encode()
	if err := s.store(s.span, file); err != nil {
		return err
	}
	s.span++
	s.growing = index.NewBuilder(s.span)
	return nil
}

// store writes the file of a span. It need not be durable.
func (s *spans) store(span uint64, file []byte) error {
	return wholefile.Write(filepath.Join(s.dir, spanFile(span)), 0o600, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	})
}

// find yields the places of entries that may meet q, from one place on, upwards or downwards, below size.
func (s *spans) find(q index.Query, from, first, size uint64) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if size == 0 || first >= size {
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

func (s *spans) in(span uint64, q index.Query, from uint16) (iter.Seq[uint16], error) {
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

// load reads the file of a full span, or makes it anew from the journal when it is missing or damaged.
func (s *spans) load(span uint64) (*index.Index, error) {
	file, err := os.ReadFile(filepath.Join(s.dir, spanFile(span)))
	if err == nil {
		if x, err := index.Open(file, span); err == nil {
			return x, nil
		}
	}
	b := index.NewBuilder(span)
	for r, err := range s.journal.Replay(span * index.Span) {
		if err != nil {
			return nil, err
		}
		if err := addEntry(b, r.Index, r.Leaf, r.Body); err != nil {
			return nil, err
		}
		if b.Len() == index.Span {
			break
		}
	}
	file = b.Encode()
	x, err := index.Open(file, span)
	if err != nil {
		return nil, err
	}
	return x, s.store(span, file)
}

// drop removes the files of the spans that end before an entry.
func (s *spans) drop(before uint64) error {
	names, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range names {
		if f.Name() < spanFile(before/index.Span) {
			if err := os.Remove(filepath.Join(s.dir, path.Base(f.Name()))); err != nil {
				return err
			}
		}
	}
	return nil
}

// addEntry enters one entry with all that it can be found by.
func addEntry(b *index.Builder, i uint64, leaf, body []byte) error {
	l, err := entry.Parse(leaf)
	if err != nil {
		return fmt.Errorf("entry %d: %w", i, err)
	}
	if l.Kind != entry.Event {
		return b.Add(uint16(i%index.Span), l.Time)
	}
	parsed, err := entry.ParseBody(body)
	if err != nil {
		return fmt.Errorf("entry %d: %w", i, err)
	}
	terms := parsed.Terms()
	keys := make([][]byte, 0, 3+len(terms))
	keys = append(keys, tenantKey(l.Tenant), textKey(keyAction, l.Action), textKey(keyOutcome, string(l.Outcome)))
	for _, t := range terms {
		keys = append(keys, termKey(t))
	}
	return b.Add(uint16(i%index.Span), l.Time, keys...)
}

func tenantKey(h entry.Handle) []byte { return append([]byte{keyTenant}, h[:]...) }

func textKey(kind byte, s string) []byte { return append([]byte{kind}, s...) }

func termKey(t entry.Term) []byte { return append([]byte{byte(t.Kind)}, t.Tag[:]...) }
