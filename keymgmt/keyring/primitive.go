package keyring

import (
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
	p := new(primitive)
	switch {
	case a.For(keymgmt.DataEncryption):
		err = p.encrypts(handle)
	case a.For(keymgmt.Authentication):
		err = p.authenticates(handle)
	case a.For(keymgmt.Signature):
		err = p.signs(handle)
	default:
		err = opsec.ErrInvalid
	}
	if err != nil {
		return nil, fmt.Errorf("keyring: a key of %s gives nothing to use here: %w", a, err)
	}
	return p, nil
}

func (p *primitive) encrypts(handle *keyset.Handle) error {
	entry, err := handle.Primary()
	if err != nil {
		return err
	}
	// Tink's AEAD of a keyset looks for the key by its prefix, as a ring has done already. Of one AES-GCM key, Tink gives
	// the AEAD alone too.
	if k, ok := entry.Key().(*aesgcm.Key); ok {
		p.aead, err = aesgcm.NewAEAD(k)
		return err
	}
	p.aead, err = aead.New(handle)
	return err
}

func (p *primitive) authenticates(handle *keyset.Handle) error {
	m, err := mac.New(handle)
	p.signer, p.verifier = asSigner{m}, asSigner{m}
	return err
}

func (p *primitive) signs(handle *keyset.Handle) error {
	public, err := handle.Public()
	if err != nil {
		return err
	}
	if p.signer, err = signature.NewSigner(handle); err != nil {
		return err
	}
	p.verifier, err = signature.NewVerifier(public)
	return err
}

// asSigner is a MAC whose codes are called signatures, for one word does for both.
type asSigner struct{ mac tink.MAC }

func (s asSigner) Sign(message []byte) ([]byte, error)    { return s.mac.ComputeMAC(message) }
func (s asSigner) Verify(signature, message []byte) error { return s.mac.VerifyMAC(signature, message) }
