package blocklist

import (
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/FastFilter/xorfilter"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/cloudopsec/opsec"
)

// Kind says how a password becomes a key of the filter.
type Kind uint8

// The kinds.
const (
	Words Kind = 1 // the text after NFKC and case folding, by FNV-1a: about 2 ns and 1 ns a byte
	Pwned Kind = 2 // the text as it is, by the first 64 bits of its SHA-1: what a file of Have I Been Pwned offers
)

func (k Kind) String() string {
	switch k {
	case Words:
		return "words"
	case Pwned:
		return "pwned"
	}
	return "unknown"
}

// List is a set of passwords as a binary fuse filter (Graf and Lemire, 2022). What was put in is always found; of what was not,
// one in 256 (8 bits) or one in 65536 (16 bits) is found all the same. It is safe for concurrent use, and never changes.
type List struct {
	kind   Kind
	count  int
	narrow *xorfilter.BinaryFuse[uint8] // one of the two
	wide   *xorfilter.BinaryFuse[uint16]
}

// Kind returns how passwords become keys.
func (l *List) Kind() Kind { return l.kind }

// Count returns how many different passwords it was made from.
func (l *List) Count() int { return l.count }

// Bits returns the bits of a fingerprint, 8 or 16.
func (l *List) Bits() int {
	if l.narrow != nil {
		return 8
	}
	return 16
}

// Contains says whether the whole text is on the list: of [Words], in any letter case.
func (l *List) Contains(text string) bool {
	key := l.kind.key(text)
	if l.narrow != nil {
		return l.narrow.Contains(key)
	}
	return l.wide.Contains(key)
}

// Lists are several lists as one.
type Lists []*List

// Contains says whether one of the lists contains the text.
func (all Lists) Contains(text string) bool {
	for _, l := range all {
		if l.Contains(text) {
			return true
		}
	}
	return false
}

func (k Kind) key(text string) uint64 {
	if k == Pwned {
		sum := sha1.Sum([]byte(text)) //nolint:gosec // the file's own key, not a protection
		return binary.BigEndian.Uint64(sum[:])
	}
	// FNV-1a, 64 bits (Fowler, Noll, Vo; RFC 9923). Whoever finds two texts with one key has found that his own password is
	// refused as if it were another: there is nothing to win, so the hash needs no secret.
	h := uint64(14695981039346656037)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= utf8.RuneSelf {
			return foldedKey(text)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func foldedKey(text string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text)))) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("blocklist: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
