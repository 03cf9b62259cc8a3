package sample

import (
	"errors"
	"time"
)

// Freeze fixes what an audit samples from. Its digest is recorded in a transparency log; see [Derive] for what comes then.
type Freeze struct {
	Audit   string       `json:"audit"`
	Attempt int          `json:"attempt"` // from 1: how often this audit has been frozen
	Scope   Digest       `json:"scope"`   // of all else that is fixed: the plan, with how many are to be drawn
	Frames  []Commitment `json:"frames"`  // in bytewise order of their procedures
	// NotBefore is when the deciding checkpoint may be signed by witnesses at the earliest: whole seconds.
	NotBefore time.Time `json:"not_before"`
	// NotAfter is when at the latest; zero: 24 hours after NotBefore.
	NotAfter time.Time `json:"not_after,omitzero"`
}

// Anchor is where a log has recorded a freeze.
type Anchor struct {
	Log   string `json:"log"`   // its origin
	Index uint64 `json:"index"` // from 0
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (f Freeze) Validate() error { return errors.ErrUnsupported }

// Digest returns what the log records.
func (f Freeze) Digest() (Digest, error) { return Digest{}, errors.ErrUnsupported }

// Frame returns the commitment of a procedure.
func (f Freeze) Frame(procedure string) (Commitment, bool) { return Commitment{}, false }
