package sample

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Digest is a SHA-256 hash; as text, 64 lower-case hexadecimal digits.
type Digest [32]byte

// Blind is a secret of 32 random bytes. It does not show in fmt, slog or JSON. The zero Blind is none.
type Blind [32]byte

var (
	// ErrTooEarly says that the checkpoint is not one of after the freeze: it does not cover it, or too few witnesses have
	// signed at NotBefore or later.
	ErrTooEarly = fmt.Errorf("sample: the checkpoint is not of after the freeze: %w", opsec.ErrInvalid)
	// ErrTooLate says that witnesses have signed only after NotAfter.
	ErrTooLate = fmt.Errorf("sample: the checkpoint is of after the time for it: %w", opsec.ErrInvalid)
	// ErrUnproven says that something is well formed, but not signed by those it must be signed by, or not in the log.
	ErrUnproven = errors.New("sample: not proven")
	// ErrMismatch says that what was published is not what comes out.
	ErrMismatch = errors.New("sample: does not come out as published")
)

// The bounds.
const (
	MaxSize  = 1<<31 - 1 // items of a population
	maxFrame = 1024      // frames of a freeze
	maxName  = 512       // bytes of an audit, a procedure, an origin
	maxItem  = 1024      // bytes
)

// hashOf hashes a list of parts, the first of which says what for: each behind its length, eight bytes, big-endian.
func hashOf[T ~string | ~[]byte](what string, parts ...T) [32]byte {
	h := sha256.New()
	put := func(p []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	put([]byte(what))
	for _, p := range parts {
		put([]byte(p))
	}
	return [32]byte(h.Sum(nil))
}

// name reports whether s is 1 to most bytes of UTF-8 without control characters and line separators, so that JSON has one
// way to write it.
func name(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

// invalid returns an error of this package that wraps opsec.ErrInvalid.
func invalid(format string, args ...any) error {
	return fmt.Errorf("sample: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// String returns the text form.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the text form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form and no other. An error wraps [opsec.ErrInvalid].
func (d *Digest) UnmarshalText(text []byte) error {
	var got Digest
	if len(text) != hex.EncodedLen(len(got)) {
		return invalid("digest of %d characters: want 64 hexadecimal digits", len(text))
	}
	if _, err := hex.Decode(got[:], text); err != nil || got.String() != string(text) {
		return invalid("digest: want 64 lower-case hexadecimal digits")
	}
	*d = got
	return nil
}

// Format implements [fmt.Formatter]: "[blind]" under every verb.
func (Blind) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[blind]") }

// MarshalText refuses: an error wrapping [opsec.ErrInvalid].
func (Blind) MarshalText() ([]byte, error) { return nil, invalid("a blind is secret") }

// unproven returns an error that wraps ErrUnproven.
func unproven(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnproven}, args...)...)
}

// mismatch returns an error that wraps ErrMismatch.
func mismatch(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMismatch}, args...)...)
}
