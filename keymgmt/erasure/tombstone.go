package erasure

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"sync"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Tombstones are the keys that the audit log knows to be destroyed: [keymgmt.Tombstones] that a restored store cannot take
// back. It may be used by many goroutines, and takes some 40 bytes a key.
type Tombstones struct {
	mu   sync.RWMutex
	keys map[[16]byte]struct{} // digests
}

var _ keymgmt.Tombstones = (*Tombstones)(nil)

// NewTombstones reads events, of all tenants and of whatever action; all but destructions are passed over. It fails when
// the events do: who is not told of all destructions must not think that there were none.
func NewTombstones(events iter.Seq2[opsec.Event, error]) (*Tombstones, error) {
	t := &Tombstones{keys: map[[16]byte]struct{}{}}
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		t.Add(&e)
	}
	return t, nil
}

// Add takes in one more event, and reports whether it was the end of a key, or of a keyset with all of its keys.
func (t *Tombstones) Add(e *opsec.Event) bool {
	if e.Outcome != opsec.Success || e.Tenant != e.Resource.Tenant {
		return false
	}
	switch e.Action {
	case keymgmt.ActionDestroy, keymgmt.ActionForceDestroy, keymgmt.ActionUnlink:
		ref, ok := keymgmt.RefOf(e.Resource)
		if ok {
			t.Bury(ref)
		}
		return ok
	case keymgmt.ActionRetire:
		ok := e.Resource.Type == "keyset" && e.Resource.ID != ""
		if ok {
			t.Bury(keymgmt.Ref{Set: keymgmt.SetID{Tenant: e.Resource.Tenant, ID: e.Resource.ID}})
		}
		return ok
	}
	return false
}

// Bury adds a key, or with the key 0 all keys of a keyset, such as from a receipt.
func (t *Tombstones) Bury(ref keymgmt.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keys[grave(ref)] = struct{}{}
}

// Buried implements [keymgmt.Tombstones].
func (t *Tombstones) Buried(_ context.Context, ref keymgmt.Ref) (bool, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if _, key := t.keys[grave(ref)]; key {
		return true, nil
	}
	_, set := t.keys[grave(keymgmt.Ref{Set: ref.Set})]
	return set, nil
}

// Len returns how many there are.
func (t *Tombstones) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.keys)
}

// grave is half of a digest: enough that nobody finds two keys with one.
func grave(ref keymgmt.Ref) [16]byte {
	b := make([]byte, 0, 300)
	b = append(b, ref.Set.Tenant...)
	b = append(b, 0) // in no tenant
	b = append(b, ref.Set.ID...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(b, ref.Key))
	return [16]byte(sum[:])
}
