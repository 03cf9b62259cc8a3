package heads

import "errors"

// ErrUnproven says that a proof does not lead to the root it was verified against.
var ErrUnproven = errors.New("heads: unproven")

// MaxProof is the greatest length of an encoded proof, in bytes.
const MaxProof = 5000
