package shares

import (
	"crypto/hpke"
	"fmt"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

const (
	maxCiphertext = 16 << 10
	maxSealedJSON = 32 << 10
)

// Recipient encrypts to a holder. [HPKE] is one; a few lines make one of an age recipient:
//
//	func (r ageRecipient) Encrypt(share []byte) ([]byte, error) {
//		var b bytes.Buffer
//		w, err := age.Encrypt(&b, r.Recipient)
//		if err == nil {
//			_, err = w.Write(share)
//		}
//		if err == nil {
//			err = w.Close()
//		}
//		return b.Bytes(), err
//	}
type Recipient interface {
	Encrypt(share []byte) ([]byte, error)
}

// Identity decrypts what was encrypted to its [Recipient].
type Identity interface {
	Decrypt(ciphertext []byte) ([]byte, error)
}

// Sealed is a share that is encrypted to its holder. It is data: keep it as JSON, or send it.
type Sealed struct {
	Set        Digest `json:"set"`
	Index      int    `json:"index"`
	Ciphertext []byte `json:"ciphertext"` // of the binary form of the share; at most 16 KiB
}

// Seal encrypts the share to its holder.
func (s Share) Seal(to Recipient) (Sealed, error) {
	switch {
	case to == nil:
		return Sealed{}, invalid("recipient: none")
	case s.Index() == 0:
		return Sealed{}, &IndexError{0}
	}
	ciphertext, err := to.Encrypt(s.raw())
	if err != nil {
		return Sealed{}, fmt.Errorf("shares: share %d not encrypted: %w", s.Index(), err)
	}
	sealed := Sealed{s.Set(), s.Index(), ciphertext}
	return sealed, sealed.validate()
}

// Open decrypts the share. An error wraps [ErrIdentity], or [opsec.ErrInvalid] when what opens is not this share. Who has
// sealed it is not known: check it with its [Set].
func (s Sealed) Open(with Identity) (Share, error) {
	if err := s.validate(); err != nil {
		return Share{}, err
	}
	if with == nil {
		return Share{}, invalid("identity: none")
	}
	b, err := with.Decrypt(s.Ciphertext)
	if err != nil {
		return Share{}, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	defer clear(b)
	share, err := ParseShare(b)
	if err != nil {
		return Share{}, err
	}
	if share.Set() != s.Set || share.Index() != s.Index {
		share.Clear()
		return Share{}, invalid("sealed: another share in it")
	}
	return share, nil
}

func (s *Sealed) validate() error {
	switch {
	case s.Index < 1 || s.Index > 255:
		return &IndexError{s.Index}
	case len(s.Ciphertext) == 0 || len(s.Ciphertext) > maxCiphertext:
		return invalid("ciphertext: %d bytes, want 1 to %d", len(s.Ciphertext), maxCiphertext)
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler], without unknown fields, of 32 KiB at most; s stays as it was when it fails.
func (s *Sealed) UnmarshalJSON(data []byte) error {
	type plain Sealed
	var read plain
	if len(data) > maxSealedJSON {
		return invalid("sealed: %d bytes of JSON, at most %d", len(data), maxSealedJSON)
	}
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("sealed: %v", err)
	}
	if err := (*Sealed)(&read).validate(); err != nil {
		return err
	}
	*s = Sealed(read)
	return nil
}

// HPKE returns the recipient of a public key: HPKE (RFC 9180) in base mode with the key's KEM, HKDF-SHA256 and AES-256-GCM,
// with [HPKEInfo]. Keys come from crypto/hpke: hpke.MLKEM768X25519() has those that a quantum computer does not break,
// hpke.DHKEM(ecdh.X25519()) the smaller ones.
func HPKE(key hpke.PublicKey) Recipient { return hpkeRecipient{key} }

// HPKEIdentity returns the identity of a private key.
func HPKEIdentity(key hpke.PrivateKey) Identity { return hpkeIdentity{key} }

// HPKEInfo is the info of HPKE.
const HPKEInfo = "opsec/shares/v1/holder"

type hpkeRecipient struct{ key hpke.PublicKey }

func (r hpkeRecipient) Encrypt(share []byte) ([]byte, error) {
	return hpke.Seal(r.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(HPKEInfo), share)
}

type hpkeIdentity struct{ key hpke.PrivateKey }

func (i hpkeIdentity) Decrypt(ciphertext []byte) ([]byte, error) {
	return hpke.Open(i.key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(HPKEInfo), ciphertext)
}
