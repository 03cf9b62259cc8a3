package approval

import (
	"fmt"

	"github.com/cloudopsec/opsec"
)

// Why something was refused, to branch on with [errors.Is]. All of them wrap [opsec.ErrDenied], as [StatusError] does;
// what is malformed wraps [opsec.ErrInvalid] instead.
var (
	// ErrSamePerson says that the approver is not known to be another person than the requester and the beneficiaries:
	// the same person, perhaps with another account, or an account with nobody known behind it.
	ErrSamePerson = refusal("not known to be another person than who asks, or for whom")
	// ErrNotEligible says that the actor has no say in this: it holds no role that the stage asks for, belongs to
	// another tenant, is not a human, is not the requester who could withdraw, or has no approval to retract.
	ErrNotEligible = refusal("has no say in this")
	// ErrDecided says that the person has decided already, with this account or another.
	ErrDecided = refusal("has decided already")
	// ErrStage says that the decision is about a stage that is not the open one.
	ErrStage = refusal("another stage is open")
	// ErrSignature says that a signature is missing, belongs to something else, or cannot be checked.
	ErrSignature = refusal("signature missing or wrong")
	// ErrOtherAction says that what is about to be done is not what was approved.
	ErrOtherAction = refusal("not the action that was approved")
	// ErrLapsed says that approvers have lost, before the use, a role without which they are too few.
	ErrLapsed = refusal("approvers no longer hold the roles that were needed")
)

func refusal(why string) error { return fmt.Errorf("approval: %s: %w", why, opsec.ErrDenied) }

// StatusError says that the case does not stand where the step could be taken: it has ended, is not yet approved, or
// has not yet expired. It wraps [opsec.ErrDenied], and is comparable: errors.Is(err, StatusError{Expired}).
type StatusError struct {
	Status Status // where it stands, at the time of the attempt
}

func (e StatusError) Error() string {
	return fmt.Sprintf("approval: the case is %s: %v", e.Status, opsec.ErrDenied)
}

func (e StatusError) Unwrap() error { return opsec.ErrDenied }

func invalid(format string, args ...any) error {
	return fmt.Errorf("approval: "+format+": %w", append(args, opsec.ErrInvalid)...)
}
