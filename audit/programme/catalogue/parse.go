package catalogue

import (
	"fmt"
	"io"

	"github.com/cloudopsec/opsec"
)

// The bounds of a [Catalogue].
const (
	MaxBytes        = 1 << 20 // of a file
	MaxRequirements = 5000
	MaxCategories   = 64
	MaxRefs         = 64 // of one requirement
)

// SyntaxError says what is wrong in a catalogue, and where. It wraps [opsec.ErrInvalid].
type SyntaxError struct {
	Line int    // from 1; 0 when it is about the whole, or there is no file
	What string // without the value
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("catalogue: %s: %v", e.What, opsec.ErrInvalid)
	}
	return fmt.Sprintf("catalogue: line %d: %s: %v", e.Line, e.What, opsec.ErrInvalid)
}

// Unwrap returns [opsec.ErrInvalid].
func (e *SyntaxError) Unwrap() error { return opsec.ErrInvalid }

// Parse reads a catalogue in the form that the package documents. The error is a [*SyntaxError], the first there is, or
// that of the reader.
func Parse(r io.Reader) (*Catalogue, error) { return nil, &SyntaxError{What: "nothing is read yet"} }

// Validate returns a [*SyntaxError] that names the first thing that breaks the form. Parse has done this already.
func (c *Catalogue) Validate() error { return nil }

// X1642 returns the requirements of Recommendation ITU-T X.1642, clauses 7 and 8, in our words, with the six categories
// of 8.11.2: "virtualisation", "platform", "operation", "iam", "keys" and "emergency". The result is the caller's own.
func X1642() *Catalogue { return &Catalogue{ID: "x1642", Version: "1"} }
