package ledger

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/heads"
)

// Chains knows where every tenant's chain of events ends. The writer alone uses it; others use what is below mu.
type Chains struct {
	ends  map[entry.Handle]*Chain
	dirty []*Chain // whose end has moved since the last epoch
	steps []step   // of the batch that is being made

	mu    sync.Mutex
	tree  *heads.Tree // the ends at the last epoch
	ahead bool        // tree is beyond the last epoch, whose entry could not be written
	last  Bound
}

// Bound is an entry that binds the ends of all chains: an epoch.
type Bound struct {
	entry.Leaf
	Index uint64
	Hash  tlog.Hash
}

// Chain is the end of one.
type Chain struct {
	heads.Head
	dirty bool
}

// step is what undo goes back.
type step struct {
	chain  *Chain
	before Chain
}

// New returns no chains.
func New() *Chains {
	c := &Chains{ends: map[entry.Handle]*Chain{}, tree: new(heads.Tree)}
	return c
}

// Of returns the chain of a tenant.
func (c *Chains) Of(tenant entry.Handle) *Chain {
	h := c.ends[tenant]
	if h == nil {
		h = &Chain{Head: heads.Head{Tag: tenant}}
		c.ends[tenant] = h
	}
	return h
}

// Extend moves the end of a chain, until Keep or Undo.
func (c *Chains) Extend(h *Chain, leaf tlog.Hash) {
	c.steps = append(c.steps, step{h, *h})
	h.Seq++
	h.Leaf = leaf
	if !h.dirty {
		h.dirty = true
		c.dirty = append(c.dirty, h)
	}
}

// Keep ends what Undo would take back.
func (c *Chains) Keep() { c.steps = c.steps[:0] }

// Undo takes back all that was extended since Keep.
func (c *Chains) Undo() {
	for len(c.steps) > 0 {
		s := c.steps[len(c.steps)-1]
		c.steps = c.steps[:len(c.steps)-1]
		if s.chain.dirty && !s.before.dirty {
			c.dirty = c.dirty[:len(c.dirty)-1] // it came last
		}
		*s.chain = s.before
	}
}

// Epoch returns the leaf that binds the ends as they are now, and whether they are others than at the last epoch.
func (c *Chains) Epoch(now time.Time) (entry.Leaf, bool) {
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

// Bound says that the entry of an epoch is durable.
func (c *Chains) Bound(leaf entry.Leaf, index uint64, hash tlog.Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = false
	c.last = Bound{leaf, index, hash}
}

// Snapshot returns the ends as the last epoch has bound them.
func (c *Chains) Snapshot() *Savepoint {
	return &Savepoint{Epoch: c.last.Number, Size: c.last.Index + 1, Heads: c.tree.Snapshot()}
}

// Restore is the inverse of Snapshot.
func (c *Chains) Restore(s *Savepoint) error {
	tree, err := heads.FromSnapshot(s.Heads)
	if err != nil {
		return err
	}
	c.tree = tree
	for _, h := range s.Heads {
		c.ends[h.Tag] = &Chain{Head: h}
	}
	return nil
}

// Replay takes an entry that stands in the journal already.
func (c *Chains) Replay(index uint64, leaf entry.Leaf, hash tlog.Hash) error {
	switch leaf.Kind {
	case entry.Event:
		h := c.Of(leaf.Tenant)
		if leaf.Seq != h.Seq+1 || leaf.Prev != h.Leaf {
			return fmt.Errorf("entry %d does not continue its tenant's chain", index)
		}
		c.Extend(h, hash)
		c.Keep()
	case entry.Epoch:
		want, changed := c.Epoch(leaf.Time)
		if !changed || want.Number != leaf.Number || want.Tenants != leaf.Tenants || want.Heads != leaf.Heads {
			return fmt.Errorf("epoch %d, entry %d, does not bind the ends of the chains before it", leaf.Number, index)
		}
		c.Bound(leaf, index, hash)
	default:
		return fmt.Errorf("entry %d is of a kind that this log does not write", index)
	}
	return nil
}

// Len is the number of chains.
func (c *Chains) Len() int { return len(c.ends) }

// Prove returns the latest epoch, and the proof of what it says about a tenant's chain. Without an epoch, or while one
// is being written, ok is false.
func (c *Chains) Prove(tenant entry.Handle) (last Bound, path heads.Proof, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.Number == 0 || c.ahead {
		return Bound{}, heads.Proof{}, false
	}
	return c.last, c.tree.Prove(tenant), true
}

// Root is the root over the ends at the latest epoch.
func (c *Chains) Root() tlog.Hash { return c.tree.Root() }
