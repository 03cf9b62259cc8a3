package keymgmt

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
)

// SetID names a keyset: the keys that follow each other under one name.
type SetID struct {
	Tenant opsec.TenantID `json:"tenant"`
	ID     string         `json:"id"` // unique within the tenant: 1 to 128 of a-z, 0-9, '.', '_', '-' and '/'
}

// Validate returns an error that wraps [opsec.ErrInvalid] and names the field out of bounds.
func (id SetID) Validate() error {
	if err := id.Tenant.Validate(); err != nil {
		return fmt.Errorf("keymgmt: tenant: %w", err)
	}
	if len(id.ID) == 0 || len(id.ID) > MaxID {
		return invalid("keyset id of %d bytes: want 1 to %d", len(id.ID), MaxID)
	}
	for i := range len(id.ID) {
		c := id.ID[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-/", c) >= 0) {
			return invalid("keyset id: byte %#02x at %d: want a-z, 0-9, '.', '_', '-', '/'", c, i)
		}
	}
	return nil
}

// MaxID is the longest id of a keyset, in bytes.
const MaxID = 128

// String returns "tenant/id", for people to read.
func (id SetID) String() string { return string(id.Tenant) + "/" + id.ID }

// Ref names one key of a keyset.
type Ref struct {
	Set SetID  `json:"set"`
	Key uint32 `json:"key"` // its id, never 0
}

// String returns "tenant/id/0000002a", for people to read.
func (r Ref) String() string { return fmt.Sprintf("%s/%08x", r.Set, r.Key) }

// Validate returns an error that wraps [opsec.ErrInvalid] and names the field out of bounds.
func (r Ref) Validate() error {
	if r.Key == 0 {
		return invalid("key id: want one that is not 0")
	}
	return r.Set.Validate()
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

// Key is one cryptographic key, without its material: what the events of its life have made of it ([Apply]). Times are
// in UTC, without a monotonic part.
type Key struct {
	Ref
	Previous  uint32    `json:"previous,omitempty"` // the key that was the latest before; 0 for none
	State     State     `json:"state"`
	Algorithm Algorithm `json:"algorithm"`
	Imported  bool      `json:"imported,omitempty"` // was made elsewhere
	External  bool      `json:"external,omitempty"` // its material is with a third party, whatever the state

	Created      time.Time `json:"created"`
	Activated    time.Time `json:"activated,omitzero"`
	ProtectUntil time.Time `json:"protect_until,omitzero"` // end of the originator-usage period
	ProcessUntil time.Time `json:"process_until,omitzero"` // end of the recipient-usage period
	Deactivated  time.Time `json:"deactivated,omitzero"`   // since when it protects no more, by whatever verb
	Compromised  time.Time `json:"compromised,omitzero"`   // since when, as far as known; it stays through destruction
	DestroyAfter time.Time `json:"destroy_after,omitzero"`
	Destroyed    time.Time `json:"destroyed,omitzero"`

	Resumes State     `json:"resumes,omitempty"` // where a resume leads back to
	Before  State     `json:"before,omitempty"`  // where the cancellation of a destruction leads back to
	Census  *Census   `json:"census,omitempty"`  // the last count of what is still protected by it
	Changed time.Time `json:"changed"`           // the last event
	Steps   int       `json:"steps"`             // events so far, at most [MaxSteps]
}

// Equal reports whether k and other say the same.
func (k Key) Equal(other Key) bool {
	a, b := k.Census, other.Census
	k.Census, other.Census = nil, nil
	return k == other && (a == b || a != nil && b != nil && *a == *b)
}

// Census is a count of what is still protected by a key, by who holds it.
type Census struct {
	Time    time.Time `json:"time"`    // when the count began
	Objects uint64    `json:"objects"` // left on the key
	Of      uint64    `json:"of"`      // looked at
	Digest  string    `json:"digest"`  // of the report
}
