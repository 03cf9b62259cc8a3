package competence

import (
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// Kind is what a [Record] shows.
type Kind string

// The kinds.
const (
	Training      Kind = "training"      // a course was attended
	Certification Kind = "certification" // an examination was passed
	Experience    Kind = "experience"    // somebody attests that it was done in practice
)

// Record is one thing that a person has shown to know. It is never edited; see [Register.Revoke].
type Record struct {
	Person   string    `json:"person"`
	Subject  string    `json:"subject"` // what it is about, in words that [Need] repeats: "virtualisation"
	Kind     Kind      `json:"kind"`
	Issuer   string    `json:"issuer"` // who says so
	Issued   time.Time `json:"issued"`
	Expires  time.Time `json:"expires,omitzero"` // none: it has no end of its own
	Evidence string    `json:"evidence"`         // digest of the document, "sha256:" and 64 hexadecimal digits
	Revoked  time.Time `json:"revoked,omitzero"` // from then on it does not count
}

// Ref returns the digest that other records name this one by: "sha256:" and 64 hexadecimal digits, over all fields but
// Revoked.
func (r Record) Ref() string { return "" }

// Validate returns an error wrapping [opsec.ErrInvalid] that names the first field out of bounds.
func (r Record) Validate() error { return nil }

// Need is what somebody must have shown.
type Need struct {
	Subject string        `json:"subject"`
	Kinds   []Kind        `json:"kinds"`            // any of these will do
	Within  time.Duration `json:"within,omitempty"` // how old a record may be; 0: only records with an end of their own count
}

// Qualified returns, for each need in turn, the record that meets it at an instant, and for the longest time from then
// on. When one is not met the error is an [*UnqualifiedError]. No needs at all is [opsec.ErrInvalid], and so is a record
// or a need that is not valid. Records of others are left aside.
func Qualified(records []Record, person string, needs []Need, at time.Time) ([]Record, error) {
	return nil, &UnqualifiedError{Person: person, Missing: needs}
}

// UnqualifiedError says which needs a person does not meet. It wraps [opsec.ErrDenied].
type UnqualifiedError struct {
	Person  string
	Missing []Need // no record has ever met it
	Expired []Need // there was one, which is too old, has run out or was revoked
}

func (e *UnqualifiedError) Error() string {
	return fmt.Sprintf("competence: %d needs not met, %d no longer: %v", len(e.Missing), len(e.Expired), opsec.ErrDenied)
}

// Unwrap returns [opsec.ErrDenied].
func (e *UnqualifiedError) Unwrap() error { return opsec.ErrDenied }
