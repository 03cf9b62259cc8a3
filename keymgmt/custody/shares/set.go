package shares

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

const (
	maxLabel   = 256
	maxSetJSON = 64 << 10 // more than 255 digests take
)

// Digest is 32 bytes, in text 64 hexadecimal digits of lower case.
type Digest [sha256.Size]byte

// String returns the text.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error {
	var read Digest
	if len(text) != hex.EncodedLen(len(read)) {
		return invalid("digest: %d bytes of text, want %d", len(text), hex.EncodedLen(len(read)))
	}
	if _, err := hex.Decode(read[:], text); err != nil || read.String() != string(text) {
		return invalid("digest: want hexadecimal digits of lower case")
	}
	*d = read
	return nil
}

// Scheme says how a secret is split.
type Scheme struct {
	Label     string // what it is, for people: at most 256 bytes, UTF-8
	Threshold int    // how many shares give the secret: from 2 to Shares
	Shares    int    // how many there are: at most 255
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules.
func (s *Scheme) Validate() error {
	switch {
	case len(s.Label) > maxLabel || !utf8.ValidString(s.Label):
		return invalid("label: %d bytes, want UTF-8 of at most %d", len(s.Label), maxLabel)
	case s.Shares > 255:
		return invalid("shares: %d, want at most 255", s.Shares)
	case s.Threshold < 2 || s.Threshold > s.Shares:
		return invalid("threshold: %d of %d, want from 2 to all", s.Threshold, s.Shares)
	}
	return nil
}

// Set is the public record of a secret's shares. Everybody may read it; what matters is that nobody can change it, so keep
// its digest where it cannot be changed either. It is data: keep it as JSON.
type Set struct {
	ID        Digest   `json:"id"` // commits to the secret, the threshold and the number
	Label     string   `json:"label,omitempty"`
	Threshold int      `json:"threshold"`
	Shares    int      `json:"shares"`
	Size      int      `json:"size"`              // of the secret, in bytes
	Digests   []Digest `json:"digests"`           // of each share, in the order of their indexes
	Key       Digest   `json:"key"`               // an Ed25519 public key, of proofs
	Previous  Digest   `json:"previous,omitzero"` // the set that this one has replaced
	MAC       Digest   `json:"mac"`               // of all of it, under the set's key, which a threshold of shares gives
}

// Digest returns the SHA-256 of the set: what belongs in the log.
func (s *Set) Digest() Digest { return sha256.Sum256(append(s.content(), s.MAC[:]...)) }

// content is what the MAC is over. All but the label has a fixed length or one that goes before.
func (s *Set) content() []byte {
	b := append([]byte("opsec/shares/v1/set\x00"), byte(s.Threshold), byte(s.Shares), byte(s.Size>>8), byte(s.Size))
	b = append(append(append(b, s.ID[:]...), s.Previous[:]...), s.Key[:]...)
	for _, d := range s.Digests {
		b = append(b, d[:]...)
	}
	return append(b, s.Label...)
}

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field that breaks its rules.
func (s *Set) Validate() error {
	scheme := Scheme{s.Label, s.Threshold, s.Shares}
	if err := scheme.Validate(); err != nil {
		return err
	}
	switch {
	case s.Size < 1 || s.Size > MaxSecret:
		return invalid("size: %d, want 1 to %d", s.Size, MaxSecret)
	case len(s.Digests) != s.Shares:
		return invalid("digests: %d of %d shares", len(s.Digests), s.Shares)
	case s.ID == s.Previous:
		return invalid("previous: the set itself")
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. It accepts what [Set.Validate] accepts, without unknown fields, of 64 KiB at
// most, and leaves s as it was when it fails.
func (s *Set) UnmarshalJSON(data []byte) error {
	type plain Set
	var read plain
	if len(data) > maxSetJSON {
		return invalid("set: %d bytes of JSON, at most %d", len(data), maxSetJSON)
	}
	if err := strictjson.Decode(data, &read); err != nil {
		return invalid("set: %v", err)
	}
	if err := (*Set)(&read).Validate(); err != nil {
		return err
	}
	*s = Set(read)
	return nil
}

// Check returns a [*BadShareError] unless the share is one of the set's, as it was dealt. It needs no other share: a holder
// checks what came, and what is still there.
func (s *Set) Check(share Share) error { return s.check([]Share{share}) }

// check says which of the shares are bad, whether an index stands twice, and nothing about their number.
func (s *Set) check(list []Share) error {
	if err := s.Validate(); err != nil {
		return err
	}
	bad := new(BadShareError)
	for at, share := range list {
		i := share.Index()
		if i < 1 || i > s.Shares || share.Set() != s.ID || len(share.raw()) != overhead+s.Size || share.Digest() != s.Digests[i-1] {
			bad.Positions = append(bad.Positions, at)
		}
	}
	if len(bad.Positions) > 0 {
		return bad
	}
	return distinct(list)
}

// distinct refuses shares that are none, and an index that was given twice.
func distinct(list []Share) error {
	var seen [256]bool
	for _, share := range list {
		i := share.Index()
		if i == 0 || seen[i] {
			return &IndexError{i}
		}
		seen[i] = true
	}
	return nil
}
