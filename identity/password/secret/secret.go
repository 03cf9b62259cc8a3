package secret

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"log/slog"
)

// Secret is what somebody entered, in the canonical form that a password hash is made of. It shows itself in no log, message
// or JSON. Copies share one memory, which [Secret.Clear] wipes; the zero Secret is none.
type Secret struct{ in *inside }

type inside struct {
	kind     Kind
	bytes    []byte
	estimate Estimate
}

// version is of the canonical form: the same entry under the same scheme gives the same bytes in every release.
const version = 1

// newSecret encodes kind, version, parameters and symbols, each with its length before it (4 bytes, the high one first), so
// that no two secrets have the same bytes. Of a scheme's fields only those are parameters that say what a symbol means: a
// stricter policy must not spoil the secrets that are there.
func newSecret(kind Kind, parameters, symbols []byte, e Estimate) Secret {
	b := make([]byte, 0, 4*4+len(kind)+1+len(parameters)+len(symbols))
	b = field(b, []byte(kind))
	b = field(b, []byte{version})
	b = field(b, parameters)
	b = field(b, symbols)
	clear(symbols)
	return Secret{&inside{kind, b, e}}
}

// field appends f with its length before it.
func field(b, f []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
}

// number appends a number that is not below 0.
func number(b []byte, v int) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

// Bytes returns what to hash, for example in the pool of package hash: at most 512 bytes. It is the memory itself, to be
// read only, and nil after Clear.
func (s Secret) Bytes() []byte {
	if s.in == nil {
		return nil
	}
	return s.in.bytes
}

// Kind returns what the secret is made of.
func (s Secret) Kind() Kind {
	if s.in == nil {
		return ""
	}
	return s.in.kind
}

// Estimate says how soon the secret would be guessed. It is nearly as secret as the secret itself.
func (s Secret) Estimate() Estimate {
	if s.in == nil {
		return Estimate{}
	}
	return s.in.estimate
}

// Equal compares in constant time. Zero and cleared secrets equal nothing.
func (s Secret) Equal(t Secret) bool {
	return len(s.Bytes()) > 0 && subtle.ConstantTimeCompare(s.Bytes(), t.Bytes()) == 1
}

// Clear wipes the secret, in all copies.
func (s Secret) Clear() {
	if s.in != nil {
		clear(s.in.bytes)
		*s.in = inside{}
	}
}

// redacted stands for a secret wherever one would be shown.
const redacted = "[redacted]"

// Format implements [fmt.Formatter] and shows nothing, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer] and shows nothing.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], and so JSON, and shows nothing.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
