package ceremony

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Why a step was refused. All of them wrap [opsec.ErrDenied], as [StatusError] does.
var (
	// ErrNotHolder says that the person holds no share of the set, or handed in that of somebody else.
	ErrNotHolder = refusal("not the holder of this share")
	// ErrSubmitted says that the person has handed in a share already, with this account or another.
	ErrSubmitted = refusal("has handed in a share already")
	// ErrOpener says that who opened the ceremony does not hand in a share.
	ErrOpener = refusal("who opened the ceremony does not hand in a share")
	// ErrPurpose says that the shares were handed in for something else.
	ErrPurpose = refusal("the ceremony is for another purpose")
)

func refusal(why string) error { return fmt.Errorf("ceremony: %s: %w", why, opsec.ErrDenied) }

// StatusError says that the ceremony does not stand where the step could be taken. It is comparable, and wraps
// [opsec.ErrDenied].
type StatusError struct{ Status Status }

func (e StatusError) Error() string {
	status := string(e.Status)
	if e.Status == Waiting {
		status += " for more shares"
	}
	return fmt.Sprintf("ceremony: it is %s: %v", status, opsec.ErrDenied)
}

func (e StatusError) Unwrap() error { return opsec.ErrDenied }

func invalid(format string, args ...any) error {
	return fmt.Errorf("ceremony: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
