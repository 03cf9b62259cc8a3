package keyring

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// maxAbsent is how many ids of keys that do not exist are remembered.
const maxAbsent = 256

// cell is a keyset in the memory of a node. What is used of it is a view, which never changes; a look replaces it.
type cell struct {
	node  *Node
	id    keymgmt.SetID
	view  atomic.Pointer[view] // nil before the first look, and when the cell is dropped
	used  atomic.Bool          // since eviction passed over it
	stock atomic.Int32         // enough, little or failed: of the lease of the primary

	// Who looks is alone, so that nothing old replaces what is newer. Of those who look for an old key one at a time
	// gets to where the looks wait.
	looks, seeks gate

	// By who is alone:
	dropped bool
	watched bool
	stop    context.CancelFunc // of the watch
	absent  map[uint32]moment  // keys that did not exist
}

// view is a keyset as it was at a moment.
type view struct {
	looked  moment // when the look began
	pass    uint64 // the pass that had begun by then
	set     keymgmt.Keyset
	primary *key // nil when there is none, or it could not be unwrapped
	why     error
	keys    map[uint32]*key // those that were asked for, and the primary

	protect, process keymgmt.Op
}

func newCell(n *Node, id keymgmt.SetID) *cell {
	return &cell{node: n, id: id, looks: newGate(), seeks: newGate(), absent: map[uint32]moment{}}
}

// load makes the first look, unless there was one. The cell is not alive when it was dropped, as it is when it cannot be
// loaded.
func (c *cell) load(ctx context.Context) (alive bool, err error) {
	if err := c.looks.enter(ctx); err != nil {
		return true, fmt.Errorf("keyring: keyset %s: %w", c.id, err)
	}
	defer c.looks.leave()
	if c.dropped || c.view.Load() != nil {
		return !c.dropped, nil
	}
	if err := c.look(ctx); err != nil {
		c.end()
		return false, err
	}
	return true, nil
}

// refresh makes another look.
func (c *cell) refresh(ctx context.Context) error {
	if err := c.looks.enter(ctx); err != nil {
		return fmt.Errorf("keyring: keyset %s: %w", c.id, err)
	}
	defer c.looks.leave()
	if c.view.Load() == nil {
		return nil
	}
	return c.look(ctx)
}

// drop ends the cell.
func (c *cell) drop() {
	c.looks.wait()
	defer c.looks.leave()
	c.end()
}

func (c *cell) end() {
	c.dropped = true
	c.replace(nil)
	if c.stop != nil {
		c.stop()
	}
}

// settled reports whether nothing is held that was last looked at before this pass. Keys whose last look is too old are
// dropped first; the cell stays, and is as good as new when a look succeeds again.
func (c *cell) settled(pass uint64) bool {
	c.looks.wait()
	defer c.looks.leave()
	v := c.view.Load()
	if v == nil || len(v.keys) == 0 || v.pass >= pass {
		return true
	}
	if v.looked.within(c.node.o.Fence, c.node.now()) {
		return false
	}
	c.replace(&view{looked: longAgo})
	return true
}

// replace puts the next view in place, and tells who wants to know which keys are gone with the last one.
func (c *cell) replace(next *view) {
	last := c.view.Swap(next)
	if last == nil || c.node.o.Purged == nil {
		return
	}
	for id, k := range last.keys {
		if k.held() && (next == nil || !next.keys[id].held()) {
			c.node.o.Purged(k.record.Ref)
		}
	}
}

// look takes the keyset anew from the source, and with it the keys that are held. When it fails, the view stays as it
// is, and ages; unless the keyset is no more, or not for us.
func (c *cell) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.node.o.Wait)
	defer cancel()
	c.stock.CompareAndSwap(failed, enough)
	pass, began := c.node.passes.Load(), c.node.now()
	snapshot, err := c.node.source.Snapshot(ctx, c.id)
	if err == nil && snapshot.Keyset.SetID != c.id {
		err = fmt.Errorf("keyring: the source returned another keyset: %w", opsec.ErrInvalid)
	}
	if err != nil {
		err = fmt.Errorf("keyring: keyset %s: %w", c.id, err)
		if final(err) && c.view.Load() != nil {
			c.replace(&view{looked: longAgo, why: err})
		}
		return err
	}
	last := c.view.Load()
	if last == nil {
		last = &view{}
	}
	if last.set.Generation == snapshot.Keyset.Generation && last.why == nil && len(last.keys) > 0 {
		next := *last
		next.looked, next.pass = began, pass
		c.replace(&next)
		return nil
	}
	next, err := c.next(ctx, last, snapshot)
	if err != nil {
		return err
	}
	next.looked, next.pass = began, pass
	if next.why != nil && last.keys == nil {
		return next.why
	}
	clear(c.absent)
	c.replace(next)
	return next.why
}

// final says of an error that another attempt will not mend it.
func final(err error) bool {
	return errors.Is(err, opsec.ErrNotFound) || errors.Is(err, opsec.ErrDenied) || errors.Is(err, keymgmt.ErrDestroyed)
}

// next makes a view of a snapshot, with those keys of the last one that still exist.
func (c *cell) next(ctx context.Context, last *view, s keymgmt.Snapshot) (*view, error) {
	protect, process, err := operations(s.Keyset.Purpose)
	if err != nil {
		return nil, err
	}
	next := &view{
		set: s.Keyset, keys: make(map[uint32]*key, len(last.keys)+1), protect: protect, process: process,
	}
	for id := range last.keys {
		if id == s.Key.Ref.Key || len(next.keys) == c.node.o.Keys-1 {
			continue
		}
		record, err := c.node.source.Held(ctx, keymgmt.Ref{Set: c.id, Key: id})
		if final(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keyring: key %s: %w", keymgmt.Ref{Set: c.id, Key: id}, err)
		}
		if k, err := c.key(ctx, &s.Keyset, record, last.keys[id]); err == nil {
			next.keys[id] = k
		}
	}
	if s.Key.Ref.Key == 0 {
		return next, nil
	}
	k, err := c.key(ctx, &s.Keyset, s.Key, last.keys[s.Key.Ref.Key])
	if err != nil {
		next.why = err
		return next, nil
	}
	next.primary, next.keys[k.record.Ref.Key] = k, k
	return next, nil
}

// key makes a key of a record; what has been unwrapped for the last view serves again.
func (c *cell) key(ctx context.Context, set *keymgmt.Keyset, record keymgmt.Held, last *key) (*key, error) {
	k := newKey(set, record, last, c.node.o.Actor)
	if !k.usable || k.held() {
		return k, nil
	}
	context := keymgmt.MaterialContext(record.Ref)
	material, err := c.node.custodian.Unwrap(ctx, set.Custodian, record.Wrapped, context.Bytes())
	if err != nil {
		return nil, fmt.Errorf("keyring: key %s: %w", record.Ref, err)
	}
	defer clear(material)
	k.wrapped = record.Wrapped
	k.primitive, err = newPrimitive(material, record.Key)
	return k, err
}

// find returns a key by its id, as it is in the view, or from the source.
func (c *cell) find(ctx context.Context, id uint32) (*key, error) {
	ref := keymgmt.Ref{Set: c.id, Key: id}
	for _, g := range []gate{c.seeks, c.looks} {
		if err := g.enter(ctx); err != nil {
			return nil, fmt.Errorf("keyring: key %s: %w", ref, err)
		}
		defer g.leave()
	}
	v := c.view.Load()
	now := c.node.now()
	switch {
	case v == nil:
		return nil, fmt.Errorf("keyring: keyset %s: %w", c.id, keymgmt.ErrStale)
	case !v.looked.within(c.node.o.Fence, now):
		return nil, v.stale(c.id)
	case v.keys[id] != nil:
		return v.keys[id], nil
	}
	missing, known := c.absent[id]
	if known && missing.within(c.node.o.Refresh, now) {
		return nil, absent(ref)
	}
	record, err := c.node.source.Held(ctx, ref)
	if errors.Is(err, opsec.ErrNotFound) {
		if len(c.absent) >= maxAbsent {
			clear(c.absent)
		}
		c.absent[id] = now
		return nil, absent(ref)
	}
	if err == nil && record.Ref != ref {
		err = fmt.Errorf("the source returned another key: %w", opsec.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: key %s: %w", ref, err)
	}
	k, err := c.key(ctx, &v.set, record, nil)
	if err != nil {
		return nil, err
	}
	next := *v
	next.keys = maps.Clone(v.keys)
	c.trim(&next)
	next.keys[id] = k
	c.replace(&next)
	return k, nil
}

// trim makes room for one key more.
func (c *cell) trim(v *view) {
	for id, k := range v.keys {
		if len(v.keys) < c.node.o.Keys {
			return
		}
		if k != v.primary {
			delete(v.keys, id)
		}
	}
}

func absent(ref keymgmt.Ref) error {
	return fmt.Errorf("keyring: no key %s: %w", ref, opsec.ErrNotFound)
}

// stale says why a view that is too old is of no use.
func (v *view) stale(id keymgmt.SetID) error {
	if v.why != nil {
		return v.why
	}
	return fmt.Errorf("keyring: keyset %s: %w", id, keymgmt.ErrStale)
}
