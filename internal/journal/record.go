package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudopsec/opsec"
)

// Limits of one entry, in bytes. A leaf has at least one byte, a body may be empty.
const (
	MaxLeaf = 1<<16 - 1
	MaxBody = 1 << 20
)

// Record is one entry: its place in the journal, the leaf that is hashed, and the body that stands beside it.
type Record struct {
	Index      uint64
	Leaf, Body []byte
}

// A record is a header, the leaf, the body, and zeros up to a multiple of eight bytes. Little-endian:
//
//	0   CRC-32C of the journal's id, the rest of the header, leaf and body
//	4   length of the leaf
//	8   length of the body
//	12  position in its batch
//	16  index
//
// The id goes into the checksum so that nobody who has bytes of his own logged, but does not see the files, can make
// some that look like a record.
const headerBytes = 24

// castagnoli is the table that hash/crc32 has instructions for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame is a record as it stands in a segment.
type frame struct {
	Record
	position uint32
	size     int
}

// start is the index of the first record of the batch.
func (f frame) start() uint64 { return f.Index - uint64(f.position) }

// frameBytes is the size of a record with its padding.
func frameBytes(leaf, body int) int { return (headerBytes + leaf + body + 7) &^ 7 }

// appendFrame adds a record to buf, whose checksum begins with seed.
func appendFrame(buf []byte, seed uint32, index uint64, position uint32, leaf, body []byte) []byte {
	at, size := len(buf), frameBytes(len(leaf), len(body))
	buf = slices.Grow(buf, size)[:at+size]
	b := buf[at:]
	binary.LittleEndian.PutUint32(b[4:], uint32(len(leaf)))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[12:], position)
	binary.LittleEndian.PutUint64(b[16:], index)
	n := headerBytes + copy(b[headerBytes:], leaf)
	n += copy(b[n:], body)
	clear(b[n:])
	binary.LittleEndian.PutUint32(b, crc32.Update(seed, castagnoli, b[4:n]))
	return buf
}

// measure says how long the record is whose header b begins with. It is false where no record begins.
func measure(b []byte) (size int, ok bool) {
	if len(b) < headerBytes {
		return 0, false
	}
	leaf, body := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if leaf == 0 || leaf > MaxLeaf || body > MaxBody {
		return 0, false
	}
	return frameBytes(int(leaf), int(body)), true
}

// parse reads the record that b begins with. Its leaf and body are parts of b.
func parse(b []byte, seed uint32) (frame, bool) {
	size, ok := measure(b)
	if !ok || len(b) < size {
		return frame{}, false
	}
	leaf := headerBytes + int(binary.LittleEndian.Uint32(b[4:]))
	body := leaf + int(binary.LittleEndian.Uint32(b[8:]))
	f := frame{
		Record: Record{
			Index: binary.LittleEndian.Uint64(b[16:]),
			Leaf:  b[headerBytes:leaf:leaf],
			Body:  b[leaf:body:body],
		},
		position: binary.LittleEndian.Uint32(b[12:]),
		size:     size,
	}
	if !zero(b[body:size]) || crc32.Update(seed, castagnoli, b[4:body]) != binary.LittleEndian.Uint32(b) {
		return frame{}, false
	}
	return f, true
}

// zero reports whether all bytes are zero.
func zero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
	}
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// A segment begins with 64 bytes, little-endian:
//
//	0   the magic
//	8   version, 1
//	12  CRC-32C of the other 60 bytes
//	16  index of its first record
//	24  index of the first record of the segment before; its own in the first segment of all
//	32  length of the file
//	40  the journal's id: 16 random bytes
//	56  zeros
const (
	segmentHeader  = 64
	segmentMagic   = "opsecjnl"
	segmentVersion = 1
)

type header struct {
	first, previous uint64
	length          int64
	id              [16]byte
}

// seed begins the checksum of every record of the journal.
func (h header) seed() uint32 { return crc32.Checksum(h.id[:], castagnoli) }

func (h header) encode() []byte {
	b := make([]byte, segmentHeader)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], segmentVersion)
	binary.LittleEndian.PutUint64(b[16:], h.first)
	binary.LittleEndian.PutUint64(b[24:], h.previous)
	binary.LittleEndian.PutUint64(b[32:], uint64(h.length))
	copy(b[40:], h.id[:])
	binary.LittleEndian.PutUint32(b[12:], headerSum(b))
	return b
}

func headerSum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, b[16:segmentHeader])
}

// decodeHeader reads what encode wrote.
func decodeHeader(b []byte) (header, error) {
	if len(b) < segmentHeader || string(b[:8]) != segmentMagic || headerSum(b) != binary.LittleEndian.Uint32(b[12:]) {
		return header{}, errors.New("no sound segment header")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != segmentVersion {
		return header{}, fmt.Errorf("segment version %d, this program knows %d", v, segmentVersion)
	}
	h := header{
		first:    binary.LittleEndian.Uint64(b[16:]),
		previous: binary.LittleEndian.Uint64(b[24:]),
		length:   int64(binary.LittleEndian.Uint64(b[32:])),
		id:       [16]byte(b[40:56]),
	}
	if h.length < segmentHeader || h.length > maxSegment || h.previous > h.first || !zero(b[56:segmentHeader]) {
		return header{}, errors.New("a segment header with impossible values")
	}
	return h, nil
}

// Files of a journal beside its segments.
const (
	nextName    = "next.seg"
	reserveName = "reserve"
)

// segmentName is the name of the segment that begins with the record first.
func segmentName(first uint64) string { return fmt.Sprintf("%020d.seg", first) }

// parseName returns the first index in a segment's name.
func parseName(name string) (first uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, ".seg")
	if !ok || len(digits) != 20 {
		return 0, false
	}
	first, err := strconv.ParseUint(digits, 10, 64)
	return first, err == nil
}

// checkEntry returns an error for what cannot be an entry.
func checkEntry(leaf, body []byte) error {
	switch {
	case len(leaf) == 0 || len(leaf) > MaxLeaf:
		return fmt.Errorf("journal: leaf: %d bytes, must be 1 to %d: %w", len(leaf), MaxLeaf, opsec.ErrInvalid)
	case len(body) > MaxBody:
		return fmt.Errorf("journal: body: %d bytes, at most %d: %w", len(body), MaxBody, opsec.ErrInvalid)
	}
	return nil
}
