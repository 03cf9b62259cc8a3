//go:build unix

// What concurrent managers over PostgreSQL must never do, each with a pool, a driver and a store of its own, as processes
// have them.
package keymgmt_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

const managers = 4

var (
	invoices = keymgmt.SetID{Tenant: "acme", ID: "invoices"}
	keeper   = lifecycle.By{Actor: opsec.Actor{Tenant: "acme", Account: "keeper", Person: "keeper", Kind: opsec.Human}, Reason: "test"}
	server   = opsec.Actor{Tenant: "acme", Account: "server", Person: "server", Kind: opsec.Service}
)

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

// fleet is managers over one database, and their common custodian.
type fleet struct {
	server    *pgtest.Server
	custodian local
	managers  []*lifecycle.Manager
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	kek, err := aead.New(handle)
	require.NoError(t, err)
	f := &fleet{server: pgtest.Start(t, nil), custodian: local{kek}}
	for i := range managers {
		f.managers = append(f.managers, f.manager(t, i))
	}
	return f
}

// manager is one more, with all that a process of its own would have.
func (f *fleet) manager(t *testing.T, i int) *lifecycle.Manager {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), f.server.DSN("pool_max_conns=8"))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	if i == 0 {
		require.NoError(t, postgres.Migrate(t.Context(), pool, ""))
	}
	driver, err := postgres.New(pool, nil)
	require.NoError(t, err)
	t.Cleanup(func() { driver.Close() })
	options := &store.Options{Node: fmt.Sprintf("manager-%d", i)}
	db, err := store.New(driver, options)
	require.NoError(t, err)
	m, err := lifecycle.New(shelf.Stored(db, options), keyring.Material{}, f.custodian, &lifecycle.Options{
		Authorizer: opsec.CallerAuthorized{}, InsecureUnsealed: true,
	})
	require.NoError(t, err)
	return m
}

// create makes the keyset with a first key.
func (f *fleet) create(t *testing.T, limit func(*keymgmt.Policy)) keymgmt.Key {
	t.Helper()
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	if limit != nil {
		limit(&policy)
	}
	_, err := f.managers[0].Create(t.Context(), keeper, keymgmt.Keyset{
		SetID: invoices, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Custodian: "root", Policy: policy,
		Roles: keymgmt.Roles{keymgmt.Administrator: {"acme/keeper"}, keymgmt.Operator: {"acme/server"}},
	})
	require.NoError(t, err)
	key, err := f.managers[0].Rotate(t.Context(), keeper, invoices)
	require.NoError(t, err)
	return key
}

// each runs fn for every manager, n times at once.
func (f *fleet) each(n int, fn func(i int, m *lifecycle.Manager)) {
	var wg sync.WaitGroup
	for i, m := range f.managers {
		for range n {
			wg.Go(func() { fn(i, m) })
		}
	}
	wg.Wait()
}

func TestManagersNeverLeaseMoreThanTheLimit(t *testing.T) {
	f := newFleet(t)
	const messages, bytes = 1000, 64_000
	key := f.create(t, func(p *keymgmt.Policy) { p.Messages, p.Bytes, p.Block = messages, bytes, 7 })

	leaseAll := func(ref keymgmt.Ref) (sum keymgmt.Amount) {
		var mu sync.Mutex
		f.each(3, func(_ int, m *lifecycle.Manager) {
			for {
				got, err := m.Lease(t.Context(), ref, keymgmt.Amount{Messages: 7, Bytes: 448})
				if _, exhausted := errors.AsType[*keymgmt.ExhaustedError](err); exhausted {
					return
				}
				if err != nil || got.Messages == 0 {
					t.Errorf("%v, %v", got, err)
					return
				}
				mu.Lock()
				sum.Messages += got.Messages
				sum.Bytes += got.Bytes
				mu.Unlock()
			}
		})
		return sum
	}
	require.Equal(t, keymgmt.Amount{Messages: messages, Bytes: bytes}, leaseAll(key.Ref), "all of it, and no more")

	_, err := f.manager(t, managers).Lease(t.Context(), key.Ref, keymgmt.Amount{Messages: 1, Bytes: 1})
	_, exhausted := errors.AsType[*keymgmt.ExhaustedError](err)
	require.True(t, exhausted, "a process that starts anew knows it too: %v", err)

	next, err := f.managers[1].Rotate(t.Context(), keeper, invoices)
	require.NoError(t, err)
	require.Equal(t, keymgmt.Amount{Messages: messages, Bytes: bytes}, leaseAll(next.Ref), "the next key has a limit of its own")
}

func TestNodesNeverSealMoreThanTheLimit(t *testing.T) {
	f := newFleet(t)
	const messages = 300
	f.create(t, func(p *keymgmt.Policy) { p.Messages, p.Block = messages, 8 })
	c, err := keymgmt.NewContext("tenant", "acme")
	require.NoError(t, err)

	rings := make([]*keyring.Ring, managers)
	for i, m := range f.managers {
		node, err := keyring.Join(t.Context(), m, f.custodian, &keyring.Options{Node: fmt.Sprintf("node-%d", i), Actor: server})
		require.NoError(t, err)
		t.Cleanup(func() { node.Close(context.Background()) })
		rings[i], err = node.Ring(t.Context(), invoices)
		require.NoError(t, err)
	}
	var sealed atomic.Int64
	f.each(4, func(i int, _ *lifecycle.Manager) {
		for {
			ciphertext, err := rings[i].Seal(nil, []byte("text"), c)
			if _, exhausted := errors.AsType[*keymgmt.ExhaustedError](err); exhausted {
				return
			}
			if err == nil {
				sealed.Add(1)
				_, err = rings[(i+1)%managers].Open(nil, ciphertext, c)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	require.EqualValues(t, messages, sealed.Load())
}

// onlyOnePrimary looks at every key of the keyset, and returns their ids.
func onlyOnePrimary(t *testing.T, m *lifecycle.Manager) (ids []uint32) {
	t.Helper()
	set, err := m.Keyset(t.Context(), invoices)
	require.NoError(t, err)
	var active []uint32
	for k, err := range m.Keys(t.Context(), invoices) {
		require.NoError(t, err)
		ids = append(ids, k.Ref.Key)
		if k.State.Allows(keymgmt.Protect) {
			active = append(active, k.Ref.Key)
		}
	}
	if set.Primary == 0 {
		require.Empty(t, active)
	} else {
		require.Equal(t, []uint32{set.Primary}, active)
	}
	require.Equal(t, len(ids), set.Keys)
	return ids
}

// watchPrimary looks at snapshots until ctx ends: what they show as the primary always protects.
func watchPrimary(ctx context.Context, m *lifecycle.Manager) error {
	for ctx.Err() == nil {
		s, err := m.Snapshot(ctx, invoices)
		switch {
		case err != nil && ctx.Err() != nil:
		case err != nil:
			return err
		case s.Key.Ref.Key != s.Keyset.Primary:
			return fmt.Errorf("key %d, of a keyset whose primary is %d", s.Key.Ref.Key, s.Keyset.Primary)
		case s.Keyset.Primary != 0 && !s.Key.State.Allows(keymgmt.Protect):
			return fmt.Errorf("the primary is %v", s.Key.State)
		}
	}
	return nil
}

func TestManagersNeverMakeTwoPrimaries(t *testing.T) {
	f := newFleet(t)
	f.create(t, nil)
	watching, stop := context.WithCancel(t.Context())
	seen, watcher := make(chan error, 1), f.manager(t, managers)
	go func() { seen <- watchPrimary(watching, watcher) }()

	var made atomic.Int64
	made.Store(1)
	const rounds, workers = 10, 2
	for round := range rounds {
		ids := onlyOnePrimary(t, f.managers[round%managers])
		f.each(workers, func(i int, m *lifecycle.Manager) {
			ref := keymgmt.Ref{Set: invoices, Key: ids[rand.IntN(len(ids))]}
			var err error
			switch rand.IntN(7) {
			case 0, 1:
				if _, err = m.Rotate(t.Context(), keeper, invoices); err == nil {
					made.Add(1)
				}
			case 2:
				if _, err = m.Generate(t.Context(), keeper, invoices); err == nil {
					made.Add(1)
				}
			case 3:
				_, err = m.Activate(t.Context(), keeper, ref)
			case 4:
				_, err = m.Suspend(t.Context(), keeper, ref)
			case 5:
				_, err = m.Resume(t.Context(), keeper, ref)
			case 6:
				_, err = m.Deactivate(t.Context(), keeper, ref)
			}
			if err != nil && !errors.Is(err, opsec.ErrDenied) { // of the state that the key is in
				t.Error(err)
			}
		})
	}
	stop()
	require.NoError(t, <-seen)
	require.Len(t, onlyOnePrimary(t, f.managers[0]), int(made.Load()))
}

// A rotation that was reported is there after the server has crashed, and none is there by half. Managers wait for the
// server to come back, and go on.
func TestRotationsAreWholeAfterACrash(t *testing.T) {
	f := newFleet(t)
	reported := []uint32{f.create(t, nil).Ref.Key}
	var mu sync.Mutex
	has := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(reported) >= n
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stop atomic.Bool
	var unclear atomic.Int64 // rotations that may be there, and were not reported
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.each(1, func(_ int, m *lifecycle.Manager) {
			for !stop.Load() && ctx.Err() == nil {
				key, err := m.Rotate(ctx, keeper, invoices)
				if err != nil {
					unclear.Add(1)
					continue
				}
				mu.Lock()
				reported = append(reported, key.Ref.Key)
				mu.Unlock()
			}
		})
	}()
	require.Eventually(t, has(20), time.Minute, 10*time.Millisecond)
	f.server.Crash(t)
	f.server.Up(t)
	mu.Lock()
	before := len(reported)
	mu.Unlock()
	require.Eventually(t, has(before+5), time.Minute, 10*time.Millisecond)
	stop.Store(true)
	<-done

	ids := onlyOnePrimary(t, f.manager(t, managers))
	for _, id := range reported {
		require.True(t, slices.Contains(ids, id), "key %d was reported", id)
	}
	require.LessOrEqual(t, len(ids), len(reported)+int(unclear.Load()), "what was not reported was not made")
}
