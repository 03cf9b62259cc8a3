package store_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/dbtest"
)

// aead is a Sealer of the standard library: AES-256-GCM with random nonces.
type aead struct{ cipher.AEAD }

func newAEAD(t testing.TB, key string) aead {
	sum := sha256.Sum256([]byte(key))
	block, err := aes.NewCipher(sum[:])
	require.NoError(t, err)
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(t, err)
	return aead{gcm}
}

func (a aead) Encrypt(plaintext, ad []byte) ([]byte, error) {
	return a.Seal(nil, nil, plaintext, ad), nil
}

func (a aead) Decrypt(ciphertext, ad []byte) ([]byte, error) { return a.Open(nil, nil, ciphertext, ad) }

// prf is a PRF of the standard library: HMAC-SHA256.
type prf string

func (p prf) ComputePRF(input []byte, n uint32) ([]byte, error) {
	h := hmac.New(sha256.New, []byte(p))
	h.Write(input)
	return h.Sum(nil)[:n], nil
}

func sealed(t testing.TB) *store.Options {
	return &store.Options{Sealer: newAEAD(t, "key 1"), PRF: prf("prf")}
}

// engines are the drivers that need nothing installed.
var engines = map[string]func(testing.TB) store.Driver{
	"memory": func(testing.TB) store.Driver { return memory.New() },
	"bolt":   func(t testing.TB) store.Driver { return openBolt(t, filepath.Join(t.TempDir(), "store")) },
}

func openBolt(t testing.TB, path string) *bolt.Driver {
	t.Helper()
	d, err := bolt.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func TestConformance(t *testing.T) {
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			h := storetest.Harness{Open: open}
			t.Run("plain", func(t *testing.T) { dbtest.Run(t, h, nil) })
			t.Run("sealed", func(t *testing.T) { dbtest.Run(t, h, sealed(t)) })
		})
	}
}
