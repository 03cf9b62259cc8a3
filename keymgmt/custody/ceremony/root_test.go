package ceremony_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
)

// The whole way: a software root is made with a key that only custodians have, sealed by a restart, and opened by a ceremony,
// also after the shares were dealt anew.
func TestCustodiansUnsealASoftwareRoot(t *testing.T) {
	h := newHall(t)
	blobs := new(custody.Memory)
	made, err := custody.NewRoot(blobs, nil)
	require.NoError(t, err)
	key := custody.NewRootKey()
	require.NoError(t, made.Create(ctx, key))
	h.roster, err = ceremony.Deal(ctx, olga, key, h.plan(2, "ann", "bob", "cyd"), h.o)
	require.NoError(t, err)
	clear(key)
	require.NoError(t, made.Generate(ctx, "acme"))
	wrapped, err := made.Wrap(ctx, "acme", []byte("material"), []byte("context"))
	require.NoError(t, err)

	unseal := func(names ...string) {
		restarted, err := custody.NewRoot(blobs, nil)
		require.NoError(t, err)
		_, err = restarted.Unwrap(ctx, "acme", wrapped, []byte("context"))
		require.ErrorIs(t, err, keymgmt.ErrSealed)
		c := h.open(ceremony.Recover)
		h.submit(c, names...)
		require.NoError(t, c.Recover(ctx, olga, restarted.Unseal))
		got, err := restarted.Unwrap(ctx, "acme", wrapped, []byte("context"))
		require.NoError(t, err)
		require.Equal(t, "material", string(got))
	}
	unseal("cyd", "ann")

	c := h.open(ceremony.Renew)
	h.submit(c, "ann", "bob")
	next, err := c.Renew(ctx, olga, h.plan(2, "ann", "bob", "fay"))
	require.NoError(t, err)
	h.roster = next
	unseal("fay", "bob")

	// The key of another root does not open it, and the ceremony has failed.
	h.roster, err = ceremony.Deal(ctx, olga, custody.NewRootKey(), h.plan(2, "ann", "bob"), h.o)
	require.NoError(t, err)
	c = h.open(ceremony.Recover)
	h.submit(c, "ann", "bob")
	require.ErrorIs(t, c.Recover(ctx, olga, made.Unseal), keymgmt.ErrUnwrap)
	require.Equal(t, ceremony.Failed, c.State().Status)
}
