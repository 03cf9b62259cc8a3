package replica

import (
	"context"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Copies is a [Target] in a store: the passwords of another system's accounts, to verify log-ins by.
type Copies struct {
	db     *store.DB
	sealer store.Sealer
}

var copies = store.NewCollection(store.Schema[Change]{
	Name: "identity/replica/copies",
	ID:   func(c *Change) store.Key { return store.Text(c.Account) },
})

// Stored returns the copies in db. The sealer is the outbox's, or one with its key; nil takes what is not sealed.
func Stored(db *store.DB, s store.Sealer) *Copies { return &Copies{db, s} }

// Apply implements [Target].
func (p *Copies) Apply(ctx context.Context, tenant opsec.TenantID, c Change) error {
	c, err := Open(p.sealer, tenant, c)
	if err != nil {
		return err
	}
	return p.db.Update(ctx, func(tx *store.Tx) error {
		sub := tx.Sub(tenant)
		found, err := copies.GetAll(sub, store.Text(c.Account))
		if err != nil {
			return err
		}
		if has := found[0]; has != nil {
			switch {
			case has.Version > c.Version:
				return ErrOlder
			case has.Version == c.Version && has.Hash != c.Hash:
				return ErrForked
			case has.Version == c.Version:
				return nil
			}
		}
		return copies.Put(sub, &c)
	})
}

// Get returns the copy of an account's present hash, or [opsec.ErrNotFound] when it has no password, or none that was brought.
func (p *Copies) Get(ctx context.Context, tenant opsec.TenantID, account string) (c Change, err error) {
	err = p.db.View(ctx, func(tx *store.Tx) error {
		found, err := copies.GetAll(tx.Sub(tenant), store.Text(account))
		if err != nil {
			return err
		}
		if found[0] == nil || found[0].Hash == "" {
			return opsec.ErrNotFound
		}
		c = *found[0]
		return nil
	})
	return c, err
}
