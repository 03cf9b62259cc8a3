package keyring

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// ErrOpen says that a ciphertext does not open, or a signature does not hold: it was changed, it is of another keyset, or
// the context is another one. It does not say which.
var ErrOpen = errors.New("keyring: does not open")

// Ring is a keyset in use. All methods may be called by many goroutines. Beside those below, the errors are
//
//   - [keymgmt.ErrStale]: the last look at the keyset, or the last beat of the node, is too old for the operation;
//   - a [*keymgmt.StateError], [*keymgmt.PeriodError], [*keymgmt.RoleError] or [*keymgmt.ExhaustedError]: the key, or
//     this node's actor, may not do this now;
//   - those of the source and the custodian, when a key or a lease had to be asked for.
type Ring struct {
	node *Node
	id   keymgmt.SetID
	held atomic.Pointer[cell]
}

// ID returns the name of the keyset.
func (r *Ring) ID() keymgmt.SetID { return r.id }

// current returns the cell and its view. A cell that had to make room for others is loaded again.
func (r *Ring) current() (*cell, *view, error) {
	c := r.held.Load()
	if v := c.view.Load(); v != nil {
		if !c.used.Load() { // written once a round of eviction, not at each use, for the cores share it
			c.used.Store(true)
		}
		return c, v, nil
	}
	ctx, cancel := r.node.wait()
	defer cancel()
	c, err := r.node.cell(ctx, r.id)
	if err != nil {
		return nil, nil, err
	}
	r.held.Store(c)
	v := c.view.Load()
	if v == nil {
		return nil, nil, fmt.Errorf("keyring: keyset %s: more are in use than the node may hold: %w", r.id, keymgmt.ErrStale)
	}
	return c, v, nil
}

// wait returns the context of calls that have none.
func (n *Node) wait() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), n.o.Wait)
}

// Seal encrypts plaintext with the primary key, under the context, and appends the ciphertext to dst: Tink's prefix of
// five bytes (1 and the id of the key, big endian), and what the algorithm makes of it. It uses up one message of what
// the policy allows, and the bytes of the plaintext. An empty dst saves a copy.
func (r *Ring) Seal(dst, plaintext []byte, c keymgmt.Context) ([]byte, error) {
	return r.seal(dst, plaintext, c.Bytes())
}

func (r *Ring) seal(dst, plaintext, associatedData []byte) ([]byte, error) {
	k, err := r.protect(len(plaintext))
	if err != nil {
		return nil, err
	}
	if k.aead == nil {
		return nil, r.not("encrypts")
	}
	ciphertext, err := k.aead.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, fmt.Errorf("keyring: not sealed: %w", err)
	}
	return appendTo(dst, ciphertext), nil
}

// Open decrypts what a key of the keyset has sealed under the same context, and appends the plaintext to dst.
// [ErrOpen] says that it does not open; [opsec.ErrNotFound], that the keyset has no key of the id in the prefix.
func (r *Ring) Open(dst, ciphertext []byte, c keymgmt.Context) ([]byte, error) {
	return r.open(dst, ciphertext, c.Bytes())
}

func (r *Ring) open(dst, ciphertext, associatedData []byte) ([]byte, error) {
	k, err := r.process(ciphertext)
	if err != nil {
		return nil, err
	}
	if k.aead == nil {
		return nil, r.not("decrypts")
	}
	plaintext, err := k.aead.Decrypt(ciphertext, associatedData)
	if err != nil {
		return nil, ErrOpen // and nothing of why: it would help who guesses
	}
	return appendTo(dst, plaintext), nil
}

// Sign signs data with the primary key, or computes its MAC, in Tink's format with its prefix. A [Ring] is a
// [tink.Signer]. It uses up one message and the bytes of the data.
func (r *Ring) Sign(data []byte) ([]byte, error) {
	k, err := r.protect(len(data))
	if err != nil {
		return nil, err
	}
	if k.signer == nil {
		return nil, r.not("signs")
	}
	signature, err := k.signer.Sign(data)
	if err != nil {
		return nil, fmt.Errorf("keyring: not signed: %w", err)
	}
	return signature, nil
}

// Verify returns nil when a key of the keyset has signed data, or made its MAC, and [ErrOpen] when none has. A [Ring] is
// a [tink.Verifier].
func (r *Ring) Verify(signature, data []byte) error {
	k, err := r.process(signature)
	if err != nil {
		return err
	}
	if k.verifier == nil {
		return r.not("verifies")
	}
	if k.verifier.Verify(signature, data) != nil {
		return ErrOpen
	}
	return nil
}

// protect returns the primary key, when it may protect one more message of n bytes.
func (r *Ring) protect(n int) (*key, error) {
	c, v, err := r.current()
	if err != nil {
		return nil, err
	}
	now := r.node.now()
	if !v.looked.within(r.node.o.Stale, now) || !r.node.promised(now) {
		return nil, v.stale(r.id)
	}
	k := v.primary
	if k == nil {
		return nil, v.noPrimary(r.id)
	}
	if err := k.check(v.protect, now); err != nil {
		return nil, err
	}
	return k, c.take(k, n)
}

// noPrimary says why there is no key that protects.
func (v *view) noPrimary(id keymgmt.SetID) error {
	if v.why != nil {
		return v.why
	}
	return fmt.Errorf("keyring: keyset %s has no primary key: %w", id, opsec.ErrNotFound)
}

// process returns the key that has made a ciphertext or a signature, when it may process it.
func (r *Ring) process(made []byte) (*key, error) {
	c, v, err := r.current()
	if err != nil {
		return nil, err
	}
	id, err := keyID(made)
	if err != nil {
		return nil, err
	}
	now := r.node.now()
	if !v.looked.within(r.node.o.Fence, now) || !r.node.promised(now) {
		return nil, v.stale(r.id)
	}
	k := v.primary
	if k == nil || k.record.Ref.Key != id {
		if k = v.keys[id]; k == nil {
			ctx, cancel := r.node.wait()
			defer cancel()
			if k, err = c.find(ctx, id); err != nil {
				return nil, err
			}
		}
	}
	return k, k.check(v.process, now)
}

// Check reports whether an operation would be allowed now with the key that has made a ciphertext, as far as that can be
// told without asking anybody: nil only if the key is in memory, and its state, its periods, the role of this node's actor
// and the age of the last look permit the operation. What a key has wrapped, and somebody keeps in a cache, is to be
// checked so at each use. Usage limits are not looked at.
func (r *Ring) Check(ciphertext []byte, op keymgmt.Op) error {
	id, err := keyID(ciphertext)
	if err != nil {
		return err
	}
	v := r.held.Load().view.Load()
	if v == nil {
		return fmt.Errorf("keyring: keyset %s is not in memory: %w", r.id, keymgmt.ErrStale)
	}
	limit := r.node.o.Fence
	if op.Protects() {
		limit = r.node.o.Stale
	}
	now := r.node.now()
	if !v.looked.within(limit, now) || !r.node.promised(now) {
		return v.stale(r.id)
	}
	k := v.keys[id]
	if k == nil {
		return fmt.Errorf("keyring: key %s is not in memory: %w", keymgmt.Ref{Set: r.id, Key: id}, keymgmt.ErrStale)
	}
	if op.Protects() && k != v.primary {
		return fmt.Errorf("keyring: key %s is not the primary key: %w", k.record.Ref, opsec.ErrDenied)
	}
	return k.check(op, now)
}

// keyID reads the id of the key from Tink's prefix.
func keyID(made []byte) (uint32, error) {
	if len(made) < prefixLen || made[0] != prefixStart {
		return 0, ErrOpen
	}
	return binary.BigEndian.Uint32(made[1:]), nil
}

func appendTo(dst, made []byte) []byte {
	if cap(dst) == 0 {
		return made
	}
	return append(dst, made...)
}

func (r *Ring) not(verb string) error {
	return fmt.Errorf("keyring: keyset %s is not one that %s: %w", r.id, verb, opsec.ErrInvalid)
}

// AEAD is a [Ring] as Tink, and what is made for Tink, knows it: associated data are bytes. It serves as the sealer of a
// store, and as the remote key of an envelope.
type AEAD struct{ Ring *Ring }

var (
	_ tink.AEAD            = AEAD{}
	_ tink.AEADWithContext = AEAD{}
	_ tink.Signer          = (*Ring)(nil)
	_ tink.Verifier        = (*Ring)(nil)
)

// Encrypt implements [tink.AEAD].
func (a AEAD) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return a.Ring.seal(nil, plaintext, associatedData)
}

// Decrypt implements [tink.AEAD].
func (a AEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return a.Ring.open(nil, ciphertext, associatedData)
}

// EncryptWithContext implements [tink.AEADWithContext]. What has to be asked for is waited for as long as Options.Wait.
func (a AEAD) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return a.Encrypt(plaintext, associatedData)
}

// DecryptWithContext implements [tink.AEADWithContext].
func (a AEAD) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return a.Decrypt(ciphertext, associatedData)
}
