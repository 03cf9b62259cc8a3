package store

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// The conditions that callers branch on; test with [errors.Is]. What is not found is [opsec.ErrNotFound], what breaks a
// rule [opsec.ErrInvalid].
var (
	// ErrIndeterminate says that a commit may have happened, or may still: its connection died, or its disk failed. A
	// DB settles that by a marker, and returns it only when the context ended or the engine broke before.
	ErrIndeterminate = errors.New("store: the commit may have happened")
	// ErrTooLarge says that a key, a value, a batch or a transaction is over the limits of the contract.
	ErrTooLarge = errors.New("store: too large")
	// ErrClosed says that the driver has been closed.
	ErrClosed = errors.New("store: closed")
	// ErrExists says that a record with this id, or with this key of a unique index, is there already: [*ExistsError].
	ErrExists = errors.New("store: exists already")
	// ErrUnguarded says that a transaction that may write has listed a collection without [Schema.Guarded]: what it
	// decides by the list could be overtaken by a record that it has not seen.
	ErrUnguarded = errors.New("store: list of an unguarded collection inside Update")
	// ErrKeep is what a function given to [Collection.Sweep] returns for a record that stays.
	ErrKeep = errors.New("store: keep")
)

// ConflictError says that a commit was refused because other writers were first.
type ConflictError struct {
	Keys []string // at least one of those whose check failed
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("store: conflict on %d keys", len(e.Keys))
}

// ExistsError says which rule of uniqueness a write would break; it is [ErrExists]. It does not say what exists.
type ExistsError struct {
	Collection string
	Index      string // the unique index, or "" for the id
}

func (e *ExistsError) Error() string {
	if e.Index == "" {
		return fmt.Sprintf("store: %s: a record with this id exists already", e.Collection)
	}
	return fmt.Sprintf("store: %s: a record with this key of index %s exists already", e.Collection, e.Index)
}

// Is reports that the error is [ErrExists].
func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// CorruptError says that a stored value is not what was written there: it does not open under its key (it was swapped,
// cut or changed), it is not sealed in a sealed store, or it does not decode. The error does not show the content.
type CorruptError struct {
	Collection string // or "outbox", "marker", "notes" for what the store itself keeps
	Reason     string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("store: %s: a stored value %s", e.Collection, e.Reason)
}

// VersionError says that a record was written by a newer version of the program than this one.
type VersionError struct {
	Collection     string
	Version, Known int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("store: %s: a record of version %d; this program knows %d", e.Collection, e.Version, e.Known)
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("store: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func tooLarge(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrTooLarge}, args...)...)
}

// errStop ends a walk that its caller has left.
var errStop = errors.New("stop")
