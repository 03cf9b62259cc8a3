package keymgmt

import "errors"

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
)
