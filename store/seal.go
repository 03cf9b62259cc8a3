package store

import (
	"github.com/cloudopsec/opsec/internal/layout"
)

// Sealer is an AEAD: what Encrypt returns opens only under the same associated data, and only unchanged. Tink's
// tink.AEAD is one; with a keyset it encrypts under the primary key and decrypts under all.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// PRF is a keyed pseudo-random function. Tink's prf.PRF is one. Its key stays as long as the store: a blind index is
// found under that key alone, until [Collection.Reindex].
type PRF interface {
	ComputePRF(input []byte, outputLength uint32) ([]byte, error)
}

// open returns the payload of an item.
func (db *DB) open(item Item) ([]byte, error) {
	payload, wrong := db.vault.Open(item.Key, item.Value)
	if wrong != "" {
		return nil, &CorruptError{Collection: layout.Owner(item.Key), Reason: wrong}
	}
	return payload, nil
}
