package keyring

import (
	"context"
	"sync"
	"time"
)

// Run keeps what the node holds up to date until ctx ends: it looks at each keyset when the source says that something
// has changed, looks at all of them and beats every Refresh, and takes leases ahead of need. At the end it closes the
// node, and returns the error of that. Errors before are logged; they heal or run into Stale and Fence.
func (n *Node) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { n.refreshing(ctx) })
	wg.Go(func() { n.leasing(ctx) })
	for open := true; open; {
		for _, c := range n.all() {
			if watching, ok := c.watching(ctx); ok {
				wg.Go(func() { c.watch(watching) })
			}
		}
		select {
		case <-n.opened:
		case <-ctx.Done():
			open = false
		}
	}
	wg.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.o.Wait)
	defer cancel()
	return n.Close(closing)
}

func (n *Node) refreshing(ctx context.Context) {
	ticker := time.NewTicker(n.o.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if err := n.Refresh(ctx); err != nil && ctx.Err() == nil {
			n.o.Logger.WarnContext(ctx, "keyring: not refreshed", "node", n.o.Node, "error", err)
		}
	}
}

func (n *Node) leasing(ctx context.Context) {
	for {
		select {
		case <-n.low:
		case <-ctx.Done():
			return
		}
		for _, c := range n.all() {
			if c.stock.Load() != little {
				continue
			}
			if err := c.leaseAhead(ctx); err != nil && ctx.Err() == nil {
				n.o.Logger.WarnContext(ctx, "keyring: nothing leased", "node", n.o.Node, "keyset", c.id.ID, "error", err)
			}
		}
	}
}

// watching returns the context of the watch of this cell; false when it has one, or is dropped.
func (c *cell) watching(ctx context.Context) (context.Context, bool) {
	c.looks.wait()
	defer c.looks.leave()
	if c.dropped || c.watched {
		return nil, false
	}
	c.watched = true
	ctx, c.stop = context.WithCancel(ctx)
	return ctx, true
}

// watch looks at each hint, the first included: it says that from now on none is missed.
func (c *cell) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for _, err := range c.node.source.Watch(ctx, c.id) {
			if err == nil {
				err = c.refresh(ctx)
			}
			if err != nil && ctx.Err() == nil {
				c.node.o.Logger.WarnContext(ctx, "keyring: hint", "node", c.node.o.Node, "keyset", c.id.ID, "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(c.node.o.Refresh):
		}
	}
}
