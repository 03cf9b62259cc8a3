package plan

import (
	"fmt"
	"io"

	"github.com/cloudopsec/opsec/internal/strictyaml"
)

const maxDepth = 12 // of lists and objects in a document

// ParseStrategy reads a strategy from YAML or JSON of up to 1 MiB. Fields that are not known or stand twice, anchors and tags are
// refused. The error wraps [opsec.ErrInvalid], or is the reader's.
func ParseStrategy(r io.Reader) (s Strategy, err error) {
	err = parse(r, &s)
	return s, err
}

// ParseProblem reads a problem as [ParseStrategy] does a strategy.
func ParseProblem(r io.Reader) (p Problem, err error) {
	if err = parse(r, &p); err == nil {
		err = p.Validate()
	}
	if err != nil {
		return Problem{}, err
	}
	return p, nil
}

func parse(r io.Reader, v any) error {
	text, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if len(text) > maxBytes {
		return invalid("document: more than %d bytes", maxBytes)
	}
	if err := strictyaml.Decode(text, maxDepth, v); err != nil {
		return invalid("document: %v", err)
	}
	return nil
}
