package bench

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// Keys beside bare Tink: ratios are Tink's time over ours, so 0.9 x-tink says that checks, leases and the look at the
// clock take a tenth of the time that encryption takes. What is beside Vault is in the folder vault.
//
//	go test -run='^$' -bench=Keys -benchtime=1x
//	go test -run='^$' -bench=KeysPermit
//	go test -run='^$' -bench=KeysTenants -benchtime=1x -tenants=1000000 -timeout=2h

// Who does what in the benchmarks of keys.
var (
	keeper = lifecycle.By{Actor: opsec.Actor{Tenant: "acme", Account: "keeper", Person: "keeper", Kind: opsec.Human}, Reason: "bench"}
	server = opsec.Actor{Tenant: "acme", Account: "server", Person: "server", Kind: opsec.Service}
)

func rolesOfKeys() keymgmt.Roles {
	return keymgmt.Roles{keymgmt.Administrator: {"acme/keeper"}, keymgmt.Operator: {"acme/server"}}
}

// unheard is a recorder whose events are forgotten.
type unheard struct{}

func (unheard) Record(context.Context, *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{}, nil
}

// local is a custodian with one key-encryption key for all handles, in memory.
type local struct{ kek tink.AEAD }

// newLocal returns one whose key is the same in every process.
func newLocal(t testing.TB) local {
	kek, err := subtle.NewAESGCM(noise(32))
	require.NoError(t, err)
	return local{kek}
}

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

func newManager(t testing.TB, r keymgmt.Repository, c keymgmt.Custodian) *lifecycle.Manager {
	m, err := lifecycle.New(r, keyring.Material{}, c, &lifecycle.Options{Authorizer: opsec.CallerAuthorized{}, InsecureUnsealed: true})
	require.NoError(t, err)
	return m
}

// create makes a keyset with a first key.
func create(t testing.TB, m *lifecycle.Manager, id keymgmt.SetID) keymgmt.Key {
	_, err := m.Create(t.Context(), keeper, keymgmt.Keyset{
		SetID: id, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Custodian: "root",
		Policy: keymgmt.Preset(keymgmt.DataEncryption), Roles: rolesOfKeys(),
	})
	require.NoError(t, err)
	return rotate(t, m, id)
}

func rotate(t testing.TB, m *lifecycle.Manager, id keymgmt.SetID) keymgmt.Key {
	key, err := m.Rotate(t.Context(), keeper, id)
	require.NoError(t, err)
	return key
}

// invoices is a keyset in use: a manager over the memory repository, and a node with a ring.
type invoices struct {
	custodian local
	manager   *lifecycle.Manager
	node      *keyring.Node
	ring      *keyring.Ring
}

func newInvoices(t testing.TB) *invoices {
	custodian := newLocal(t)
	m := newManager(t, keymgmt.NewMemory(unheard{}), custodian)
	id := keymgmt.SetID{Tenant: "acme", ID: "invoices"}
	create(t, m, id)
	node, err := keyring.Join(t.Context(), m, custodian, &keyring.Options{
		Node: "bench", Actor: server, Stale: time.Hour, Fence: time.Hour,
	})
	require.NoError(t, err)
	t.Cleanup(func() { node.Close(context.Background()) })
	ring, err := node.Ring(t.Context(), id)
	require.NoError(t, err)
	return &invoices{custodian, m, node, ring}
}

// rotate makes the next key, and has the node look at it.
func (s *invoices) rotate(t testing.TB) keymgmt.Key {
	key := rotate(t, s.manager, s.ring.ID())
	require.NoError(t, s.node.Refresh(t.Context()))
	return key
}

// bare returns the primary key as Tink alone has it.
func (s *invoices) bare(t testing.TB) tink.AEAD {
	snapshot, err := s.manager.Snapshot(t.Context(), s.ring.ID())
	require.NoError(t, err)
	material, err := s.custodian.Unwrap(t.Context(), "root", snapshot.Key.Wrapped, keymgmt.MaterialContext(snapshot.Key.Ref).Bytes())
	require.NoError(t, err)
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(material)))
	require.NoError(t, err)
	bare, err := aead.New(handle)
	require.NoError(t, err)
	return bare
}

// BenchmarkKeysPermit is what stands between a caller and a key: state, purpose, role, periods, and one message taken from
// the lease. The time is given: a ring looks at the clock once for all of its checks.
func BenchmarkKeysPermit(b *testing.B) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	set := keymgmt.Keyset{SetID: keymgmt.SetID{Tenant: "acme", ID: "invoices"}, Purpose: keymgmt.DataEncryption, Policy: policy}
	key := keymgmt.Key{Ref: keymgmt.Ref{Set: set.SetID, Key: 1}, State: keymgmt.Active, Algorithm: "AES256_GCM", Activated: now}
	key.ProtectUntil, key.ProcessUntil = policy.Periods(now)
	var block keymgmt.Block
	const lease = 1 << 20 // messages, as in the policy
	permit := keymgmt.NewPermit(set, key, keymgmt.Operator, &block)
	nanos := now.UnixNano()
	b.Run("use", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if i%lease == 0 {
				block.Add(keymgmt.Amount{Messages: lease, Bytes: lease * oneKiB})
			}
			if err := permit.Use(keymgmt.Protect, nanos, oneKiB); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := permit.Check(keymgmt.Process, nanos); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// oneKiB messages are sealed so often in a run.
const oneKiB, messages = 1024, 20_000

// BenchmarkKeysSeal is a ring beside Tink's AEAD of the same keyset, with the same associated data.
func BenchmarkKeysSeal(b *testing.B) {
	s := newInvoices(b)
	ring, bare := s.ring, s.bare(b)
	c, err := keymgmt.NewContext("tenant", "acme", "table", "invoices")
	require.NoError(b, err)
	text := noise(oneKiB)
	sealed, err := ring.Seal(nil, text, c)
	require.NoError(b, err)
	race(b, messages*oneKiB, []contestant{
		{name: "ring", run: repeated(func() error { _, err := ring.Seal(nil, text, c); return err })},
		{name: "tink", run: repeated(func() error { _, err := bare.Encrypt(text, c.Bytes()); return err })},
	})
	b.Run("open", func(b *testing.B) {
		race(b, messages*oneKiB, []contestant{
			{name: "ring", run: repeated(func() error { _, err := ring.Open(nil, sealed, c); return err })},
			{name: "tink", run: repeated(func() error { _, err := bare.Decrypt(sealed, c.Bytes()); return err })},
		})
	})
}

// repeated is a run of so many messages.
func repeated(one func() error) func() string {
	return func() string {
		for range messages {
			if err := one(); err != nil {
				return err.Error()
			}
		}
		return "done"
	}
}

// TestKeysContestantsOpenEachOther looks that what is compared is the same work.
func TestKeysContestantsOpenEachOther(t *testing.T) {
	s := newInvoices(t)
	s.rotate(t)
	ring, bare := s.ring, s.bare(t)
	c, err := keymgmt.NewContext("tenant", "acme")
	require.NoError(t, err)
	ours, err := ring.Seal(nil, []byte("text"), c)
	require.NoError(t, err)
	got, err := bare.Decrypt(ours, c.Bytes())
	require.NoError(t, err)
	require.Equal(t, "text", string(got))
	theirs, err := bare.Encrypt([]byte("text"), c.Bytes())
	require.NoError(t, err)
	got, err = ring.Open(nil, theirs, c)
	require.NoError(t, err)
	require.Equal(t, "text", string(got))
	require.Len(t, theirs, len(ours))
}
