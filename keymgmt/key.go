package keymgmt

import (
	"time"

	"github.com/cloudopsec/opsec"
)

// SetID names a keyset: the keys that follow each other under one name.
type SetID struct {
	Tenant opsec.TenantID `json:"tenant"`
	ID     string         `json:"id"` // unique within the tenant: 1 to 128 of a-z, 0-9, '.', '_', '-' and '/'
}

// Ref names one key of a keyset.
type Ref struct {
	Set SetID  `json:"set"`
	Key uint32 `json:"key"`
}

// Keyset is what a user calls a key: a name under which one key, the primary, protects, and those before it process. It
// has no list of its keys, so that a rotation costs the same with the thousandth as with the first: each key names the
// one before it.
type Keyset struct {
	SetID
	Purpose    Purpose           `json:"purpose"`
	Algorithm  Algorithm         `json:"algorithm"` // of the next key
	Policy     Policy            `json:"policy"`
	Roles      Roles             `json:"roles"`
	Custodian  string            `json:"custodian"`         // the handle of the key-encryption key that wraps the material
	Primary    uint32            `json:"primary,omitempty"` // the key that protects; 0 for none
	Latest     uint32            `json:"latest,omitempty"`  // the newest key; follow [Key.Previous] from here
	Keys       int               `json:"keys"`              // how many there are
	Backups    int               `json:"backups,omitempty"` // how many generations of backup there are
	Labels     map[string]string `json:"labels,omitempty"`  // metadata
	Created    time.Time         `json:"created"`
	Generation uint64            `json:"generation"` // grows with every change of the keyset or of a key in it
}

// Key is one cryptographic key, without its material: what the events of its life have made of it ([Apply]).
type Key struct {
	Ref
	Previous  uint32    `json:"previous,omitempty"` // the key that was the latest before; 0 for none
	State     State     `json:"state"`
	Algorithm Algorithm `json:"algorithm"`

	Created      time.Time `json:"created"`
	Activated    time.Time `json:"activated,omitzero"`
	ProtectUntil time.Time `json:"protect_until,omitzero"` // end of the originator-usage period
	ProcessUntil time.Time `json:"process_until,omitzero"` // end of the recipient-usage period
	Deactivated  time.Time `json:"deactivated,omitzero"`
	Compromised  time.Time `json:"compromised,omitzero"` // when it was, as far as known
	DestroyAfter time.Time `json:"destroy_after,omitzero"`
	Destroyed    time.Time `json:"destroyed,omitzero"`
	Before       State     `json:"before,omitempty"` // where a resume or a cancellation leads back to
	Imported     bool      `json:"imported,omitempty"`
	Census       *Census   `json:"census,omitempty"` // the last count of what is still protected by it
	Steps        int       `json:"steps"`            // events so far
}

// Census is a count of what is still protected by a key, by who holds it.
type Census struct {
	Time    time.Time `json:"time"`
	Objects uint64    `json:"objects"` // left on the key
	Of      uint64    `json:"of"`      // looked at
	Digest  string    `json:"digest"`  // of the report
}
