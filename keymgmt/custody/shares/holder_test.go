package shares_test

import (
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

func TestASealedShareOpensForItsHolderAlone(t *testing.T) {
	set, list := deal(t, root, 2, 3)
	for name, kem := range map[string]hpke.KEM{"hybrid": hpke.MLKEM768X25519(), "X25519": hpke.DHKEM(ecdh.X25519())} {
		key, err := kem.GenerateKey()
		require.NoError(t, err, name)
		other, err := kem.GenerateKey()
		require.NoError(t, err)
		sealed, err := list[1].Seal(shares.HPKE(key.PublicKey()))
		require.NoError(t, err)
		require.Equal(t, 2, sealed.Index)
		require.Equal(t, set.ID, sealed.Set)

		b, err := json.Marshal(sealed)
		require.NoError(t, err)
		var read shares.Sealed
		require.NoError(t, json.Unmarshal(b, &read))
		share, err := read.Open(shares.HPKEIdentity(key))
		require.NoError(t, err)
		require.NoError(t, set.Check(share))
		require.Equal(t, list[1].Bytes(), share.Bytes())

		_, err = sealed.Open(shares.HPKEIdentity(other))
		require.ErrorIs(t, err, shares.ErrIdentity)
		for at := 0; at < len(sealed.Ciphertext); at += 11 {
			bad := sealed
			bad.Ciphertext = append([]byte(nil), sealed.Ciphertext...)
			bad.Ciphertext[at] ^= 1
			_, err = bad.Open(shares.HPKEIdentity(key))
			require.ErrorIs(t, err, shares.ErrIdentity, "byte %d", at)
		}

		// Crypto/hpke alone opens it.
		plain, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte("opsec/shares/v1/holder"), sealed.Ciphertext)
		require.NoError(t, err)
		require.Equal(t, list[1].Bytes(), plain)
	}
}

func TestASealedShareIsTheOneItSays(t *testing.T) {
	_, list := deal(t, root, 2, 3)
	key, err := hpke.DHKEM(ecdh.X25519()).GenerateKey()
	require.NoError(t, err)
	sealed, err := list[1].Seal(shares.HPKE(key.PublicKey()))
	require.NoError(t, err)
	other := sealed
	other.Index = 1
	_, err = other.Open(shares.HPKEIdentity(key))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	other = sealed
	other.Set[0]++
	_, err = other.Open(shares.HPKEIdentity(key))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	other.Ciphertext, err = hpke.Seal(key.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(shares.HPKEInfo), []byte("no share"))
	require.NoError(t, err)
	_, err = other.Open(shares.HPKEIdentity(key))
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

type broken struct{ out []byte }

func (b broken) Encrypt([]byte) ([]byte, error) {
	if b.out == nil {
		return nil, errors.New("no paper")
	}
	return b.out, nil
}

func TestSealedTakesNoNonsense(t *testing.T) {
	_, list := deal(t, root, 2, 3)
	_, err := list[0].Seal(broken{})
	require.ErrorContains(t, err, "no paper")
	_, err = list[0].Seal(broken{make([]byte, 17<<10)})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = list[0].Seal(broken{[]byte{}})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = shares.Share{}.Seal(broken{})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = list[0].Seal(nil)
	require.ErrorContains(t, err, "recipient")
	_, err = shares.Sealed{}.Open(nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = shares.Sealed{Index: 1, Ciphertext: []byte("x")}.Open(nil)
	require.ErrorContains(t, err, "identity")
	cleared := list[2]
	cleared.Clear()
	_, err = cleared.Seal(broken{[]byte("x")})
	require.Equal(t, &shares.IndexError{}, err)

	var read shares.Sealed
	id := list[0].Set().String()
	for what, text := range map[string]string{
		"index 0":      `{"set":"` + id + `","index":0,"ciphertext":"AAAA"}`,
		"index 256":    `{"set":"` + id + `","index":256,"ciphertext":"AAAA"}`,
		"ciphertext":   `{"set":"` + id + `","index":1}`,
		"digest":       `{"set":"00","index":1,"ciphertext":"AAAA"}`,
		"unknown":      `{"set":"` + id + `","index":1,"ciphertext":"AAAA","key":1}`,
		"unexpected E": `{`,
	} {
		err := read.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.ErrorContains(t, err, what)
		require.Zero(t, read)
	}
	require.ErrorIs(t, read.UnmarshalJSON(make([]byte, 33<<10)), opsec.ErrInvalid)
}
