package keymgmt

import (
	"bytes"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/cloudopsec/opsec"
)

// The bounds of a [Repository].
const (
	MaxDocument  = 200 << 10 // bytes of a document
	MaxDocuments = 32        // that one Read returns, or one update writes
	maxName      = 256       // bytes of a document's name
)

// Memory is a Repository, with all that one may be, in the memory of this process: for tests and for scripts. It hands
// events to its recorder before it keeps what they record: when one is not recorded nothing is kept, and those before it
// are recorded all the same.
type Memory struct {
	recorder opsec.Recorder

	mu      sync.Mutex
	tenants map[opsec.TenantID]map[string][]byte
	changed chan struct{} // closed by the next change
}

// NewMemory returns an empty Memory. A nil recorder records nothing: for tests.
func NewMemory(r opsec.Recorder) *Memory {
	return &Memory{recorder: r, tenants: map[opsec.TenantID]map[string][]byte{}, changed: make(chan struct{})}
}

// Sealed implements [Sealed]: what is kept here is on no medium.
func (m *Memory) Sealed() bool { return true }

// Update implements [Repository].
func (m *Memory) Update(ctx context.Context, tenant opsec.TenantID, fn func(Read) (Changes, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	docs := m.tenants[tenant]
	changes, err := fn(func(names ...string) ([][]byte, error) {
		if err := CheckNames(names...); err != nil {
			return nil, err
		}
		list := make([][]byte, len(names))
		for i, name := range names {
			list[i] = bytes.Clone(docs[name]) // nil for none
		}
		return list, nil
	})
	if err != nil {
		return err
	}
	if err := changes.Validate(); err != nil {
		return err
	}
	for _, e := range changes.Events {
		if err := e.Validate(); err != nil {
			return err
		}
	}
	for _, e := range changes.Events {
		if m.recorder == nil {
			break
		}
		if _, err := m.recorder.Record(ctx, e); err != nil {
			return err
		}
	}
	if len(changes.Put) == 0 {
		return nil
	}
	if docs == nil {
		docs = map[string][]byte{}
		m.tenants[tenant] = docs
	}
	for _, d := range changes.Put {
		if len(d.Data) == 0 {
			delete(docs, d.Name)
			continue
		}
		docs[d.Name] = slices.Clone(d.Data)
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

// CheckNames returns an error that wraps [opsec.ErrInvalid] unless these names can be read at once.
func CheckNames(names ...string) error {
	if len(names) > MaxDocuments {
		return invalid("%d documents at once, at most %d", len(names), MaxDocuments)
	}
	for _, name := range names {
		if len(name) == 0 || len(name) > maxName {
			return invalid("a document's name of %d bytes, want 1 to %d", len(name), maxName)
		}
	}
	return nil
}

// Validate returns an error that wraps [opsec.ErrInvalid] unless c is what a [Repository] takes.
func (c Changes) Validate() error {
	names := make([]string, len(c.Put))
	for i, d := range c.Put {
		names[i] = d.Name
		if len(d.Data) > MaxDocument {
			return invalid("document %s of %d bytes, want at most %d", d.Name, len(d.Data), MaxDocument)
		}
	}
	return CheckNames(names...)
}

// List implements [Lister].
func (m *Memory) List(_ context.Context, tenant opsec.TenantID, prefix, after string) iter.Seq2[Document, error] {
	m.mu.Lock()
	docs := maps.Clone(m.tenants[tenant])
	m.mu.Unlock()
	return func(yield func(Document, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(docs)) {
			if strings.HasPrefix(name, prefix) && name > after && !yield(Document{name, slices.Clone(docs[name])}, nil) {
				return
			}
		}
	}
}

// Watch implements [Watcher].
func (m *Memory) Watch(ctx context.Context, _ opsec.TenantID) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		for {
			m.mu.Lock()
			next := m.changed
			m.mu.Unlock()
			if !yield(struct{}{}, nil) {
				return
			}
			select {
			case <-next:
			case <-ctx.Done():
				yield(struct{}{}, ctx.Err())
				return
			}
		}
	}
}
