package entry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
)

// ErrErased says that a subject's key has been destroyed: nothing sealed under it can be read again.
var ErrErased = errors.New("entry: the subject's key has been erased")

// Anonymous is the account of an actor that has neither account nor person: somebody who is not logged in. Each
// tenant has one.
const Anonymous = "@anonymous"

// Handle stands for a [Subject] wherever a log names one: 16 random bytes that mean nothing to whoever lacks the
// subject's key. The handle of a tenant is the tag that its leaves carry.
type Handle [16]byte

// String returns the handle in hexadecimal digits.
func (h Handle) String() string { return fmt.Sprintf("%x", h[:]) }

// MarshalText implements encoding.TextMarshaler by String.
func (h Handle) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Handle) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(h) || string(text) != strings.ToLower(string(text)) {
		return fmt.Errorf("entry: a handle is 32 lower-case hexadecimal digits: %w", opsec.ErrInvalid)
	}
	*h = Handle(b)
	return nil
}

// Subject is whose values are sealed under one key, and erased together.
type Subject struct {
	Tenant  opsec.TenantID // where the account lives
	Account string         // empty, with Person: the tenant itself
	Person  string         // who is behind the account, if that is known
}

// Key seals the values of one subject. It is safe for use by many goroutines. After the subject's erasure all its
// methods that return an error return [ErrErased].
type Key interface {
	// Encrypt and Decrypt are an AEAD that draws its own nonces, as tink.AEAD of Tink.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
	// Term returns HMAC-SHA-256, cut to 16 bytes, of kind and value under a key of the subject's own: what an index
	// holds in the place of value. After the erasure it returns what nothing was indexed under.
	Term(kind byte, value []byte) [16]byte
}

// Keys holds the keys of subjects. Its methods are safe for use by many goroutines.
type Keys interface {
	// Subject returns the subject's handle and key. They are made, and on stable storage, when the subject is new, or
	// has been erased. For a subject used lately it takes less than 100 ns.
	Subject(ctx context.Context, s Subject) (Handle, Key, error)
	// Key returns the key of a handle: ErrErased when it has been destroyed, opsec.ErrNotFound when there never was one.
	Key(ctx context.Context, h Handle) (Key, error)
	// Find returns the handles that are not erased: all of an account, with Account; all accounts of a person of that
	// tenant, with Person alone; of one account of one person, with both; with neither, that of the tenant itself. An
	// account of a person is also what was said of it without a person, as when a login failed, unless somebody else has
	// the account too.
	Find(ctx context.Context, s Subject) ([]Handle, error)
	// Erase destroys keys. When it returns nil, no stable storage that is the implementation's holds them. Handles that
	// are erased already are no error; one that never was is opsec.ErrNotFound, and then none is erased.
	Erase(ctx context.Context, handles ...Handle) error
}
