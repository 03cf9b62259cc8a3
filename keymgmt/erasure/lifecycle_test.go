package erasure_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

// custodian is one in memory.
type custodian struct {
	mu   sync.Mutex
	keks map[string]cipher.AEAD
}

func (c *custodian) Generate(_ context.Context, handle string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keks[handle] != nil {
		return nil
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err == nil {
		c.keks[handle], err = cipher.NewGCMWithRandomNonce(block)
	}
	return err
}

func (c *custodian) kek(handle string) (cipher.AEAD, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keks[handle] == nil {
		return nil, opsec.ErrNotFound
	}
	return c.keks[handle], nil
}

func (c *custodian) Wrap(_ context.Context, handle string, material, ad []byte) ([]byte, error) {
	k, err := c.kek(handle)
	if err != nil {
		return nil, err
	}
	return k.Seal(nil, nil, material, ad), nil
}

func (c *custodian) Unwrap(_ context.Context, handle string, wrapped, ad []byte) ([]byte, error) {
	k, err := c.kek(handle)
	if err != nil {
		return nil, err
	}
	b, err := k.Open(nil, nil, wrapped, ad)
	if err != nil {
		return nil, keymgmt.ErrUnwrap
	}
	return b, nil
}

func (c *custodian) Destroy(_ context.Context, handle string) (keymgmt.Evidence, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keks, handle)
	return keymgmt.Evidence{Custodian: "memory", Handle: handle, Method: "forgotten"}, nil
}

func by(person string) lifecycle.By {
	return lifecycle.By{Actor: opsec.Actor{Tenant: "acme", Account: person, Person: person, Kind: opsec.Human}, Reason: "end of life"}
}

// A manager's key is made, replaced, counted and destroyed; the receipt tells of it, the certificate rests on it, and a store
// that is put back from before does not bring the key back.
func TestTheEndOfAManagersKey(t *testing.T) {
	ctx := t.Context()
	now := noon
	clock := func() time.Time { return now }
	r, kms := newRepo(t), &custodian{keks: map[string]cipher.AEAD{}}
	o := options()
	o.Now = clock
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	stones, err := erasure.NewTombstones(events())
	require.NoError(t, err)
	manager := func(repo keymgmt.Repository, stones ...keymgmt.Tombstones) *lifecycle.Manager {
		m, err := lifecycle.New(repo, keyring.Material{}, kms, &lifecycle.Options{
			Now: clock, Authorizer: opsec.CallerAuthorized{}, Receipts: l, Tombstones: stones, InsecureUnsealed: true,
		})
		require.NoError(t, err)
		return m
	}
	m := manager(r, stones)
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	policy.Quorum = nil
	set := keymgmt.SetID{Tenant: "acme", ID: "volumes/7"}
	_, err = m.Create(ctx, by("alice"), keymgmt.Keyset{
		SetID: set, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy,
		Roles: keymgmt.Roles{keymgmt.Administrator: {"acme/alice"}, keymgmt.Operator: {"acme/oscar"}},
	})
	require.NoError(t, err)
	first, err := m.Generate(ctx, by("alice"), set)
	require.NoError(t, err)
	_, err = m.Activate(ctx, by("alice"), first.Ref)
	require.NoError(t, err)
	before := maps.Clone(r.docs) // of the store, on tape
	now = now.Add(time.Hour)
	second, err := m.Rotate(ctx, by("alice"), set)
	require.NoError(t, err)
	require.NotEqual(t, first.Ref, second.Ref)

	now = now.Add(time.Hour)
	report := rewrap.Report{Set: set, Parts: []rewrap.Part{{
		Name: "volumes", Began: now, Ended: now, Of: 12, Keys: []rewrap.Tally{{Key: second.Ref.Key, Objects: 12}},
	}}}
	census, err := report.Census(first.Ref.Key, "volumes")
	require.NoError(t, err)
	_, err = m.Count(ctx, by("oscar"), first.Ref, census)
	require.NoError(t, err)
	_, err = m.Schedule(ctx, by("alice"), first.Ref)
	require.NoError(t, err)
	now = now.Add(31 * 24 * time.Hour)
	_, err = l.Receipts(ctx, first.Ref)
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = m.Destroy(ctx, by("alice"), first.Ref)
	require.NoError(t, err)

	docs, err := l.Receipts(ctx, first.Ref)
	require.NoError(t, err)
	require.Len(t, docs, 1)
	receipt, err := erasure.Verify(docs[0], trust)
	require.NoError(t, err)
	require.True(t, receipt.Complete())
	require.Empty(t, receipt.Left())
	require.Equal(t, "acme/alice", receipt.By)
	require.Equal(t, report.Digest(), receipt.Destruction.Key.Census.Digest)
	_, err = m.Destroy(ctx, by("alice"), first.Ref)
	require.NoError(t, err)
	require.Len(t, all(t, l, "acme"), 1, "destroyed once")

	old := newRepo(t)
	old.docs = maps.Clone(before)
	held, err := manager(old).Held(ctx, first.Ref)
	require.NoError(t, err)
	require.NotNil(t, held.Wrapped, "without the log, it would be back")
	stones, err = erasure.NewTombstones(events(r.log.Events()...))
	require.NoError(t, err)
	require.Equal(t, 1, stones.Len())
	restored := manager(old, stones)
	_, err = restored.Held(ctx, first.Ref)
	require.ErrorIs(t, err, keymgmt.ErrDestroyed)
	if snapshot, err := restored.Snapshot(ctx, set); err == nil {
		require.Nil(t, snapshot.Key.Wrapped)
	}
	_, err = restored.Export(ctx, by("alice"), first.Ref)
	require.Error(t, err)

	_, err = l.Certify(ctx, carol, declare(first.Ref, second.Ref))
	var lacking *erasure.IncompleteError
	require.ErrorAs(t, err, &lacking)
	require.Equal(t, []keymgmt.Ref{second.Ref}, lacking.Missing)
	_, err = l.Certify(ctx, carol, declare(first.Ref))
	require.NoError(t, err)
	_, err = l.Release(ctx, carol, volume, "vol-7 to globex")
	require.NoError(t, err)
	require.Contains(t, slices.Collect(maps.Keys(r.docs)), "acme erasure/head")
}

// A tombstone that is already there when a destruction is gone on with is no reason to stop before the receipt.
func TestADestructionIsFinishedAfterItIsInTheLog(t *testing.T) {
	ctx := t.Context()
	now := noon
	r, kms := newRepo(t), &custodian{keks: map[string]cipher.AEAD{}}
	o := options()
	l, err := erasure.New(r, o)
	require.NoError(t, err)
	stones, err := erasure.NewTombstones(events())
	require.NoError(t, err)
	failing := true
	m, err := lifecycle.New(r, keyring.Material{}, kms, &lifecycle.Options{
		Now: func() time.Time { return now }, Authorizer: opsec.CallerAuthorized{}, Tombstones: []keymgmt.Tombstones{stones}, InsecureUnsealed: true,
		Receipts: issuer(func(ctx context.Context, d keymgmt.Destruction) (string, error) {
			if failing {
				return "", keymgmt.ErrUnavailable
			}
			return l.Issue(ctx, d)
		}),
	})
	require.NoError(t, err)
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	policy.Quorum = nil
	set := keymgmt.SetID{Tenant: "acme", ID: "volumes/7"}
	_, err = m.Create(ctx, by("alice"), keymgmt.Keyset{
		SetID: set, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy,
		Roles: keymgmt.Roles{keymgmt.Administrator: {"acme/alice"}},
	})
	require.NoError(t, err)
	k, err := m.Generate(ctx, by("alice"), set)
	require.NoError(t, err)
	_, err = m.Schedule(ctx, by("alice"), k.Ref)
	require.NoError(t, err)
	now = now.Add(31 * 24 * time.Hour)
	_, err = m.Destroy(ctx, by("alice"), k.Ref)
	require.ErrorIs(t, err, keymgmt.ErrUnavailable)
	stones.Bury(k.Ref) // the event has reached the log meanwhile
	failing = false
	_, err = m.Destroy(ctx, by("alice"), k.Ref)
	require.NoError(t, err)
	docs, err := l.Receipts(ctx, k.Ref)
	require.NoError(t, err)
	require.Len(t, docs, 1)
}

type issuer func(context.Context, keymgmt.Destruction) (string, error)

func (i issuer) Issue(ctx context.Context, d keymgmt.Destruction) (string, error) { return i(ctx, d) }
