package pkcs11_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// TestNothingIsHalfRotatedWhenTheTokenGoes has a manager rotate while the directory of the tokens is moved away and back.
func TestNothingIsHalfRotatedWhenTheTokenGoes(t *testing.T) {
	h := newSoftHSM(t)
	token := h.open(t, 4)
	m, err := lifecycle.New(keymgmt.NewMemory(new(audittest.Recorder)), keyring.Material{}, token,
		&lifecycle.Options{Authorizer: opsec.CallerAuthorized{}, Now: at})
	require.NoError(t, err)
	ann := opsec.Actor{Tenant: "acme", Account: "ann", Person: "p-1", Kind: opsec.Human}
	by := lifecycle.By{Actor: ann, Reason: "test"}
	id := keymgmt.SetID{Tenant: "acme", ID: "mail"}
	_, err = m.Create(ctx, by, keymgmt.Keyset{
		SetID: id, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: keymgmt.Preset(keymgmt.DataEncryption),
		Roles: keymgmt.Roles{keymgmt.Administrator: {keymgmt.Person(ann)}},
	})
	require.NoError(t, err)
	_, err = m.Rotate(ctx, by, id)
	require.NoError(t, err)

	// whole looks at every key: one primary, and each record opens with the token.
	whole := func(want int) {
		t.Helper()
		set, err := m.Keyset(ctx, id)
		require.NoError(t, err)
		require.Equal(t, want, set.Keys)
		active, seen := 0, 0
		for key, err := range m.Keys(ctx, id) {
			require.NoError(t, err)
			seen++
			if key.State == keymgmt.Active {
				active++
				require.Equal(t, set.Primary, key.Key)
			}
			held, err := m.Held(ctx, key.Ref)
			require.NoError(t, err)
			material, err := token.Unwrap(ctx, set.Custodian, held.Wrapped, keymgmt.MaterialContext(key.Ref).Bytes())
			require.NoError(t, err)
			_, of, err := keyring.Material{}.Examine(material)
			require.NoError(t, err)
			require.Equal(t, key.Key, of)
		}
		require.Equal(t, 1, active)
		require.Equal(t, want, seen)
	}
	whole(1)

	rotated := 1
	for round := range 4 {
		var wg sync.WaitGroup
		var back func()
		wg.Go(func() {
			time.Sleep(time.Duration(round) * 3 * time.Millisecond) // somewhere in the middle of the rotations
			back = h.moveAway(t, round%2 == 1)
		})
		for range 500 {
			_, err := m.Rotate(ctx, by, id)
			if err == nil {
				rotated++
				continue
			}
			require.ErrorIs(t, err, keymgmt.ErrUnavailable)
			require.False(t, errors.Is(err, opsec.ErrNotFound), err)
			break
		}
		wg.Wait()
		_, err = m.Rotate(ctx, by, id)
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		other := keymgmt.SetID{Tenant: "acme", ID: "other"}
		_, err = m.Create(ctx, by, keymgmt.Keyset{
			SetID: other, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: keymgmt.Preset(keymgmt.DataEncryption),
			Roles: keymgmt.Roles{keymgmt.Administrator: {keymgmt.Person(ann)}},
		})
		require.ErrorIs(t, err, keymgmt.ErrUnavailable)
		_, err = m.Keyset(ctx, other)
		require.ErrorIs(t, err, opsec.ErrNotFound, "no keyset without its key")
		back()
		whole(rotated)
	}
	_, err = m.Rotate(ctx, by, id)
	require.NoError(t, err)
	whole(rotated + 1)
}
