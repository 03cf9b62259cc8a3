package lease

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/store"
)

// The conditions that callers branch on.
var (
	// ErrHeld says that somebody else holds the lease.
	ErrHeld = errors.New("lease: held by another")
	// ErrLost says that the lease has passed to another holder, or has run out: its holder must not act.
	ErrLost = errors.New("lease: lost")
)

// Lease is the right to do something alone, for as long as it is renewed. Its token grows with every holder and is
// never used twice (a fencing token: Kleppmann, How to do distributed locking, 2016). What the holder writes to this
// store is safe behind [Held.Fence]; another system must refuse a token that is lower than one it has seen.
//
// No two clocks need to agree: who waits takes the lease over when its record has not changed for the time that the
// holder has promised, on the waiter's own monotonic clock. A machine that is suspended may wake up as a holder that
// has been replaced, and finds out when it renews or writes.
//
// A Lease is one contender; it may be used by many goroutines, and remembers what it has seen between two Trys.
type Lease struct {
	db          *store.DB
	name, owner string
	ttl         time.Duration

	mu     sync.Mutex
	seen   record
	seenAt time.Time
}

// record is what is stored. It stays when the lease is released, for its token.
type record struct {
	Name  string        `json:"name"`
	Owner string        `json:"owner"` // "" when released
	Token uint64        `json:"token"`
	Beat  uint64        `json:"beat"` // of renewals
	TTL   time.Duration `json:"ttl_ns"`
}

// collection is where the leases are, among the provider's own records.
var collection = store.NewCollection(store.Schema[record]{
	Name: "opsec/leases",
	ID:   func(r *record) store.Key { return store.Text(r.Name) },
})

// Part returns the collection of the leases, for [store.DB.Check].
func Part() store.Part { return collection }

// New returns a contender for the lease of this name, 1 to 128 bytes. Owner says who it is, to people; ttl, at least a
// millisecond, is how long a holder that is silent keeps the others waiting.
func New(db *store.DB, name, owner string, ttl time.Duration) (*Lease, error) {
	if db == nil || name == "" || len(name) > 128 || owner == "" || len(owner) > 256 || ttl < time.Millisecond {
		return nil, errors.Join(errors.New("lease: want a store, a name of 1 to 128 bytes, an owner of 1 to 256 and a ttl of "+
			"a millisecond at least"), opsec.ErrInvalid)
	}
	return &Lease{db: db, name: name, owner: owner, ttl: ttl}, nil
}

// read returns the record, or one without an owner and a token if there is none.
func (l *Lease) read(tx *store.Tx) (*record, error) {
	r, err := collection.Get(tx.Sub(opsec.Provider), store.Text(l.name))
	if errors.Is(err, opsec.ErrNotFound) {
		return &record{Name: l.name}, nil
	}
	return r, err
}

func (l *Lease) write(tx *store.Tx, r *record) error {
	return collection.Put(tx.Sub(opsec.Provider), r)
}

// Held is a lease in its holder's hands.
type Held struct {
	lease *Lease
	token uint64

	mu    sync.Mutex
	until time.Time
}

// Try takes the lease if it is free, or if its holder has been silent for its time since an earlier Try of l first saw
// it so. Otherwise the error wraps [ErrHeld].
func (l *Lease) Try(ctx context.Context) (*Held, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	start := time.Now()
	h := &Held{lease: l, until: start.Add(l.ttl)}
	err := l.db.Update(ctx, func(tx *store.Tx) error {
		r, err := l.read(tx)
		if err != nil {
			return err
		}
		if r.Owner != "" {
			if l.seen != *r {
				l.seen, l.seenAt = *r, time.Now()
			}
			if time.Since(l.seenAt) < r.TTL {
				return ErrHeld
			}
		}
		h.token = r.Token + 1
		return l.write(tx, &record{Name: l.name, Owner: l.owner, Token: h.token, TTL: l.ttl})
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Hold waits for the lease, calls fn with it, and gives it back. While fn runs the lease is renewed; when that fails for
// its whole time, or another has taken it, the context of fn ends with the cause [ErrLost].
func (l *Lease) Hold(ctx context.Context, fn func(context.Context, *Held) error) error {
	h, err := l.Try(ctx)
	for errors.Is(err, ErrHeld) {
		if err := pause.For(ctx, l.ttl/4); err != nil {
			return err
		}
		h, err = l.Try(ctx)
	}
	if err != nil {
		return err
	}
	within, lose := context.WithCancelCause(ctx)
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() { h.keep(within, done, lose) })
	defer func() { // also when fn panics
		close(done)
		wait.Wait()
		lose(nil)
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.ttl)
		defer cancel()
		h.Release(release) // else it runs out by itself
	}()
	return fn(within, h)
}

// keep renews until done.
func (h *Held) keep(ctx context.Context, done <-chan struct{}, lose context.CancelCauseFunc) {
	over := make(chan struct{})
	defer close(over)
	go func() { // a renewal that hangs keeps nobody from being told
		for left := time.Until(h.Until()); left > 0; left = time.Until(h.Until()) {
			select {
			case <-over:
				return
			case <-time.After(left):
			}
		}
		lose(ErrLost)
	}()
	tick := time.NewTicker(max(h.lease.ttl/3, time.Millisecond/2))
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		renewal, cancel := context.WithDeadline(ctx, h.Until())
		err := h.Renew(renewal)
		cancel()
		if errors.Is(err, ErrLost) || !time.Now().Before(h.Until()) {
			lose(ErrLost)
			return
		}
	}
}

// Name returns the name of the lease.
func (h *Held) Name() string { return h.lease.name }

// Owner returns who took it.
func (h *Held) Owner() string { return h.lease.owner }

// Token returns the fencing token.
func (h *Held) Token() uint64 { return h.token }

// Until returns when the lease runs out unless it is renewed, by this process's monotonic clock.
func (h *Held) Until() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.until
}

// Renew extends the lease, or returns [ErrLost] when another holder has it.
func (h *Held) Renew(ctx context.Context) error {
	start := time.Now() // before the renewal can have been seen
	err := h.change(ctx, func(r *record) { r.Beat++ })
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.until = start.Add(h.lease.ttl)
	}
	return err
}

// Release gives the lease back; the next holder need not wait. Of a lease that is lost it is [ErrLost].
func (h *Held) Release(ctx context.Context) error {
	return h.change(ctx, func(r *record) { r.Owner = "" })
}

func (h *Held) change(ctx context.Context, how func(*record)) error {
	return h.lease.db.Update(ctx, func(tx *store.Tx) error {
		r, err := h.mine(tx)
		if err != nil {
			return err
		}
		how(r)
		return h.lease.write(tx, r)
	})
}

// Fence makes a transaction of the same store depend on the lease: it commits only if no other holder has come, however
// long this process was stopped. Otherwise the error is [ErrLost].
func (h *Held) Fence(tx *store.Tx) error {
	_, err := h.mine(tx)
	return err
}

func (h *Held) mine(tx *store.Tx) (*record, error) {
	r, err := h.lease.read(tx)
	if err == nil && (r.Token != h.token || r.Owner == "") {
		err = ErrLost
	}
	return r, err
}
