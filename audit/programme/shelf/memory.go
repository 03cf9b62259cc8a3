package shelf

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

// Memory keeps audits in memory, and hands their events to the recorder before it saves: when one is not recorded, nothing
// is saved, and those before it are recorded all the same. For tests and for scripts.
func Memory(r opsec.Recorder) programme.Audits {
	return &memory{recorder: r, audits: map[string][]byte{}}
}

type memory struct {
	recorder opsec.Recorder
	mu       sync.Mutex
	audits   map[string][]byte // as JSON, so that nobody shares what is kept
}

func (m *memory) Update(ctx context.Context, id string, fn func(programme.Audit) (programme.Audit, []opsec.Event, error)) error {
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
func encode(id string, a programme.Audit) ([]byte, error) {
	if a.ID == "" {
		return nil, nil
	}
	if a.ID != id {
		return nil, fmt.Errorf("shelf: an audit under another id: %w", opsec.ErrInvalid)
	}
	b, err := json.Marshal(a)
	if err == nil && len(b) > programme.MaxAudit {
		err = fmt.Errorf("shelf: an audit of %d bytes of JSON, at most %d: %w", len(b), programme.MaxAudit, opsec.ErrInvalid)
	}
	return b, err
}

func decode(b []byte) (a programme.Audit, err error) {
	if len(b) > 0 {
		err = json.Unmarshal(b, &a)
	}
	return a, err
}
