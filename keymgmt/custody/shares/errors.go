package shares

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
)

var (
	// ErrIdentity says that a sealed share does not open with this identity: it is another's, or was changed.
	ErrIdentity = errors.New("shares: sealed share does not open with this identity")
	// ErrSet says that a set was changed since its shares were dealt. It wraps [opsec.ErrInvalid].
	ErrSet = fmt.Errorf("shares: the set was changed since its shares were dealt: %w", opsec.ErrInvalid)
	// ErrProof says that a proof is not one of this set and this challenge. It wraps [opsec.ErrInvalid].
	ErrProof = fmt.Errorf("shares: not a proof of this set and this challenge: %w", opsec.ErrInvalid)
)

// TooFewError says that more shares are needed. It wraps [opsec.ErrInvalid].
type TooFewError struct{ Have, Need int }

func (e *TooFewError) Error() string {
	return fmt.Sprintf("shares: %d shares, need %d: %v", e.Have, e.Need, opsec.ErrInvalid)
}

func (e *TooFewError) Unwrap() error { return opsec.ErrInvalid }

// IndexError says that a share has an index that it cannot have, 0 or above their number, or that an index was given twice.
// It wraps [opsec.ErrInvalid].
type IndexError struct{ Index int }

func (e *IndexError) Error() string {
	return fmt.Sprintf("shares: index %d is out of range or was given twice: %v", e.Index, opsec.ErrInvalid)
}

func (e *IndexError) Unwrap() error { return opsec.ErrInvalid }

// BadShareError says that shares were changed, or belong to another set. It wraps [opsec.ErrInvalid].
type BadShareError struct {
	// Positions are where the bad ones stand in what was given, from 0: a bad share may lie about its index. None says
	// that at least one is bad and which cannot be told: the set or one more share will tell.
	Positions []int
}

func (e *BadShareError) Error() string {
	if len(e.Positions) == 0 {
		return fmt.Sprintf("shares: at least one share is bad, and which cannot be told without the set or more shares: %v", opsec.ErrInvalid)
	}
	return fmt.Sprintf("shares: bad at these positions, from 0: %v: %v", e.Positions, opsec.ErrInvalid)
}

func (e *BadShareError) Unwrap() error { return opsec.ErrInvalid }

func invalid(format string, args ...any) error {
	return fmt.Errorf("shares: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
