package index

import (
	"encoding/binary"
	"math/bits"
)

// number is the 64 bits by which a key is known, here and in files. Two keys that share one are found together; the caller
// compares what is found with the entries anyway. It is a chain of folded multiplications: fast, spread evenly, and no
// secret.
func number(key []byte) uint64 {
	h := mix(uint64(len(key)))
	for ; len(key) >= 8; key = key[8:] {
		h = mix(h ^ binary.LittleEndian.Uint64(key))
	}
	var rest [8]byte
	copy(rest[:], key)
	return mix(h ^ binary.LittleEndian.Uint64(rest[:]))
}

func mix(v uint64) uint64 {
	hi, lo := bits.Mul64(v^0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9)
	return hi ^ lo
}
