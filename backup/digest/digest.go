package digest

import (
	"encoding/hex"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Digest is a content hash of 32 bytes, of BLAKE3 or SHA-256. The zero Digest stands for "not computed".
type Digest [32]byte

// ParseDigest reads what [Digest.String] writes: exactly 64 lower-case hexadecimal digits. Anything else, upper case
// included, is an error that wraps [opsec.ErrInvalid], so that a digest has one spelling only.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	err := d.UnmarshalText([]byte(s))
	return d, err
}

// IsZero reports whether d stands for "not computed".
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns d as 64 lower-case hexadecimal digits, as b3sum and sha256sum print it.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the bytes of [Digest.String]; its error is always nil.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText accepts what [ParseDigest] accepts; after an error d is unchanged.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("digest: digest of %d bytes: want 64 lower-case hexadecimal digits: %w",
			len(text), opsec.ErrInvalid)
	}
	for i, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("digest: digest: byte %#02x at %d: want a lower-case hexadecimal digit: %w",
				c, i, opsec.ErrInvalid)
		}
	}
	_, err := hex.Decode(d[:], text)
	return err
}
