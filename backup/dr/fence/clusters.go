package fence

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
)

// The actions of the events of [Clusters], and that its Authorizer is asked about.
const (
	ActionJoin        = "dr.join"
	ActionLeave       = "dr.leave"
	ActionReport      = "dr.report"      // recorded when a member becomes ready
	ActionAccept      = "dr.accept"      // a loss
	ActionAcknowledge = "dr.acknowledge" // not recorded
	ActionElect       = "dr.elect"
	ActionRead        = "dr.read" // not recorded
)

// ClustersOptions is the wiring of [Clusters].
type ClustersOptions struct {
	Now        func() time.Time // nil is time.Now
	Authorizer opsec.Authorizer // has a say in everything; must be set
}

// Clusters keeps each [Cluster] in the store of its lease, under the name of the lease. Every method authorises; every change
// of who may be primary is recorded in the transaction that makes it, and what is denied is recorded too. A cluster that nobody
// has joined is empty. A method that fails has changed nothing. Methods may be called by many goroutines, and on many nodes.
type Clusters struct {
	db   *store.DB
	o    ClustersOptions
	kept *store.Collection[kept]
}

type kept struct {
	Name     string      `json:"name"`
	Cluster  Cluster     `json:"cluster"`
	Accepted *Acceptance `json:"accepted,omitempty"`
}

// NewClusters returns the clusters of a store. The error wraps [opsec.ErrInvalid].
func NewClusters(db *store.DB, o *ClustersOptions) (*Clusters, error) {
	if db == nil || o == nil || o.Authorizer == nil {
		return nil, fmt.Errorf("fence: database, options, authorizer: one is nil: %w", opsec.ErrInvalid)
	}
	c := &Clusters{db: db, o: *o, kept: store.NewCollection(store.Schema[kept]{
		Name: "backup/clusters", ID: func(k *kept) store.Key { return store.Text(k.Name) },
	})}
	if c.o.Now == nil {
		c.o.Now = time.Now
	}
	return c, nil
}

// Part returns the collection, for [store.DB.Check] and for migrations.
func (c *Clusters) Part() store.Part { return c.kept }

func resource(name string) opsec.Resource {
	return opsec.Resource{Tenant: opsec.Provider, Type: "cluster", ID: name}
}

// Get returns a cluster ([ActionRead]), and the loss that is accepted, nil for none.
func (c *Clusters) Get(ctx context.Context, who opsec.Actor, name string) (Cluster, *Acceptance, error) {
	if err := c.o.Authorizer.Authorize(ctx, who, ActionRead, resource(name)); err != nil {
		return Cluster{}, nil, err
	}
	var k *kept
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		k, err = c.load(tx, name)
		return err
	})
	if err != nil {
		return Cluster{}, nil, err
	}
	return k.Cluster, k.Accepted, nil
}

func (c *Clusters) load(tx *store.Tx, name string) (*kept, error) {
	if name == "" || len(name) > 128 {
		return nil, fmt.Errorf("fence: cluster: want a name of 1 to 128 bytes: %w", opsec.ErrInvalid)
	}
	k, err := c.kept.Get(tx.Sub(opsec.Provider), store.Text(name))
	if errors.Is(err, opsec.ErrNotFound) {
		return &kept{Name: name}, nil
	}
	return k, err
}

// do authorises, and changes a cluster by fn, which returns what to record, in pairs of key and value: nil for nothing.
func (c *Clusters) do(ctx context.Context, who opsec.Actor, action, name string, fn func(*store.Tx, *kept) ([]string, error)) error {
	event := func(o opsec.Outcome, pairs ...string) *opsec.Event {
		e := opsec.NewEvent(action, c.o.Now())
		e.Class, e.Outcome, e.Actor, e.Resource = opsec.Critical, o, who, resource(name)
		for i := 0; i+1 < len(pairs); i += 2 {
			e.Attrs = append(e.Attrs, opsec.Attr{Key: pairs[i], Value: pairs[i+1]})
		}
		return e
	}
	err := c.o.Authorizer.Authorize(ctx, who, action, resource(name))
	if err == nil {
		err = c.db.Update(ctx, func(tx *store.Tx) error {
			k, err := c.load(tx, name)
			if err != nil {
				return err
			}
			pairs, err := fn(tx, k)
			if err != nil {
				return err
			}
			if err := c.kept.Put(tx.Sub(opsec.Provider), k); err != nil || pairs == nil {
				return err
			}
			return tx.Emit(event(opsec.Success, pairs...))
		})
	}
	if errors.Is(err, opsec.ErrDenied) {
		denied := event(opsec.Denied)
		denied.Reason = err.Error()
		if unrecorded := c.db.Update(ctx, func(tx *store.Tx) error { return tx.Emit(denied) }); unrecorded != nil {
			err = fmt.Errorf("%w (the attempt is not recorded: %w)", err, unrecorded)
		}
	}
	return err
}

func figure(n uint64) string { return strconv.FormatUint(n, 10) }

// Join is [Cluster.Join] ([ActionJoin]).
func (c *Clusters) Join(ctx context.Context, who opsec.Actor, name, member string, position uint64) error {
	return c.do(ctx, who, ActionJoin, name, func(_ *store.Tx, k *kept) (_ []string, err error) {
		k.Cluster, err = k.Cluster.Join(member, position)
		return []string{"member", member, "position", figure(position)}, err
	})
}

// Leave is [Cluster.Leave] ([ActionLeave]).
func (c *Clusters) Leave(ctx context.Context, who opsec.Actor, name, member string) error {
	return c.do(ctx, who, ActionLeave, name, func(_ *store.Tx, k *kept) (_ []string, err error) {
		k.Cluster, err = k.Cluster.Leave(member)
		return []string{"member", member}, err
	})
}

// Report is [Cluster.Report] ([ActionReport]).
func (c *Clusters) Report(ctx context.Context, who opsec.Actor, name, member string, position uint64) error {
	return c.do(ctx, who, ActionReport, name, func(_ *store.Tx, k *kept) ([]string, error) {
		before := k.Cluster
		var err error
		if k.Cluster, err = before.Report(member, position); err != nil {
			return nil, err
		}
		if i := k.Cluster.find(member); before.Members[i].State != k.Cluster.Members[i].State {
			return []string{"member", member, "state", string(k.Cluster.Members[i].State), "position", figure(position)}, nil
		}
		return nil, nil
	})
}

// Accept says in the name of who that a loss may be borne until a time ([ActionAccept]). It takes the place of what was accepted
// before; a loss of 0 withdraws it. The election that needs it uses it up.
func (c *Clusters) Accept(ctx context.Context, who opsec.Actor, name string, loss uint64, until time.Time) error {
	return c.do(ctx, who, ActionAccept, name, func(_ *store.Tx, k *kept) ([]string, error) {
		if who.Account == "" || loss > 0 && !c.o.Now().Before(until) {
			return nil, fmt.Errorf("fence: acceptance: want an account, and an end in the future: %w", opsec.ErrInvalid)
		}
		k.Accepted = nil
		if loss > 0 {
			k.Accepted = &Acceptance{By: who.Account, Loss: loss, Until: until.UTC()}
		}
		return []string{"loss", figure(loss), "until", until.UTC().Format(time.RFC3339)}, nil
	})
}

// Acknowledge is [Cluster.Acknowledge] of the cluster whose lease is held ([ActionAcknowledge]). Who has lost it gets
// [lease.ErrLost].
func (c *Clusters) Acknowledge(ctx context.Context, who opsec.Actor, held *lease.Held, position uint64) error {
	return c.do(ctx, who, ActionAcknowledge, held.Name(), func(tx *store.Tx, k *kept) (_ []string, err error) {
		if err := held.Fence(tx); err != nil {
			return nil, err
		}
		k.Cluster, err = k.Cluster.Acknowledge(held.Token(), position)
		return nil, err
	})
}

// Elect is [Cluster.Elect] of the owner of the lease that is held, in the cluster of its name, with what is accepted
// ([ActionElect]). It returns the loss. Who has lost the lease gets [lease.ErrLost].
func (c *Clusters) Elect(ctx context.Context, who opsec.Actor, held *lease.Held) (loss uint64, err error) {
	err = c.do(ctx, who, ActionElect, held.Name(), func(tx *store.Tx, k *kept) (pairs []string, err error) {
		if err := held.Fence(tx); err != nil {
			return nil, err
		}
		k.Cluster, loss, err = k.Cluster.Elect(held.Owner(), held.Token(), k.Accepted, c.o.Now())
		pairs = []string{"member", held.Owner(), "token", figure(held.Token()), "loss", figure(loss)}
		if loss > 0 && err == nil {
			pairs = append(pairs, "accepted_by", k.Accepted.By)
			k.Accepted = nil
		}
		return pairs, err
	})
	return loss, err
}
