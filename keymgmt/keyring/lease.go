package keyring

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/cloudopsec/opsec/keymgmt"
)

// lease is what this node has taken of what the policy lets a key protect. What is left of it when the node ends or drops
// the keyset is lost: a limit may be reached early, and never late.
type lease struct {
	block keymgmt.Block

	asks  gate          // who asks for more is alone
	turns atomic.Uint64 // how many have asked
	err   error         // what the last one got
}

func newLease() *lease { return &lease{asks: newGate()} }

// How a cell stands with its lease.
const (
	enough int32 = iota
	little       // Run is to take more
	failed       // it could not; the next look may try again
)

// blockOf returns what a node leases at once: the policy's block of messages, and as many bytes in proportion.
func blockOf(p keymgmt.Policy) keymgmt.Amount {
	messages := max(p.Block, 1)
	bytes := p.Bytes / max(p.Messages/messages, 1)
	return keymgmt.Amount{Messages: messages, Bytes: min(max(bytes, 1), keymgmt.MaxBlockBytes/2)}
}

// take takes one message of n bytes of what is leased. When little is left it tells Run, when there is not enough it asks
// the source itself, for as long as Options.Wait.
func (c *cell) take(k *key, n int) error {
	if !k.lease.block.Take(n) {
		return c.leaseNow(k, n)
	}
	if k.isLow() && c.stock.CompareAndSwap(enough, little) {
		notify(c.node.low)
	}
	return nil
}

func (k *key) isLow() bool {
	left := k.lease.block.Left()
	return left.Messages < k.block.Messages/4 || left.Bytes < k.block.Bytes/4
}

func (c *cell) leaseNow(k *key, n int) error {
	ctx, cancel := c.node.wait()
	defer cancel()
	l := k.lease
	turn := l.turns.Load()
	if err := l.asks.enter(ctx); err != nil {
		return fmt.Errorf("keyring: no lease of key %s: %w", k.record.Ref, err)
	}
	defer l.asks.leave()
	if l.turns.Load() != turn && l.err != nil { // somebody has asked meanwhile; all who waited would, one after the other
		return l.err
	}
	if l.block.Take(n) {
		return nil
	}
	if err := c.ask(ctx, k, uint64(n)); err != nil {
		return err
	}
	if !l.block.Take(n) {
		return &keymgmt.ExhaustedError{Ref: k.record.Ref}
	}
	return nil
}

// ask leases a block of a key, and at least so many bytes. The caller is alone.
func (c *cell) ask(ctx context.Context, k *key, bytes uint64) error {
	ask := k.block
	ask.Bytes = max(ask.Bytes, bytes)
	got, err := c.node.source.Lease(ctx, k.record.Ref, ask)
	if err != nil {
		err = fmt.Errorf("keyring: no lease of key %s: %w", k.record.Ref, err)
	} else {
		k.lease.block.Add(got)
	}
	k.lease.err = err
	k.lease.turns.Add(1)
	return err
}

// leaseAhead leases a block before the last one ends.
func (c *cell) leaseAhead(ctx context.Context) error {
	v := c.view.Load()
	if v == nil || v.primary == nil || !v.looked.within(c.node.o.Stale, c.node.now()) {
		c.stock.Store(failed)
		return nil
	}
	k := v.primary
	if err := k.lease.asks.enter(ctx); err != nil {
		c.stock.Store(failed)
		return err
	}
	defer k.lease.asks.leave()
	if k.check(v.protect, c.node.now()) != nil || !k.isLow() {
		c.stock.Store(enough)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.node.o.Wait)
	defer cancel()
	if err := c.ask(ctx, k, 1); err != nil {
		c.stock.Store(failed)
		return err
	}
	c.stock.Store(enough)
	return nil
}
