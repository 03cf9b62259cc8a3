package envelope

import (
	"context"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec/keymgmt"
)

// Wrapper is a key-encryption key: it wraps data keys, and opens them under the same context alone. Both may be called
// by many goroutines. Neither keeps what it is given, nor what it returns.
type Wrapper interface {
	Wrap(ctx context.Context, key []byte, c keymgmt.Context) ([]byte, error)
	Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error)
}

// Checker is what a [Wrapper] may be besides: one that knows without a call elsewhere whether it would still do op,
// [keymgmt.Wrap] or [keymgmt.Unwrap], with the key under which a data key is wrapped. It is asked before each use of a
// data key from the cache, which is let go of after an error. So a cached key never outlives the key above it.
type Checker interface {
	Check(wrapped []byte, op keymgmt.Op) error
}

// Ring is what [Keyring] takes: a key whose ciphertexts are bound to a context, such as a ring of package keyring.
type Ring interface {
	Seal(dst, plaintext []byte, c keymgmt.Context) ([]byte, error)
	Open(dst, ciphertext []byte, c keymgmt.Context) ([]byte, error)
}

// Keyring returns the Wrapper that a ring of package keyring is. When the ring has the method of [Checker], so has the
// Wrapper. Of no ring it returns nil.
func Keyring(r Ring) Wrapper {
	if r == nil {
		return nil
	}
	if check, ok := r.(Checker); ok {
		return checkedRing{ring{r}, check}
	}
	return ring{r}
}

type ring struct{ ring Ring }

func (r ring) Wrap(_ context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	return r.ring.Seal(nil, key, c)
}

func (r ring) Unwrap(_ context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	return r.ring.Open(nil, wrapped, c)
}

type checkedRing struct {
	ring
	Checker
}

// Custodian returns the Wrapper that the key-encryption key of this handle is. With a handle for each tenant it is the
// key of a tenant, which the custodian can destroy alone. Of no custodian it returns nil.
func Custodian(c keymgmt.Custodian, handle string) Wrapper {
	if c == nil {
		return nil
	}
	return custodian{c, handle}
}

type custodian struct {
	custodian keymgmt.Custodian
	handle    string
}

func (w custodian) Wrap(ctx context.Context, key []byte, c keymgmt.Context) ([]byte, error) {
	return w.custodian.Wrap(ctx, w.handle, key, c.Bytes())
}

func (w custodian) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) ([]byte, error) {
	return w.custodian.Unwrap(ctx, w.handle, wrapped, c.Bytes())
}

// AEAD returns the Wrapper that a Tink AEAD is: of a keyset, or of a key management service. It wraps with
// [keymgmt.Context.Bytes] as associated data. What is also a [tink.AEADWithContext] is called as such; otherwise a call
// that has begun is not given up when its context ends. Of no AEAD it returns nil.
func AEAD(a tink.AEAD) Wrapper {
	if a == nil {
		return nil
	}
	remote, _ := a.(tink.AEADWithContext)
	return aead{a, remote}
}

type aead struct {
	local  tink.AEAD
	remote tink.AEADWithContext // nil unless it takes a context
}

func (a aead) Wrap(ctx context.Context, key []byte, c keymgmt.Context) (wrapped []byte, err error) {
	if a.remote != nil {
		wrapped, err = a.remote.EncryptWithContext(ctx, key, c.Bytes())
	} else if err = ctx.Err(); err == nil {
		wrapped, err = a.local.Encrypt(key, c.Bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("envelope: data key not wrapped: %w", err)
	}
	return wrapped, nil
}

func (a aead) Unwrap(ctx context.Context, wrapped []byte, c keymgmt.Context) (key []byte, err error) {
	if a.remote != nil {
		key, err = a.remote.DecryptWithContext(ctx, wrapped, c.Bytes())
	} else if err = ctx.Err(); err == nil {
		key, err = a.local.Decrypt(wrapped, c.Bytes())
	}
	if err != nil {
		return nil, fmt.Errorf("envelope: data key not unwrapped: %w", err)
	}
	return key, nil
}
