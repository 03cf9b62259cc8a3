package device

import (
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Why a token does not count. An end user sees none of them: the log-in goes on, as that of a stranger.
var (
	// ErrForeign says that the text is no token of this account: malformed, forged, altered, of another account, or of a key that
	// is retired or was never there.
	ErrForeign = fmt.Errorf("device: no token of this account: %w", opsec.ErrDenied)
	// ErrExpired says that the token is too old, or from the future.
	ErrExpired = fmt.Errorf("device: token expired: %w", opsec.ErrDenied)
	// ErrRevoked says that the device, or all of the account, were revoked after the token was issued.
	ErrRevoked = fmt.Errorf("device: token revoked: %w", opsec.ErrDenied)
	// ErrFull says that the register of revocations has no room. The revocation has not happened.
	ErrFull = errors.New("device: register of revocations is full")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("device: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
