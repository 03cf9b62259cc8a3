package independence

import (
	"errors"
	"time"

	"github.com/cloudopsec/opsec"
)

// Organisation is who is who.
type Organisation struct {
	// Accounts says who is behind an account, where the event does not: a person's account, or a service's whose owner
	// answers for it. May be nil.
	Accounts func(tenant opsec.TenantID, account string) (person string, ok bool)
	Owners   []Ownership
	Lines    []Line
}

// Ownership is that somebody answers for something, from a time until another; zero: always, still.
type Ownership struct {
	Person   string         `json:"person"`
	System   string         `json:"system,omitempty"`  // a pattern
	Action   string         `json:"action,omitempty"`  // a pattern: the owner of a process, "backup.*"
	Resource opsec.Resource `json:"resource,omitzero"` // patterns
	From     time.Time      `json:"from,omitzero"`
	Until    time.Time      `json:"until,omitzero"`
}

// Line is that somebody reports to somebody else, from a time until another; zero: always, still.
type Line struct {
	Person  string    `json:"person"`
	Manager string    `json:"manager"`
	From    time.Time `json:"from,omitzero"`
	Until   time.Time `json:"until,omitzero"`
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (o Organisation) Validate() error { return errors.ErrUnsupported }
