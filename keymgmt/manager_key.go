package keymgmt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
)

// Generate makes a key in state [PreActivation]: [Manager.Activate] makes it the primary.
func (m *Manager) Generate(ctx context.Context, by By, id SetID) (Key, error) {
	return m.generate(ctx, by, Order{Verb: Generate, Set: id}, func(*step, *record) error { return nil })
}

// Rotate makes a key, activates it and makes it the primary, all in one commit, in which the primary that was becomes
// [Deactivated]: there is never more than one key that protects. It takes as long with the thousandth key as with the first.
func (m *Manager) Rotate(ctx context.Context, by By, id SetID) (Key, error) {
	return m.generate(ctx, by, Order{Verb: Rotate, Set: id}, (*step).activate)
}

// generate makes a key of the next id that is free. Its material is wrapped before the commit, outside of it: a custodian that
// fails leaves nothing half done. When another has taken the id meanwhile it begins anew.
func (m *Manager) generate(ctx context.Context, by By, o Order, then func(*step, *record) error) (key Key, err error) {
	err = m.guard(ctx, by, o, func() error {
		for {
			set, id, err := m.next(ctx, by, o)
			if err != nil {
				return err
			}
			wrapped, err := m.wrapNew(ctx, set, id)
			if err != nil {
				return err
			}
			_, err = m.commit(ctx, by, o, func(s *step) error {
				r, err := s.add(id, Event{Verb: Generate, Algorithm: set.Algorithm}, wrapped)
				if err != nil {
					return err
				}
				if s.set.Custodian != set.Custodian {
					return invalid("keyset %s: is retired", o.Set)
				}
				if err := then(s, r); err != nil {
					return err
				}
				s.attr("key", fmt.Sprintf("%08x", id))
				s.attr("previous", fmt.Sprintf("%08x", r.Key.Previous))
				s.attr("algorithm", r.Key.Algorithm)
				key = r.Key
				return nil
			})
			if err == nil || !errors.Is(err, ErrExists) {
				return err
			}
		}
	})
	if err != nil {
		return Key{}, err
	}
	return key, nil
}

const tries = 1024 // ids in a row that may be taken

// next returns the keyset and the next id that no key has, and no key has had.
func (m *Manager) next(ctx context.Context, by By, o Order) (set Keyset, id uint32, err error) {
	for n := range uint32(tries) {
		taken := false
		err = m.look(ctx, by, o, func(s *step) error {
			if s.set.Custodian == "" {
				return invalid("keyset %s: is retired", o.Set)
			}
			if set, id = s.set, s.set.Latest+1+n; id <= n { // after the last id come the first
				id++
			}
			docs, err := s.read(keyName(Ref{o.Set, id}), tombName(Ref{o.Set, id}))
			taken = err == nil && (docs[0] != nil || docs[1] != nil)
			return err
		})
		if err == nil && !taken {
			taken, err = m.buried(ctx, Ref{o.Set, id})
		}
		if err != nil || !taken {
			return set, id, err
		}
	}
	return set, 0, invalid("keyset %s: %d ids in a row are taken", o.Set, tries)
}

func (m *Manager) wrapNew(ctx context.Context, set Keyset, id uint32) ([]byte, error) {
	material, err := m.material.New(set.Algorithm, id)
	if err != nil {
		return nil, fmt.Errorf("keymgmt: material for keyset %s: %w", set.SetID, err)
	}
	defer clear(material)
	return m.wrap(ctx, set.Custodian, material, Ref{set.SetID, id})
}

func (m *Manager) wrap(ctx context.Context, handle string, material []byte, ref Ref) ([]byte, error) {
	wrapped, err := m.custodian.Wrap(ctx, handle, material, MaterialContext(ref).Bytes())
	if err != nil {
		return nil, fmt.Errorf("keymgmt: wrapping key %s: %w", ref, err)
	}
	return wrapped, nil
}

// Expect prepares the import of a key of this id and algorithm; [Manager.Import] brings its material.
func (m *Manager) Expect(ctx context.Context, by By, ref Ref, a Algorithm) (Key, error) {
	return m.adopt(ctx, by, ref, Expect, a)
}

// Link makes a key whose material is with a third party, and makes it the primary.
func (m *Manager) Link(ctx context.Context, by By, ref Ref, a Algorithm) (Key, error) {
	return m.adopt(ctx, by, ref, Link, a)
}

// adopt makes a key that comes with its id.
func (m *Manager) adopt(ctx context.Context, by By, ref Ref, v Verb, a Algorithm) (key Key, err error) {
	if err := ref.Validate(); err != nil {
		return Key{}, err
	}
	if dead, err := m.buried(ctx, ref); err != nil || dead {
		return Key{}, errors.Join(err, gone(dead, ref))
	}
	_, err = m.take(ctx, by, Order{Verb: v, Set: ref.Set, Key: ref.Key, Algorithm: a}, func(s *step) error {
		e := Event{Verb: v, Algorithm: a}
		if v == Link {
			e.ProtectUntil, e.ProcessUntil = s.set.Policy.Periods(s.now)
		}
		if s.set.Custodian == "" {
			return invalid("keyset %s: is retired", ref.Set)
		}
		r, err := s.add(ref.Key, e, nil)
		if err != nil {
			return err
		}
		key = r.Key
		return nil
	})
	return key, err
}

// Import brings the material of a key that was expected. The caller clears it.
func (m *Manager) Import(ctx context.Context, by By, ref Ref, material []byte) (key Key, err error) {
	a, id, err := m.material.Examine(material)
	if err != nil {
		return Key{}, fmt.Errorf("keymgmt: material of key %s: %w", ref, err)
	}
	if id != ref.Key {
		return Key{}, invalid("material: is of key %08x, want %08x", id, ref.Key)
	}
	o := Order{Verb: Import, Set: ref.Set, Key: ref.Key}
	err = m.guard(ctx, by, o, func() error {
		var set Keyset
		if err := m.look(ctx, by, o, func(s *step) error { set = s.set; return nil }); err != nil {
			return err
		}
		if dead, err := m.buried(ctx, ref); err != nil || dead {
			return errors.Join(err, gone(dead, ref))
		}
		wrapped, err := m.wrap(ctx, set.Custodian, material, ref)
		if err != nil {
			return err
		}
		_, err = m.commit(ctx, by, o, func(s *step) error {
			r, err := s.key(ref.Key)
			if err != nil {
				return err
			}
			r.Wrapped = wrapped
			if err := s.apply(r, Event{Verb: Import, Algorithm: a}); err != nil {
				return err
			}
			s.attr("algorithm", a)
			key = r.Key
			return nil
		})
		return err
	})
	return key, err
}

// Activate makes a key the primary; the one that was becomes [Deactivated] in the same commit.
func (m *Manager) Activate(ctx context.Context, by By, ref Ref) (Key, error) {
	return m.onKey(ctx, by, Order{Verb: Activate, Set: ref.Set, Key: ref.Key}, (*step).activate)
}

func (s *step) activate(r *record) error {
	at := s.now
	if at.Before(r.Key.Changed) { // the clock has gone back
		at = r.Key.Changed
	}
	e := Event{Verb: Activate}
	e.ProtectUntil, e.ProcessUntil = s.set.Policy.Periods(at)
	return s.apply(r, e)
}

// onKey takes a step on one key.
func (m *Manager) onKey(ctx context.Context, by By, o Order, fn func(*step, *record) error) (key Key, err error) {
	if err := (Ref{o.Set, o.Key}).Validate(); err != nil {
		return Key{}, err
	}
	_, err = m.take(ctx, by, o, func(s *step) error {
		r, err := s.key(o.Key)
		if err != nil {
			return err
		}
		was := r.Key.State
		if err := fn(s, r); err != nil {
			return err
		}
		s.attr("state", fmt.Sprintf("%s -> %s", was, r.Key.State))
		key = r.Key
		return nil
	})
	if err != nil {
		return Key{}, err
	}
	return key, nil
}

// happen is what most steps on a key do.
func (m *Manager) happen(ctx context.Context, by By, ref Ref, e Event) (Key, error) {
	o := Order{
		Verb: e.Verb, Set: ref.Set, Key: ref.Key, Since: e.Since, ProtectUntil: e.ProtectUntil, ProcessUntil: e.ProcessUntil,
		Census: e.Census,
	}
	return m.onKey(ctx, by, o, func(s *step, r *record) error { return s.apply(r, e) })
}

// Suspend shuts a key, until [Manager.Resume] leads it back to where it was. If it was the primary, no key protects until then.
func (m *Manager) Suspend(ctx context.Context, by By, ref Ref) (Key, error) {
	return m.happen(ctx, by, ref, Event{Verb: Suspend})
}

// Resume leads a suspended key back. If another has become the primary meanwhile, it is [Deactivated] at once.
func (m *Manager) Resume(ctx context.Context, by By, ref Ref) (Key, error) {
	return m.happen(ctx, by, ref, Event{Verb: Resume})
}

// Deactivate lets a key process only.
func (m *Manager) Deactivate(ctx context.Context, by By, ref Ref) (Key, error) {
	return m.happen(ctx, by, ref, Event{Verb: Deactivate})
}

// ChangePeriods sets the ends of a key's periods, not later than the policy has them.
func (m *Manager) ChangePeriods(ctx context.Context, by By, ref Ref, protectUntil, processUntil time.Time) (Key, error) {
	e := Event{Verb: ChangePeriods, ProtectUntil: protectUntil, ProcessUntil: processUntil}
	o := Order{Verb: ChangePeriods, Set: ref.Set, Key: ref.Key, ProtectUntil: protectUntil, ProcessUntil: processUntil}
	return m.onKey(ctx, by, o, func(s *step, r *record) error {
		protect, process := s.set.Policy.Periods(r.Key.Activated)
		if protectUntil.After(protect) || processUntil.After(process) {
			return invalid("protect_until, process_until: later than the policy allows, %s and %s",
				protect.Format(time.RFC3339), process.Format(time.RFC3339))
		}
		return s.apply(r, e)
	})
}

// Compromise marks a key as compromised since then: it protects no more, and processes only where the policy lets it. What
// depends on it is to be looked at: [Manager.Tainted]. To keep protecting, rotate first.
func (m *Manager) Compromise(ctx context.Context, by By, ref Ref, since time.Time) (Key, error) {
	return m.happen(ctx, by, ref, Event{Verb: Compromise, Since: since})
}

// Tainted yields what depends on a key: generations of backup that hold it, and what Options.Dependents know of.
func (m *Manager) Tainted(ctx context.Context, ref Ref) iter.Seq2[Dependent, error] {
	return func(yield func(Dependent, error) bool) {
		r, err := m.record(ctx, ref)
		if err != nil {
			yield(Dependent{}, err)
			return
		}
		s, err := m.Keyset(ctx, ref.Set)
		if err != nil {
			yield(Dependent{}, err)
			return
		}
		for n := r.Backups + 1; n <= s.Backups; n++ {
			if !yield(Dependent{Kind: "backup", Name: backupName(ref.Set, n)}, nil) {
				return
			}
		}
		for _, d := range m.o.Dependents {
			for dependent, err := range d.Dependents(ctx, ref) {
				if !yield(dependent, err) || err != nil {
					return
				}
			}
		}
	}
}

// Dependents lists what depends on a key and has to be looked at when it is compromised.
type Dependents interface {
	Dependents(ctx context.Context, ref Ref) iter.Seq2[Dependent, error]
}

// Dependent is something that depends on a key.
type Dependent struct {
	Kind string `json:"kind"` // such as "backup", "data-key", "derived-key"
	Name string `json:"name"`
}

// Count notes a census: how much is still protected by the key.
func (m *Manager) Count(ctx context.Context, by By, ref Ref, c Census) (Key, error) {
	return m.happen(ctx, by, ref, Event{Verb: Count, Census: &c})
}

// Schedule begins the waiting time that the policy sets before a destruction. From now on nobody uses the key.
func (m *Manager) Schedule(ctx context.Context, by By, ref Ref) (Key, error) {
	key, err := m.onKey(ctx, by, Order{Verb: Schedule, Set: ref.Set, Key: ref.Key}, func(s *step, r *record) error {
		at := s.now
		if at.Before(r.Key.Changed) {
			at = r.Key.Changed
		}
		after := at.Add(s.set.Policy.DestroyWait)
		s.attr("after", after.Format(time.RFC3339))
		return s.apply(r, Event{Verb: Schedule, After: after})
	})
	if err == nil {
		_, _ = m.noteBeats(ctx, ref) // so that nodes are through when the waiting time is; Destroy does it if this fails
	}
	return key, err
}

// Cancel leads a key back to where it was before [Manager.Schedule]. If another has become the primary meanwhile, it is
// [Deactivated] at once.
func (m *Manager) Cancel(ctx context.Context, by By, ref Ref) (Key, error) {
	return m.happen(ctx, by, ref, Event{Verb: Cancel})
}

// Export returns the material of a key in the clear, which the caller clears. The intent is recorded before it is unwrapped,
// how it ended after.
func (m *Manager) Export(ctx context.Context, by By, ref Ref) ([]byte, error) {
	var held Held
	var set Keyset
	o := Order{Verb: Reveal, Set: ref.Set, Key: ref.Key}
	var done *step
	err := m.guard(ctx, by, o, func() (err error) {
		if dead, err := m.buried(ctx, ref); err != nil || dead {
			return errors.Join(err, gone(dead, ref))
		}
		done, err = m.commit(ctx, by, o, func(s *step) error {
			r, err := s.key(ref.Key)
			if err != nil {
				return err
			}
			if err := NewPermit(s.set, r.Key, CustodianRole, nil).Check(Export, unixNano(s.now)); err != nil {
				return err
			}
			set, held, s.event.Outcome = s.set, Held{r.Key, r.Wrapped}, opsec.Pending
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	material, err := m.custodian.Unwrap(ctx, set.Custodian, held.Wrapped, MaterialContext(ref).Bytes())
	if err != nil {
		err = fmt.Errorf("keymgmt: unwrapping key %s: %w", ref, err)
	}
	if unrecorded := m.end(context.WithoutCancel(ctx), done.event, err); unrecorded != nil && err == nil {
		clear(material)
		err = fmt.Errorf("keymgmt: the export of key %s is not recorded: %w", ref, unrecorded)
	}
	if err != nil {
		return nil, err
	}
	return material, nil
}

// buried reports whether a tombstone outside of the repository names a key.
func (m *Manager) buried(ctx context.Context, ref Ref) (bool, error) {
	for _, t := range m.o.Tombstones {
		dead, err := t.Buried(ctx, ref)
		if err != nil {
			return false, fmt.Errorf("keymgmt: tombstones: %w", err)
		}
		if dead {
			return true, nil
		}
	}
	return false, nil
}

func gone(dead bool, ref Ref) error {
	if !dead {
		return nil
	}
	return fmt.Errorf("keymgmt: key %s has a tombstone: %w", ref, ErrDestroyed)
}
