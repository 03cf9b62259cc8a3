package keyring_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// What people do to the keyset of the real manager.
var (
	admin  = opsec.Actor{Tenant: "acme", Account: "ada", Person: "ada", Kind: opsec.Human}
	keeper = opsec.Actor{Tenant: "acme", Account: "ken", Person: "ken", Kind: opsec.Human}
)

func by(a opsec.Actor) lifecycle.By { return lifecycle.By{Actor: a, Reason: "a test"} }

// managed is a real manager with a keyset, whose first key is active.
func managed(t testing.TB, now func() time.Time, change func(*keymgmt.Policy)) (*lifecycle.Manager, *custodian) {
	c := newCustodian(t)
	repo := keymgmt.NewMemory(new(audittest.Recorder))
	m, err := lifecycle.New(repo, material, c, &lifecycle.Options{Now: now, Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	policy.Quorum = nil
	if change != nil {
		change(&policy)
	}
	_, err = m.Create(t.Context(), by(admin), keymgmt.Keyset{
		SetID: invoice, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy,
		Roles: keymgmt.Roles{
			keymgmt.Administrator: {keymgmt.Person(admin)}, keymgmt.CustodianRole: {keymgmt.Person(keeper)},
			keymgmt.Operator: {keymgmt.Person(server)},
		},
	})
	require.NoError(t, err)
	_, err = m.Rotate(t.Context(), by(admin), invoice)
	require.NoError(t, err)
	return m, c
}

// cut is a manager whose line to a node can be cut.
type cut struct {
	*lifecycle.Manager
	down atomic.Bool
}

func (c *cut) err() error {
	if c.down.Load() {
		return errDown
	}
	return nil
}

func (c *cut) Snapshot(ctx context.Context, id keymgmt.SetID) (keymgmt.Snapshot, error) {
	if err := c.err(); err != nil {
		return keymgmt.Snapshot{}, err
	}
	return c.Manager.Snapshot(ctx, id)
}

func (c *cut) Held(ctx context.Context, ref keymgmt.Ref) (keymgmt.Held, error) {
	if err := c.err(); err != nil {
		return keymgmt.Held{}, err
	}
	return c.Manager.Held(ctx, ref)
}

func (c *cut) Beat(ctx context.Context, node string) error {
	if err := c.err(); err != nil {
		return err
	}
	return c.Manager.Beat(ctx, node)
}

// TestADestroyedKeyOpensNothingOnAnyNode has a node that looks, and one that is cut off and holds the key.
func TestADestroyedKeyOpensNothingOnAnyNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Time { return start.Add(time.Since(began)) }
		m, c := managed(t, now, func(p *keymgmt.Policy) { p.DestroyWait = time.Minute })
		line := &cut{Manager: m}
		rings := map[string]*keyring.Ring{}
		for name, source := range map[string]keymgmt.Source{"near": m, "far": line} {
			n, err := keyring.Join(t.Context(), source, c, &keyring.Options{Node: name, Actor: server, Now: now})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = n.Run(ctx) })
			t.Cleanup(func() { cancel(); wg.Wait() })
			rings[name] = ring(t, n, invoice)
		}
		sealed, err := rings["near"].Seal(nil, []byte("text"), keymgmt.Context{})
		require.NoError(t, err)
		_, err = m.Rotate(t.Context(), by(admin), invoice)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		for _, r := range rings {
			require.NoError(t, open(r, sealed))
		}

		first := keymgmt.Ref{Set: invoice, Key: 1}
		time.Sleep(time.Hour)
		_, err = m.Count(t.Context(), by(server), first, keymgmt.Census{Time: now(), Of: 1, Digest: "sha256:census"})
		require.NoError(t, err)
		line.down.Store(true)
		cutOff := now()
		_, err = m.Schedule(t.Context(), by(admin), first)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		_, err = m.Destroy(t.Context(), by(admin), first)
		var pending *lifecycle.PendingError
		require.ErrorAs(t, err, &pending)
		require.Equal(t, []string{"far"}, pending.Nodes)
		require.ErrorIs(t, open(rings["near"], sealed), opsec.ErrDenied)
		require.NoError(t, open(rings["far"], sealed), "it does not know")
		for errors.As(err, &pending) {
			time.Sleep(10 * time.Second)
			require.Less(t, now().Sub(cutOff), 10*time.Minute)
			_, err = m.Destroy(t.Context(), by(admin), first)
		}
		require.NoError(t, err)
		require.Greater(t, now().Sub(cutOff), 5*time.Minute)

		for _, r := range rings {
			require.Error(t, open(r, sealed))
		}
		line.down.Store(false)
		time.Sleep(time.Minute)
		for _, r := range rings {
			require.ErrorIs(t, open(r, sealed), opsec.ErrDenied)
			require.NoError(t, seal(r), "the next key serves")
		}
		fresh, err := keyring.Join(t.Context(), m, c, &keyring.Options{Actor: server, Now: now})
		require.NoError(t, err)
		require.ErrorIs(t, open(ring(t, fresh, invoice), sealed), opsec.ErrDenied)
		held, err := m.Held(t.Context(), first)
		require.NoError(t, err)
		require.Empty(t, held.Wrapped)
	})
}

func TestARotationReachesTheNodesAndOldCiphertextsOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Time { return start.Add(time.Since(began)) }
		m, c := managed(t, now, nil)
		n, err := keyring.Join(t.Context(), m, c, &keyring.Options{Actor: server, Now: now})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _ = n.Run(ctx) })
		defer wg.Wait()
		defer cancel()
		r := ring(t, n, invoice)
		for i := range byte(5) {
			synctest.Wait()
			sealed, err := r.Seal(nil, []byte("text"), keymgmt.Context{})
			require.NoError(t, err)
			require.Equal(t, []byte{1, 0, 0, 0, i + 1}, sealed[:5])
			_, err = m.Rotate(t.Context(), by(admin), invoice)
			require.NoError(t, err)
			require.NoError(t, open(r, sealed))
		}
	})
}

func TestNodesOfARealManagerNeverExceedALimit(t *testing.T) {
	now := func() time.Time { return start }
	m, c := managed(t, now, func(p *keymgmt.Policy) { p.Messages, p.Block = 500, 7 })
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		n, err := keyring.Join(t.Context(), m, c, &keyring.Options{Actor: server, Now: now})
		require.NoError(t, err)
		r := ring(t, n, invoice)
		for range 2 {
			wg.Go(func() {
				for seal(r) == nil {
					done.Add(1)
				}
			})
		}
	}
	wg.Wait()
	require.EqualValues(t, 500, done.Load())
}

func TestAKeysetMovesFromOneManagerToAnother(t *testing.T) {
	now := func() time.Time { return start }
	m, c := managed(t, now, nil)
	n, err := keyring.Join(t.Context(), m, c, &keyring.Options{Actor: server, Now: now})
	require.NoError(t, err)
	sealed, err := ring(t, n, invoice).Seal(nil, []byte("text"), keymgmt.Context{})
	require.NoError(t, err)
	_, err = m.Export(t.Context(), by(admin), keymgmt.Ref{Set: invoice, Key: 1})
	require.ErrorIs(t, err, opsec.ErrDenied, "that is for the custodian")
	exported, err := m.Export(t.Context(), by(keeper), keymgmt.Ref{Set: invoice, Key: 1})
	require.NoError(t, err)
	handle, err := keyring.Assemble(1, exported)
	require.NoError(t, err)

	m2, c2 := managed(t, now, nil)
	pieces, err := keyring.Split(handle)
	require.NoError(t, err)
	there := keymgmt.SetID{Tenant: "acme", ID: "moved"}
	set, err := m2.Keyset(t.Context(), invoice)
	require.NoError(t, err)
	set.SetID, set.Custodian = there, ""
	_, err = m2.Create(t.Context(), by(admin), set)
	require.NoError(t, err)
	for _, p := range pieces {
		ref := keymgmt.Ref{Set: there, Key: p.Key}
		_, err := m2.Expect(t.Context(), by(admin), ref, p.Algorithm)
		require.NoError(t, err)
		_, err = m2.Import(t.Context(), by(keeper), ref, p.Material)
		require.NoError(t, err)
		_, err = m2.Activate(t.Context(), by(admin), ref)
		require.NoError(t, err)
	}
	n2, err := keyring.Join(t.Context(), m2, c2, &keyring.Options{Actor: server, Now: now})
	require.NoError(t, err)
	got, err := ring(t, n2, there).Open(nil, sealed, keymgmt.Context{})
	require.NoError(t, err)
	require.Equal(t, "text", string(got))
}
