package thirdparty

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Double returns a custodian with two locks: inner wraps the material, outer what inner has made, so that neither alone opens
// it. Both know the key-encryption key by the same handle, and both see the associated data. The outer is asked first on
// the way back, so what it refuses does not reach the inner.
func Double(inner, outer keymgmt.Custodian) keymgmt.Custodian {
	return double{pair{inner, outer}}
}

// pair is what both kinds have in common: two key-encryption keys under one handle.
type pair struct{ first, second keymgmt.Custodian }

// Generate implements [keymgmt.Custodian].
func (p pair) Generate(ctx context.Context, handle string) error {
	if err := p.first.Generate(ctx, handle); err != nil {
		return err
	}
	return p.second.Generate(ctx, handle)
}

// Destroy implements [keymgmt.Custodian]. The second is asked first, and when it fails the first is left as it is. When the first
// fails after that, the material is lost all the same, and the evidence that comes with the error says so; to call again
// completes it.
func (p pair) Destroy(ctx context.Context, handle string) (keymgmt.Evidence, error) {
	b, err := p.second.Destroy(ctx, handle)
	if err != nil {
		return b, err
	}
	a, err := p.first.Destroy(ctx, handle)
	both := keymgmt.Evidence{
		Custodian: join(a.Custodian, b.Custodian), Handle: handle, Method: join(a.Method, b.Method),
		Copies: append(named(a, a.Copies), named(b, b.Copies)...), Left: append(named(a, a.Left), named(b, b.Left)...),
		Time: later(a.Time, b.Time),
	}
	return both, err
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " + " + b
}

// named puts the custodian's name before each copy.
func named(e keymgmt.Evidence, copies []string) (list []string) {
	for _, c := range copies {
		list = append(list, e.Custodian+": "+c)
	}
	return list
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

type double struct{ pair }

// Wrap implements [keymgmt.Custodian].
func (d double) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	inner, err := d.first.Wrap(ctx, handle, material, associatedData)
	if err != nil {
		return nil, err
	}
	return d.second.Wrap(ctx, handle, inner, associatedData)
}

// Unwrap implements [keymgmt.Custodian].
func (d double) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	inner, err := d.second.Unwrap(ctx, handle, wrapped, associatedData)
	if err != nil {
		return nil, err
	}
	return d.first.Unwrap(ctx, handle, inner, associatedData)
}
