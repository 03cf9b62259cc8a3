// Package vault seals values for the keys that they stand under, and blinds what is looked up by.
package vault

import (
	"crypto/sha256"

	"github.com/cloudopsec/opsec/store/tuple"
)

// The first byte of every value says how the rest is written.
const (
	formPlain  = 0
	formSealed = 1
)

// Vault seals and opens values. Without a Sealer it leaves them as they are.
type Vault struct {
	Sealer    Sealer
	PRF       PRF
	ReadPlain bool
}

// Sealer is an AEAD.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// PRF is a keyed pseudo-random function.
type PRF interface {
	ComputePRF(input []byte, outputLength uint32) ([]byte, error)
}

// Seal returns what is stored under key for a payload.
func (v *Vault) Seal(key string, payload []byte) ([]byte, error) {
	form, body := byte(formPlain), payload
	if v.Sealer != nil {
		var err error
		if body, err = v.Sealer.Encrypt(payload, []byte(key)); err != nil {
			return nil, err
		}
		form = formSealed
	}
	value := make([]byte, 1+len(body))
	value[0] = form
	copy(value[1:], body)
	return value, nil
}

// Open returns the payload of what is stored under key, or what is wrong with it.
func (v *Vault) Open(key string, value []byte) (payload []byte, wrong string) {
	switch {
	case len(value) == 0:
		return nil, "is empty"
	case value[0] == formPlain && (v.Sealer == nil || v.ReadPlain):
		return value[1:], ""
	case value[0] == formPlain:
		return nil, "is not sealed, in a sealed store"
	case value[0] != formSealed:
		return nil, "is of an unknown form"
	case v.Sealer == nil:
		return nil, "is sealed, and the store was opened without a Sealer"
	}
	payload, err := v.Sealer.Decrypt(value[1:], []byte(key))
	if err != nil {
		return nil, "does not open under its key: it was swapped, cut or changed, or sealed by another key"
	}
	return payload, ""
}

// blindSize is the length of a blinded index key in bytes: a collision needs some 2^64 records.
const blindSize = 16

// Blind returns a keyed digest of input, bound to a purpose; without a PRF it is a plain one.
func (v *Vault) Blind(purpose, input string) ([]byte, error) {
	whole := []byte(tuple.Text(purpose).Text(input).Encode())
	if v.PRF == nil {
		sum := sha256.Sum256(whole)
		return sum[:blindSize], nil
	}
	return v.PRF.ComputePRF(whole, blindSize)
}
