package keymgmt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
)

// The conditions that callers branch on, beside those of package opsec.
var (
	// ErrUnwrap says that wrapped material does not open: another key, other associated data, or it was changed.
	ErrUnwrap = errors.New("keymgmt: wrapped key does not open")
	// ErrUnavailable says that a custodian, or a third party, does not answer.
	ErrUnavailable = errors.New("keymgmt: custodian unavailable")
	// ErrSealed says that a custodian waits for its own key: see package custody.
	ErrSealed = errors.New("keymgmt: custodian is sealed")
	// ErrDestroyed says that a key is destroyed, by its record or by a tombstone.
	ErrDestroyed = errors.New("keymgmt: key is destroyed")
	// ErrStale says that a node has not been able to look at a keyset for longer than it may.
	ErrStale = errors.New("keymgmt: keyset not refreshed in time")
	// ErrExists says that a keyset, or a key of this id, is there already.
	ErrExists = errors.New("keymgmt: exists already")
	// ErrChanged says that a keyset has changed while something was done that takes it as a whole: try again.
	ErrChanged = errors.New("keymgmt: changed meanwhile")
	// ErrConsent says that the policy wants the consent of others first: [Manager.Propose]. It wraps [opsec.ErrDenied].
	ErrConsent = fmt.Errorf("keymgmt: needs the consent of others: %w", opsec.ErrDenied)
)

// PendingError says that a destruction waits for nodes that may still hold the key: call [Manager.Destroy] again, after
// they have had time to beat twice, or have been silent for longer than their fences.
type PendingError struct {
	Ref   Ref
	Nodes []string
}

func (e *PendingError) Error() string {
	return fmt.Sprintf("keymgmt: destruction of key %s waits for %d nodes: %s", e.Ref, len(e.Nodes), strings.Join(e.Nodes, ", "))
}

// denied is an error that wraps [opsec.ErrDenied].
func denied(format string, args ...any) error {
	return fmt.Errorf("keymgmt: "+format+": %w", append(args, opsec.ErrDenied)...)
}
