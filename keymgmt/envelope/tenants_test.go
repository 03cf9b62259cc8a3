package envelope_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/envelope"
)

// custodian keeps key-encryption keys in memory.
type custodian struct {
	t    testing.TB
	mu   sync.Mutex
	keys map[string]tink.AEAD
}

func (c *custodian) key(handle string) (tink.AEAD, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.keys[handle]; k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("no key: %w", opsec.ErrNotFound)
}

func (c *custodian) Generate(_ context.Context, handle string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys[handle] == nil {
		c.keys[handle] = newAEAD(c.t)
	}
	return nil
}

func (c *custodian) Wrap(_ context.Context, handle string, material, associated []byte) ([]byte, error) {
	k, err := c.key(handle)
	if err != nil {
		return nil, err
	}
	return k.Encrypt(material, associated)
}

func (c *custodian) Unwrap(_ context.Context, handle string, wrapped, associated []byte) ([]byte, error) {
	k, err := c.key(handle)
	if err != nil {
		return nil, err
	}
	material, err := k.Decrypt(wrapped, associated)
	if err != nil {
		return nil, keymgmt.ErrUnwrap
	}
	return material, nil
}

func (c *custodian) Destroy(_ context.Context, handle string) (keymgmt.Evidence, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, handle)
	return keymgmt.Evidence{Handle: handle, Method: "dropped"}, nil
}

func TestOneTenantCanBeForgottenAlone(t *testing.T) {
	keep := &custodian{t: t, keys: map[string]tink.AEAD{}}
	tenants, err := envelope.NewTenants(func(_ context.Context, tenant opsec.TenantID) (envelope.Wrapper, error) {
		return envelope.Custodian(keep, "tenant/"+string(tenant)), nil
	}, roomy(time.Hour), nil)
	require.NoError(t, err)
	c := named(t, "a context", "of both")
	of := func(tenant opsec.TenantID) *envelope.Envelope {
		require.NoError(t, keep.Generate(t.Context(), "tenant/"+string(tenant)))
		e, err := tenants.Of(tenant)
		require.NoError(t, err)
		return e
	}
	acme, globex := of("acme"), of("globex")
	ours, theirs := seal(t, acme, "acme's", c), seal(t, globex, "globex's", c)
	require.Equal(t, "acme's", open(t, acme, ours, c))
	require.Equal(t, "globex's", open(t, globex, theirs, c))
	_, err = globex.Open(t.Context(), nil, ours, c)
	require.ErrorIs(t, err, keymgmt.ErrUnwrap, "although the contexts are the same")

	_, err = keep.Destroy(t.Context(), "tenant/acme")
	require.NoError(t, err)
	acme.Purge()
	_, err = acme.Open(t.Context(), nil, ours, c)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = acme.Seal(t.Context(), nil, nil, c)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	require.Equal(t, "globex's", open(t, globex, theirs, c))

	again := of("acme") // a new key under the old name opens nothing old
	_, err = again.Open(t.Context(), nil, ours, c)
	require.ErrorIs(t, err, keymgmt.ErrUnwrap)
}

func TestManyTenantsTakeNoMoreThanTheLimits(t *testing.T) {
	k, l := newKEK(t), roomy(time.Hour)
	l.Entries, l.Memory = 100, 60_000
	tenants, err := envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return k, nil }, l, nil)
	require.NoError(t, err)
	c := named(t, "a context", "of all")
	for i := range 10_000 {
		e, err := tenants.Of(opsec.TenantID(fmt.Sprint("t", i)))
		require.NoError(t, err)
		seal(t, e, "text", c)
	}
	keys, bytes := tenants.Cached()
	require.LessOrEqual(t, keys, l.Entries)
	require.LessOrEqual(t, bytes, l.Memory)
	require.Greater(t, keys, 40)
}

func TestTenantWithoutAKey(t *testing.T) {
	lost := errors.New("directory is down")
	for _, want := range []error{lost, nil} {
		tenants, err := envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return nil, want }, envelope.Limits{}, nil)
		require.NoError(t, err)
		e, err := tenants.Of("acme")
		require.NoError(t, err)
		if want == nil {
			want = opsec.ErrInvalid
		}
		c := named(t, "acme", "x")
		_, err = e.Seal(t.Context(), nil, nil, c)
		require.ErrorIs(t, err, want)
		_, err = e.Open(t.Context(), nil, []byte("\x00\x00\x00\x01ab"), c)
		require.ErrorIs(t, err, want)
		_, err = e.Rewrap(t.Context(), nil, []byte("\x00\x00\x00\x01ab"), c)
		require.ErrorIs(t, err, want)
		_, err = e.Encrypt(t.Context(), &buffer{}, c, nil)
		require.ErrorIs(t, err, want)
		_, err = e.Decrypt(t.Context(), strings.NewReader("\x00\x00\x00\x01ab"), c, nil)
		require.ErrorIs(t, err, want)
		_, err = tenants.Of("no tenant!")
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestTenantsRun(t *testing.T) {
	tenants, err := envelope.NewTenants(func(context.Context, opsec.TenantID) (envelope.Wrapper, error) { return nil, nil }, roomy(time.Hour), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, tenants.Run(ctx), context.Canceled)
}
