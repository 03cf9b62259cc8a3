package sample

import (
	"errors"

	"golang.org/x/mod/sumdb/note"
)

// CheckpointVerifier says whose checkpoints are good. The zero CheckpointVerifier trusts nobody.
type CheckpointVerifier struct {
	Logs      []note.Verifier // keys of the log; their name is its origin
	Witnesses []note.Verifier // of Ed25519 cosignatures (C2SP tlog-cosignature); those of one name are one witness
	Quorum    int             // how many witnesses must have signed, from 1

	// InsecureUnwitnessed takes the log's word alone: with no witnesses and a Quorum of 0. Whoever has the log's key can
	// then choose the sample, and NotBefore and NotAfter mean nothing.
	InsecureUnwitnessed bool
}

// Seed is what samples are drawn by.
type Seed [32]byte

// Derive returns the seed that a signed checkpoint gives to a freeze.
func Derive(f Freeze, a Anchor, checkpoint []byte, v CheckpointVerifier) (Seed, error) {
	return Seed{}, errors.ErrUnsupported
}

// Draw returns k positions of the frame, ascending.
func (s Seed) Draw(c Commitment, k int) ([]int, error) { return nil, errors.ErrUnsupported }

// DrawStrata draws k positions from several frames together, at least so many from each as far as it has them, the others
// in proportion to size.
func (s Seed) DrawStrata(strata []Commitment, k, least int) ([][]int, error) {
	return nil, errors.ErrUnsupported
}

// Allocate says how many of k fall to each stratum.
func Allocate(sizes []int, k, least int) ([]int, error) { return nil, errors.ErrUnsupported }
