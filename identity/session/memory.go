package session

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
)

// Memory is a [Books] and an [Agenda] in the memory of this process: for tests, and where sessions may end with the process. It
// hands events to its recorder before it keeps what they record: when one is not recorded nothing is kept, and those before it are
// recorded all the same.
type Memory struct {
	recorder opsec.Recorder
	stripes  [64]stripe
}

type stripe struct {
	mu    sync.Mutex
	books map[Address]Book
}

// NewMemory returns an empty Memory. A nil recorder records nothing: for tests.
func NewMemory(r opsec.Recorder) *Memory {
	m := &Memory{recorder: r}
	for i := range m.stripes {
		m.stripes[i].books = map[Address]Book{}
	}
	return m
}

// stripe returns where a book lies: its address is a digest.
func (m *Memory) stripe(at Address) *stripe {
	var n byte
	for i := range min(len(at.Book), 2) {
		n = n<<4 | at.Book[i]&15
	}
	return &m.stripes[int(n)%len(m.stripes)]
}

// Update implements [Books]. The recorder must not come back to it.
func (m *Memory) Update(ctx context.Context, at Address, fn func(Book) (Change, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s := m.stripe(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	change, err := fn(s.books[at].clone())
	if err != nil {
		return err
	}
	for _, e := range change.Events {
		if err := e.Validate(); err != nil {
			return err
		}
	}
	for _, e := range change.Events {
		if m.recorder == nil {
			break
		}
		if _, err := m.recorder.Record(ctx, e); err != nil {
			return err
		}
	}
	switch {
	case change.Put == nil:
	case change.Put.Blank():
		delete(s.books, at)
	default:
		s.books[at] = change.Put.clone()
	}
	return nil
}

// clone returns a book that shares nothing with b that a verb changes. Lists of sessions' factors and applications are never
// changed in place.
func (b Book) clone() Book {
	b.Sessions, b.Notices = slices.Clone(b.Sessions), slices.Clone(b.Notices)
	return b
}

// Due implements [Agenda]. It looks at all books.
func (m *Memory) Due(ctx context.Context, tenant opsec.TenantID, until time.Time) iter.Seq2[Address, error] {
	type entry struct {
		at  Address
		due time.Time
	}
	return func(yield func(Address, error) bool) {
		var list []entry
		for i := range m.stripes {
			s := &m.stripes[i]
			s.mu.Lock()
			for at, b := range s.books {
				if at.Tenant == tenant && !b.Due.IsZero() && !b.Due.After(until) {
					list = append(list, entry{at, b.Due})
				}
			}
			s.mu.Unlock()
		}
		slices.SortFunc(list, func(a, b entry) int { return a.due.Compare(b.due) })
		for _, e := range list {
			if err := ctx.Err(); err != nil {
				yield(Address{}, err)
				return
			}
			if !yield(e.at, nil) {
				return
			}
		}
	}
}
