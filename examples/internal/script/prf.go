package script

import (
	"crypto/hmac"
	"crypto/sha256"
)

// PRF is a [store.PRF] of the standard library under this key; a provider takes one of Tink, from its custodian.
//
// [store.PRF]: https://pkg.go.dev/github.com/cloudopsec/opsec/store#PRF
type PRF []byte

// ComputePRF returns n bytes, 32 at most.
func (key PRF) ComputePRF(input []byte, n uint32) ([]byte, error) {
	mac := hmac.New(sha256.New, key)
	mac.Write(input)
	return mac.Sum(nil)[:n], nil
}
