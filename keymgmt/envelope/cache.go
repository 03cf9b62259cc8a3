package envelope

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec"
)

// slot is where a data key is found: that which encrypts under a context, or that which is wrapped so. What belongs to
// one tenant or context is never found by another.
type slot struct {
	tenant  opsec.TenantID
	context string
	wrapped string // empty for the key that encrypts
}

// cache keeps data keys within limits. Who has to go is found by a hand that goes round, and passes over once what has
// been used since (CLOCK): so a lookup changes nothing for which it would need the lock alone.
type cache struct {
	limits Limits
	now    func() time.Time

	mu      sync.RWMutex
	entries map[slot]*entry
	ring    []*entry // the same, for the hand
	hand    int
	memory  int64
	flights map[slot]*flight
}

type entry struct {
	slot slot
	key  *dataKey
	used atomic.Bool // since the hand was here
	at   int         // in ring
}

// entryBytes is what an entry takes besides its texts: 768 bytes for the expanded key, the rest for entry, maps and ring.
const entryBytes = 768 + 320

func (e *entry) bytes() int64 {
	return entryBytes + int64(len(e.slot.tenant)+len(e.slot.context)+len(e.slot.wrapped)+len(e.key.header))
}

// flight is a call to the key-encryption key for which others wait too.
type flight struct {
	done chan struct{} // closed when the rest stands
	key  *dataKey
	err  error
	own  bool // the leader's context has ended, or it has panicked: nothing that concerns the others
}

func newCache(l Limits, o *Options) (*cache, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	c := &cache{limits: l, now: time.Now, entries: map[slot]*entry{}, flights: map[slot]*flight{}}
	if o != nil && o.Now != nil {
		c.now = o.Now
	}
	return c, nil
}

// get returns a key that use has accepted. When the cache has none, one caller makes it, and those who come meanwhile
// wait for it, each no longer than its own context lasts.
func (c *cache) get(ctx context.Context, tenant opsec.TenantID, kc, wrapped []byte,
	use func(*dataKey) error, make func() (*dataKey, error)) (*dataKey, error) {
	for {
		c.mu.RLock()
		e := c.entries[slot{tenant, string(kc), string(wrapped)}]
		c.mu.RUnlock()
		if e != nil && c.young(e.key) && use(e.key) == nil {
			if !e.used.Load() { // most find it set, and need no write
				e.used.Store(true)
			}
			return e.key, nil
		}
		s := slot{tenant, string(kc), string(wrapped)}
		f, leads := c.board(s, e)
		switch {
		case f == nil: // there is another key by now
			continue
		case leads:
			c.fly(ctx, s, f, use, make)
			return f.key, f.err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		switch {
		case f.own:
		case f.err != nil:
			return nil, f.err
		case use(f.key) == nil:
			return f.key, nil
		}
	}
}

// young reports whether a key may still be used. One from the future was made before the clock went back, nobody knows
// how far.
func (c *cache) young(d *dataKey) bool {
	age := c.now().Sub(d.born)
	return 0 <= age && age < c.limits.Age
}

// board returns the flight for a slot, and whether the caller leads it; nil when the cache has a key that the caller has
// not seen. The one that it has seen, and did not take, goes.
func (c *cache) board(s slot, seen *entry) (f *flight, leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := c.entries[s]; {
	case e == nil:
	case e == seen:
		c.remove(e)
	default:
		return nil, false
	}
	if f := c.flights[s]; f != nil {
		return f, false
	}
	f = &flight{done: make(chan struct{})}
	c.flights[s] = f
	return f, true
}

// fly makes the key of a flight, takes the leader's part of it, and keeps it unless there was a purge meanwhile.
func (c *cache) fly(ctx context.Context, s slot, f *flight, use func(*dataKey) error, make func() (*dataKey, error)) {
	f.own = true // until make has returned
	defer func() {
		c.mu.Lock()
		if c.flights[s] == f {
			delete(c.flights, s)
			if !f.own && f.err == nil {
				c.insert(&entry{slot: s, key: f.key})
			}
		}
		c.mu.Unlock()
		close(f.done)
	}()
	var err error
	for range 2 { // again, if the key above was rotated or let go of between the two calls
		born := c.now()
		var key *dataKey
		if key, err = make(); err != nil {
			break
		}
		key.born = born
		if err = use(key); err == nil {
			f.key = key
			break
		}
	}
	f.err, f.own = err, err != nil && ctx.Err() != nil
}

// insert makes room and takes e in, if it fits at all.
func (c *cache) insert(e *entry) {
	n := e.bytes()
	if n > c.limits.Memory {
		return
	}
	for len(c.ring) > 0 && (len(c.ring) >= c.limits.Entries || c.memory+n > c.limits.Memory) {
		c.hand %= len(c.ring)
		if old := c.ring[c.hand]; old.used.Swap(false) && c.young(old.key) {
			c.hand++
		} else {
			c.remove(old)
		}
	}
	e.at = len(c.ring)
	c.ring, c.entries[e.slot] = append(c.ring, e), e
	c.memory += n
}

func (c *cache) remove(e *entry) {
	n := len(c.ring) - 1
	last := c.ring[n]
	c.ring[e.at], last.at = last, e.at // the last one takes its place
	c.ring[n] = nil
	c.ring = c.ring[:n]
	delete(c.entries, e.slot)
	c.memory -= e.bytes()
}

// purge removes what match holds for, and sees to it that no flight of these tenants that is under way comes in later.
func (c *cache) purge(tenant func(opsec.TenantID) bool, match func(*dataKey) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.ring) - 1; i >= 0; i-- { // remove puts the last, which has been looked at, in its place
		if e := c.ring[i]; tenant(e.slot.tenant) && match(e.key) {
			c.remove(e)
		}
	}
	maps.DeleteFunc(c.flights, func(s slot, _ *flight) bool { return tenant(s.tenant) })
}

func (c *cache) run(ctx context.Context) error {
	if c.limits == (Limits{}) {
		<-ctx.Done()
		return ctx.Err()
	}
	t := time.NewTicker(c.limits.Age)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			c.mu.Lock()
			for i := len(c.ring) - 1; i >= 0; i-- {
				if e := c.ring[i]; !c.young(e.key) {
					c.remove(e)
				}
			}
			c.mu.Unlock()
		}
	}
}

func (c *cache) size() (keys int, bytes int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.ring), c.memory
}
