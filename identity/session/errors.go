package session

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Why something was refused, to branch on with [errors.Is]. All of them wrap [opsec.ErrDenied], as [*EndedError] and
// [*FullError] do. They are for the operator: what whoever sent the token sees is one and the same refusal.
var (
	// ErrUnknown says that there is no session with this token: there never was, it has ended and that is on record, or it
	// has another token now.
	ErrUnknown = refusal("no session has this token")
	// ErrKey says that the session, or the policy, asks for a key, and another one or none was shown.
	ErrKey = refusal("not the key that the session is bound to")
	// ErrAudience says that the token was given to another application.
	ErrAudience = refusal("token of another application")
	// ErrProof says that a proof is missing, zero, of another account, too old, or older than a revocation; or that there are
	// fewer factors than the policy asks for.
	ErrProof = refusal("proof missing, not of this account, or too old")
	// ErrFull says that the account has as many sessions as it may: [*FullError].
	ErrFull = refusal("as many sessions as there may be")
)

// EndedError says that a session was found to have ended: the idle time or the maximum time is over, or it was revoked. From
// then on its token is [ErrUnknown].
type EndedError struct{ Standing Standing }

func (e *EndedError) Error() string { return "session: has ended: " + string(e.Standing) }

// Unwrap returns [opsec.ErrDenied].
func (e *EndedError) Unwrap() error { return opsec.ErrDenied }

// FullError says that the account has Limit sessions, which is as many as it may have. It is [ErrFull]. The proofs were right:
// it is no failed log-in, and nobody should count it as one.
type FullError struct{ Limit int }

func (e *FullError) Error() string {
	return fmt.Sprintf("session: the account has %d sessions, as many as it may", e.Limit)
}

// Unwrap returns [ErrFull].
func (e *FullError) Unwrap() error { return ErrFull }

func refusal(why string) error { return fmt.Errorf("session: %s: %w", why, opsec.ErrDenied) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("session: "+format+": %w", append(args, opsec.ErrInvalid)...)
}

func notFound(what string) error { return fmt.Errorf("session: %s: %w", what, opsec.ErrNotFound) }
