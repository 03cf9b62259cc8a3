package sample

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// Frame is a population: the distinct ids of all that a procedure could look at, in bytewise order.
type Frame struct {
	Procedure string   `json:"procedure"` // names the frame; a stratum has one of its own: "backup-1/eu"
	Items     []string `json:"items"`
	// Blind, when it is set, keeps what was not drawn from being guessed by its digest in the proofs of what was. It is
	// secret: keep it with the papers of the audit.
	Blind Blind `json:"-"`
}

// Commitment is what is published of a frame: it fixes every item and its position, and shows none.
type Commitment struct {
	Procedure string `json:"procedure"`
	Size      int    `json:"size"`
	Digest    Digest `json:"digest"` // Merkle root (RFC 6962, section 2.1)
}

// Proof shows that an item is the one at a position of a frame.
type Proof struct {
	Index  int         `json:"index"` // from 0
	Item   string      `json:"item"`
	Salt   Digest      `json:"salt,omitzero"` // of a frame with a Blind
	Hashes []tlog.Hash `json:"hashes"`        // audit path (RFC 6962, section 2.1.1)
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (f Frame) Validate() error { return errors.ErrUnsupported }

// Commit returns the commitment to the frame.
func (f Frame) Commit() (Commitment, error) { return Commitment{}, errors.ErrUnsupported }

// Prove returns the proofs of the items at these positions.
func (f Frame) Prove(positions ...int) ([]Proof, error) { return nil, errors.ErrUnsupported }

// Verify returns nil when the proof shows that its item stands at its position of the frame.
func (c Commitment) Verify(p Proof) error { return errors.ErrUnsupported }
