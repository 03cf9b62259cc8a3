package session

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"math/big"
)

// Thumbprint names the key that a session is bound to. Whoever terminates the connection has seen the proof that the client
// holds it, and passes it on. The zero Thumbprint is none.
type Thumbprint [sha256.Size]byte

// CertificateThumbprint returns that of a client certificate in DER, as a token bound by mutual TLS carries it in x5t#S256 (RFC
// 8705, section 3.1).
func CertificateThumbprint(der []byte) Thumbprint { return sha256.Sum256(der) }

// KeyThumbprint returns that of a public key, as a token bound by DPoP carries it in jkt (RFC 7638, section 3; RFC 9449, section
// 6.1). It knows *rsa.PublicKey, *ecdsa.PublicKey of the NIST curves and [ed25519.PublicKey]; for another the error wraps
// [opsec.ErrInvalid].
func KeyThumbprint(key crypto.PublicKey) (Thumbprint, error) {
	text := base64.RawURLEncoding.EncodeToString
	var members string
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil || k.N.Sign() <= 0 || k.E <= 0 {
			return Thumbprint{}, invalid("key: not an RSA key")
		}
		members = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, text(big.NewInt(int64(k.E)).Bytes()), text(k.N.Bytes()))
	case *ecdsa.PublicKey:
		//lint:ignore SA1019 of a key without coordinates Bytes panics
		if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
			return Thumbprint{}, invalid("key: no curve, or no point on it")
		}
		point, err := k.Bytes() // 4, x, y
		name := map[elliptic.Curve]string{elliptic.P256(): "P-256", elliptic.P384(): "P-384", elliptic.P521(): "P-521"}[k.Curve]
		if err != nil || name == "" {
			return Thumbprint{}, invalid("key: not on a known curve")
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		members = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, name, text(x), text(y))
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return Thumbprint{}, invalid("key: %d bytes of Ed25519, want %d", len(k), ed25519.PublicKeySize)
		}
		members = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, text(k))
	default:
		return Thumbprint{}, invalid("key: of a kind that has no thumbprint here")
	}
	return sha256.Sum256([]byte(members)), nil
}

// is compares in constant time.
func (t *Thumbprint) is(other *Thumbprint) bool {
	return subtle.ConstantTimeCompare(t[:], other[:]) == 1
}

// IsZero reports whether there is none.
func (t Thumbprint) IsZero() bool { return t == Thumbprint{} }

// MarshalText implements [encoding.TextMarshaler]: base64url, as the RFCs write it.
func (t Thumbprint) MarshalText() ([]byte, error) { return encode32(t), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Thumbprint) UnmarshalText(text []byte) error { return decode32((*[32]byte)(t), text) }
