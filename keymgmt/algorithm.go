package keymgmt

// Algorithm names what a key is used with, in Tink's names of key templates, such as AES256_GCM.
type Algorithm string

const maxAlgorithm = 128 // bytes of a name

const sea = 1 << 62

// suite is what is known of an algorithm.
type suite struct {
	bits     int // of security
	limits   Amount
	purposes []Purpose
}

var (
	forData = []Purpose{DataEncryption, KeyWrapping}
	suites  = map[Algorithm]suite{
		"AES256_GCM": {256, Amount{1 << 32, sea}, forData},
		"AES128_GCM": {128, Amount{1 << 32, sea}, forData},
	}
)

// Strength returns the bits of security of a, 0 for an unknown algorithm.
func (a Algorithm) Strength() int { return suites[a].bits }

// Limits returns how many messages and bytes one key of a may protect at most; nothing for an unknown algorithm.
func (a Algorithm) Limits() Amount { return suites[a].limits }

// For reports whether a is known, and for this purpose.
func (a Algorithm) For(p Purpose) bool {
	for _, one := range suites[a].purposes {
		if one == p {
			return true
		}
	}
	return false
}
