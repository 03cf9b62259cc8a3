package keymgmt

import (
	"maps"
	"slices"
)

// Algorithm names what a key is used with, in Tink's names of key templates, such as AES256_GCM.
type Algorithm string

// suite is what is known of an algorithm.
type suite struct {
	bits   int    // of security
	limits Amount // under one key
}

// Limits of one key. Where no standard has a figure they are ours, and low enough for any proof that is known.
const (
	// With random IVs of 96 bits: SP 800-38D, section 8.3, for GCM; the same for what else takes its IV so.
	randomIV = 1 << 32
	// With random nonces of 160 bits or more, or a fresh key for each message: two are then alike with probability 2^-63.
	longNonce = 1 << 48
	// Bytes in counter mode with blocks of 128 bits: 2^48 blocks. What tells it from a random function is then below 2^-32.
	counterMode = 1 << 52
	ample       = 1 << 62 // where use wears nothing out
)

// suites has the algorithms by purpose. Bits are those of SP 800-57 part 1, section 5.6.1: of the cipher or the curve, and
// for RSA those of the next smaller modulus there. A MAC has no more than its tag.
var suites = map[Purpose]map[Algorithm]suite{
	DataEncryption: aeads,
	KeyWrapping:    aeads,
	Streaming: {
		"AES256_GCM_HKDF_1MB":        {256, Amount{longNonce, ample}},
		"AES256_GCM_HKDF_4KB":        {256, Amount{longNonce, ample}},
		"AES128_GCM_HKDF_1MB":        {128, Amount{longNonce, ample}},
		"AES128_GCM_HKDF_4KB":        {128, Amount{longNonce, ample}},
		"AES256_CTR_HMAC_SHA256_1MB": {256, Amount{longNonce, ample}},
		"AES256_CTR_HMAC_SHA256_4KB": {256, Amount{longNonce, ample}},
		"AES128_CTR_HMAC_SHA256_1MB": {128, Amount{longNonce, ample}},
		"AES128_CTR_HMAC_SHA256_4KB": {128, Amount{longNonce, ample}},
	},
	Authentication: {
		"HMAC_SHA256_128BITTAG": {128, Amount{ample, ample}},
		"HMAC_SHA256_256BITTAG": {256, Amount{ample, ample}},
		"HMAC_SHA512_256BITTAG": {256, Amount{ample, ample}},
		"HMAC_SHA512_512BITTAG": {256, Amount{ample, ample}},
		"AES_CMAC":              {128, Amount{longNonce, counterMode}},
	},
	Signature: {
		"ED25519":                              {128, Amount{ample, ample}},
		"ECDSA_P256":                           {128, Amount{ample, ample}},
		"ECDSA_P384_SHA384":                    {192, Amount{ample, ample}},
		"ECDSA_P384_SHA512":                    {192, Amount{ample, ample}},
		"ECDSA_P521":                           {256, Amount{ample, ample}},
		"RSA_SSA_PSS_3072_SHA256_SHA256_32_F4": {128, Amount{ample, ample}},
		"RSA_SSA_PSS_4096_SHA512_SHA512_64_F4": {128, Amount{ample, ample}},
	},
	Derivation: {
		"HKDF_SHA256":     {256, Amount{ample, ample}},
		"HMAC_SHA256_PRF": {256, Amount{ample, ample}},
		"HMAC_SHA512_PRF": {256, Amount{ample, ample}},
	},
}

var aeads = map[Algorithm]suite{
	"AES256_GCM":                 {256, Amount{randomIV, counterMode}},
	"AES128_GCM":                 {128, Amount{randomIV, counterMode}},
	"AES256_GCM_SIV":             {256, Amount{randomIV, counterMode}},
	"AES128_GCM_SIV":             {128, Amount{randomIV, counterMode}},
	"AES256_CTR_HMAC_SHA256":     {256, Amount{randomIV, counterMode}},
	"AES128_CTR_HMAC_SHA256":     {128, Amount{randomIV, counterMode}},
	"CHACHA20_POLY1305":          {256, Amount{randomIV, ample}},
	"XCHACHA20_POLY1305":         {256, Amount{longNonce, ample}},
	"XAES_256_GCM_192_BIT_NONCE": {256, Amount{longNonce, ample}},
	"XAES_256_GCM_160_BIT_NONCE": {256, Amount{longNonce, ample}},
}

// Algorithms returns the algorithms that are known for a purpose, in the order of their names.
func Algorithms(p Purpose) []Algorithm { return slices.Sorted(maps.Keys(suites[p])) }

// For reports whether a is known for this purpose. A key has one purpose alone (SP 800-57 part 1, section 5.2).
func (a Algorithm) For(p Purpose) bool {
	_, known := suites[p][a]
	return known
}

// Strength returns the bits of security of a key of a; 0 for an unknown algorithm.
func (a Algorithm) Strength() int { return a.suite().bits }

// Limits returns how many messages and bytes one key of a protects at most; nothing for an unknown algorithm.
func (a Algorithm) Limits() Amount { return a.suite().limits }

func (a Algorithm) suite() suite {
	for _, list := range suites {
		if s, known := list[a]; known {
			return s
		}
	}
	return suite{}
}
