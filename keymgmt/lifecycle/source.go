package lifecycle

import (
	"context"
	"errors"
	"iter"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Snapshot implements [keymgmt.Source]. A primary that a tombstone names is [keymgmt.ErrDestroyed].
func (m *Manager) Snapshot(ctx context.Context, id keymgmt.SetID) (s keymgmt.Snapshot, err error) {
	if err := id.Validate(); err != nil {
		return s, err
	}
	var r *record
	err = m.repo.Update(ctx, id.Tenant, func(read keymgmt.Read) (keymgmt.Changes, error) {
		docs, err := read(setName(id))
		if err != nil {
			return keymgmt.Changes{}, err
		}
		r = nil
		if s.Keyset, err = parseSet(id, docs[0]); err == nil && s.Keyset.Primary != 0 {
			r, err = heldRecord(read, keymgmt.Ref{Set: id, Key: s.Keyset.Primary})
		}
		return keymgmt.Changes{}, err
	})
	if err == nil && r != nil {
		s.Key, err = m.held(ctx, r)
	}
	if err != nil {
		return keymgmt.Snapshot{}, err
	}
	return s, nil
}

// Held implements [keymgmt.Source]. A key that a tombstone names, whatever its record says, is [keymgmt.ErrDestroyed].
func (m *Manager) Held(ctx context.Context, ref keymgmt.Ref) (keymgmt.Held, error) {
	if err := ref.Validate(); err != nil {
		return keymgmt.Held{}, err
	}
	var r *record
	err := m.repo.Update(ctx, ref.Set.Tenant, func(read keymgmt.Read) (_ keymgmt.Changes, err error) {
		r, err = heldRecord(read, ref)
		return keymgmt.Changes{}, err
	})
	if err != nil {
		return keymgmt.Held{}, err
	}
	return m.held(ctx, r)
}

func heldRecord(read keymgmt.Read, ref keymgmt.Ref) (*record, error) {
	docs, err := read(keyName(ref), tombName(ref))
	if err != nil {
		return nil, err
	}
	r, err := parseKey(ref, docs[0])
	if err != nil {
		return nil, err
	}
	return r, gone(docs[1] != nil && !r.Key.State.Final(), ref)
}

func (m *Manager) held(ctx context.Context, r *record) (keymgmt.Held, error) {
	if r.Key.State.Final() {
		return keymgmt.Held{Key: r.Key}, nil
	}
	if dead, err := m.buried(ctx, r.Key.Ref); err != nil || dead {
		return keymgmt.Held{}, errors.Join(err, gone(dead, r.Key.Ref))
	}
	if !r.Key.State.Allows(keymgmt.Process) {
		return keymgmt.Held{Key: r.Key}, nil
	}
	return keymgmt.Held{Key: r.Key, Wrapped: r.Wrapped}, nil
}

// Watch implements [keymgmt.Source]. Where the repository is no [keymgmt.Watcher] it yields once and then waits for the end of the context.
func (m *Manager) Watch(ctx context.Context, id keymgmt.SetID) iter.Seq2[struct{}, error] {
	if w, ok := m.repo.(keymgmt.Watcher); ok {
		return w.Watch(ctx, id.Tenant)
	}
	return func(yield func(struct{}, error) bool) {
		if yield(struct{}{}, nil) {
			<-ctx.Done()
			yield(struct{}{}, ctx.Err())
		}
	}
}
