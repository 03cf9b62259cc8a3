package replica

import (
	"context"
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/feed"
)

var changes = feed.New[Change]("identity/replica/changes")

// position is how far a target has come with a tenant's changes.
type position struct {
	Target string    `json:"target"`
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"` // when it was written down
}

var positions = store.NewCollection(store.Schema[position]{
	Name: "identity/replica/positions",
	ID:   func(p *position) store.Key { return store.Text(p.Target) },
})

// unread is a change that a target could not read.
type unread struct {
	Target  string `json:"target"`
	Account string `json:"account"`
	Version uint64 `json:"version"`
	Reason  string `json:"reason"`
}

var unreads = store.NewCollection(store.Schema[unread]{
	Name: "identity/replica/unread",
	ID:   func(u *unread) store.Key { return store.Text(u.Target).Text(u.Account) },
})

// Outbox is the list of changes for others to follow. It holds no state.
type Outbox struct{ sealer store.Sealer }

// NewOutbox returns the outbox of a store. With a sealer, an AEAD whose key the targets have, hashes are sealed on their way.
func NewOutbox(s store.Sealer) *Outbox { return &Outbox{s} }

// Append adds a change in the transaction in which it is made. The error wraps [opsec.ErrInvalid] when its hash is none.
func (o *Outbox) Append(s *store.Sub, c Change) error {
	c, err := o.prepared(s.Tenant(), c)
	if err != nil {
		return err
	}
	_, err = changes.Append(s, c)
	return err
}

// prepared returns a change as it travels.
func (o *Outbox) prepared(tenant opsec.TenantID, c Change) (Change, error) {
	c, err := c.described()
	if err != nil {
		return c, err
	}
	return c.seal(o.sealer, tenant)
}

// Status is how far one target is with one tenant.
type Status struct {
	Target     string    `json:"target"`
	Seq        uint64    `json:"seq"`             // of the last change that it has
	Behind     uint64    `json:"behind"`          // changes that it has not
	Oldest     time.Time `json:"oldest,omitzero"` // when the first of these passwords was set
	Unreadable int       `json:"unreadable"`      // accounts whose present hash it cannot read
	At         time.Time `json:"at"`              // when its follower last wrote down how far it is
}

// Status lists the targets that have followed this tenant's changes, by name.
func (o *Outbox) Status(ctx context.Context, db *store.DB, tenant opsec.TenantID) (list []Status, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(tenant)
		list = nil
		last, err := changes.Last(sub)
		if err != nil {
			return err
		}
		for p, err := range positions.List(sub, store.Query{}) {
			if err != nil {
				return err
			}
			s := Status{Target: p.Target, Seq: p.Seq, At: p.At, Behind: last - min(p.Seq, last)}
			if s.Unreadable, err = unreads.Count(sub, store.Query{Prefix: store.Text(p.Target)}); err != nil {
				return err
			}
			if s.Behind > 0 {
				for e, err := range changes.Since(sub, p.Seq) {
					if err != nil && !errors.Is(err, feed.ErrTrimmed) {
						return err
					}
					s.Oldest = e.Value.Changed
					break
				}
			}
			list = append(list, s)
		}
		return nil
	})
	return list, err
}

// Unreadable lists the accounts whose present hash a target cannot read, and why, in their order, at most so many.
func (o *Outbox) Unreadable(ctx context.Context, db *store.DB, tenant opsec.TenantID, target string, most int) (accounts, reasons []string, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		accounts, reasons = nil, nil
		for u, err := range unreads.List(tx.Sub(tenant), store.Query{Prefix: store.Text(target)}) {
			if err != nil {
				return err
			}
			if len(accounts) == most {
				break
			}
			accounts, reasons = append(accounts, u.Account), append(reasons, u.Reason)
		}
		return nil
	})
	return accounts, reasons, err
}

// Trim removes the changes that every target has which ever followed. A target that comes later begins with [Follower.Seed].
func (o *Outbox) Trim(ctx context.Context, db *store.DB, tenant opsec.TenantID) error {
	list, err := o.Status(ctx, db, tenant)
	if err != nil || len(list) == 0 {
		return err
	}
	least := list[0].Seq
	for _, s := range list {
		least = min(least, s.Seq)
	}
	return changes.Trim(ctx, db, tenant, least)
}

// Forget removes a target that follows no more, so that it does not hold [Outbox.Trim] up.
func (o *Outbox) Forget(ctx context.Context, db *store.DB, tenant opsec.TenantID, target string) error {
	_, err := unreads.Sweep(ctx, db, tenant, store.Query{Prefix: store.Text(target)}, nil)
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *store.Tx) error { return positions.Delete(tx.Sub(tenant), store.Text(target)) })
}

// Parts returns the collections that this package keeps, for [store.DB.Check].
func Parts() []store.Part { return append(changes.Parts(), positions, unreads, copies) }
