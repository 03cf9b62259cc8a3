package identity

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/cloudopsec/opsec"
)

// The conditions that callers branch on, beside those of packages opsec, approval and identity/name.
var (
	// ErrTaken says that the name, or one that looks like it, belongs to another account of the trust zone, or did until
	// shortly. It does not say to whom.
	ErrTaken = fmt.Errorf("identity: the name is taken: %w", opsec.ErrInvalid)
	// ErrSecondMain says that the person has a main account at this tenant already (8.1.1-4).
	ErrSecondMain = fmt.Errorf("identity: the person has a main account already: %w", opsec.ErrInvalid)
	// ErrBeyondMain says that a sub-account would hold what its main account may not grant.
	ErrBeyondMain = fmt.Errorf("identity: more than the main account may grant: %w", opsec.ErrDenied)
	// ErrMain says that the main account is not active.
	ErrMain = fmt.Errorf("identity: the main account is not active: %w", opsec.ErrDenied)
	// ErrState says that the account does not stand where this could be done: [StateError].
	ErrState = errors.New("identity: not in this state")
	// ErrChanged says that the account is no longer as it was when the approval was asked for.
	ErrChanged = errors.New("identity: the account has changed since approval was asked for")
	// ErrUnknownActor says that the account acted with is not an active one of the Directory, so that nobody knows which
	// person is behind it.
	ErrUnknownActor = fmt.Errorf("identity: not an active account of the directory: %w", opsec.ErrDenied)
	// ErrFounded says that the tenant has had its first accounts already.
	ErrFounded = fmt.Errorf("identity: the tenant has had its first accounts: %w", opsec.ErrDenied)
)

// StateError says what cannot be done in which state. It is [ErrState].
type StateError struct {
	Verb  Verb
	State State
}

func (e *StateError) Error() string {
	return fmt.Sprintf("identity: cannot %s what is %s", e.Verb, e.State)
}

// Is reports that the error is [ErrState].
func (e *StateError) Is(target error) bool { return target == ErrState }

// invalid is an error that wraps [opsec.ErrInvalid].
func invalid(format string, args ...any) error {
	return fmt.Errorf("identity: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

// denied is an error that wraps [opsec.ErrDenied].
func denied(format string, args ...any) error {
	return fmt.Errorf("identity: "+format+": %w", append(args, opsec.ErrDenied)...)
}

func notFound(what string) error { return fmt.Errorf("identity: %s: %w", what, opsec.ErrNotFound) }

// seen reports whether two such texts that are not the same can be told apart by who approves one, but for letters that look alike.
func seen(s string) bool {
	return norm.NFKC.IsNormalString(s) && strings.TrimSpace(s) == s && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// text reports whether s is UTF-8 of at most most bytes without control characters.
func text(s string, most int) bool {
	return len(s) <= most && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
