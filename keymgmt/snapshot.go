package keymgmt

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Snapshot is what a node needs to use a keyset: never the material itself.
type Snapshot struct {
	Keyset Keyset
	Key    Held // the primary; a zero Ref when there is none
}

// Held is a key with its material as the custodian wrapped it.
type Held struct {
	Key
	Wrapped []byte // opens under [MaterialContext] with the keyset's custodian
}

// Source is where a node takes keysets from: [Manager] is one.
type Source interface {
	// Snapshot returns the keyset and its primary key, as they are after every change that has returned before.
	Snapshot(ctx context.Context, id SetID) (Snapshot, error)
	// Held returns one key of it, whatever its state; without Wrapped when the state lets nobody use it.
	Held(ctx context.Context, ref Ref) (Held, error)
	// Watch yields once at first and after each change of a keyset of the tenant: a hint.
	Watch(ctx context.Context, id SetID) iter.Seq2[struct{}, error]
	// Lease takes messages and bytes of what the policy leaves for a key, for this node alone: at most what is asked
	// for, at least one message, or an [*ExhaustedError].
	Lease(ctx context.Context, ref Ref, ask Amount) (Amount, error)
}

// Amount is a number of messages and of their bytes.
type Amount struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// Membership is how nodes that hold keys in memory promise to let go of them: [Manager] is one. A node joins before it
// uses a key; it beats after each time it has looked at all keysets that it holds; and when it cannot do either for as long
// as its fence, by its own monotonic clock, it uses no key any more. A destruction waits until each node has beaten
// twice since, which shows that it has seen it, or has not for longer than its fence, so that it uses nothing.
type Membership interface {
	Join(ctx context.Context, node string, fence time.Duration) error
	Beat(ctx context.Context, node string) error
	Leave(ctx context.Context, node string) error
}

// Snapshot implements [Source]. A primary that a tombstone names is [ErrDestroyed].
func (m *Manager) Snapshot(ctx context.Context, id SetID) (s Snapshot, err error) {
	if err := id.Validate(); err != nil {
		return s, err
	}
	var r *record
	err = m.repo.Update(ctx, id.Tenant, func(read Read) (Changes, error) {
		docs, err := read(setName(id))
		if err != nil {
			return Changes{}, err
		}
		r = nil
		if s.Keyset, err = parseSet(id, docs[0]); err == nil && s.Keyset.Primary != 0 {
			r, err = heldRecord(read, Ref{id, s.Keyset.Primary})
		}
		return Changes{}, err
	})
	if err == nil && r != nil {
		s.Key, err = m.held(ctx, r)
	}
	if err != nil {
		return Snapshot{}, err
	}
	return s, nil
}

// Held implements [Source]. A key that a tombstone names, whatever its record says, is [ErrDestroyed].
func (m *Manager) Held(ctx context.Context, ref Ref) (Held, error) {
	if err := ref.Validate(); err != nil {
		return Held{}, err
	}
	var r *record
	err := m.repo.Update(ctx, ref.Set.Tenant, func(read Read) (_ Changes, err error) {
		r, err = heldRecord(read, ref)
		return Changes{}, err
	})
	if err != nil {
		return Held{}, err
	}
	return m.held(ctx, r)
}

func heldRecord(read Read, ref Ref) (*record, error) {
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

func (m *Manager) held(ctx context.Context, r *record) (Held, error) {
	if r.Key.State.Final() {
		return Held{Key: r.Key}, nil
	}
	if dead, err := m.buried(ctx, r.Key.Ref); err != nil || dead {
		return Held{}, errors.Join(err, gone(dead, r.Key.Ref))
	}
	if allowed[r.Key.State] == 0 {
		return Held{Key: r.Key}, nil
	}
	return Held{r.Key, r.Wrapped}, nil
}

// Watch implements [Source]. Where the repository is no [Watcher] it yields once and then waits for the end of the context.
func (m *Manager) Watch(ctx context.Context, id SetID) iter.Seq2[struct{}, error] {
	if w, ok := m.repo.(Watcher); ok {
		return w.Watch(ctx, id.Tenant)
	}
	return func(yield func(struct{}, error) bool) {
		if yield(struct{}{}, nil) {
			<-ctx.Done()
			yield(struct{}{}, ctx.Err())
		}
	}
}
