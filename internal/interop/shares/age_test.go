// Package shares_test encrypts shares to recipients of age (https://age-encryption.org), as the documentation of
// keymgmt/custody/shares says.
package shares_test

import (
	"bytes"
	"io"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// ageRecipient is what a user writes to plug age in.
type ageRecipient struct{ age.Recipient }

func (r ageRecipient) Encrypt(share []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r.Recipient)
	if err == nil {
		_, err = w.Write(share)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

type ageIdentity struct{ age.Identity }

func (i ageIdentity) Decrypt(ciphertext []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(ciphertext), i.Identity)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func TestAgeHoldsShares(t *testing.T) {
	classic, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	word, err := age.NewScryptRecipient("correct horse")
	require.NoError(t, err)
	word.SetWorkFactor(10)
	wordIdentity, err := age.NewScryptIdentity("correct horse")
	require.NoError(t, err)

	secret := []byte("a key of thirty-two random bytes")
	set, list, err := shares.Split(secret, shares.Scheme{Threshold: 3, Shares: 3})
	require.NoError(t, err)
	var opened []shares.Share
	holders := []struct {
		to   age.Recipient
		with age.Identity
	}{{classic.Recipient(), classic}, {hybrid.Recipient(), hybrid}, {word, wordIdentity}}
	for i, h := range holders {
		sealed, err := list[i].Seal(ageRecipient{h.to})
		require.NoError(t, err)
		share, err := sealed.Open(ageIdentity{h.with})
		require.NoError(t, err)
		require.NoError(t, set.Check(share))
		opened = append(opened, share)

		other := holders[(i+1)%len(holders)].with
		_, err = sealed.Open(ageIdentity{other})
		require.ErrorIs(t, err, shares.ErrIdentity)
		sealed.Ciphertext[len(sealed.Ciphertext)-1] ^= 1
		_, err = sealed.Open(ageIdentity{h.with})
		require.ErrorIs(t, err, shares.ErrIdentity)
	}
	got, err := set.Combine(opened)
	require.NoError(t, err)
	require.Equal(t, secret, got)
}
