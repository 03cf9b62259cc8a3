package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/internal/relay"
	"github.com/cloudopsec/opsec/internal/slot"
	"github.com/cloudopsec/opsec/internal/vault"
)

// Options is the wiring of a [DB]. The zero value is a store that is not sealed.
type Options struct {
	// Node names this process to the others that share the store: 1 to 48 lower-case letters, digits, '_', '-', '.' and
	// '/'. Events wait for delivery under it, so a name that comes back after a restart is best; the default is a fresh one.
	Node string
	// Sealer seals every value; nil leaves them readable. It comes from a custodian outside this store: a store whose
	// keys lie in itself cannot be opened.
	Sealer Sealer
	// PRF blinds the keys of indexes marked [Index.Blind]; a Sealer needs it.
	PRF PRF
	// InsecureReadPlain accepts values that are not sealed, in a store that is: for the time in which [DB.Reseal] seals
	// what was written before. Until it is off again, whoever can write to the engine can forge values.
	InsecureReadPlain bool
	// Poll is how often a driver that cannot watch is asked for changes; 0 is a second.
	Poll time.Duration
	// Now is the clock for what is written down; nil is time.Now.
	Now func() time.Time
}

// DB runs transactions on a [Driver]. It may be used by many goroutines.
type DB struct {
	driver  Driver
	vault   vault.Vault
	node    string
	poll    time.Duration
	now     func() time.Time
	lanes   relay.Lanes[*group]
	markers *markers // nil when the driver's commits are certain
}

// New returns a DB over driver, which it owns from then on. It reads and writes nothing yet.
func New(driver Driver, o *Options) (*DB, error) {
	if o == nil {
		o = &Options{}
	}
	db := &DB{
		driver: driver, node: o.Node, poll: o.Poll, now: o.Now,
		vault: vault.Vault{Sealer: o.Sealer, PRF: o.PRF, ReadPlain: o.InsecureReadPlain},
	}
	switch {
	case driver == nil:
		return nil, invalid("no driver")
	case o.Sealer != nil && o.PRF == nil:
		return nil, invalid("options: a Sealer needs a PRF, or blind indexes would be readable")
	case o.Sealer == nil && o.InsecureReadPlain:
		return nil, invalid("options: InsecureReadPlain without a Sealer")
	case o.Poll < 0:
		return nil, invalid("options: poll %v", o.Poll)
	case o.Node != "" && (!layout.ValidName(o.Node) || len(o.Node) > 48):
		return nil, invalid("options: node: want 1 to 48 lower-case letters, digits, '_', '-', '.', '/'")
	}
	if db.node == "" {
		db.node = string(opsec.NewID())
	}
	if db.poll == 0 {
		db.poll = time.Second
	}
	if db.now == nil {
		db.now = time.Now
	}
	if c, ok := driver.(Certain); !ok || !c.Certain() {
		db.markers = newMarkers(driver, db.now)
	}
	return db, nil
}

// Node returns the name of this process.
func (db *DB) Node() string { return db.node }

// Close closes the driver.
func (db *DB) Close() error { return db.driver.Close() }

// View calls fn with a transaction that reads. Each read is of the latest state; two reads may see different ones, and
// a list the state of each of its pages. Use [DB.Snapshot] where they must fit together.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	tx := &Tx{ctx: ctx, db: db, mode: viewing}
	defer tx.end()
	return fn(tx)
}

// Snapshot calls fn with a transaction whose reads are all of one point in time: when they are not, fn is called again,
// so it should only collect. Lists need a collection with [Schema.Guarded].
func (db *DB) Snapshot(ctx context.Context, fn func(*Tx) error) error {
	return db.run(ctx, &Tx{mode: snapshot}, fn)
}

// Update calls fn with a transaction that reads and writes, and commits what it has written, all or nothing, if nothing
// that it read has changed meanwhile. Otherwise fn is called again, some milliseconds later, until the context ends: fn
// has no effects but through tx. An error that fn returns ends the transaction without a write; if fn could have
// decided by reads that do not fit together, they are compared first.
//
// The transaction is of one tenant, that of the first [Tx.Sub]. A return of nil means that all is durable. An error
// that wraps [ErrIndeterminate] means that it is not known whether it is: the context ended, or the engine broke, before
// it could be found out. Any other means that nothing was written.
//
// Callers in this process that meet on one key take turns at it, and share commits: fn may see what others have written
// that is not committed yet, and then Update returns, also an error of fn, only after it is. A function that hangs holds
// up those before it by 50 ms, and those behind it by a second.
//
// A transaction reads and writes at most 99 keys (index entries, events and guards among them) and 1 MiB, and a record
// has at most 255 KiB; beyond is [ErrTooLarge].
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	return db.run(ctx, &Tx{mode: updating}, fn)
}

// UpdateAcross is [DB.Update] over several tenants. What touches two tenants is on record with both: a transaction that
// writes to a tenant without an event of that tenant ([Tx.Emit]) is refused.
func (db *DB) UpdateAcross(ctx context.Context, tenants []opsec.TenantID, fn func(*Tx) error) error {
	across := map[opsec.TenantID]bool{}
	for _, t := range tenants {
		if err := t.Validate(); err != nil {
			return err
		}
		across[t] = true
	}
	return db.run(ctx, &Tx{mode: updating, across: across}, fn)
}

// maxAttempts ends a transaction that never gets through, which no load of real writers brings about.
const maxAttempts = 1000

func (db *DB) run(ctx context.Context, like *Tx, fn func(*Tx) error) error {
	var last *Tx
	for attempt := 0; ; attempt++ {
		if err := pause.Before(ctx, attempt); err != nil {
			return err
		}
		tx := &Tx{ctx: ctx, db: db, mode: like.mode, across: like.across, attempt: attempt}
		err := tx.try(last, fn)
		if !tx.overtaken {
			return err
		}
		if ctxErr := ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		if attempt+1 == maxAttempts {
			return errors.Join(errors.New("store: gave up after many conflicts"), err)
		}
		last = tx
	}
}

// commit writes b, certainly: through a marker where the driver's answer could be lost. With [ErrIndeterminate] it
// returns the slot by which the outcome can yet be found, if it can.
func (db *DB) commit(ctx context.Context, b Batch) (doubt *slot.Slot, err error) {
	if db.markers == nil {
		_, err := db.driver.Commit(ctx, b)
		return nil, err
	}
	return db.markers.commit(ctx, b)
}

// Tenants yields every tenant that has something in the store, in the order of their ids.
func (db *DB) Tenants(ctx context.Context) iter.Seq2[opsec.TenantID, error] {
	return func(yield func(opsec.TenantID, error) bool) {
		for text, err := range db.branches(ctx, Text(layout.Tenant).Encode()) {
			tenant := opsec.TenantID(text)
			if err == nil && tenant.Validate() != nil {
				continue // not ours: Check reports it
			}
			if !yield(tenant, err) || err != nil {
				return
			}
		}
	}
}

// branches yields each text that follows prefix, from one read each.
func (db *DB) branches(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		start, end := prefix, layout.Behind(prefix)
		for {
			page, err := db.driver.List(ctx, Range{Start: start, End: end, Limit: 1, KeysOnly: true})
			if err != nil {
				yield("", err)
				return
			}
			if len(page) == 0 {
				return
			}
			texts, _ := layout.Split(page[0].Key[len(prefix):], 1)
			if len(texts) == 0 {
				start = page[0].Key + "\x00" // not ours: Check reports it
				continue
			}
			if !yield(texts[0], nil) {
				return
			}
			start = layout.Behind(prefix + Text(texts[0]).Encode())
		}
	}
}

// watch listens to a prefix, or asks again and again where the driver cannot.
func (db *DB) watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	if w, ok := db.driver.(Watcher); ok {
		return w.Watch(ctx, prefix)
	}
	return func(yield func(struct{}, error) bool) {
		for ctx.Err() == nil && yield(struct{}{}, nil) && pause.For(ctx, db.poll) == nil {
		}
	}
}
