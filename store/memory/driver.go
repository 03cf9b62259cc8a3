package memory

import (
	"bytes"
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/cloudopsec/opsec/internal/hint"
	"github.com/cloudopsec/opsec/store"
)

// Driver is a [store.Driver], a [store.Watcher] and [store.Certain]. Make it with [New].
type Driver struct {
	hub hint.Hub

	mu     sync.RWMutex
	items  btree.Map[string, item]
	last   store.Rev
	closed bool
}

type item struct {
	value []byte // never nil, never changed
	rev   store.Rev
}

// New returns an empty store.
func New() *Driver { return new(Driver) }

// Get implements [store.Driver].
func (d *Driver) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := store.ValidateKeys(keys...); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, store.ErrClosed
	}
	list := make([]store.Item, len(keys))
	for i, key := range keys {
		it, _ := d.items.Get(key)
		list[i] = store.Item{Key: key, Value: it.value, Rev: it.rev}
	}
	return list, nil
}

// List implements [store.Driver].
func (d *Driver) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, store.ErrClosed
	}
	var page []store.Item
	size := 0
	add := func(key string, it item) bool {
		switch {
		case r.Reverse && r.End != "" && key >= r.End: // where the descent begins
			return true
		case r.Reverse && key < r.Start, !r.Reverse && r.End != "" && key >= r.End:
			return false
		case r.KeysOnly:
			it.value = nil
		}
		page = append(page, store.Item{Key: key, Value: it.value, Rev: it.rev})
		size += len(it.value)
		return len(page) < r.Limit && size < store.MaxPageBytes
	}
	switch {
	case !r.Reverse:
		d.items.Ascend(r.Start, add)
	case r.End == "":
		d.items.Reverse(add)
	default:
		d.items.Descend(r.End, add)
	}
	return page, nil
}

// Commit implements [store.Driver].
func (d *Driver) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := b.Validate(); err != nil {
		return 0, err
	}
	rev, err := d.commit(&b)
	if err == nil && d.hub.Listening() {
		keys := make([]string, len(b.Ops))
		for i := range b.Ops {
			keys[i] = b.Ops[i].Key
		}
		d.hub.Tell(keys...)
	}
	return rev, err
}

func (d *Driver) commit(b *store.Batch) (store.Rev, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, store.ErrClosed
	}
	var failed []string
	for _, c := range b.Checks {
		if it, _ := d.items.Get(c.Key); it.rev != c.Rev {
			failed = append(failed, c.Key)
		}
	}
	if failed != nil {
		return 0, &store.ConflictError{Keys: failed}
	}
	if len(b.Ops) == 0 {
		return 0, nil
	}
	d.last++
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Delete {
			d.items.Delete(op.Key)
			continue
		}
		value := bytes.Clone(op.Value)
		if value == nil {
			value = []byte{}
		}
		d.items.Set(strings.Clone(op.Key), item{value: value, rev: d.last})
	}
	return d.last, nil
}

// Watch implements [store.Watcher]. It ends with [store.ErrClosed] after Close.
func (d *Driver) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	return d.hub.Watch(ctx, prefix)
}

// Certain implements [store.Certain]: it is true.
func (d *Driver) Certain() bool { return true }

// Close implements [store.Driver], and forgets everything.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closed = true
	d.items.Clear()
	d.mu.Unlock()
	d.hub.Close(store.ErrClosed)
	return nil
}
