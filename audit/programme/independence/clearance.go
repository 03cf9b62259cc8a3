package independence

import (
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
)

// Clearance is what came of looking at candidates.
type Clearance struct {
	Scope        string       `json:"scope"`  // digest of the scope
	Policy       string       `json:"policy"` // digest of the policy
	From         time.Time    `json:"from"`   // the look-back, from this instant on
	To           time.Time    `json:"to"`     // when it was made
	Read         uint64       `json:"read"`   // acts that were read
	Touched      uint64       `json:"touched"`
	Machine      uint64       `json:"machine"`   // of them, by services and systems that nobody answers for
	Customers    uint64       `json:"customers"` // of them, by customers' own people
	Unattributed Unattributed `json:"unattributed,omitzero"`
	Standings    []Standing   `json:"standings"` // in the order of the names
}

// Unattributed is what could not be laid to anybody.
type Unattributed struct {
	Acts     uint64   `json:"acts"`
	Accounts []string `json:"accounts,omitempty"` // "tenant/account", at most 16
	Refs     []string `json:"refs,omitempty"`     // at most 8
	Skipped  bool     `json:"skipped,omitempty"`  // the policy lets it pass
}

// Standing is what stands against one candidate; nothing, when there are no conflicts.
type Standing struct {
	Person    string     `json:"person"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// Kind is what a conflict comes from.
type Kind string

// The kinds.
const (
	Operated Kind = "operated"
	Approved Kind = "approved"
	Owned    Kind = "owned"
	InLine   Kind = "line" // somebody above or below did one of these
)

// Conflict is one reason why somebody may not audit.
type Conflict struct {
	Kind     Kind           `json:"kind"`
	With     string         `json:"with,omitempty"` // in line: who
	Of       Kind           `json:"of,omitempty"`   // in line: what that person did
	Action   string         `json:"action,omitempty"`
	System   string         `json:"system,omitempty"`
	Resource opsec.Resource `json:"resource,omitzero"` // of the first
	First    time.Time      `json:"first,omitzero"`
	Last     time.Time      `json:"last,omitzero"`
	Count    uint64         `json:"count,omitempty"`
	Refs     []string       `json:"refs,omitempty"` // evidence, of the first 8
}

// Cleared returns nil when the person may audit.
func (c Clearance) Cleared(person string) error { return errors.ErrUnsupported }

// Digest returns "sha256:" and 64 digits of hexadecimal.
func (c Clearance) Digest() string { return "" }

// ConflictError says why somebody may not audit. It wraps [opsec.ErrDenied].
type ConflictError struct {
	Person    string
	Conflicts []Conflict
}

// Error names the person and the first conflict.
func (e *ConflictError) Error() string { return "" }

// Unwrap returns [opsec.ErrDenied].
func (e *ConflictError) Unwrap() error { return opsec.ErrDenied }

// UnattributedError says that acts could not be laid to anybody, so that they could be anybody's. It wraps [opsec.ErrDenied].
type UnattributedError struct{ Unattributed }

// Error names how many.
func (e *UnattributedError) Error() string { return "" }

// Unwrap returns [opsec.ErrDenied].
func (e *UnattributedError) Unwrap() error { return opsec.ErrDenied }
