package heads

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// The first byte of what is hashed says what it is. RFC 6962 has 0 and 1.
const (
	placeHash = 0x10 + iota
	valueHash
	leafHash
	innerHash
	emptyHash
)

// place is where a tag is in the tree: the path of its bits, the highest of the first byte first. It is a hash of the tag,
// so that it tells nobody the tag, and that no choice of tags makes the tree deep.
type place [16]byte

func placeOf(tag [16]byte) (p place) {
	var b [17]byte
	b[0] = placeHash
	copy(b[1:], tag[:])
	sum := sha256.Sum256(b[:])
	copy(p[:], sum[:])
	return p
}

// bit is bit i, 0 or 1.
func (p *place) bit(i uint8) int { return int(p[i>>3]>>(7-i&7)) & 1 }

// prefix is the first n bits, the others being 0.
func (p place) prefix(n uint8) place {
	hi, lo := binary.BigEndian.Uint64(p[:]), binary.BigEndian.Uint64(p[8:])
	if n < 64 {
		hi, lo = hi&^(^uint64(0)>>n), 0
	} else {
		lo &^= ^uint64(0) >> (n - 64)
	}
	binary.BigEndian.PutUint64(p[:], hi)
	binary.BigEndian.PutUint64(p[8:], lo)
	return p
}

// common is how many bits p and q have in common before the first that differs, 128 if they are one.
func common(p, q *place) int {
	if x := binary.BigEndian.Uint64(p[:]) ^ binary.BigEndian.Uint64(q[:]); x != 0 {
		return bits.LeadingZeros64(x)
	}
	return 64 + bits.LeadingZeros64(binary.BigEndian.Uint64(p[8:])^binary.BigEndian.Uint64(q[8:]))
}

// hashValue binds a head. Who does not know the tag cannot try values against it.
func hashValue(h *Head) tlog.Hash {
	var b [1 + 16 + 8 + 32]byte
	b[0] = valueHash
	copy(b[1:], h.Tag[:])
	binary.BigEndian.PutUint64(b[17:], h.Seq)
	copy(b[25:], h.Leaf[:])
	return sha256.Sum256(b[:])
}

func hashLeaf(at *place, value *tlog.Hash) tlog.Hash {
	var b [1 + 16 + 32]byte
	b[0] = leafHash
	copy(b[1:], at[:])
	copy(b[17:], value[:])
	return sha256.Sum256(b[:])
}

// hashInner binds the label that all places below share, n bits of it, and those that go on with 0 and with 1.
func hashInner(n uint8, label *place, zero, one *tlog.Hash) tlog.Hash {
	var b [1 + 1 + 16 + 32 + 32]byte
	b[0], b[1] = innerHash, n
	copy(b[2:], label[:])
	copy(b[18:], zero[:])
	copy(b[50:], one[:])
	return sha256.Sum256(b[:])
}

func hashEmpty() tlog.Hash { return sha256.Sum256([]byte{emptyHash}) }
