package programme

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec"
)

// Memory keeps audits in memory, and hands their events to the recorder before it saves: when one is not recorded, nothing
// is saved. For tests and for scripts.
func Memory(r opsec.Recorder) Audits { return &memory{recorder: r, audits: map[string][]byte{}} }

type memory struct {
	recorder opsec.Recorder
	mu       sync.Mutex
	audits   map[string][]byte // as JSON, so that nobody shares what is kept
}

func (m *memory) Update(ctx context.Context, id string, fn func(Audit) (Audit, []opsec.Event, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := decode(m.audits[id])
	if err != nil {
		return err
	}
	next, events, err := fn(a)
	if err != nil {
		return err
	}
	b, err := encode(id, next)
	if err != nil {
		return err
	}
	for i := range events {
		if _, err := m.recorder.Record(ctx, &events[i]); err != nil {
			return err
		}
	}
	if b != nil {
		m.audits[id] = b
	}
	return nil
}

func (m *memory) IDs(context.Context) iter.Seq2[string, error] {
	m.mu.Lock()
	ids := slices.Sorted(maps.Keys(m.audits))
	m.mu.Unlock()
	return func(yield func(string, error) bool) {
		for _, id := range ids {
			if !yield(id, nil) {
				return
			}
		}
	}
}

// encode returns an audit as it is kept; nil for none.
func encode(id string, a Audit) ([]byte, error) {
	if a.ID == "" {
		return nil, nil
	}
	if a.ID != id {
		return nil, invalid("audits: an audit under another id")
	}
	b, err := json.Marshal(a)
	if err == nil && len(b) > MaxAudit {
		err = invalid("audit: %d bytes of JSON, at most %d", len(b), MaxAudit)
	}
	return b, err
}

func decode(b []byte) (a Audit, err error) {
	if len(b) > 0 {
		err = json.NewDecoder(bytes.NewReader(b)).Decode(&a)
	}
	return a, err
}
