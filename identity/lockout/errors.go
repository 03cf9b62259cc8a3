package lockout

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// What a log-in page shows of these is one and the same failure; see package login.
var (
	// ErrWrong says that the secret was wrong, and that this has been counted.
	ErrWrong = fmt.Errorf("lockout: wrong secret: %w", opsec.ErrDenied)
	// ErrUndecided says that the secret was not tried after all, and that nothing has been counted.
	ErrUndecided = fmt.Errorf("lockout: undecided: %w", opsec.ErrDenied)
	// ErrExpired says that the reservation was settled before, or took so long that it has been counted as a failure. Whatever the
	// secret was, nobody is logged in.
	ErrExpired = fmt.Errorf("lockout: reservation expired: %w", opsec.ErrDenied)
	// ErrBusy says that as many guesses at this account as may be tried at the same time are being tried. It is no failure.
	ErrBusy = errors.New("lockout: too many guesses under way")
	// ErrFull says that a [Memory] has no room for another account, since none of those that it has may be dropped.
	ErrFull = errors.New("lockout: table full of accounts that are locked or being guessed")
)

// LockedError says that an account is barred, locked or held: for the operator, not for who logs in. It wraps [opsec.ErrDenied].
type LockedError struct {
	Standing Standing
	Until    time.Time // when it ends; zero for Permanent and Held
}

// Error implements error.
func (e *LockedError) Error() string {
	if e.Until.IsZero() {
		return "lockout: " + string(e.Standing) + " until it is unlocked"
	}
	return "lockout: " + string(e.Standing) + " until " + e.Until.UTC().Format(time.RFC3339)
}

// Unwrap returns [opsec.ErrDenied].
func (e *LockedError) Unwrap() error { return opsec.ErrDenied }
