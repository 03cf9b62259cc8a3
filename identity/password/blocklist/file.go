package blocklist

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"github.com/FastFilter/xorfilter"
	"github.com/zeebo/blake3"
)

// A file is a header of 40 bytes, the fingerprints, and the BLAKE3 digest of both, numbers in little-endian order:
//
//	0  magic    "opsecBL1"
//	8  kind     1 or 2
//	9  bits     8 or 16
//	10 zero     6 bytes
//	16 count    8 bytes
//	24 seed     8 bytes
//	32 segment  4 bytes: slots of a segment, a power of two
//	36 segments 4 bytes: how many a first slot may fall in; the table has two more
const (
	magic      = "opsecBL1"
	headerSize = 40
	digestSize = 32

	maxSegment = 1 << 18
	maxSlots   = 1 << 30
	chunk      = 1 << 16 // slots that are read at a time: a header that lies costs no more than what follows it
)

// WriteTo writes the list as a file. It implements [io.WriterTo].
func (l *List) WriteTo(w io.Writer) (int64, error) {
	h := make([]byte, headerSize)
	copy(h, magic)
	h[8], h[9] = byte(l.kind), byte(l.Bits())
	binary.LittleEndian.PutUint64(h[16:], uint64(l.count))
	seed, segment, segments := l.shape()
	binary.LittleEndian.PutUint64(h[24:], seed)
	binary.LittleEndian.PutUint32(h[32:], segment)
	binary.LittleEndian.PutUint32(h[36:], segments)

	digest := blake3.New()
	out := &counted{w: w}
	both := bufio.NewWriterSize(io.MultiWriter(out, digest), chunk)
	both.Write(h)
	if l.narrow != nil {
		both.Write(l.narrow.Fingerprints)
	} else {
		var two [2]byte
		for _, f := range l.wide.Fingerprints {
			binary.LittleEndian.PutUint16(two[:], f)
			both.Write(two[:])
		}
	}
	if err := both.Flush(); err != nil {
		return out.n, err
	}
	_, err := out.Write(digest.Sum(nil))
	return out.n, err
}

func (l *List) shape() (seed uint64, segment, segments uint32) {
	if l.narrow != nil {
		return l.narrow.Seed, l.narrow.SegmentLength, l.narrow.SegmentCount
	}
	return l.wide.Seed, l.wide.SegmentLength, l.wide.SegmentCount
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Read reads a file that [List.WriteTo] wrote, to its end. What is not such a file, in whole, gives an error that wraps
// [opsec.ErrInvalid]. The digest is against damage; whoever can write the file can write another digest.
//
// It allocates no more than twice what r delivers. A file has 9 or 18 bits a password, and at most 2 GiB.
func Read(r io.Reader) (*List, error) {
	digest := blake3.New()
	in := io.TeeReader(r, digest)
	h := make([]byte, headerSize)
	if err := readAll(in, h); err != nil {
		return nil, err
	}
	l := &List{kind: Kind(h[8])}
	count := binary.LittleEndian.Uint64(h[16:])
	seed := binary.LittleEndian.Uint64(h[24:])
	segment, segments := binary.LittleEndian.Uint32(h[32:]), binary.LittleEndian.Uint32(h[36:])
	slots := (uint64(segments) + 2) * uint64(segment)
	switch {
	case string(h[:8]) != magic:
		return nil, invalid("file: not a blocklist of version 1")
	case l.kind != Words && l.kind != Pwned:
		return nil, invalid("file: kind %d is unknown", h[8])
	case !bytes.Equal(h[10:16], make([]byte, 6)):
		return nil, invalid("file: unknown fields")
	case segments == 0 || bits.OnesCount32(segment) != 1 || segment > maxSegment || slots > maxSlots || count == 0 || count > slots:
		return nil, invalid("file: %d passwords in %d segments of %d slots", count, segments, segment)
	}
	l.count = int(count)
	var err error
	switch h[9] {
	case 8:
		l.narrow = &xorfilter.BinaryFuse[uint8]{Seed: seed, SegmentLength: segment, SegmentLengthMask: segment - 1,
			SegmentCount: segments, SegmentCountLength: segments * segment}
		l.narrow.Fingerprints, err = slotsOf(in, int(slots), 1, func(b []byte) uint8 { return b[0] })
	case 16:
		l.wide = &xorfilter.BinaryFuse[uint16]{Seed: seed, SegmentLength: segment, SegmentLengthMask: segment - 1,
			SegmentCount: segments, SegmentCountLength: segments * segment}
		l.wide.Fingerprints, err = slotsOf(in, int(slots), 2, binary.LittleEndian.Uint16)
	default:
		return nil, invalid("file: fingerprints of %d bits, want 8 or 16", h[9])
	}
	if err != nil {
		return nil, err
	}
	want := digest.Sum(nil)
	tail := make([]byte, digestSize)
	if err := readAll(r, tail); err != nil {
		return nil, err
	}
	if !bytes.Equal(tail, want) {
		return nil, invalid("file: damaged: the digest is another")
	}
	if n, err := io.ReadFull(r, tail[:1]); n != 0 {
		return nil, invalid("file: more after its end")
	} else if err != io.EOF {
		return nil, err
	}
	return l, nil
}

func slotsOf[T uint8 | uint16](r io.Reader, n, size int, of func([]byte) T) ([]T, error) {
	list := make([]T, 0, min(n, chunk))
	buf := make([]byte, min(n, chunk)*size)
	for len(list) < n {
		part := buf[:min(n-len(list), chunk)*size]
		if err := readAll(r, part); err != nil {
			return nil, err
		}
		for i := 0; i < len(part); i += size {
			list = append(list, of(part[i:]))
		}
	}
	return list, nil
}

func readAll(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("file: cut off")
	}
	return err
}
