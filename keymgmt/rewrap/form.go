package rewrap

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Form knows where in an object the id of its key stands.
type Form interface {
	// KeyID returns false for what has none.
	KeyID(wrapped []byte) (uint32, bool)
}

// Rewrapper opens an object with the key that it is under, and protects it with the one that protects now.
type Rewrapper interface {
	Form
	// Rewrap appends the result to dst, and keeps neither. It may be called by many goroutines. An error that wraps
	// [keymgmt.ErrUnavailable], [keymgmt.ErrSealed], [keymgmt.ErrStale] or [opsec.ErrDenied] says that it cannot be done
	// now; any other, that this object does not open.
	Rewrap(ctx context.Context, dst, wrapped []byte, c keymgmt.Context) ([]byte, error)
}

// Ring opens with any key of a keyset, and seals with its primary. Both append to dst. A keyring.Ring is one.
type Ring interface {
	Seal(dst, plaintext []byte, c keymgmt.Context) ([]byte, error)
	Open(dst, ciphertext []byte, c keymgmt.Context) ([]byte, error)
}

// Ciphertext is the [Form] of Tink's ciphertexts: the byte 1, the key id in 4 bytes, big endian, the rest.
type Ciphertext struct{}

// KeyID implements [Form].
func (Ciphertext) KeyID(b []byte) (uint32, bool) {
	if len(b) < 5 || b[0] != 1 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[1:]), true
}

// Envelope is the [Form] of Tink's envelopes: the length of a wrapped data key in 4 bytes, big endian, the wrapped data
// key, which is a [Ciphertext], the data.
type Envelope struct{}

// KeyID implements [Form]: the id of the key that wraps the data key.
func (Envelope) KeyID(b []byte) (uint32, bool) {
	head, _, ok := cutEnvelope(b)
	if !ok {
		return 0, false
	}
	return Ciphertext{}.KeyID(head)
}

// maxHead is the longest wrapped data key, in bytes: that of Tink's KMSEnvelopeAEAD.
const maxHead = 4096

func cutEnvelope(b []byte) (head, data []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0 || n > maxHead || uint64(len(b)-4) < uint64(n) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// Ciphertexts rewraps whole ciphertexts: data, or wrapped data keys that are kept by themselves.
func Ciphertexts(r Ring) Rewrapper { return &ciphertexts{ring: r} }

type ciphertexts struct {
	Ciphertext
	ring  Ring
	plain sync.Pool // of *[]byte: where objects are opened; cleared after each
}

func (c *ciphertexts) Rewrap(_ context.Context, dst, wrapped []byte, context keymgmt.Context) ([]byte, error) {
	buffer, _ := c.plain.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	plain, err := c.ring.Open((*buffer)[:0], wrapped, context)
	if err == nil {
		dst, err = c.ring.Seal(dst, plain, context)
	}
	clear(plain)
	*buffer = plain
	c.plain.Put(buffer)
	return dst, err
}

// Envelopes rewraps the data keys at the head of envelopes, under the context of the object. The data is copied as it is.
func Envelopes(r Ring) Rewrapper { return envelopes{inner: Ciphertexts(r)} }

type envelopes struct {
	Envelope
	inner Rewrapper
}

func (e envelopes) Rewrap(ctx context.Context, dst, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	head, data, ok := cutEnvelope(wrapped)
	if !ok {
		return dst, invalid("not an envelope")
	}
	start := len(dst)
	out, err := e.inner.Rewrap(ctx, append(dst, 0, 0, 0, 0), head, c)
	if err != nil {
		return dst, err
	}
	n := len(out) - start - 4
	if n > maxHead {
		return dst, fmt.Errorf("rewrap: a wrapped data key of %d bytes: want at most %d", n, maxHead)
	}
	binary.BigEndian.PutUint32(out[start:], uint32(n))
	return append(out, data...), nil
}
