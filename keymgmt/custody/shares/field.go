package shares

import (
	"encoding/binary"
	"math/bits"
)

// GF(2^8) with the reduction polynomial x^8 + x^4 + x^3 + x + 1, that of FIPS 197, section 4.2. Addition is XOR.

const (
	reduction = 0x1b
	lowBits   = 0x0101010101010101
)

// scaleAdd sets dst to c*a + b, byte by byte: all of one length. It takes a time that depends on c and the length alone, so
// c must be something that everybody may know. Eight bytes go at once.
func scaleAdd(dst, a []byte, c byte, b []byte) {
	for len(dst) >= 8 {
		v := scale(binary.NativeEndian.Uint64(a), c) ^ binary.NativeEndian.Uint64(b)
		binary.NativeEndian.PutUint64(dst, v)
		dst, a, b = dst[8:], a[8:], b[8:]
	}
	for i := range dst {
		dst[i] = byte(scale(uint64(a[i]), c)) ^ b[i]
	}
}

// scale multiplies each of eight bytes by c: double and add, from the highest bit of c.
func scale(v uint64, c byte) (sum uint64) {
	for bit := bits.Len8(c) - 1; bit >= 0; bit-- {
		sum = (sum&^(lowBits<<7))<<1 ^ (sum>>7&lowBits)*reduction
		if c>>bit&1 == 1 {
			sum ^= v
		}
	}
	return sum
}

// product returns a*b. It takes a time that depends on b.
func product(a, b byte) byte { return byte(scale(uint64(a), b)) }

// inverse returns the inverse of c, which is c^254 = c^2 * c^4 * ... * c^128; 0 for 0.
func inverse(c byte) byte {
	power, result := c, byte(1)
	for range 7 {
		power = product(power, power)
		result = product(result, power)
	}
	return result
}

// weights returns Lagrange's coefficients: the value at 0 of a polynomial is the sum of its values at these places, which
// differ and are not 0, times the weights.
func weights(places []byte) []byte {
	list := make([]byte, len(places))
	for i, x := range places {
		above, below := byte(1), byte(1)
		for j, other := range places {
			if i != j {
				above, below = product(above, other), product(below, other^x)
			}
		}
		list[i] = product(above, inverse(below))
	}
	return list
}
