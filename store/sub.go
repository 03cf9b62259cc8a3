package store

import (
	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/layout"
)

// Sub is a transaction within one tenant. Collections and feeds work through it, and no key that it can name is another
// tenant's.
type Sub struct {
	tx     *Tx
	tenant opsec.TenantID
	prefix Key
	err    error // why it cannot be used
}

// Sub returns the part of the transaction that belongs to tenant. Outside of [DB.UpdateAcross] a transaction has one
// tenant, and in it only those that were named: with another, or with an id that is not valid, all that is done through
// the Sub fails. The provider's own part ([opsec.Provider]) may be had beside any tenant's, and in View that of any.
func (tx *Tx) Sub(tenant opsec.TenantID) *Sub {
	s := &Sub{tx: tx, tenant: tenant}
	if s.err = tenant.Validate(); s.err != nil {
		return s
	}
	switch {
	case tx.mode == viewing || tenant == opsec.Provider:
	case tx.across != nil:
		if !tx.across[tenant] {
			s.err = invalid("transaction: a tenant that UpdateAcross did not name")
		}
	case tx.tenant == "":
		tx.tenant = tenant
	case tx.tenant != tenant:
		s.err = invalid("transaction: a second tenant; see UpdateAcross")
	}
	s.prefix = layout.TenantPrefix(tenant)
	return s
}

// Tenant returns whose part it is.
func (s *Sub) Tenant() opsec.TenantID { return s.tenant }

// Tx returns the transaction.
func (s *Sub) Tx() *Tx { return s.tx }

func (s *Sub) usable(write bool) error {
	if s.err != nil {
		return s.err
	}
	return s.tx.usable(write)
}

// key returns a raw key of the tenant.
func (s *Sub) key(kind, name string) string { return s.prefix.Text(kind).Text(name).Encode() }
