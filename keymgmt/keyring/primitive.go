package keyring

import (
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/signature"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The length of Tink's prefix, and its first byte: then comes the id of the key, big endian.
const (
	prefixLen   = 5
	prefixStart = 1
)

// primitive is what Tink makes of a key: an AEAD, or a signer with its verifier, of which a MAC is one.
type primitive struct {
	aead     tink.AEAD
	signer   tink.Signer
	verifier tink.Verifier
}

// newPrimitive makes a primitive of material that is the record's, and nothing else's.
func newPrimitive(material []byte, record keymgmt.Key) (*primitive, error) {
	a, id, err := Material{}.Examine(material)
	if err != nil {
		return nil, err
	}
	if a != record.Algorithm || id != record.Ref.Key {
		return nil, fmt.Errorf("keyring: the material of key %d of keyset %s is for another key: %w",
			record.Ref.Key, record.Ref.Set.ID, opsec.ErrInvalid)
	}
	handle, err := parse(material)
	if err != nil {
		return nil, err
	}
	if p := aeadOf(handle); p != nil {
		return p, nil
	}
	if p := signerOf(handle); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("keyring: %s is nothing that a ring is for: %w", a, opsec.ErrInvalid)
}

func aeadOf(handle *keyset.Handle) *primitive {
	// Tink's AEAD of a keyset looks for the key by its prefix, as a ring has done already. Of one AES-GCM key, Tink gives
	// the AEAD alone too.
	if entry, err := handle.Primary(); err == nil {
		if k, ok := entry.Key().(*aesgcm.Key); ok {
			if a, err := aesgcm.NewAEAD(k); err == nil {
				return &primitive{aead: a}
			}
		}
	}
	a, err := aead.New(handle)
	if err != nil {
		return nil
	}
	return &primitive{aead: a}
}

func signerOf(handle *keyset.Handle) *primitive {
	if m, err := mac.New(handle); err == nil {
		return &primitive{signer: asSigner{m}, verifier: asSigner{m}}
	}
	public, err := handle.Public()
	if err != nil {
		return nil
	}
	s, serr := signature.NewSigner(handle)
	v, verr := signature.NewVerifier(public)
	if errors.Join(serr, verr) != nil {
		return nil
	}
	return &primitive{signer: s, verifier: v}
}

// asSigner is a MAC whose codes are called signatures, for one word does for both.
type asSigner struct{ mac tink.MAC }

func (s asSigner) Sign(message []byte) ([]byte, error)    { return s.mac.ComputeMAC(message) }
func (s asSigner) Verify(signature, message []byte) error { return s.mac.VerifyMAC(signature, message) }
