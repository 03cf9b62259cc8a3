package translog

import (
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/heads"
	"github.com/cloudopsec/opsec/internal/window"
)

// chains knows where every tenant's chain of events ends. The writer alone uses it; others use what is below mu.
type chains struct {
	ends  map[entry.Handle]*chain
	dirty []*chain // whose end has moved since the last epoch
	steps []step   // of the batch that is being made
	known window.Window[[16]byte, place]

	mu    sync.Mutex
	tree  *heads.Tree // the ends at the last epoch
	ahead bool        // tree is beyond the last epoch, whose entry could not be written
	last  epoch
}

// epoch is an entry that binds the ends of all chains.
type epoch struct {
	entry.Leaf
	index uint64
	hash  tlog.Hash
}

type chain struct {
	heads.Head
	dirty bool
}

// step is what undo goes back.
type step struct {
	chain  *chain
	before chain
}

func newChains(remember int) *chains {
	c := &chains{ends: map[entry.Handle]*chain{}, tree: new(heads.Tree)}
	c.known.Size = remember
	return c
}

// of returns the chain of a tenant.
func (c *chains) of(tenant entry.Handle) *chain {
	h := c.ends[tenant]
	if h == nil {
		h = &chain{Head: heads.Head{Tag: tenant}}
		c.ends[tenant] = h
	}
	return h
}

// extend moves the end of a chain, until keep or undo.
func (c *chains) extend(h *chain, leaf tlog.Hash) {
	c.steps = append(c.steps, step{h, *h})
	h.Seq++
	h.Leaf = leaf
	if !h.dirty {
		h.dirty = true
		c.dirty = append(c.dirty, h)
	}
}

func (c *chains) keep() { c.steps = c.steps[:0] }

func (c *chains) undo() {
	for len(c.steps) > 0 {
		s := c.steps[len(c.steps)-1]
		c.steps = c.steps[:len(c.steps)-1]
		if s.chain.dirty && !s.before.dirty {
			c.dirty = c.dirty[:len(c.dirty)-1] // it came last
		}
		*s.chain = s.before
	}
}

// epoch returns the leaf that binds the ends as they are now, and whether they are others than at the last epoch.
func (c *chains) epoch(now time.Time) (entry.Leaf, bool) {
	if len(c.dirty) == 0 && !c.ahead {
		return entry.Leaf{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.dirty {
		c.tree.Set(h.Head)
		h.dirty = false
	}
	c.dirty = c.dirty[:0]
	c.ahead = true
	return entry.Leaf{
		Kind: entry.Epoch, Time: now.UTC(), Number: c.last.Number + 1,
		Tenants: uint64(c.tree.Len()), Heads: c.tree.Root(),
	}, true
}

// bound says that the entry of an epoch is durable.
func (c *chains) bound(leaf entry.Leaf, index uint64, hash tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = false
	c.last = epoch{leaf, index, hash}
}

// snapshot returns the ends as the last epoch has bound them.
func (c *chains) snapshot() *savepoint {
	return &savepoint{Epoch: c.last.Number, Size: c.last.index + 1, heads: c.tree.Snapshot()}
}

// restore is the inverse of snapshot.
func (c *chains) restore(s *savepoint) error {
	tree, err := heads.FromSnapshot(s.heads)
	if err != nil {
		return err
	}
	c.tree = tree
	for _, h := range s.heads {
		c.ends[h.Tag] = &chain{Head: h}
	}
	return nil
}

// replay takes an entry that stands in the journal already.
func (c *chains) replay(index uint64, leaf entry.Leaf, hash tlog.Hash) error {
	switch leaf.Kind {
	case entry.Event:
		h := c.of(leaf.Tenant)
		if leaf.Seq != h.Seq+1 || leaf.Prev != h.Leaf {
			return tampered("entry %d does not continue its tenant's chain", index)
		}
		c.extend(h, hash)
		c.keep()
		c.known.Put(leaf.ID, place{index, leaf.Seq, hash})
	case entry.Epoch:
		want, changed := c.epoch(leaf.Time)
		if !changed || want.Number != leaf.Number || want.Tenants != leaf.Tenants || want.Heads != leaf.Heads {
			return tampered("epoch %d, entry %d, does not bind the ends of the chains before it", leaf.Number, index)
		}
		c.bound(leaf, index, hash)
	default:
		return tampered("entry %d is of a kind that this log does not write", index)
	}
	return nil
}
