package checkpoint

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Signature types (C2SP signed-note).
const (
	kindNote        = 0x01 // Ed25519 over the text of a note
	kindCosignature = 0x04 // Ed25519 over the text of a checkpoint and a time
	kindMLDSA       = 0x06
)

// key is a public key with its name and its use. It is a note.Verifier.
type key struct {
	id
	kind   byte
	public ed25519.PublicKey
}

func newKey(name string, kind byte, public ed25519.PublicKey) key {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{kind})
	h.Write(public)
	return key{id{name, binary.BigEndian.Uint32(h.Sum(nil))}, kind, public}
}

// parseKey reads a verifier key, which has one written form: name, key id in hexadecimal, base64 of type and key.
func parseKey(vkey string, kind byte) (key, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, b64, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(b64)
	if !validName(name) || err != nil || len(raw) == 0 {
		return key{}, invalid("verifier key of %d bytes: want name+hash+key", len(vkey))
	}
	switch {
	case raw[0] == kindMLDSA:
		return key{}, invalid("verifier key of %q is of ML-DSA-44, which is not supported", name)
	case raw[0] != kind:
		return key{}, invalid("verifier key of %q has type %d: want %d (1 for a log, 4 for a witness)", name, raw[0], kind)
	case len(raw) != 1+ed25519.PublicKeySize:
		return key{}, invalid("verifier key of %q has %d bytes: want %d", name, len(raw)-1, ed25519.PublicKeySize)
	}
	k := newKey(name, kind, raw[1:])
	if k.String() != vkey {
		return key{}, invalid("verifier key of %q does not have the id that belongs to it, %08x", name, k.hash)
	}
	return k, nil
}

// String returns the verifier key.
func (k key) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(append([]byte{k.kind}, k.public...)))
}

func (k key) Name() string    { return k.name }
func (k key) KeyHash() uint32 { return k.hash }

func (k key) Verify(text, sig []byte) bool {
	if k.kind == kindCosignature {
		var ok bool
		if text, sig, ok = cosigned(text, sig); !ok {
			return false
		}
	}
	return ed25519.Verify(k.public, text, sig)
}

// cosigned returns what the Ed25519 signature within a cosignature stands over, and that signature.
func cosigned(text, sig []byte) (message, ed []byte, ok bool) {
	at, ok := cosignatureTime(sig)
	if !ok {
		return nil, nil, false
	}
	if _, err := Parse(string(text)); err != nil { // only a checkpoint is ever cosigned
		return nil, nil, false
	}
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, text), sig[8:], true
}

// cosignatureTime returns the time in a cosignature, in seconds since 1970.
func cosignatureTime(sig []byte) (int64, bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	at := binary.BigEndian.Uint64(sig)
	return int64(at), at > 0 && at <= math.MaxInt64
}

// NewCosignatureVerifier returns the verifier of a witness's Ed25519 cosignatures (cosignature/v1, C2SP tlog-cosignature)
// for note.Open. It does not look at a clock. An error wraps [opsec.ErrInvalid].
func NewCosignatureVerifier(vkey string) (note.Verifier, error) {
	k, err := parseKey(vkey, kindCosignature)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// GenerateKey makes an Ed25519 key for a log of that origin: skey is for note.NewSigner and secret, vkey for policies.
// A key in an HSM is better: see [NewSigner]. The error of a name that a key cannot have wraps [opsec.ErrInvalid].
func GenerateKey(origin string) (skey, vkey string, err error) {
	if !validName(origin) {
		return "", "", invalid("name of %d bytes: want 1 to %d, UTF-8, no space, no plus", len(origin), maxOrigin)
	}
	return note.GenerateKey(rand.Reader, origin)
}

// ParseSigner returns the signer of a key that [GenerateKey] has made. A key in an HSM takes [NewSigner].
func ParseSigner(skey string) (note.Signer, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, invalid("signing key of %d bytes: not one of GenerateKey's", len(skey)) // the text is secret
	}
	return signer, nil
}

// Signer is a note.Signer over a private key that may be elsewhere. Its signatures are verified before they leave, so a
// device that computes wrongly signs nothing.
type Signer struct {
	key
	private crypto.Signer
	now     func() time.Time
}

// NewSigner returns the signer of a log: name is its origin, private an Ed25519 key, in memory or in an HSM, that takes
// messages unhashed (crypto.Hash(0)). An error wraps [opsec.ErrInvalid].
func NewSigner(name string, private crypto.Signer) (*Signer, error) {
	return newSigner(name, kindNote, private, nil)
}

// NewCosigner returns the signer of a witness, whose cosignatures say the time that now returns (nil: time.Now). Whoever
// signs with it has to have verified that the checkpoint continues the last one of that origin; it does not.
func NewCosigner(name string, private crypto.Signer, now func() time.Time) (*Signer, error) {
	if now == nil {
		now = time.Now
	}
	return newSigner(name, kindCosignature, private, now)
}

func newSigner(name string, kind byte, private crypto.Signer, now func() time.Time) (*Signer, error) {
	if !validName(name) {
		return nil, invalid("name of %d bytes: want 1 to %d, UTF-8, no space, no plus", len(name), maxOrigin)
	}
	if private == nil {
		return nil, invalid("key of %q is missing", name)
	}
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil, invalid("key of %q is not of Ed25519", name)
	}
	return &Signer{newKey(name, kind, public), private, now}, nil
}

// VerifierKey returns what verifiers need, for a policy.
func (s *Signer) VerifierKey() string { return s.key.String() }

// Sign returns the signature of a note's text; a cosigner wants the text of a checkpoint.
func (s *Signer) Sign(text []byte) ([]byte, error) {
	message, sig := text, []byte(nil)
	if s.kind == kindCosignature {
		sig = binary.BigEndian.AppendUint64(nil, uint64(s.now().Unix()))
		var ok bool
		if message, _, ok = cosigned(text, append(sig, make([]byte, ed25519.SignatureSize)...)); !ok {
			return nil, invalid("what %q was given to cosign is not a checkpoint, or its clock is before 1970", s.name)
		}
	}
	ed, err := s.private.Sign(rand.Reader, message, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: key of %q: %w", s.name, err)
	}
	sig = append(sig, ed...)
	if !s.Verify(text, sig) {
		return nil, fmt.Errorf("checkpoint: key of %q made a signature that does not verify", s.name)
	}
	return sig, nil
}
