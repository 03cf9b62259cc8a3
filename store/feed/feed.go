package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// ErrTrimmed says that a feed no longer has the entries asked for: whoever follows it begins anew, from the state.
var ErrTrimmed = errors.New("feed: entries trimmed")

// Feed is a list of changes of one type, a list for each tenant. It holds no state and no connection.
type Feed[T any] struct {
	entries *store.Collection[Entry[T]]
	heads   *store.Collection[head]
	id      store.Key // of the head
}

// Entry is one change.
type Entry[T any] struct {
	Seq   uint64 `json:"seq"` // its number, from 1
	Value T      `json:"value"`
}

// head is the state of a feed: the number of the last entry, and of the last that was trimmed.
type head struct {
	Feed    string `json:"feed"`
	Last    uint64 `json:"last"`
	Trimmed uint64 `json:"trimmed"`
}

var heads = store.NewCollection(store.Schema[head]{
	Name: "opsec/feeds",
	ID:   func(h *head) store.Key { return store.Text(h.Feed) },
})

// New returns the feed of this name, which stands on disk like that of a collection, and shares its rules and those of
// its upgrades ([store.Schema]). A name that is not valid panics.
func New[T any](name string, upgrades ...store.Upgrade) *Feed[T] {
	if name == heads.Name() {
		panic("feed: the name " + name + " is taken")
	}
	within := make([]store.Upgrade, len(upgrades))
	for i, upgrade := range upgrades {
		within[i] = ofValue(upgrade)
	}
	return &Feed[T]{
		entries: store.NewCollection(store.Schema[Entry[T]]{
			Name: name, Upgrades: within,
			ID: func(e *Entry[T]) store.Key { return number(e.Seq) },
		}),
		heads: heads,
		id:    store.Text(name),
	}
}

func number(seq uint64) store.Key { return store.Key{}.Uint(seq) }

// ofValue applies an upgrade to the value of an entry.
func ofValue(upgrade store.Upgrade) store.Upgrade {
	return func(old json.RawMessage) (json.RawMessage, error) {
		var e Entry[json.RawMessage]
		if err := json.Unmarshal(old, &e); err != nil {
			return nil, err
		}
		var err error
		if e.Value, err = upgrade(e.Value); err != nil {
			return nil, err
		}
		return json.Marshal(e)
	}
}

// Parts returns the collections that the feed is made of, for [store.DB.Check].
func (f *Feed[T]) Parts() []store.Part { return []store.Part{f.entries, f.heads} }

func (f *Feed[T]) head(s *store.Sub) (*head, error) {
	h, err := f.heads.Get(s, f.id)
	if errors.Is(err, opsec.ErrNotFound) {
		return &head{Feed: f.entries.Name()}, nil
	}
	return h, err
}

// Append adds entries in the transaction of the change that they tell of, and returns the number of the last.
func (f *Feed[T]) Append(s *store.Sub, values ...T) (last uint64, err error) {
	h, err := f.head(s)
	if err != nil || len(values) == 0 {
		return 0, err
	}
	entries := make([]*Entry[T], len(values))
	for i, v := range values {
		h.Last++
		entries[i] = &Entry[T]{Seq: h.Last, Value: v}
	}
	if err := f.entries.Insert(s, entries...); err != nil {
		return 0, err
	}
	return h.Last, f.heads.Put(s, h)
}

// Last returns the number of the last entry, or 0.
func (f *Feed[T]) Last(s *store.Sub) (uint64, error) {
	h, err := f.head(s)
	if err != nil {
		return 0, err
	}
	return h.Last, nil
}

// Since yields the entries behind number after, in order and without a gap, up to the last there is at first. When some
// of them have been trimmed, the error is [ErrTrimmed].
func (f *Feed[T]) Since(s *store.Sub, after uint64) iter.Seq2[Entry[T], error] {
	return func(yield func(Entry[T], error) bool) {
		h, err := f.head(s)
		if err == nil && after < h.Trimmed {
			err = ErrTrimmed
		}
		for err == nil && after < h.Last {
			var list []*Entry[T]
			if list, err = f.some(s, after, h.Last); err != nil {
				break
			}
			for _, e := range list {
				if !yield(*e, nil) {
					return
				}
			}
			after += uint64(len(list))
		}
		if err != nil {
			yield(Entry[T]{}, err)
		}
	}
}

// some reads the entries behind after, as many as fit into one read.
func (f *Feed[T]) some(s *store.Sub, after, last uint64) ([]*Entry[T], error) {
	ids := make([]store.Key, min(last-after, store.MaxGet))
	for i := range ids {
		ids[i] = number(after + uint64(i) + 1)
	}
	list, err := f.entries.GetAll(s, ids...)
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if e == nil {
			return nil, ErrTrimmed // meanwhile
		}
	}
	return list, nil
}

// Trim removes the entries up to number upTo, at most to the last, some in each commit. What is left has no gap at any
// time.
func (f *Feed[T]) Trim(ctx context.Context, db *store.DB, tenant opsec.TenantID, upTo uint64) error {
	const some = 50
	for more := true; more; {
		err := db.Update(ctx, func(tx *store.Tx) error {
			s := tx.Sub(tenant)
			h, err := f.head(s)
			if err != nil {
				return err
			}
			to := min(upTo, h.Last, h.Trimmed+some)
			if more = h.Trimmed < to; !more {
				return nil
			}
			var ids []store.Key
			for h.Trimmed < to {
				h.Trimmed++
				ids = append(ids, number(h.Trimmed))
			}
			return errors.Join(f.entries.Delete(s, ids...), f.heads.Put(s, h))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Check reads a tenant's whole feed and returns an error when it has a gap. What it is made of is checked by
// [store.DB.Check].
func (f *Feed[T]) Check(ctx context.Context, db *store.DB, tenant opsec.TenantID) error {
	return db.View(ctx, func(tx *store.Tx) error {
		s := tx.Sub(tenant)
		h, err := f.head(s)
		if err != nil {
			return err
		}
		next := h.Trimmed
		for e, err := range f.entries.List(s, store.Query{}) {
			if err != nil {
				return err
			}
			if next++; e.Seq > next { // or some were trimmed meanwhile
				if h, err = f.head(s); err != nil {
					return err
				}
				next = max(next, min(h.Trimmed+1, e.Seq))
			}
			if e.Seq != next {
				return fmt.Errorf("feed: %s: entry %d where %d should be", f.entries.Name(), e.Seq, next)
			}
		}
		if next < h.Last {
			return fmt.Errorf("feed: %s: ends at %d, and its head says %d", f.entries.Name(), next, h.Last)
		}
		return nil
	})
}

// Watch yields once at first, and again when there may be new entries.
func (f *Feed[T]) Watch(ctx context.Context, db *store.DB, tenant opsec.TenantID) iter.Seq2[struct{}, error] {
	return f.entries.Watch(ctx, db, tenant)
}
