package sla

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// ErrSignature says that an agreement is not signed by all of its parties. The text says whose signature is missing or
// wrong.
var ErrSignature = errors.New("not signed by all parties")

// Signature is a party's, over the digest of an agreement.
type Signature struct {
	Party  string      `json:"party"` // name
	Role   opsec.Party `json:"role"`
	Time   time.Time   `json:"time"`   // as the signer says
	Digest string      `json:"digest"` // of the agreement
	Value  string      `json:"value"`  // Ed25519 (RFC 8032), base64
}

// message is what is signed: lines that nothing else in this module signs, of ASCII alone, so that no table of characters
// decides how a name is written.
func (s Signature) message() []byte {
	return fmt.Appendf(nil, "opsec.sla.signature/v1\n%s\n%s\n%+q\n%s\n", s.Digest, s.Role, s.Party, s.Time.UTC().Format(time.RFC3339Nano))
}

// Sealed is an agreement with the signatures of its parties.
type Sealed struct {
	Agreement  *Agreement  `json:"agreement"`
	Signatures []Signature `json:"signatures,omitempty"`
}

// ParseSealed reads a sealed agreement as [Parse] reads an agreement. It verifies nothing.
func ParseSealed(text []byte) (*Sealed, error) {
	s := new(Sealed)
	if err := decode(text, s); err != nil {
		return nil, err
	}
	if s.Agreement == nil || s.Agreement.Schema != Schema {
		return nil, fmt.Errorf("sla: agreement.schema: want %q: %w", Schema, opsec.ErrInvalid)
	}
	return s, nil
}

// JSON returns the sealed agreement as indented JSON; [ParseSealed] reads it back.
func (s *Sealed) JSON() ([]byte, error) {
	c := *s
	if s.Agreement != nil {
		c.Agreement = s.Agreement.listed()
	}
	return indented(c)
}

// party returns a party by its name, or nil.
func (a *Agreement) party(name string) *Party {
	for i := range a.Parties {
		if a.Parties[i].Name == name {
			return &a.Parties[i]
		}
	}
	return nil
}

// key returns the public key that a party has named.
func (p Party) key() (ed25519.PublicKey, error) {
	key, err := binary(p.PublicKey)
	if err != nil || weak(key) {
		return nil, fmt.Errorf("sla: not an Ed25519 public key: %w", opsec.ErrInvalid)
	}
	return key, nil
}

// binary reads base64 of which there is one text alone: package base64 skips line breaks.
func binary(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("sla: base64 with line breaks: %w", opsec.ErrInvalid)
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// Keys returns the public keys that the agreement itself names, by the names of the parties. A signature that is verified
// with one of them shows that whoever wrote the agreement had the key; that it is the party's is for the verifier to know.
// The error wraps [opsec.ErrInvalid].
func (a *Agreement) Keys() (map[string]ed25519.PublicKey, error) {
	keys := map[string]ed25519.PublicKey{}
	for i, p := range a.Parties {
		if p.PublicKey == "" {
			continue
		}
		key, err := p.key()
		if err != nil {
			return nil, fmt.Errorf("sla: parties[%d].publicKey: %w", i, err)
		}
		keys[p.Name] = key
	}
	return keys, nil
}

// Sign signs the agreement for one of its parties, with a key that may be in an HSM. It refuses an agreement that is not
// valid, and a key that is not the one that the agreement names for the party. The error wraps [opsec.ErrInvalid], or is the
// signer's.
func (a *Agreement) Sign(party string, with crypto.Signer, at time.Time) (Signature, error) {
	if err := a.Validate(); err != nil {
		return Signature{}, err
	}
	p := a.party(party)
	key, ok := with.Public().(ed25519.PublicKey)
	switch {
	case p == nil:
		return Signature{}, fmt.Errorf("sla: no party of the agreement has this name: %w", opsec.ErrInvalid)
	case at.IsZero() || at.UTC().Year() < 1 || at.UTC().Year() > 9999:
		return Signature{}, fmt.Errorf("sla: when it is signed is not said, or no time of a calendar: %w", opsec.ErrInvalid)
	case !ok || weak(key):
		return Signature{}, fmt.Errorf("sla: the key is not an Ed25519 key of a strong point: %w", opsec.ErrInvalid)
	}
	if p.PublicKey != "" {
		if named, err := p.key(); err != nil || !named.Equal(key) {
			return Signature{}, fmt.Errorf("sla: the agreement names another key for this party: %w", opsec.ErrInvalid)
		}
	}
	digest, err := a.Digest()
	if err != nil {
		return Signature{}, err
	}
	s := Signature{Party: party, Role: p.Role, Time: at.UTC().Round(0), Digest: digest}
	value, err := with.Sign(rand.Reader, s.message(), crypto.Hash(0))
	if err != nil {
		return Signature{}, fmt.Errorf("sla: sign: %w", err)
	}
	if !ed25519.Verify(key, s.message(), value) {
		return Signature{}, fmt.Errorf("sla: sign: the signer's signature is not that of its key: %w", opsec.ErrInvalid)
	}
	s.Value = base64.StdEncoding.EncodeToString(value)
	return s, nil
}

// Verify returns nil if each party has signed this very agreement with its key in keys, by the names of the parties, no two
// have one key, and nobody else signed. Otherwise the error wraps [ErrSignature] and says everything that is wrong. A party without a key in
// keys has not signed: who trusts the keys that the agreement names hands in [Agreement.Keys].
func (s *Sealed) Verify(keys map[string]ed25519.PublicKey) error {
	if s.Agreement == nil {
		return fmt.Errorf("sla: no agreement: %w", ErrSignature)
	}
	digest, err := s.Agreement.Digest()
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrSignature)
	}
	var errs []error
	wrong := func(form string, args ...any) {
		errs = append(errs, fmt.Errorf("sla: "+form+": %w", append(args, ErrSignature)...))
	}
	signed := map[string]bool{}
	for i, g := range s.Signatures {
		p := s.Agreement.party(g.Party)
		if p == nil || p.Role != g.Role {
			wrong("signatures[%d]: not of a party of the agreement", i)
			continue
		}
		if g.Digest != digest {
			wrong("signatures[%d]: %q has signed another agreement", i, g.Party)
			continue
		}
		key := keys[g.Party]
		value, err := binary(g.Value)
		if err != nil || weak(key) || !ed25519.Verify(key, g.message(), value) {
			wrong("signatures[%d]: not of the key of %q", i, g.Party)
			continue
		}
		if named, err := p.key(); p.PublicKey != "" && (err != nil || !named.Equal(key)) {
			wrong("signatures[%d]: the agreement names another key for %q", i, g.Party)
			continue
		}
		signed[g.Party] = true
	}
	names, whose := map[string]bool{}, map[string]string{}
	for _, p := range s.Agreement.Parties {
		if names[p.Name] { // one signature would do for both
			wrong("two parties have the name %q", p.Name)
		} else if key := string(keys[p.Name]); whose[key] != "" { // one signer would
			wrong("%q and %q have the same key", whose[key], p.Name)
		} else if key != "" {
			whose[key] = p.Name
		}
		names[p.Name] = true
		if !signed[p.Name] {
			wrong("%q has not signed", p.Name)
		}
	}
	for _, r := range []opsec.Party{opsec.CSP, opsec.CSC} {
		there := false
		for _, p := range s.Agreement.Parties {
			there = there || p.Role == r
		}
		if !there {
			wrong("there is no %s", r)
		}
	}
	return errors.Join(errs...)
}

// smallOrder are the points of order 1, 2, 4 and 8, without the bit of the sign; the last two are other forms of the first
// two. A key that is one of them signs anything, so whoever names it could deny having signed.
var smallOrder = [...]string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

// weak reports whether a key is none that binds who names it: of another length, or of small order.
func weak(key ed25519.PublicKey) bool {
	k := bytes.Clone(key)
	if len(k) != ed25519.PublicKeySize {
		return true
	}
	k[31] &= 0x7f
	for _, s := range smallOrder {
		if hex.EncodeToString(k) == s {
			return true
		}
	}
	return false
}
