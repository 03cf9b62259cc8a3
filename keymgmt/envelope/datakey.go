package envelope

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Raw data keys as Tink serialises them: the protocol buffers AesGcmKey, with its field 3, and AesGcmHkdfStreamingKey,
// with its fields 2 (1 MiB segments, keys of 32 bytes, SHA-256) and 3. What comes before the 32 bytes of the key is
// constant, and tells one kind from the other.
const (
	messageKind = "\x1a\x20"
	streamKind  = "\x12\x08\x08\x80\x80\x40\x10\x20\x18\x03\x1a\x20"
	keyBytes    = 32
)

const (
	headBytes  = 4    // the length of the wrapped key, big endian
	maxWrapped = 4096 // bytes of a wrapped key, as in Tink
)

// newRaw returns a new data key of a kind. The caller clears it.
func newRaw(kind string) []byte {
	raw := make([]byte, len(kind)+keyBytes)
	copy(raw, kind)
	rand.Read(raw[len(kind):]) // never fails
	return raw
}

// keyOf returns the 32 bytes of a data key of this kind, without copying them.
func keyOf(raw []byte, kind string) ([]byte, error) {
	if len(raw) != len(kind)+keyBytes || string(raw[:len(kind)]) != kind {
		return nil, ErrOpen
	}
	return raw[len(kind):], nil
}

// cipherOf expands a raw data key of a message.
func cipherOf(raw []byte) (cipher.AEAD, error) {
	key, err := keyOf(raw, messageKind)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	// The nonce in front and the tag behind: byte for byte what Tink's AES-GCM without a prefix writes, into the
	// caller's buffer.
	return cipher.NewGCMWithRandomNonce(block)
}

// wrap wraps a new data key of a kind. It returns the header too: the wrapped key with its length in front.
func wrap(ctx context.Context, w Wrapper, c keymgmt.Context, kind string) (raw, header []byte, err error) {
	raw = newRaw(kind)
	header, err = seal(ctx, w, raw, c)
	if err != nil {
		clear(raw)
		return nil, nil, err
	}
	return raw, header, nil
}

func seal(ctx context.Context, w Wrapper, raw []byte, c keymgmt.Context) ([]byte, error) {
	wrapped, err := w.Wrap(ctx, raw, c)
	if err != nil {
		return nil, err
	}
	if len(wrapped) < 1 || len(wrapped) > maxWrapped {
		return nil, invalid("wrapped key of %d bytes, want 1 to %d", len(wrapped), maxWrapped)
	}
	return headerOf(wrapped), nil
}

// headerOf returns a copy of wrapped with its length in front.
func headerOf(wrapped []byte) []byte {
	header := make([]byte, 0, headBytes+len(wrapped))
	return append(binary.BigEndian.AppendUint32(header, uint32(len(wrapped))), wrapped...)
}

// dataKey is a data key ready for use: to encrypt, within what is left of its limits, or to decrypt.
type dataKey struct {
	cipher cipher.AEAD
	header []byte // in front of each ciphertext
	born   time.Time
	check  Checker // nil when the wrapper is none

	messages, bytes atomic.Int64 // left
}

// errUsedUp stays inside: whoever gets it takes another key.
var errUsedUp = errors.New("envelope: data key used up")

// take takes a message of n bytes from what is left.
func (d *dataKey) take(n int) error {
	if d.messages.Add(-1) < 0 || d.bytes.Add(-int64(n)) < 0 {
		return errUsedUp
	}
	return nil
}

// permits returns nil when the key above still does op.
func (d *dataKey) permits(op keymgmt.Op) error {
	if d.check == nil {
		return nil
	}
	return d.check.Check(d.header[headBytes:], op)
}
