package lifecycle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/keymgmt"
)

// MaxBundle is the largest bundle, in bytes: some 20,000 keys of one keyset.
const MaxBundle = 64 << 20

// bundle is a backup as it is handed out. Its manifest names what is in it; the seal is the digest of the manifest, wrapped by
// the escrow custodian, so that nobody else makes or changes one.
type bundle struct {
	Version  int             `json:"version"`
	Manifest json.RawMessage `json:"manifest"`
	Seal     []byte          `json:"seal"`
}

const bundleVersion = 1

type manifest struct {
	Time   time.Time      `json:"time"`
	Keyset keymgmt.Keyset `json:"keyset"` // its Backups is the generation of this one
	Keys   []*record      `json:"keys"`   // the newest first; their material is wrapped by the escrow

	digest string
}

// generation is the document of a backup: what it was, not what is in it.
type generation struct {
	Time   time.Time `json:"time"`
	By     string    `json:"by"`
	Digest string    `json:"digest"`
	Keys   int       `json:"keys"`
	Escrow string    `json:"escrow"`
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// sealContext is that of the key 0 of a keyset, which is none: a seal is no material, and material is no seal.
func sealContext(s keymgmt.Keyset) []byte {
	return keymgmt.MaterialContext(keymgmt.Ref{Set: s.SetID}).Bytes()
}

// BackUp returns a bundle of all keys of a keyset, their material wrapped by the escrow custodian, and notes the generation. A
// bundle is JSON, and opens only with the escrow. What is handed out is out of reach: a key that is destroyed later is listed as
// left in the generations that hold it; destroy those, or the escrow's key. [ErrChanged] says that the keyset has changed
// meanwhile: call again.
func (m *Manager) BackUp(ctx context.Context, by By, id keymgmt.SetID) (data []byte, err error) {
	if m.o.Escrow == nil {
		return nil, invalid("options: escrow: nil, so that there are no backups")
	}
	o := Order{Verb: keymgmt.BackUp, Set: id}
	err = m.guard(ctx, by, o, func() error {
		var b manifest
		if err := m.look(ctx, by, o, func(s *step) error { b.Keyset = s.set; return nil }); err != nil {
			return err
		}
		if err := m.o.Escrow.Generate(ctx, m.o.EscrowHandle); err != nil {
			return fmt.Errorf("lifecycle: escrow: %w", err)
		}
		b.Time = instant(m.o.Now())
		b.Keyset.Backups++
		for r, err := range m.records(ctx, id) {
			if err == nil {
				err = m.leaveDead(ctx, r)
			}
			if err == nil {
				err = m.rewrap(ctx, r, m.custodian, b.Keyset.Custodian, m.o.Escrow, m.o.EscrowHandle)
			}
			if err != nil {
				return err
			}
			r.Beats = nil
			b.Keys = append(b.Keys, r)
		}
		var err error
		if data, b.digest, err = m.seal(ctx, b); err != nil {
			return err
		}
		_, err = m.commit(ctx, by, o, func(s *step) error {
			if s.set.Generation != b.Keyset.Generation {
				return fmt.Errorf("lifecycle: keyset %s: %w", id, ErrChanged)
			}
			s.set.Backups++
			s.attr("generation", s.set.Backups)
			s.attr("digest", b.digest)
			s.attr("keys", len(b.Keys))
			g := generation{b.Time, keymgmt.Person(by.Actor), b.digest, len(b.Keys), m.o.EscrowHandle}
			return add(&s.put, backupName(id, s.set.Backups), g)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

// leaveDead takes the material out of a record whose key a tombstone names, as it may be after a repository was put back.
func (m *Manager) leaveDead(ctx context.Context, r *record) error {
	if r.Wrapped == nil {
		return nil
	}
	dead, err := m.dead(ctx, r.Key.Ref)
	if dead {
		r.Wrapped = nil
	}
	return err
}

// dead reports whether any tombstone names a key.
func (m *Manager) dead(ctx context.Context, ref keymgmt.Ref) (bool, error) {
	docs, err := m.documents(ctx, ref.Set.Tenant, tombName(ref))
	if err != nil || docs[0] != nil {
		return err == nil, err
	}
	return m.buried(ctx, ref)
}

// rewrap moves the material of a record from one custodian to another.
func (m *Manager) rewrap(ctx context.Context, r *record, from keymgmt.Custodian, fromHandle string, to keymgmt.Custodian, toHandle string) error {
	if r.Wrapped == nil {
		return nil
	}
	ref := r.Key.Ref
	material, err := from.Unwrap(ctx, fromHandle, r.Wrapped, keymgmt.MaterialContext(ref).Bytes())
	if err != nil {
		return fmt.Errorf("lifecycle: unwrapping key %s: %w", ref, err)
	}
	defer clear(material)
	a, id, err := m.material.Examine(material)
	if err == nil && (a != r.Key.Algorithm || id != ref.Key) {
		err = invalid("is of key %08x for %s", id, a)
	}
	if err != nil {
		return fmt.Errorf("lifecycle: material of key %s: %w", ref, err)
	}
	if r.Wrapped, err = to.Wrap(ctx, toHandle, material, keymgmt.MaterialContext(ref).Bytes()); err != nil {
		return fmt.Errorf("lifecycle: wrapping key %s: %w", ref, err)
	}
	return nil
}

func (m *Manager) seal(ctx context.Context, b manifest) (data []byte, sum string, err error) {
	out := bundle{Version: bundleVersion}
	if out.Manifest, err = json.Marshal(b); err != nil {
		return nil, "", err
	}
	sum = digest(out.Manifest)
	if out.Seal, err = m.o.Escrow.Wrap(ctx, m.o.EscrowHandle, []byte(sum), sealContext(b.Keyset)); err != nil {
		return nil, "", fmt.Errorf("lifecycle: escrow: %w", err)
	}
	if data, err = json.Marshal(out); err == nil && len(data) > MaxBundle {
		err = invalid("bundle: %d bytes, at most %d", len(data), MaxBundle)
	}
	return data, sum, err
}

// open reads a bundle that the escrow has sealed.
func (m *Manager) open(ctx context.Context, data []byte) (*manifest, error) {
	if m.o.Escrow == nil {
		return nil, invalid("options: escrow: nil, so that no bundle opens")
	}
	var in bundle
	if err := decode(data, &in, MaxBundle); err != nil {
		return nil, invalid("bundle: %v", err)
	}
	if in.Version != bundleVersion {
		return nil, invalid("bundle: version %d, want %d", in.Version, bundleVersion)
	}
	var compact bytes.Buffer // whoever has kept it may have indented it
	if err := json.Compact(&compact, in.Manifest); err != nil {
		return nil, invalid("bundle: manifest: %v", err)
	}
	b := &manifest{digest: digest(compact.Bytes())}
	if err := decode(compact.Bytes(), b, MaxBundle); err != nil {
		return nil, invalid("bundle: manifest: %v", err)
	}
	sum, err := m.o.Escrow.Unwrap(ctx, m.o.EscrowHandle, in.Seal, sealContext(b.Keyset))
	if err != nil {
		return nil, fmt.Errorf("lifecycle: bundle: seal: %w", err)
	}
	if subtle.ConstantTimeCompare(sum, []byte(b.digest)) == 0 {
		return nil, fmt.Errorf("lifecycle: bundle: is not what was sealed: %w", keymgmt.ErrUnwrap)
	}
	return b, b.validate()
}

func (b *manifest) validate() error {
	if err := validate(b.Keyset); err != nil {
		return err
	}
	if len(b.Keys) != b.Keyset.Keys {
		return invalid("bundle: %d keys, want %d", len(b.Keys), b.Keyset.Keys)
	}
	next := b.Keyset.Latest
	for i, r := range b.Keys {
		if r == nil {
			return invalid("bundle: keys[%d]: is nil", i)
		}
		if err := r.verify(keymgmt.Ref{Set: b.Keyset.SetID, Key: next}); err != nil {
			return err
		}
		next = r.Key.Previous
	}
	if next != 0 {
		return invalid("bundle: the last key has one before it")
	}
	return nil
}

func (b *manifest) order() Order {
	return Order{Verb: keymgmt.Recover, Set: b.Keyset.SetID, Digest: b.digest, fresh: &b.Keyset}
}

const (
	atOnce = 4 // keys that one update of a recovery writes: the largest records there are, and no store has too many of them

	// What a recovery adds to the generation: more than the lost keyset can have changed since the backup, so that a node that
	// has seen it takes what has been recovered for another.
	beyondLost = 1 << 32
)

// Recover brings back a keyset that does not exist, from a bundle, by the roles and the policy in it. No material of a key that
// a tombstone names comes back, and no key protects any more, not one that was to be activated either, since nobody knows how
// much it has protected since: rotate afterwards. The keyset comes last: when it is interrupted there is none, and it is called again.
func (m *Manager) Recover(ctx context.Context, by By, data []byte) (keymgmt.Keyset, error) {
	b, err := m.open(ctx, data)
	if err != nil {
		return keymgmt.Keyset{}, err
	}
	var done *step
	o := b.order()
	err = m.guard(ctx, by, o, func() error {
		if err := m.look(ctx, by, o, func(*step) error { return nil }); err != nil {
			return err
		}
		if b.Keyset.Custodian != "" {
			if err := m.custodian.Generate(ctx, b.Keyset.Custodian); err != nil {
				return fmt.Errorf("lifecycle: key-encryption key of %s: %w", o.Set, err)
			}
		}
		dead := 0
		for some := range slices.Chunk(b.Keys, atOnce) {
			for _, r := range some {
				buried, err := m.restore(ctx, by, b.Keyset, r)
				if err != nil {
					return err
				}
				if buried {
					dead++
				}
			}
			if err := m.putBack(ctx, b.Keyset, some); err != nil {
				return err
			}
		}
		done, err = m.commit(ctx, by, o, func(s *step) error {
			s.set.Primary = 0
			s.set.Generation += beyondLost
			s.attr("digest", b.digest)
			s.attr("keys", len(b.Keys))
			s.attr("destroyed", dead)
			return nil
		})
		return err
	})
	if err != nil {
		return keymgmt.Keyset{}, err
	}
	return detached(done.set)
}

// restore makes of a record of a bundle one that is kept.
func (m *Manager) restore(ctx context.Context, by By, set keymgmt.Keyset, r *record) (dead bool, err error) {
	now, ref := instant(m.o.Now()), r.Key.Ref
	if dead, err = m.dead(ctx, ref); err != nil {
		return false, err
	}
	if protects(r.Key) {
		if err := r.take(keymgmt.Event{Verb: keymgmt.Deactivate, By: keymgmt.Person(by.Actor), Reason: "recovered"}, now); err != nil {
			return false, err
		}
	}
	if !dead {
		return false, m.rewrap(ctx, r, m.o.Escrow, m.o.EscrowHandle, m.custodian, set.Custodian)
	}
	// What the tables do not let happen to it does not have to: it has no material, and its tombstone stays.
	end := keymgmt.Event{Verb: keymgmt.ForceDestroy, By: keymgmt.Person(by.Actor), Reason: "a tombstone names it"}
	if r.Key.External {
		end.Verb = keymgmt.Unlink
	}
	schedule := end
	schedule.Verb, schedule.After, r.Wrapped = keymgmt.Schedule, now, nil
	if now.Before(r.Key.Changed) {
		schedule.After = r.Key.Changed
	}
	_ = r.take(schedule, now)
	_ = r.take(end, now)
	return true, nil
}

// putBack writes records of a keyset that is not there yet, and that a key which could come to protect has nothing left to protect
// with: what has become of it since the backup is not known.
func (m *Manager) putBack(ctx context.Context, set keymgmt.Keyset, some []*record) error {
	return m.repo.Update(ctx, set.Tenant, func(read keymgmt.Read) (out keymgmt.Changes, err error) {
		docs, err := read(setName(set.SetID))
		if err == nil && docs[0] != nil {
			err = fmt.Errorf("lifecycle: keyset %s: %w", set.SetID, keymgmt.ErrExists)
		}
		for _, r := range some {
			if err == nil {
				err = add(&out, keyName(r.Key.Ref), r)
			}
			if err == nil && !r.Key.State.Final() {
				err = add(&out, usageName(r.Key.Ref), used{keymgmt.Amount{Messages: math.MaxUint64, Bytes: math.MaxUint64}})
			}
		}
		return out, err
	})
}
