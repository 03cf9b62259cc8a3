package shares

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
)

// MaxSecret is how many bytes a secret may have.
const MaxSecret = 1024

// The binary form of a share: magic and version, threshold, number of shares, index, id of the set, then the share of the
// secret and of the set's key, then the tag.
const (
	magic     = "osh\x01"
	atK       = len(magic)
	atN       = atK + 1
	atIndex   = atN + 1
	atID      = atIndex + 1
	atBody    = atID + idSize
	idSize    = sha256.Size
	keySize   = 32
	tagSize   = 16
	overhead  = atBody + keySize + tagSize
	maxBinary = overhead + MaxSecret
)

// Share is one holder's part. It is secret: it does not show what it holds when printed, and [Share.Bytes] and
// [Share.Text] are the ways to get at it. The zero Share is none.
type Share struct{ held *held }

// held is behind a pointer, since fmt follows none inside of what it prints: it asks no Format of a field that is not exported.
type held struct{ raw []byte }

func (s Share) raw() []byte {
	if s.held == nil {
		return nil
	}
	return s.held.raw
}

// Index returns which share it is, from 1; 0 for none.
func (s Share) Index() int { return s.at(atIndex) }

// Threshold returns how many of the set are needed, and Of how many there are.
func (s Share) Threshold() int { return s.at(atK) }

// Of returns how many shares the set has.
func (s Share) Of() int { return s.at(atN) }

// Set returns the id of the set.
func (s Share) Set() (id Digest) {
	if s.held != nil {
		copy(id[:], s.raw()[atID:])
	}
	return id
}

func (s Share) at(i int) int {
	if s.held == nil {
		return 0
	}
	return int(s.raw()[i])
}

// Bytes returns a copy of the binary form: "osh" and the byte 1, then a byte each for threshold, number of shares and index,
// 32 bytes of set id, the share itself, which is 32 bytes longer than the secret, and a tag of 16 bytes. It is 87 bytes
// longer than the secret. Clear it after use.
func (s Share) Bytes() []byte { return slices.Clone(s.raw()) }

// Digest returns the SHA-256 of the binary form, which the set has too. It tells nothing about the secret.
func (s Share) Digest() Digest { return sha256.Sum256(s.raw()) }

// Clear overwrites the share with zeroes. Copies of s are the same share.
func (s Share) Clear() { clear(s.raw()) }

// ParseShare reads the binary form. An error wraps [opsec.ErrInvalid]; an index that cannot be is an [*IndexError].
// Whether the share is a good one is known by its set, or with others.
func ParseShare(b []byte) (Share, error) {
	switch {
	case len(b) <= overhead || len(b) > maxBinary:
		return Share{}, invalid("share: %d bytes, want %d to %d", len(b), overhead+1, maxBinary)
	case !bytes.HasPrefix(b, []byte(magic)):
		return Share{}, invalid("share: not a share of version %d", magic[len(magic)-1])
	}
	s := Share{&held{slices.Clone(b)}}
	if k, n := s.Threshold(), s.Of(); k < 2 || k > n {
		s.Clear()
		return Share{}, invalid("share: threshold %d of %d, want at least 2 and at most all", k, n)
	}
	if i := s.Index(); i < 1 || i > s.Of() {
		s.Clear()
		return Share{}, &IndexError{i}
	}
	return s, nil
}

// header is what the share says of its set, beside its length.
func (s Share) header() string { return string(s.raw()[:atIndex]) + string(s.raw()[atID:atBody]) }

// secret and key are the two parts of the body.
func (s Share) secret() []byte { return s.raw()[atBody : len(s.raw())-tagSize-keySize] }
func (s Share) key() []byte    { return s.raw()[len(s.raw())-tagSize-keySize : len(s.raw())-tagSize] }
func (s Share) body() []byte   { return s.raw()[atBody : len(s.raw())-tagSize] }
func (s Share) tag() []byte    { return s.raw()[len(s.raw())-tagSize:] }

func (s Share) name() string {
	return "[share " + strconv.Itoa(s.Index()) + " of " + strconv.Itoa(s.Of()) + "]"
}

// Format implements [fmt.Formatter]: which share it is, under every verb, and nothing of what it holds.
func (s Share) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.name()) }

// LogValue implements [slog.LogValuer] by Format.
func (s Share) LogValue() slog.Value { return slog.StringValue(s.name()) }

// MarshalText implements [encoding.TextMarshaler] by Format, so that a share in somebody's JSON does not leak. It cannot
// be read back.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.name()), nil }
