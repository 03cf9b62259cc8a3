package erasure

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/strictjson"
)

// PayloadType is the payload type of the envelopes.
const PayloadType = "application/vnd.cloudopsec.erasure.v1+json"

// ErrSignature says that a document is not as it was signed, or not signed by whom one trusts. It wraps [opsec.ErrDenied].
var ErrSignature = fmt.Errorf("erasure: signature missing or wrong: %w", opsec.ErrDenied)

// Signer signs. Any tink.Signer is one.
type Signer interface {
	Sign(data []byte) ([]byte, error)
}

// Verifier checks what a Signer has made. Any tink.Verifier is one.
type Verifier interface {
	Verify(signature, data []byte) error
}

// Trust says whose signatures count, by key id.
type Trust map[string]Verifier

// Ed25519 signs with a key of RFC 8032, which may be in a device: its Public must be an [ed25519.PublicKey].
func Ed25519(private crypto.Signer) Signer { return edSigner{private} }

type edSigner struct{ private crypto.Signer }

func (s edSigner) Sign(data []byte) ([]byte, error) {
	if _, ok := s.private.Public().(ed25519.PublicKey); !ok {
		return nil, invalid("signer: not an Ed25519 key")
	}
	return s.private.Sign(nil, data, crypto.Hash(0))
}

// String implements [fmt.Stringer]. It shows nothing of the key.
func (edSigner) String() string { return "erasure.Ed25519" }

// GoString implements [fmt.GoStringer], likewise.
func (edSigner) GoString() string { return "erasure.Ed25519" }

// Ed25519Public checks signatures of RFC 8032.
func Ed25519Public(public ed25519.PublicKey) Verifier { return edVerifier(bytes.Clone(public)) }

type edVerifier ed25519.PublicKey

func (v edVerifier) Verify(signature, data []byte) error {
	if len(v) != ed25519.PublicKeySize || !ed25519.Verify(ed25519.PublicKey(v), data, signature) {
		return errors.New("wrong")
	}
	return nil
}

// The bounds of documents, in bytes.
const (
	maxPayload  = 140 << 10 // so that its envelope fits a document of a repository
	maxEnvelope = 200 << 10
	maxKeyID    = 128
)

// seal returns the envelope of a payload.
func seal(payload []byte, s Signer, keyID string) ([]byte, error) {
	signature, err := s.Sign(dsse.PAE(PayloadType, payload))
	if err != nil {
		return nil, fmt.Errorf("erasure: signer: %w", err)
	}
	return json.Marshal(dsse.Envelope{
		PayloadType: PayloadType,
		Payload:     base64.StdEncoding.EncodeToString(payload),
		Signatures:  []dsse.Signature{{KeyID: keyID, Sig: base64.StdEncoding.EncodeToString(signature)}},
	})
}

// unseal returns the payload of an envelope that is written exactly as seal writes it.
func unseal(doc []byte, trust Trust) ([]byte, error) {
	if len(doc) > maxEnvelope {
		return nil, invalid("document: %d bytes: want at most %d", len(doc), maxEnvelope)
	}
	var e dsse.Envelope
	if err := strictjson.Decode(doc, &e); err != nil {
		return nil, invalid("document: %v", err)
	}
	if again, err := json.Marshal(e); err != nil || !bytes.Equal(again, doc) {
		return nil, invalid("document: not written as this package writes it")
	}
	if e.PayloadType != PayloadType || len(e.Signatures) != 1 {
		return nil, invalid("document: want payload type %s and one signature", PayloadType)
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if err != nil {
		return nil, invalid("document: payload: not base64")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(e.Signatures[0].Sig)
	if err != nil {
		return nil, invalid("document: signature: not base64")
	}
	v := trust[e.Signatures[0].KeyID]
	if v == nil || v.Verify(signature, dsse.PAE(PayloadType, payload)) != nil {
		return nil, ErrSignature
	}
	return payload, nil
}

// digest names a payload.
func digest(payload []byte) string {
	sum := sha256.Sum256(dsse.PAE(PayloadType, payload))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("erasure: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
