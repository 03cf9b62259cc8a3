package custody

import (
	"bytes"
	"context"
	"sync"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Blobs keeps what a [Root] has wrapped: small documents by name, of a-z, 0-9 and '-', at most 100 bytes. What has
// returned without error is durable. All methods may be called by many goroutines, and the same documents used by many
// processes.
type Blobs interface {
	// Get returns a document, nil when there is none.
	Get(ctx context.Context, name string) ([]byte, error)
	// Create makes a document, unless there is one already, and says whether it did. Of two that create one name, one wins.
	Create(ctx context.Context, name string, document []byte) (bool, error)
	// Replace makes a document, or puts another in its place. It is the old or the new one at any time.
	Replace(ctx context.Context, name string, document []byte) error
	// Erase makes a document unreadable, as far as it can, and fills in Method, Copies and Left of the evidence. Without
	// the document, and without remains of it, it returns no copies.
	Erase(ctx context.Context, name string) (keymgmt.Evidence, error)
}

// Memory keeps documents in memory: for tests, and for keys that need not outlive the process. The zero value is empty.
type Memory struct {
	mu        sync.Mutex
	documents map[string][]byte
}

// Get implements [Blobs].
func (m *Memory) Get(ctx context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.documents[name]), ctx.Err()
}

// Create implements [Blobs].
func (m *Memory) Create(ctx context.Context, name string, document []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil || m.documents[name] != nil {
		return false, ctx.Err()
	}
	m.put(name, document)
	return true, nil
}

// Replace implements [Blobs].
func (m *Memory) Replace(ctx context.Context, name string, document []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	clear(m.documents[name])
	m.put(name, document)
	return nil
}

func (m *Memory) put(name string, document []byte) {
	if m.documents == nil {
		m.documents = map[string][]byte{}
	}
	m.documents[name] = append([]byte{}, document...)
}

// Erase implements [Blobs].
func (m *Memory) Erase(ctx context.Context, name string) (keymgmt.Evidence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	document, ok := m.documents[name]
	if ctx.Err() != nil || !ok {
		return keymgmt.Evidence{}, ctx.Err()
	}
	clear(document)
	delete(m.documents, name)
	return keymgmt.Evidence{Method: "overwritten in memory", Copies: []string{"memory: " + name}}, nil
}
