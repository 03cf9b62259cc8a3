package programme

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
)

// ErrStage says that the step cannot be taken now: the audit is not at that stage, or something has to come before. What
// is malformed wraps [opsec.ErrInvalid] instead, and who may not take the step gets [opsec.ErrDenied].
var ErrStage = errors.New("programme: not now")

// TeamError lists all that a team lacks. It wraps [ErrStage].
type TeamError struct {
	Missing []string // a sentence each
}

func (e *TeamError) Error() string { return listed("the team is not complete", e.Missing) }

// Unwrap returns [ErrStage].
func (e *TeamError) Unwrap() error { return ErrStage }

// IncompleteError lists all that has to be there before a plan is released, a report issued or an audit closed. It wraps
// [ErrStage].
type IncompleteError struct {
	Missing []string // a sentence each
}

func (e *IncompleteError) Error() string { return listed("not complete", e.Missing) }

// Unwrap returns [ErrStage].
func (e *IncompleteError) Unwrap() error { return ErrStage }

func incomplete(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return &IncompleteError{missing}
}

// GrantError says why a tool may not be used. It wraps [opsec.ErrDenied].
type GrantError struct {
	Grant string
	Rule  string // "it is another's", "it has ended", ...
}

func (e *GrantError) Error() string {
	return fmt.Sprintf("programme: grant %s: %s: %v", short(e.Grant), e.Rule, opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *GrantError) Unwrap() error { return opsec.ErrDenied }

const maxListed = 8 // of what is missing, in an error's text

func listed(what string, missing []string) string {
	text := fmt.Sprintf("programme: %s: %s", what, strings.Join(missing[:min(len(missing), maxListed)], "; "))
	if more := len(missing) - maxListed; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("programme: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func denied(format string, args ...any) error {
	return fmt.Errorf("programme: "+format+": %w", append(args, opsec.ErrDenied)...)
}

func notNow(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrStage}, args...)...)
}
