package sample

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// Dossier is what a provider publishes so that a sample can be drawn again. As JSON it is the bytes that an outsider gets.
type Dossier struct {
	Freeze     Freeze           `json:"freeze"`
	Anchor     Anchor           `json:"anchor"`
	Leaf       []byte           `json:"leaf"`       // the log's entry that records the freeze
	Inclusion  []tlog.Hash      `json:"inclusion"`  // of the entry, under the checkpoint (RFC 6962, section 2.1.1)
	Checkpoint string           `json:"checkpoint"` // the signed note
	Samples    map[string][]int `json:"samples"`    // by procedure: positions, ascending
	Frames     []Frame          `json:"frames,omitempty"`
	Proofs     []Shown          `json:"proofs,omitempty"` // of items that were looked at, where frames are not shown
}

// Shown is an item of a procedure's frame with its proof.
type Shown struct {
	Procedure string `json:"procedure"`
	Proof
}

// ParseDossier reads a dossier in JSON.
func ParseDossier(b []byte) (Dossier, error) { return Dossier{}, errors.ErrUnsupported }

// Recompute verifies a dossier from its bytes and the verifier's keys alone.
func Recompute(d Dossier, v CheckpointVerifier, holds func(leaf []byte, freeze Digest) error) (Seed, error) {
	return Seed{}, errors.ErrUnsupported
}
