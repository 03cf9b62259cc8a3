package thirdparty

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/keymgmt"
)

// SplitInfo is the info of HKDF, see the package's section on formats.
const SplitInfo = "opsec/thirdparty/split/v1"

const (
	halfSize   = 32
	maxWrapped = 256 << 10
)

// SplitKey returns a custodian that wraps each material with a fresh key of two halves, one of which a wraps and the other b:
// neither alone can open anything, and neither sees the material, wrapped or not. Both know the key-encryption key by
// the same handle. See the package's section on formats.
func SplitKey(a, b keymgmt.Custodian) keymgmt.Custodian {
	return splitKey{pair{a, b}}
}

type splitKey struct{ pair }

// split is what SplitKey makes.
type split struct {
	A []byte `json:"a"`
	B []byte `json:"b"`
	C []byte `json:"c"`
}

// Wrap implements [keymgmt.Custodian].
func (s splitKey) Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error) {
	halves := make([]byte, 2*halfSize)
	defer clear(halves)
	rand.Read(halves)
	aead, err := combine(halves)
	if err != nil {
		return nil, err
	}
	var w split
	if w.A, err = s.first.Wrap(ctx, handle, halves[:halfSize], associatedData); err != nil {
		return nil, err
	}
	if w.B, err = s.second.Wrap(ctx, handle, halves[halfSize:], associatedData); err != nil {
		return nil, err
	}
	if w.C, err = aead.Encrypt(material, associatedData); err != nil {
		return nil, fmt.Errorf("thirdparty: %w", err)
	}
	b, err := json.Marshal(w)
	if err == nil && len(b) > maxWrapped {
		err = invalid("material: %d bytes, wrapped %d, at most %d", len(material), len(b), maxWrapped)
	}
	return b, err
}

// Unwrap implements [keymgmt.Custodian].
func (s splitKey) Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error) {
	w, err := parse(wrapped)
	if err != nil {
		return nil, err
	}
	a, err := s.first.Unwrap(ctx, handle, w.A, associatedData)
	if err != nil {
		return nil, err
	}
	defer clear(a)
	b, err := s.second.Unwrap(ctx, handle, w.B, associatedData)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	if len(a) != halfSize || len(b) != halfSize {
		return nil, fmt.Errorf("thirdparty: halves of another size: %w", keymgmt.ErrUnwrap)
	}
	halves := slices.Concat(a, b)
	defer clear(halves)
	aead, err := combine(halves)
	if err != nil {
		return nil, err
	}
	material, err := aead.Decrypt(w.C, associatedData)
	if err != nil {
		return nil, fmt.Errorf("thirdparty: the halves do not belong to this: %w", keymgmt.ErrUnwrap)
	}
	return material, nil
}

// parse reads what Wrap returns, and nothing that only means the same.
func parse(wrapped []byte) (w split, err error) {
	if len(wrapped) <= maxWrapped && strictjson.Decode(wrapped, &w) == nil {
		if again, err := json.Marshal(w); err == nil && bytes.Equal(again, wrapped) {
			return w, nil
		}
	}
	return split{}, fmt.Errorf("thirdparty: not what this has wrapped: %w", keymgmt.ErrUnwrap)
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
