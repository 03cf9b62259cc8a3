package rewrap_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

// custodian wraps under one key, whatever the handle.
type custodian struct{ kek cipher.AEAD }

func (custodian) Generate(context.Context, string) error { return nil }

func (c custodian) Wrap(_ context.Context, _ string, material, ad []byte) ([]byte, error) {
	return c.kek.Seal(nil, nil, material, ad), nil
}

func (c custodian) Unwrap(_ context.Context, _ string, wrapped, ad []byte) ([]byte, error) {
	return c.kek.Open(nil, nil, wrapped, ad)
}

func (custodian) Destroy(context.Context, string) (keymgmt.Evidence, error) {
	return keymgmt.Evidence{}, keymgmt.ErrUnavailable
}

// With a manager and rings of Tink: what is under the first key moves to the second, and only then can the first be destroyed.
func TestAKeyIsDestroyedWhenNothingIsLeftOnIt(t *testing.T) {
	ctx, now := t.Context(), noon
	clock := func() time.Time { return now }
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(t, err)
	kek, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	m, err := lifecycle.New(keymgmt.NewMemory(audittest.New(t)), keyring.Material{}, custodian{kek},
		&lifecycle.Options{Now: clock, Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	by := func(person string) lifecycle.By {
		return lifecycle.By{Actor: opsec.Actor{Tenant: "acme", Account: person, Person: person, Kind: opsec.Human}, Reason: "end of life"}
	}
	policy := keymgmt.Preset(keymgmt.DataEncryption)
	policy.Quorum = nil
	_, err = m.Create(ctx, by("alice"), keymgmt.Keyset{
		SetID: set, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy,
		Roles: keymgmt.Roles{keymgmt.Administrator: {"acme/alice"}, keymgmt.Operator: {"acme/bob"}},
	})
	require.NoError(t, err)
	first, err := m.Rotate(ctx, by("alice"), set)
	require.NoError(t, err)
	ring := func() *keyring.Ring {
		n, err := keyring.Join(ctx, m, custodian{kek}, &keyring.Options{Actor: bob, InsecureAlone: true, Now: clock})
		require.NoError(t, err)
		r, err := n.Ring(ctx, set)
		require.NoError(t, err)
		return r
	}
	old := ring()
	s := &shelf{objects: map[string]rewrap.Object{}}
	for i := range 100 {
		id := fmt.Sprintf("object-%06d", i)
		c, err := keymgmt.NewContext("object", id)
		require.NoError(t, err)
		b, err := old.Seal(nil, []byte("data key of "+id), c)
		require.NoError(t, err)
		s.put(rewrap.Object{ID: id, Wrapped: b, Context: c})
	}
	now = now.Add(time.Hour)
	second, err := m.Rotate(ctx, by("alice"), set)
	require.NoError(t, err)

	count := func() keymgmt.Census {
		now = now.Add(time.Hour)
		p, err := rewrap.Count(ctx, "volumes", s, rewrap.Ciphertext{}, clock)
		require.NoError(t, err)
		census, err := rewrap.Report{Set: set, Parts: []rewrap.Part{p}}.Census(first.Ref.Key, "volumes")
		require.NoError(t, err)
		_, err = m.Count(ctx, by("bob"), first.Ref, census)
		require.NoError(t, err)
		return census
	}
	require.EqualValues(t, 100, count().Objects)
	_, err = m.Schedule(ctx, by("alice"), first.Ref)
	require.NoError(t, err)
	now = now.AddDate(0, 0, 31)
	_, err = m.Destroy(ctx, by("alice"), first.Ref)
	require.ErrorContains(t, err, "100 objects are left")
	_, err = m.Cancel(ctx, by("alice"), first.Ref)
	require.NoError(t, err)

	o, _ := options(t)
	_, err = driver(t, job(second.Ref.Key), s, rewrap.Ciphertexts(old), rewrap.Policy{}, o).Run(ctx, bob, rewrap.Checkpoint{})
	require.ErrorIs(t, err, keymgmt.ErrStale, "a node that has not seen the rotation")
	require.Zero(t, s.swaps)
	c, err := driver(t, job(second.Ref.Key), s, rewrap.Ciphertexts(ring()), rewrap.Policy{}, o).Run(ctx, bob, rewrap.Checkpoint{})
	require.NoError(t, err)
	require.EqualValues(t, 100, c.Counts.Rewrapped)
	require.Zero(t, count().Objects)
	_, err = m.Schedule(ctx, by("alice"), first.Ref)
	require.NoError(t, err)
	now = now.AddDate(0, 0, 31)
	_, err = m.Destroy(ctx, by("alice"), first.Ref)
	require.NoError(t, err)
	r := ring()
	for id, o := range s.objects {
		b, err := r.Open(nil, o.Wrapped, o.Context)
		require.NoError(t, err)
		require.Equal(t, "data key of "+id, string(b))
	}
}
