package keyring

import (
	"fmt"
	"math"
	"slices"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// key is one key as a look has found it. What its state forbids to use is kept without material, so that a ciphertext of
// it does not ask the source each time.
type key struct {
	record keymgmt.Key
	usable bool // before its periods end, and there is material
	permit *keymgmt.Permit
	*primitive
	wrapped []byte // what the material was unwrapped from
	lease   *lease
	block   keymgmt.Amount // what is leased at once
}

// newKey makes a key of a record. The material comes later, or from last, which is the same key in the last view or nil.
func newKey(set *keymgmt.Keyset, record keymgmt.Held, last *key, actor opsec.Actor) *key {
	k := &key{record: record.Key, lease: newLease(), block: blockOf(set.Policy)}
	if last != nil {
		k.lease = last.lease // what is left of it, whatever became of the key meanwhile
	}
	k.permit = keymgmt.NewPermit(*set, record.Key, set.Roles.Of(actor), &k.lease.block)
	protect, process, err := operations(set.Purpose)
	k.usable = err == nil && len(record.Wrapped) > 0 &&
		(k.permit.Check(protect, math.MinInt64) == nil || k.permit.Check(process, math.MinInt64) == nil)
	if k.usable && last.held() && slices.Equal(last.wrapped, record.Wrapped) {
		k.primitive, k.wrapped = last.primitive, last.wrapped
	}
	return k
}

// held reports whether k is there, and its material too.
func (k *key) held() bool { return k != nil && k.primitive != nil }

// check returns nil if op may be done with k now.
func (k *key) check(op keymgmt.Op, now moment) error {
	if err := k.permit.Check(op, now.wall); err != nil {
		return err
	}
	if k.primitive == nil {
		return fmt.Errorf("keyring: key %s: its material is not here: %w", k.record.Ref, opsec.ErrNotFound)
	}
	return nil
}

// operations returns what protects and what processes with keys of a purpose.
func operations(p keymgmt.Purpose) (protect, process keymgmt.Op, err error) {
	switch p {
	case keymgmt.DataEncryption:
		return keymgmt.Protect, keymgmt.Process, nil
	case keymgmt.KeyWrapping:
		return keymgmt.Wrap, keymgmt.Unwrap, nil
	case keymgmt.Authentication, keymgmt.Signature:
		return keymgmt.Sign, keymgmt.Verify, nil
	}
	return 0, 0, fmt.Errorf("keyring: purpose %q is none that a ring is for: %w", string(p), opsec.ErrInvalid)
}
