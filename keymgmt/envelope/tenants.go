package envelope

import (
	"context"

	"github.com/cloudopsec/opsec"
)

// Tenants are the Envelopes of many tenants, each under a key-encryption key of its own, with one cache for all: what it
// takes is bounded by [Limits], not by the number of tenants. When the key of a tenant is destroyed, and its cached data
// keys are purged, nothing opens what the tenant had, and nothing of the others is touched.
type Tenants struct {
	keys  func(context.Context, opsec.TenantID) (Wrapper, error)
	cache *cache
}

// NewTenants returns Tenants whose keys are looked up by keys, each time that a data key is wrapped or unwrapped. A
// tenant's key is a random one that is kept wrapped: a handle of a custodian or a keyset of package keymgmt for each. One
// that is derived from another could not be destroyed alone.
func NewTenants(keys func(context.Context, opsec.TenantID) (Wrapper, error), l Limits, o *Options) (*Tenants, error) {
	if keys == nil {
		return nil, invalid("no keys of tenants")
	}
	c, err := newCache(l, o)
	if err != nil {
		return nil, err
	}
	return &Tenants{keys, c}, nil
}

// Of returns the Envelope of a tenant. It costs nothing: there is no need to keep it.
func (t *Tenants) Of(tenant opsec.TenantID) (*Envelope, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	kek := func(ctx context.Context) (Wrapper, error) {
		w, err := t.keys(ctx, tenant)
		if err == nil && w == nil {
			err = invalid("no key-encryption key")
		}
		return w, err
	}
	return &Envelope{tenant, kek, t.cache}, nil
}

// Purge lets go of the cached data keys of all tenants; [Envelope.Purge] of those of one.
func (t *Tenants) Purge() {
	t.cache.purge(func(opsec.TenantID) bool { return true }, func(*dataKey) bool { return true })
}

// Run is [Envelope.Run] for all tenants.
func (t *Tenants) Run(ctx context.Context) error { return t.cache.run(ctx) }

// Cached is [Envelope.Cached].
func (t *Tenants) Cached() (keys int, bytes int64) { return t.cache.size() }
