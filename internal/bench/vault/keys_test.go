package vault

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

var (
	id     = keymgmt.SetID{Tenant: "acme", ID: keyName}
	keeper = lifecycle.By{Actor: opsec.Actor{Tenant: "acme", Account: "keeper", Person: "keeper", Kind: opsec.Human}, Reason: "bench"}
	server = opsec.Actor{Tenant: "acme", Account: "server", Person: "server", Kind: opsec.Service}
)

// unheard is a recorder whose events are forgotten, as Vault's are here, which has no audit device.
type unheard struct{}

func (unheard) Record(context.Context, *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{}, nil
}

// local is a custodian with one key-encryption key, in memory.
type local struct{ kek tink.AEAD }

func (local) Generate(context.Context, string) error { return nil }

func (l local) Wrap(_ context.Context, _ string, material, associatedData []byte) ([]byte, error) {
	return l.kek.Encrypt(material, associatedData)
}

func (l local) Unwrap(_ context.Context, _ string, wrapped, associatedData []byte) ([]byte, error) {
	return l.kek.Decrypt(wrapped, associatedData)
}

func (local) Destroy(context.Context, string) (keymgmt.Evidence, error) {
	return keymgmt.Evidence{}, nil
}

// ours is a keyset on the memory repository, and a node that uses it.
type ours struct {
	manager *lifecycle.Manager
	node    *keyring.Node
	ring    *keyring.Ring
	keys    int
}

func newOurs(t testing.TB) *ours {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	kek, err := aead.New(handle)
	require.NoError(t, err)
	m, err := lifecycle.New(keymgmt.NewMemory(unheard{}), keyring.Material{}, local{kek}, &lifecycle.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	_, err = m.Create(t.Context(), keeper, keymgmt.Keyset{
		SetID: id, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Custodian: "root",
		Policy: keymgmt.Preset(keymgmt.DataEncryption),
		Roles:  keymgmt.Roles{keymgmt.Administrator: {"acme/keeper"}, keymgmt.Operator: {"acme/server"}},
	})
	require.NoError(t, err)
	o := &ours{manager: m}
	o.rotateTo(t, 1)
	o.node, err = keyring.Join(t.Context(), m, local{kek}, &keyring.Options{Node: "bench", Actor: server, Stale: time.Hour, Fence: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { o.node.Close(context.Background()) })
	o.ring, err = o.node.Ring(t.Context(), id)
	require.NoError(t, err)
	return o
}

func (o *ours) rotate() error {
	_, err := o.manager.Rotate(context.Background(), keeper, id)
	o.keys++
	return err
}

func (o *ours) rotateTo(t testing.TB, keys int) {
	t.Helper()
	for o.keys < keys {
		require.NoError(t, o.rotate())
	}
}

// BenchmarkRotate rotates a key that has 1,000 versions, and a few more with each rotation: ours with its checks, events
// and the wrapping by a custodian, on the memory repository; Vault's on its storage in memory.
func BenchmarkRotate(b *testing.B) {
	const n, versions = 20, 1000
	o, e := newOurs(b), newEngine(b)
	o.rotateTo(b, versions)
	e.rotateTo(b, versions)
	race(b, n, times(n, o.rotate), times(n, e.rotate))
}

func times(n int, do func() error) func(b *testing.B) {
	return func(b *testing.B) {
		for range n {
			if err := do(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

const dataKeys = 1000 // of 32 bytes, in a batch

// sealed returns data keys that ours has wrapped with the key before the one that protects now.
func (o *ours) sealed(t testing.TB, c keymgmt.Context) [][]byte {
	t.Helper()
	list := make([][]byte, dataKeys)
	for i := range list {
		var err error
		list[i], err = o.ring.Seal(nil, dataKey(i), c)
		require.NoError(t, err)
	}
	require.NoError(t, o.rotate())
	require.NoError(t, o.node.Refresh(t.Context()))
	return list
}

func dataKey(i int) []byte {
	key := make([]byte, 32)
	key[0], key[1] = byte(i), byte(i>>8)
	return key
}

// BenchmarkRewrap moves wrapped data keys to the newest version, without storage: ours through the ring, one after the
// other, with state, periods, roles and leases looked at each time and a context bound to each; Vault's in one batch, with
// nothing bound.
func BenchmarkRewrap(b *testing.B) {
	o, e := newOurs(b), newEngine(b)
	c, err := keymgmt.NewContext("tenant", "acme")
	require.NoError(b, err)
	wrapped, rewrapper := o.sealed(b, c), rewrap.Ciphertexts(o.ring)
	plain := make([][]byte, dataKeys)
	for i := range plain {
		plain[i] = dataKey(i)
	}
	items := itemsOf(e.encrypt(b, plain))
	e.rotateTo(b, 2)
	var out []byte
	race(b, dataKeys, func(b *testing.B) {
		for _, w := range wrapped {
			if out, err = rewrapper.Rewrap(context.Background(), out[:0], w, c); err != nil {
				b.Fatal(err)
			}
		}
	}, func(b *testing.B) {
		if _, err := e.rewrap(items); err != nil {
			b.Fatal(err)
		}
	})
}

func TestOursRewrapsToItsLatestKey(t *testing.T) {
	o := newOurs(t)
	c, err := keymgmt.NewContext("tenant", "acme")
	require.NoError(t, err)
	wrapped := o.sealed(t, c)
	for i, w := range wrapped {
		was, ok := rewrap.Ciphertext{}.KeyID(w)
		require.True(t, ok)
		require.EqualValues(t, 1, was)
		moved, err := rewrap.Ciphertexts(o.ring).Rewrap(t.Context(), nil, w, c)
		require.NoError(t, err)
		now, ok := rewrap.Ciphertext{}.KeyID(moved)
		require.True(t, ok)
		require.EqualValues(t, 2, now)
		got, err := o.ring.Open(nil, moved, c)
		require.NoError(t, err)
		require.Equal(t, dataKey(i), got)
	}
}
