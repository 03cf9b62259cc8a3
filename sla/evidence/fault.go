package evidence

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Error says where a file or an answer breaks the rules. It wraps [opsec.ErrInvalid].
type Error struct {
	File   string
	Line   int // from 1; 0 where it is the whole
	Column int // in bytes, from 1; 0 where it is the whole line
	Reason string
}

// Error implements error.
func (e *Error) Error() string {
	at := e.File
	if e.Line > 0 {
		at += fmt.Sprintf(":%d", e.Line)
	}
	if e.Column > 0 {
		at += fmt.Sprintf(":%d", e.Column)
	}
	return fmt.Sprintf("evidence: %s: %s", at, e.Reason)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *Error) Unwrap() error { return opsec.ErrInvalid }

func invalid(format string, args ...any) error {
	return fmt.Errorf("evidence: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}
