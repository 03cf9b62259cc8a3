package index

import (
	"encoding/binary"
	"math/bits"
)

// posting is the positions of one key: n of them in ascending order, two bytes each, or one bit for each position of the
// span. In a file there are more than maxList of them when, and only when, they are bits, which is then the shorter form.
// These are the array and bitmap containers of Roaring bitmaps (Chambi, Lemire, Kaser and Godin, Better bitmap performance
// with Roaring bitmaps, 2016), of which a span of 2^16 needs one for each key.
type posting struct {
	n    int
	data []byte
	bits bool
}

const (
	maxList  = 4096
	bitsSize = Span / 8
)

// postingSize is the length of a posting of n positions in a file.
func postingSize(n int) int { return min(2*n, bitsSize) }

// appendTo appends p in the form that it has in a file.
func (p posting) appendTo(file []byte) []byte {
	if p.n <= maxList {
		return append(file, p.data...)
	}
	var s set
	s.add(p)
	for _, w := range s {
		file = binary.LittleEndian.AppendUint64(file, w)
	}
	return file
}

// fault says what makes p a posting that no Builder of n entries has written, "" if nothing does.
func (p posting) fault(n int) string {
	if p.bits {
		count := 0
		for i := range bitsSize / 8 {
			w := binary.LittleEndian.Uint64(p.data[8*i:])
			count += bits.OnesCount64(w)
			if over := 64*(i+1) - n; over > 0 && w>>max(0, 64-over) != 0 {
				return "a position beyond the entries"
			}
		}
		if count != p.n {
			return "a count that is not that of the positions"
		}
		return ""
	}
	last := -1
	for i := 0; i < len(p.data); i += 2 {
		pos := int(binary.LittleEndian.Uint16(p.data[i:]))
		if pos <= last {
			return "positions that do not ascend"
		}
		last = pos
	}
	if last >= n {
		return "a position beyond the entries"
	}
	return ""
}

// set is a set of positions.
type set [Span / 64]uint64

func (s *set) add(p posting) {
	if p.bits {
		for i := range s {
			s[i] |= binary.LittleEndian.Uint64(p.data[8*i:])
		}
		return
	}
	for b := p.data; len(b) >= 2; b = b[2:] {
		pos := binary.LittleEndian.Uint16(b)
		s[pos>>6] |= 1 << (pos & 63)
	}
}

// fill adds the first n positions.
func (s *set) fill(n int) {
	for i := range n / 64 {
		s[i] = ^uint64(0)
	}
	if n%64 != 0 {
		s[n/64] |= 1<<(n%64) - 1
	}
}

// keep removes what is not in o.
func (s *set) keep(o *set) {
	for i := range s {
		s[i] &= o[i]
	}
}

// ascend yields the positions from from on upwards.
func (s *set) ascend(from uint16, yield func(uint16) bool) {
	mask := ^uint64(0) << (from & 63)
	for i := int(from >> 6); i < len(s); i++ {
		for w := s[i] & mask; w != 0; w &= w - 1 {
			if !yield(uint16(64*i + bits.TrailingZeros64(w))) {
				return
			}
		}
		mask = ^uint64(0)
	}
}

// descend yields the positions from from on downwards.
func (s *set) descend(from uint16, yield func(uint16) bool) {
	mask := ^uint64(0) >> (63 - from&63)
	for i := int(from >> 6); i >= 0; i-- {
		for w := s[i] & mask; w != 0; {
			top := 63 - bits.LeadingZeros64(w)
			if !yield(uint16(64*i + top)) {
				return
			}
			w &^= 1 << top
		}
		mask = ^uint64(0)
	}
}
