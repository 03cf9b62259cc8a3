package subject

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
)

const secretLen = chacha20poly1305.KeySize + 32 // of a subject: the key that seals, and the one of terms

// key is the entry.Key of a slot.
type key struct {
	file   *File
	slot   uint32
	handle entry.Handle
	box    box
	terms  prf
}

func newKey(f *File, slot uint32, handle entry.Handle, secret []byte) *key {
	return &key{
		file: f, slot: slot, handle: handle,
		box: newBox(secret[:chacha20poly1305.KeySize]), terms: newPRF(secret[chacha20poly1305.KeySize:]),
	}
}

// Encrypt implements entry.Key.
func (k *key) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	if err := k.file.usable(k.slot); err != nil {
		return nil, err
	}
	return k.box.Encrypt(plaintext, associatedData)
}

// Decrypt implements entry.Key.
func (k *key) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	if err := k.file.usable(k.slot); err != nil {
		return nil, err
	}
	return k.box.Decrypt(ciphertext, associatedData)
}

// Term implements entry.Key. After the erasure it returns zeros.
func (k *key) Term(kind byte, value []byte) [16]byte {
	if k.file.usable(k.slot) != nil {
		return [16]byte{}
	}
	return k.terms.sum(kind, value)
}

// Format implements fmt.Formatter: a key shows nothing but its handle.
func (k *key) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "[key of %s]", k.handle) }

// box is an AEAD that draws its own nonces: XChaCha20-Poly1305, whose nonces are long enough to be drawn at random
// without end. The nonce comes first.
type box struct{ aead cipher.AEAD }

// NewSealer returns a Sealer under a key of 32 random bytes, which it copies: XChaCha20-Poly1305, as Tink's raw keys of
// that kind. It is for those who have no KMS and no Tink keyset to wrap subject keys with.
func NewSealer(key []byte) (Sealer, error) {
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("subject: master key of %d bytes, want %d: %w", len(key), chacha20poly1305.KeySize, opsec.ErrInvalid)
	}
	return newBox(key), nil
}

func newBox(key []byte) box {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // not with a key of that length
	}
	return box{aead}
}

// Encrypt implements Sealer.
func (x box) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	n := x.aead.NonceSize()
	b := make([]byte, n, n+len(plaintext)+x.aead.Overhead())
	rand.Read(b)
	return x.aead.Seal(b, b, plaintext, associatedData), nil
}

// Decrypt implements Sealer.
func (x box) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	n := x.aead.NonceSize()
	if len(ciphertext) < n {
		return nil, fmt.Errorf("subject: ciphertext of %d bytes: %w", len(ciphertext), opsec.ErrInvalid)
	}
	plain, err := x.aead.Open(nil, ciphertext[:n], ciphertext[n:], associatedData)
	if err != nil {
		return nil, fmt.Errorf("subject: %w: %w", err, opsec.ErrInvalid)
	}
	return plain, nil
}

// prf is HMAC-SHA-256 (RFC 2104) under one key, as the states of SHA-256 once it has taken the key's two blocks: a short
// text then costs two blocks more, and no allocation.
type prf struct{ inner, outer []byte }

func newPRF(key []byte) prf {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	return prf{stateAfter(key, 0x36), stateAfter(key, 0x5c)}
}

// stateAfter returns the state of SHA-256 after a block of key, with zeros behind it, and pad.
func stateAfter(key []byte, pad byte) []byte {
	var block [sha256.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	h := sha256.New()
	h.Write(block[:])
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err) // crypto/sha256 returns none
	}
	return state
}

// sum returns the first half of the code of kind and value.
func (p *prf) sum(kind byte, value []byte) [16]byte {
	var room [256]byte
	h := sha256.New()
	resume(h, p.inner)
	h.Write(append(append(room[:0], kind), value...))
	inner := h.Sum(room[:0])
	resume(h, p.outer)
	h.Write(inner)
	return [16]byte(h.Sum(room[:0]))
}

// resume puts SHA-256 into a state of stateAfter.
func resume(h hash.Hash, state []byte) {
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic(err) // not of a state of its own
	}
}
