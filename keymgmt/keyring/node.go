package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Options are the wiring and the limits of a [Node].
type Options struct {
	// Node is its name, which no other process has, nor this one when it starts anew: a host and a number of a process, at
	// most 64 bytes. Default: an [opsec.NewID].
	Node string

	// Actor is in whose name keys are used: one of the operators of each keyset, or its keys are refused.
	Actor opsec.Actor

	// Membership is told that this node holds keys. Default: the Source, when it is one, as a Manager is.
	Membership keymgmt.Membership
	// InsecureAlone holds keys without telling anybody: a destruction does not wait for this node.
	InsecureAlone bool

	Refresh time.Duration // how often a node looks at its keysets; default 10 s
	Stale   time.Duration // how old the last look may be for protecting: more than Refresh; default 1 min
	Fence   time.Duration // and for processing: not less than Stale; default 5 min
	Wait    time.Duration // for the source or the custodian, in calls that take no context; default 5 s

	Keysets int // held at once; the one longest not used goes first; default 1,000
	Keys    int // held at once of each keyset; default 100

	// Purged, when not nil, is called for a key that this node had in memory and has dropped, before a beat says so: for
	// caches of what the key has wrapped. It must not call the node.
	Purged func(keymgmt.Ref)

	Now    func() time.Time // default time.Now; ages are also taken on the monotonic clock, whatever this says
	Logger *slog.Logger     // default none
}

// complete fills in the defaults.
func (o *Options) complete() error {
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{{&o.Refresh, 10 * time.Second}, {&o.Stale, time.Minute}, {&o.Fence, 5 * time.Minute}, {&o.Wait, 5 * time.Second}} {
		if *d.p == 0 {
			*d.p = d.v
		}
	}
	for _, d := range []struct {
		p *int
		v int
	}{{&o.Keysets, 1000}, {&o.Keys, 100}} {
		if *d.p == 0 {
			*d.p = d.v
		}
	}
	if o.Node == "" {
		o.Node = string(opsec.NewID())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case o.Refresh < 0 || o.Stale <= o.Refresh || o.Fence < o.Stale || o.Wait < 0:
		return fmt.Errorf("keyring: options: want refresh < stale <= fence, not %v, %v, %v, and wait not below 0: %w",
			o.Refresh, o.Stale, o.Fence, opsec.ErrInvalid)
	case o.Keysets < 1 || o.Keys < 2:
		return fmt.Errorf("keyring: options: want at least 1 keyset and 2 keys of each: %w", opsec.ErrInvalid)
	case o.Membership == nil && !o.InsecureAlone:
		return fmt.Errorf("keyring: options: no membership: %w", opsec.ErrInvalid)
	}
	return nil
}

// Node is a process that uses keys: what it holds of any number of keysets, and its promise to let go of them in time.
// All methods may be called by many goroutines.
type Node struct {
	source    keymgmt.Source
	custodian keymgmt.Custodian
	o         Options

	epoch time.Time // of the monotonic clock
	beat  atomic.Pointer[moment]

	pass   gate // one look at everything at a time
	passes atomic.Uint64

	mu    sync.Mutex
	cells map[keymgmt.SetID]*cell
	left  bool

	opened, low chan struct{} // tell Run of a new cell, of a lease that ends
}

// moment is an instant on two clocks. The monotonic one stands still while a machine is suspended, the other one is set
// by people; of two ages the greater counts.
type moment struct{ mono, wall int64 }

// longAgo is further back than any limit reaches.
var longAgo = moment{-1 << 61, -1 << 61}

func (n *Node) now() moment {
	t := time.Now()
	m := moment{int64(t.Sub(n.epoch)), t.UnixNano()}
	if n.o.Now != nil {
		m.wall = n.o.Now().UnixNano()
	}
	return m
}

func (m moment) within(limit time.Duration, now moment) bool {
	return now.mono-m.mono < int64(limit) && now.wall-m.wall < int64(limit)
}

// Join makes this process a node that may hold keys. The promise that it gives to the membership is Fence and Stale
// together: a keyset that cannot be looked at any more is dropped after Fence, and until then there is no beat.
//
// Without [Node.Run], or [Node.Refresh] now and then, nothing is usable for longer than Stale and Fence.
func Join(ctx context.Context, source keymgmt.Source, custodian keymgmt.Custodian, opts *Options) (*Node, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if m, ok := source.(keymgmt.Membership); ok && o.Membership == nil && !o.InsecureAlone {
		o.Membership = m
	}
	if o.InsecureAlone {
		o.Membership = nil
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	if source == nil || custodian == nil {
		return nil, fmt.Errorf("keyring: want a source and a custodian: %w", opsec.ErrInvalid)
	}
	n := &Node{
		source: source, custodian: custodian, o: o, epoch: time.Now(), pass: newGate(), cells: map[keymgmt.SetID]*cell{},
		opened: make(chan struct{}, 1), low: make(chan struct{}, 1),
	}
	return n, n.join(ctx)
}

// join is called while nothing can be used. What was loaded meanwhile is dropped: nobody counts on it, so it may be destroyed
// already.
func (n *Node) join(ctx context.Context) error {
	began := n.now()
	if n.o.Membership != nil {
		if err := n.o.Membership.Join(ctx, n.o.Node, n.promise()); err != nil {
			return fmt.Errorf("keyring: node %s does not join: %w", n.o.Node, err)
		}
		n.forgetAll()
	}
	n.beat.Store(&began)
	return nil
}

func (n *Node) promise() time.Duration { return n.o.Fence + n.o.Stale }

// promised reports whether the membership still counts on this node.
func (n *Node) promised(now moment) bool {
	return n.o.Membership == nil || n.beat.Load().within(n.promise(), now)
}

// Ring returns the keyset, for use. It is loaded now, with its primary key, unless the node holds it already.
func (n *Node) Ring(ctx context.Context, id keymgmt.SetID) (*Ring, error) {
	c, err := n.cell(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &Ring{node: n, id: id}
	r.held.Store(c)
	return r, nil
}

// cell returns the keyset in memory, loaded.
func (n *Node) cell(ctx context.Context, id keymgmt.SetID) (*cell, error) {
	for {
		c, victims, err := n.slot(id)
		if err != nil {
			return nil, err
		}
		for _, v := range victims {
			n.forget(v)
		}
		alive, err := c.load(ctx)
		if !alive {
			n.remove(c)
		}
		if err != nil {
			return nil, err
		}
		if alive {
			return c, nil
		}
	}
}

// slot returns the cell of this keyset, and those that have to make room: one, and what others who came at the same time have
// chosen too. A cell is in the map before its first look, so that a pass that begins later waits for it.
func (n *Node) slot(id keymgmt.SetID) (c *cell, victims []*cell, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.left {
		return nil, nil, n.hasLeft()
	}
	if c := n.cells[id]; c != nil {
		return c, nil, nil
	}
	excess := len(n.cells) + 1 - n.o.Keysets
	for _, turn := range []bool{true, false} {
		for _, v := range n.cells { // in no order; one that was used since it was last passed over has another turn
			if len(victims) < excess && !slices.Contains(victims, v) && !(v.used.Swap(false) && turn) {
				victims = append(victims, v)
			}
		}
	}
	c = newCell(n, id)
	n.cells[id] = c
	notify(n.opened)
	return c, victims, nil
}

func (n *Node) hasLeft() error {
	return fmt.Errorf("keyring: node %s has left: %w", n.o.Node, keymgmt.ErrStale)
}

// forget drops the cell, first its keys and then its place, for a pass must not miss keys that are there.
func (n *Node) forget(c *cell) {
	c.drop()
	n.remove(c)
}

func (n *Node) remove(c *cell) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cells[c.id] == c {
		delete(n.cells, c.id)
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (n *Node) gone() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.left
}

// all returns the cells there are.
func (n *Node) all() []*cell {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]*cell, 0, len(n.cells))
	for _, c := range n.cells {
		list = append(list, c)
	}
	return list
}

// lookers is how many keysets a pass looks at side by side.
const lookers = 8

// Refresh looks at all keysets that the node holds, and beats if it could. [Node.Run] does so; a script that has no Run
// calls it before what it does. It returns what could not be looked at, joined; those keysets are used no more as soon as
// their last look is as old as Stale and Fence say.
func (n *Node) Refresh(ctx context.Context) error {
	if err := n.pass.enter(ctx); err != nil {
		return fmt.Errorf("keyring: node %s: %w", n.o.Node, err)
	}
	defer n.pass.leave()
	if n.gone() {
		return n.hasLeft()
	}
	pass := n.passes.Add(1)
	cells := n.all()
	errs := make([]error, len(cells))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(lookers, len(cells)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(cells)); i = next.Add(1) - 1 {
				errs[i] = cells[i].refresh(ctx)
			}
		})
	}
	wg.Wait()

	settled := true
	for _, c := range cells {
		settled = c.settled(pass) && settled
	}
	if !settled || n.o.Membership == nil {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, n.sendBeat(ctx))...)
}

func (n *Node) sendBeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.o.Wait)
	defer cancel()
	began := n.now()
	err := n.o.Membership.Beat(ctx, n.o.Node)
	if errors.Is(err, opsec.ErrNotFound) { // somebody has declared it gone: it starts anew, with nothing
		n.beat.Store(&longAgo)
		n.forgetAll()
		return n.join(ctx)
	}
	if err != nil {
		return fmt.Errorf("keyring: node %s: %w", n.o.Node, err)
	}
	n.beat.Store(&began)
	return nil
}

func (n *Node) forgetAll() {
	for _, c := range n.all() {
		n.forget(c)
	}
}

// Close drops all keys and leaves the membership. The node cannot be used afterwards; [Node.Run] closes at its end.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	n.left = true
	n.mu.Unlock()
	n.pass.wait()
	defer n.pass.leave()
	n.forgetAll()
	if n.o.Membership == nil {
		return nil
	}
	if err := n.o.Membership.Leave(ctx, n.o.Node); err != nil {
		return fmt.Errorf("keyring: node %s does not leave: %w", n.o.Node, err)
	}
	return nil
}
