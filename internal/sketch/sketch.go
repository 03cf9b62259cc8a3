// Package sketch counts what is too many to be kept, in fixed memory and with an error that is known.
package sketch

import (
	"math"
	"math/bits"
)

// Distinct estimates how many different 64-bit digests it has seen, in a fixed number of registers (HyperLogLog, Flajolet
// and others, 2007). Its length is a power of two, 16 to 65536. Two of three estimates are within 104 per cent by the square root
// of the length: 3.3 per cent with 1024 registers, 6.5 with 256.
type Distinct []uint8

// Add notes a digest, of which every bit must be as good as random. It reports whether that has changed anything: if not, the
// digest was seen before, or does not matter.
func (s Distinct) Add(digest uint64) bool {
	p := bits.Len(uint(len(s))) - 1
	rank := uint8(bits.LeadingZeros64(digest<<p|1<<(p-1)) + 1)
	r := &s[digest>>(64-p)]
	if rank <= *r {
		return false
	}
	*r = rank
	return true
}

// Merge adds what another one of the same length has seen.
func (s Distinct) Merge(other Distinct) {
	for i, r := range other {
		s[i] = max(s[i], r)
	}
}

// Estimate returns about how many there were.
func (s Distinct) Estimate() uint64 { return Union(s, nil) }

// Union returns about how many there are in s and other together. A nil other has none.
func Union(s, other Distinct) uint64 {
	m := float64(len(s))
	sum, empty := 0.0, 0
	for i, r := range s {
		if other != nil {
			r = max(r, other[i])
		}
		sum += math.Float64frombits(uint64(1023-int(r)) << 52) // 2^-r
		if r == 0 {
			empty++
		}
	}
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && empty > 0 {
		e = m * math.Log(m/float64(empty)) // linear counting, for few
	}
	return uint64(e + 0.5)
}

// MaxRank is the highest value that a register of a Distinct of that length has.
func MaxRank(registers int) uint8 { return uint8(64 - (bits.Len(uint(registers)) - 1) + 1) }
