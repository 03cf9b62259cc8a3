package keyring_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
)

var material keyring.Material

// everyAlgorithm is what Tink's templates make, in its own names; the longer RSA keys are left out for their time.
var everyAlgorithm = []keymgmt.Algorithm{
	"AES256_GCM", "AES128_GCM", "AES256_GCM_SIV", "AES128_GCM_SIV", "XAES_256_GCM_192_BIT_NONCE", "XAES_256_GCM_160_BIT_NONCE",
	"XCHACHA20_POLY1305", "CHACHA20_POLY1305", "AES256_CTR_HMAC_SHA256", "AES128_CTR_HMAC_SHA256",
	"HMAC_SHA256_128BITTAG", "HMAC_SHA256_256BITTAG", "HMAC_SHA512_256BITTAG", "HMAC_SHA512_512BITTAG", "AES_CMAC",
	"ED25519", "ECDSA_P256", "ECDSA_P384_SHA384", "ECDSA_P384_SHA512", "ECDSA_P521", "RSA_SSA_PSS_3072_SHA256_SHA256_32_F4", "HKDF_SHA256", "HMAC_SHA256_PRF", "HMAC_SHA512_PRF",
	"AES256_GCM_HKDF_1MB", "AES256_GCM_HKDF_4KB", "AES128_GCM_HKDF_1MB", "AES128_GCM_HKDF_4KB",
	"AES256_CTR_HMAC_SHA256_1MB", "AES256_CTR_HMAC_SHA256_4KB", "AES128_CTR_HMAC_SHA256_1MB", "AES128_CTR_HMAC_SHA256_4KB",
}

func TestMaterialIsWhatItWasMadeFor(t *testing.T) {
	for i, a := range everyAlgorithm {
		id := uint32(i + 1)
		m, err := material.New(a, id)
		require.NoError(t, err, a)
		again, err := material.New(a, id)
		require.NoError(t, err)
		require.NotEqual(t, m, again, a)
		gotA, gotID, err := material.Examine(m)
		require.NoError(t, err, a)
		require.Equal(t, a, gotA)
		require.Equal(t, id, gotID)
	}
}

func TestMaterialRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, a := range []keymgmt.Algorithm{"", "AES", "aes256_gcm", "AES256_GCM_RAW"} {
		_, err := material.New(a, 1)
		require.ErrorIs(t, err, opsec.ErrInvalid, a)
	}
	_, err := material.New("AES256_GCM", 0)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// binary returns a keyset as bytes.
func binary(t testing.TB, h *keyset.Handle, err error) []byte {
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&b)))
	return b.Bytes()
}

func TestExamineTakesOneUsableKeyOnly(t *testing.T) {
	good, err := material.New("AES256_GCM", 7)
	require.NoError(t, err)

	m := keyset.NewManager()
	first, err := m.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(first))
	_, err = m.Add(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	h, err := m.Handle()
	two := binary(t, h, err)
	h, err = keyset.NewHandle(aead.AES256GCMNoPrefixKeyTemplate())
	raw := binary(t, h, err)

	for what, bad := range map[string][]byte{
		"nothing": nil, "two keys": two, "no prefix": raw, "cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0),
		"huge": make([]byte, 1<<20), "not a keyset": []byte("key"),
	} {
		_, _, err := material.Examine(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid, what)
		require.NotContains(t, err.Error(), string(bad[:min(len(bad), 3)])+"\x00", what)
	}
}

func FuzzExamine(f *testing.F) {
	for _, a := range []keymgmt.Algorithm{"AES256_GCM", "ED25519", "HMAC_SHA256_256BITTAG", "AES256_GCM_HKDF_1MB"} {
		m, err := material.New(a, 42)
		require.NoError(f, err)
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, id, err := material.Examine(b)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Zero(t, id)
			require.Empty(t, a)
			return
		}
		require.NotZero(t, id)
	})
}
