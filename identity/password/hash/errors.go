package hash

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// ErrBusy says that there was no slot in time: nothing was decided about the secret, and nothing may be counted against its
// account. Where it came of a context that ended, it wraps that error too.
var ErrBusy = errors.New("hash: busy")

// ErrHidden is what [Pool.Dummy] returns where a wrong password would give [Result.Hidden]: to be counted as wrong, and told as busy.
// It wraps [ErrBusy].
var ErrHidden = fmt.Errorf("%w, so that nobody learns what is wrong", ErrBusy)

// ErrForm says that a stored hash cannot be read: of a form that is not known, not canonical, or beyond a bound. It wraps
// [opsec.ErrInvalid]. The message names the rule, never the hash.
var ErrForm = fmt.Errorf("hash: stored hash: %w", opsec.ErrInvalid)

func badForm(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrForm, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("hash: %s: %w", fmt.Sprintf(format, args...), opsec.ErrInvalid)
}
