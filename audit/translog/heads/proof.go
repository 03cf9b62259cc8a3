package heads

import "golang.org/x/mod/sumdb/tlog"

// Proof shows what a tree holds under one tag: a head, or nothing.
type Proof struct{}

// Verify returns the head that p proves to be under tag in the tree of this root, or false if p proves that none is. A
// proof of anything else is an error that wraps [ErrUnproven].
func (p Proof) Verify(root tlog.Hash, tag [16]byte) (Head, bool, error) { panic("heads: not written yet") }

// AppendTo appends the form that [ParseProof] reads.
func (p Proof) AppendTo(b []byte) []byte { panic("heads: not written yet") }

// ParseProof reads a proof of at most [MaxProof] bytes.
func ParseProof(b []byte) (Proof, error) { panic("heads: not written yet") }
