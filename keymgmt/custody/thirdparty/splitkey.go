package thirdparty

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/cloudopsec/opsec/keymgmt"
)

// SplitInfo is the info of HKDF, see the package's section on formats.
const SplitInfo = "opsec/thirdparty/split/v1"

const (
	halfSize    = 32
	maxMaterial = 64 << 10
)

// SplitKey returns a custodian that wraps each material with a fresh key of two halves, one of which a wraps and the other b:
// neither alone can open anything, and neither sees the material, wrapped or not. Both know the key-encryption key by
// the same handle. On the way back b is asked first, and what it refuses does not reach a. See the package's section on
// formats.
func SplitKey(a, b keymgmt.Custodian) keymgmt.Custodian {
	return splitKey{pair{a, b}}
}

type splitKey struct{ pair }

// Wrap implements [keymgmt.Custodian].
func (s splitKey) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	if len(material) == 0 || len(material) > maxMaterial {
		return nil, invalid("material: %d bytes, want 1 to %d", len(material), maxMaterial)
	}
	halves := make([]byte, 2*halfSize)
	defer clear(halves)
	rand.Read(halves)
	aead, err := combine(halves)
	if err != nil {
		return nil, err
	}
	a, err := s.first.Wrap(ctx, handle, halves[:halfSize], associatedData)
	if err != nil {
		return nil, err
	}
	b, err := s.second.Wrap(ctx, handle, halves[halfSize:], associatedData)
	if err != nil {
		return nil, err
	}
	c, err := aead.Encrypt(material, associatedData)
	if err != nil {
		return nil, fmt.Errorf("thirdparty: %w", err)
	}
	wrapped := make([]byte, 0, 8+len(a)+len(b)+len(c))
	wrapped = append(binary.BigEndian.AppendUint32(wrapped, uint32(len(a))), a...)
	wrapped = append(binary.BigEndian.AppendUint32(wrapped, uint32(len(b))), b...)
	return append(wrapped, c...), nil
}

// Unwrap implements [keymgmt.Custodian].
func (s splitKey) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	wrappedA, rest, okA := cutPart(wrapped)
	wrappedB, c, okB := cutPart(rest)
	if !okA || !okB {
		wrappedB = wrapped // no custodian opens it for us, but it knows what else is wrong
	}
	b, err := s.second.Unwrap(ctx, handle, wrappedB, associatedData)
	defer clear(b)
	if err != nil {
		return nil, err
	}
	if !okA || !okB {
		return nil, fmt.Errorf("thirdparty: not what this has wrapped: %w", keymgmt.ErrUnwrap)
	}
	a, err := s.first.Unwrap(ctx, handle, wrappedA, associatedData)
	defer clear(a)
	if err != nil {
		return nil, err
	}
	if len(a) != halfSize || len(b) != halfSize {
		return nil, fmt.Errorf("thirdparty: halves of another size: %w", keymgmt.ErrUnwrap)
	}
	halves := slices.Concat(a, b)
	defer clear(halves)
	aead, err := combine(halves)
	if err != nil {
		return nil, err
	}
	material, err := aead.Decrypt(c, associatedData)
	if err != nil {
		return nil, fmt.Errorf("thirdparty: the halves do not belong to this: %w", keymgmt.ErrUnwrap)
	}
	return material, nil
}

// cutPart takes a part with its length before it off the front.
func cutPart(b []byte) (part, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// combine makes the key of its halves, and clears nothing.
func combine(halves []byte) (*subtle.AESGCM, error) {
	key, err := hkdf.Key(sha256.New, halves, nil, SplitInfo, 32)
	if err != nil {
		return nil, fmt.Errorf("thirdparty: %w", err)
	}
	defer clear(key)
	aead, err := subtle.NewAESGCM(key)
	if err != nil {
		return nil, fmt.Errorf("thirdparty: %w", err)
	}
	return aead, nil
}
