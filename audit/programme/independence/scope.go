package independence

import (
	"errors"

	"github.com/cloudopsec/opsec"
)

// Scope is what is audited. An act touches it when its system, its action or its resource is named here, and it is for
// one of the tenants or the provider's own; when Tenants alone are named, whenever it is for one of them. A pattern is a
// text, or the beginning of one with "*" behind it: "backup.*".
type Scope struct {
	Tenants   []opsec.TenantID `json:"tenants,omitempty"` // none: all
	Systems   []string         `json:"systems,omitempty"` // patterns
	Actions   []string         `json:"actions,omitempty"` // patterns
	Resources []opsec.Resource `json:"resources,omitempty"`
}

// Validate returns an error wrapping [opsec.ErrInvalid].
func (s Scope) Validate() error { return errors.ErrUnsupported }

// Digest returns "sha256:" and 64 digits of hexadecimal; the order of the lists does not matter.
func (s Scope) Digest() string { return "" }
