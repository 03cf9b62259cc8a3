package keymgmt

import (
	"context"
	"time"
)

// Custodian keeps key-encryption keys, which never leave it, and wraps the material of other keys with them. Package
// custody has some. All methods may be called by many goroutines.
type Custodian interface {
	// Generate makes the key-encryption key of this handle. One that is there already is left as it is, without error.
	Generate(ctx context.Context, handle string) error
	// Wrap encrypts key material under associated data, and Unwrap opens it, only under the same. A handle without a key
	// wraps [opsec.ErrNotFound]; a wrapped key that does not open, [ErrUnwrap]; a custodian that cannot be reached,
	// [ErrUnavailable]; one that is sealed, [ErrSealed].
	Wrap(ctx context.Context, handle string, material, associatedData []byte) ([]byte, error)
	Unwrap(ctx context.Context, handle string, wrapped, associatedData []byte) ([]byte, error)
	// Destroy destroys the key-encryption key, and with it all that it wraps, and says how. Without one it says so with
	// no error and an Evidence without copies.
	Destroy(ctx context.Context, handle string) (Evidence, error)
}

// Evidence says what a custodian has destroyed, and how.
type Evidence struct {
	Custodian string    `json:"custodian"` // its name
	Handle    string    `json:"handle"`
	Method    string    `json:"method"`         // such as "C_DestroyObject", "overwritten and unlinked"
	Copies    []string  `json:"copies"`         // each copy that there was, and is no more
	Left      []string  `json:"left,omitempty"` // copies that this custodian could not destroy: paper, other sites
	Time      time.Time `json:"time"`
}

// Material makes and examines key material: package keyring has the one for Tink keysets.
type Material interface {
	// New returns new material for a key of this id.
	New(a Algorithm, id uint32) ([]byte, error)
	// Examine returns the algorithm and the id that material is for, or an error that wraps [opsec.ErrInvalid] and shows
	// nothing of it.
	Examine(material []byte) (Algorithm, uint32, error)
}
