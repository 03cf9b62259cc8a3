package dbtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/storetest"
)

// Run holds a [store.DB] over an implementation to what it promises: transactions, collections, indexes, tenants,
// events, programs of several versions, leases and feeds, and all of it under the faults of a [storetest.Flaky]. Options
// may be nil; with a Sealer and a PRF the same is asked of a sealed store.
func Run(t *testing.T, h storetest.Harness, o *store.Options) {
	if o == nil {
		o = &store.Options{}
	}
	for _, g := range groups() {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.checks {
				t.Run(c.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
					defer cancel()
					c.run(&trial{TB: t, Harness: h, ctx: ctx, options: o})
				})
			}
		})
	}
}

type group struct {
	name   string
	checks []check
}

func groups() []group {
	return []group{
		{"Update", updateChecks()},
		{"Collection", collectionChecks()},
		{"Version", versionChecks()},
		{"Fault", faultChecks()},
		{"Lease", leaseChecks()},
		{"Feed", feedChecks()},
	}
}

type check struct {
	name string
	run  func(*trial)
}

// trial is one check at work.
type trial struct {
	testing.TB
	storetest.Harness
	ctx     context.Context
	options *store.Options
}

func (t *trial) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (t *trial) db(d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, t.options)
	t.ok(err)
	return db
}

// two returns two DBs onto a new store, as two nodes have it.
func (t *trial) two() (first, second *store.DB) {
	t.Helper()
	handles := t.pair()
	return t.db(handles[0]), t.db(handles[1])
}

// pair returns two handles onto a new store, or one twice where a second cannot be had.
func (t *trial) pair() [2]store.Driver {
	t.Helper()
	a := t.Open(t)
	if t.Again != nil {
		if b := t.Again(t, a); b != nil {
			return [2]store.Driver{a, b}
		}
	}
	return [2]store.Driver{a, a}
}

// together runs f in n goroutines that start at once. An error ends the check.
func (t *trial) together(n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	gate := make(chan struct{})
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	wait.Wait()
	t.ok(errors.Join(errs...))
}

func (t *trial) update(db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	t.ok(db.Update(t.ctx, fn))
}

func (t *trial) view(db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	t.ok(db.View(t.ctx, fn))
}

func (t *trial) is(err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got the error %v, want %v", err, want)
	}
}

// sound fails the check when the store is not in order.
func (t *trial) sound(db *store.DB) {
	t.Helper()
	parts := append(steps.Parts(), users, counters, lease.Part())
	for p, err := range db.Check(t.ctx, nil, parts...) {
		t.ok(err)
		t.Errorf("%v", p)
	}
}

const (
	acme = opsec.TenantID("acme")
	beta = opsec.TenantID("beta")
)

// user is what the checks keep: a name that is confidential and unique, a role, and a number.
type user struct {
	ID     string
	Name   string
	Role   string
	Number int64
}

var users = store.NewCollection(store.Schema[user]{
	Name: "users", Guarded: true,
	ID: func(u *user) store.Key { return store.Text(u.ID) },
	Indexes: []store.Index[user]{
		{Name: "name", Unique: true, Blind: true, Keys: func(u *user) []store.Key { return []store.Key{store.Text(u.Name)} }},
		{Name: "role", Keys: func(u *user) []store.Key { return []store.Key{store.Text(u.Role).Int(u.Number)} }},
	},
})

// counter is a record without an index, in a collection without a guard.
type counter struct {
	ID string
	N  int
}

var counters = store.NewCollection(store.Schema[counter]{
	Name: "counters",
	ID:   func(c *counter) store.Key { return store.Text(c.ID) },
})

// add adds to a counter in a transaction.
func add(s *store.Sub, id string, n int) error {
	c, err := counters.Get(s, store.Text(id))
	if errors.Is(err, opsec.ErrNotFound) {
		c, err = &counter{ID: id}, nil
	}
	if err != nil {
		return err
	}
	c.N += n
	return counters.Put(s, c)
}

// value returns a counter's number.
func (t *trial) value(db *store.DB, tenant opsec.TenantID, id string) (n int) {
	t.Helper()
	t.view(db, func(tx *store.Tx) error {
		c, err := counters.Get(tx.Sub(tenant), store.Text(id))
		if errors.Is(err, opsec.ErrNotFound) {
			return nil
		}
		n = c.N
		return err
	})
	return n
}

// happened returns an event of a tenant, with an id of its own.
func happened(tenant opsec.TenantID) *opsec.Event {
	e := opsec.NewEvent("storetest.wrote", time.Now())
	e.Tenant, e.Outcome = tenant, opsec.Success
	return e
}
