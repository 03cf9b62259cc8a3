package document

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec"
)

// Memory is a [Shelf] in memory, for one process. The zero value is empty.
type Memory struct {
	mu        sync.RWMutex
	documents map[opsec.TenantID]map[string]*Document
}

// Put keeps a document under a name, instead of the one that was there. The error wraps [opsec.ErrInvalid].
func (m *Memory) Put(tenant opsec.TenantID, name string, d *Document) error {
	if err := tenant.Validate(); err != nil {
		return fmt.Errorf("document: %w", err)
	}
	if !ValidName(name) || d == nil {
		return invalid("a document, and a name of letters, digits, '.', '_' and '-': one is not given")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.documents == nil {
		m.documents = map[opsec.TenantID]map[string]*Document{}
	}
	if m.documents[tenant] == nil {
		m.documents[tenant] = map[string]*Document{}
	}
	m.documents[tenant][name] = d
	return nil
}

// Remove takes a document away, when its time is over; nothing happens if there is none.
func (m *Memory) Remove(tenant opsec.TenantID, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.documents[tenant], name)
}

// Document implements [Shelf].
func (m *Memory) Document(_ context.Context, tenant opsec.TenantID, name string) (*Document, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if d := m.documents[tenant][name]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("document: %.40q of %.40q: %w", name, tenant, opsec.ErrNotFound)
}

// Names implements [Shelf]: in order.
func (m *Memory) Names(_ context.Context, tenant opsec.TenantID) (list []string, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for name := range m.documents[tenant] {
		list = append(list, name)
	}
	slices.Sort(list)
	return list, nil
}
