package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Generate makes a key in state [keymgmt.PreActivation]: [Manager.Activate] makes it the primary.
func (m *Manager) Generate(ctx context.Context, by By, id keymgmt.SetID) (keymgmt.Key, error) {
	return m.generate(ctx, by, Order{Verb: keymgmt.Generate, Set: id}, func(*step, *record) error { return nil })
}

// Rotate makes a key, activates it and makes it the primary, all in one commit, in which the primary that was becomes
// [keymgmt.Deactivated]: there is never more than one key that protects. It takes as long with the thousandth key as with the first.
func (m *Manager) Rotate(ctx context.Context, by By, id keymgmt.SetID) (keymgmt.Key, error) {
	return m.generate(ctx, by, Order{Verb: keymgmt.Rotate, Set: id}, (*step).activate)
}

// generate makes a key of the next id that is free. Its material is wrapped before the commit, outside of it: a custodian that
// fails leaves nothing half done. When another has taken the id meanwhile it begins anew.
func (m *Manager) generate(ctx context.Context, by By, o Order, then func(*step, *record) error) (key keymgmt.Key, err error) {
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
				r, err := s.add(id, keymgmt.Event{Verb: keymgmt.Generate, Algorithm: set.Algorithm}, wrapped)
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
			if err == nil || !errors.Is(err, keymgmt.ErrExists) {
				return err
			}
		}
	})
	if err != nil {
		return keymgmt.Key{}, err
	}
	return key, nil
}

const tries = 1024 // ids in a row that may be taken

// next returns the keyset and the next id that no key has, and no key has had.
func (m *Manager) next(ctx context.Context, by By, o Order) (set keymgmt.Keyset, id uint32, err error) {
	for n := range uint32(tries) {
		taken := false
		err = m.look(ctx, by, o, func(s *step) error {
			if s.set.Custodian == "" {
				return invalid("keyset %s: is retired", o.Set)
			}
			if set, id = s.set, s.set.Latest+1+n; id <= n { // after the last id come the first
				id++
			}
			docs, err := s.read(keyName(keymgmt.Ref{Set: o.Set, Key: id}), tombName(keymgmt.Ref{Set: o.Set, Key: id}))
			taken = err == nil && (docs[0] != nil || docs[1] != nil)
			return err
		})
		if err == nil && !taken {
			taken, err = m.buried(ctx, keymgmt.Ref{Set: o.Set, Key: id})
		}
		if err != nil || !taken {
			return set, id, err
		}
	}
	return set, 0, invalid("keyset %s: %d ids in a row are taken", o.Set, tries)
}

func (m *Manager) wrapNew(ctx context.Context, set keymgmt.Keyset, id uint32) ([]byte, error) {
	material, err := m.material.New(set.Algorithm, id)
	if err != nil {
		return nil, fmt.Errorf("lifecycle: material for keyset %s: %w", set.SetID, err)
	}
	defer clear(material)
	return m.wrap(ctx, set.Custodian, material, keymgmt.Ref{Set: set.SetID, Key: id})
}

func (m *Manager) wrap(ctx context.Context, handle string, material []byte, ref keymgmt.Ref) ([]byte, error) {
	wrapped, err := m.custodian.Wrap(ctx, handle, material, keymgmt.MaterialContext(ref).Bytes())
	if err != nil {
		return nil, fmt.Errorf("lifecycle: wrapping key %s: %w", ref, err)
	}
	return wrapped, nil
}

// Expect prepares the import of a key of this id and algorithm; [Manager.Import] brings its material.
func (m *Manager) Expect(ctx context.Context, by By, ref keymgmt.Ref, a keymgmt.Algorithm) (keymgmt.Key, error) {
	return m.adopt(ctx, by, ref, keymgmt.Expect, a)
}

// Link makes a key whose material is with a third party, and makes it the primary.
func (m *Manager) Link(ctx context.Context, by By, ref keymgmt.Ref, a keymgmt.Algorithm) (keymgmt.Key, error) {
	return m.adopt(ctx, by, ref, keymgmt.Link, a)
}

// adopt makes a key that comes with its id.
func (m *Manager) adopt(ctx context.Context, by By, ref keymgmt.Ref, v keymgmt.Verb, a keymgmt.Algorithm) (key keymgmt.Key, err error) {
	if err := ref.Validate(); err != nil {
		return keymgmt.Key{}, err
	}
	o := Order{Verb: v, Set: ref.Set, Key: ref.Key, Algorithm: a}
	err = m.guard(ctx, by, o, func() error {
		if dead, err := m.buried(ctx, ref); err != nil || dead {
			return errors.Join(err, gone(dead, ref))
		}
		_, err := m.commit(ctx, by, o, func(s *step) error {
			e := keymgmt.Event{Verb: v, Algorithm: a}
			if v == keymgmt.Link {
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
		return err
	})
	if err != nil {
		return keymgmt.Key{}, err
	}
	return key, nil
}

// Import brings the material of a key that was expected. The caller clears it.
func (m *Manager) Import(ctx context.Context, by By, ref keymgmt.Ref, material []byte) (key keymgmt.Key, err error) {
	a, id, err := m.material.Examine(material)
	if err != nil {
		return keymgmt.Key{}, fmt.Errorf("lifecycle: material of key %s: %w", ref, err)
	}
	if id != ref.Key {
		return keymgmt.Key{}, invalid("material: is of key %08x, want %08x", id, ref.Key)
	}
	o := Order{Verb: keymgmt.Import, Set: ref.Set, Key: ref.Key}
	err = m.guard(ctx, by, o, func() error {
		var set keymgmt.Keyset
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
			r.Wrapped, r.Backups = wrapped, s.set.Backups
			if err := s.apply(r, keymgmt.Event{Verb: keymgmt.Import, Algorithm: a}); err != nil {
				return err
			}
			s.attr("algorithm", a)
			key = r.Key
			return nil
		})
		return err
	})
	if err != nil {
		return keymgmt.Key{}, err
	}
	return key, nil
}

// Activate makes a key the primary; the one that was becomes [keymgmt.Deactivated] in the same commit.
func (m *Manager) Activate(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Key, error) {
	return m.onKey(ctx, by, Order{Verb: keymgmt.Activate, Set: ref.Set, Key: ref.Key}, (*step).activate)
}

func (s *step) activate(r *record) error {
	at := s.now
	if at.Before(r.Key.Changed) { // the clock has gone back
		at = r.Key.Changed
	}
	e := keymgmt.Event{Verb: keymgmt.Activate}
	e.ProtectUntil, e.ProcessUntil = s.set.Policy.Periods(at)
	return s.apply(r, e)
}

// onKey takes a step on one key.
func (m *Manager) onKey(ctx context.Context, by By, o Order, fn func(*step, *record) error) (key keymgmt.Key, err error) {
	if err := (keymgmt.Ref{Set: o.Set, Key: o.Key}).Validate(); err != nil {
		return keymgmt.Key{}, err
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
		return keymgmt.Key{}, err
	}
	return key, nil
}

// happen is what most steps on a key do.
func (m *Manager) happen(ctx context.Context, by By, ref keymgmt.Ref, e keymgmt.Event) (keymgmt.Key, error) {
	o := Order{
		Verb: e.Verb, Set: ref.Set, Key: ref.Key, Since: e.Since, ProtectUntil: e.ProtectUntil, ProcessUntil: e.ProcessUntil,
		Census: e.Census,
	}
	return m.onKey(ctx, by, o, func(s *step, r *record) error { return s.apply(r, e) })
}

// Suspend shuts a key, until [Manager.Resume] leads it back to where it was. If it was the primary, no key protects until then.
func (m *Manager) Suspend(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Key, error) {
	return m.happen(ctx, by, ref, keymgmt.Event{Verb: keymgmt.Suspend})
}

// Resume leads a suspended key back. If another has become the primary meanwhile, it is [keymgmt.Deactivated] at once.
func (m *Manager) Resume(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Key, error) {
	return m.happen(ctx, by, ref, keymgmt.Event{Verb: keymgmt.Resume})
}

// Deactivate lets a key process only.
func (m *Manager) Deactivate(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Key, error) {
	return m.happen(ctx, by, ref, keymgmt.Event{Verb: keymgmt.Deactivate})
}

// ChangePeriods sets the ends of a key's periods, not later than the policy has them.
func (m *Manager) ChangePeriods(ctx context.Context, by By, ref keymgmt.Ref, protectUntil, processUntil time.Time) (keymgmt.Key, error) {
	e := keymgmt.Event{Verb: keymgmt.ChangePeriods, ProtectUntil: protectUntil, ProcessUntil: processUntil}
	o := Order{Verb: keymgmt.ChangePeriods, Set: ref.Set, Key: ref.Key, ProtectUntil: protectUntil, ProcessUntil: processUntil}
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
func (m *Manager) Compromise(ctx context.Context, by By, ref keymgmt.Ref, since time.Time) (keymgmt.Key, error) {
	return m.happen(ctx, by, ref, keymgmt.Event{Verb: keymgmt.Compromise, Since: since})
}

// Tainted yields what depends on a key: generations of backup that hold it, and what Options.Dependents know of.
func (m *Manager) Tainted(ctx context.Context, ref keymgmt.Ref) iter.Seq2[keymgmt.Dependent, error] {
	return func(yield func(keymgmt.Dependent, error) bool) {
		r, err := m.record(ctx, ref)
		if err != nil {
			yield(keymgmt.Dependent{}, err)
			return
		}
		s, err := m.Keyset(ctx, ref.Set)
		if err != nil {
			yield(keymgmt.Dependent{}, err)
			return
		}
		for n := r.Backups + 1; n <= s.Backups; n++ {
			if !yield(keymgmt.Dependent{Kind: "backup", Name: backupName(ref.Set, n)}, nil) {
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

// Count notes a census: how much is still protected by the key.
func (m *Manager) Count(ctx context.Context, by By, ref keymgmt.Ref, c keymgmt.Census) (keymgmt.Key, error) {
	return m.happen(ctx, by, ref, keymgmt.Event{Verb: keymgmt.Count, Census: &c})
}

// Schedule begins the waiting time that the policy sets before a destruction. From now on nobody uses the key.
func (m *Manager) Schedule(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Key, error) {
	key, err := m.onKey(ctx, by, Order{Verb: keymgmt.Schedule, Set: ref.Set, Key: ref.Key}, func(s *step, r *record) error {
		at := s.now
		if at.Before(r.Key.Changed) {
			at = r.Key.Changed
		}
		after := at.Add(s.set.Policy.DestroyWait)
		s.attr("after", after.Format(time.RFC3339))
		return s.apply(r, keymgmt.Event{Verb: keymgmt.Schedule, After: after})
	})
	if err == nil {
		_, _ = m.noteBeats(ctx, ref) // so that nodes are through when the waiting time is; Destroy does it if this fails
	}
	return key, err
}

// Cancel leads a key back to where it was before [Manager.Schedule]. If another has become the primary meanwhile, it is
// [keymgmt.Deactivated] at once.
func (m *Manager) Cancel(ctx context.Context, by By, ref keymgmt.Ref) (keymgmt.Key, error) {
	return m.happen(ctx, by, ref, keymgmt.Event{Verb: keymgmt.Cancel})
}

// Export returns the material of a key in the clear, which the caller clears. The intent is recorded before it is unwrapped,
// how it ended after.
func (m *Manager) Export(ctx context.Context, by By, ref keymgmt.Ref) ([]byte, error) {
	var held keymgmt.Held
	var set keymgmt.Keyset
	o := Order{Verb: keymgmt.Reveal, Set: ref.Set, Key: ref.Key}
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
			if err := keymgmt.NewPermit(s.set, r.Key, keymgmt.CustodianRole, nil).Check(keymgmt.Export, s.now.UnixNano()); err != nil {
				return err
			}
			set, held, s.event.Outcome = s.set, keymgmt.Held{Key: r.Key, Wrapped: r.Wrapped}, opsec.Pending
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	material, err := m.custodian.Unwrap(ctx, set.Custodian, held.Wrapped, keymgmt.MaterialContext(ref).Bytes())
	if err != nil {
		err = fmt.Errorf("lifecycle: unwrapping key %s: %w", ref, err)
	}
	if unrecorded := m.end(context.WithoutCancel(ctx), done.event, err); unrecorded != nil && err == nil {
		clear(material)
		err = fmt.Errorf("lifecycle: the export of key %s is not recorded: %w", ref, unrecorded)
	}
	if err != nil {
		return nil, err
	}
	return material, nil
}

// buried reports whether a tombstone outside of the repository names a key.
func (m *Manager) buried(ctx context.Context, ref keymgmt.Ref) (bool, error) {
	for _, t := range m.o.Tombstones {
		dead, err := t.Buried(ctx, ref)
		if err != nil {
			return false, fmt.Errorf("lifecycle: tombstones: %w", err)
		}
		if dead {
			return true, nil
		}
	}
	return false, nil
}

func gone(dead bool, ref keymgmt.Ref) error {
	if !dead {
		return nil
	}
	return fmt.Errorf("lifecycle: key %s has a tombstone: %w: %w", ref, keymgmt.ErrDestroyed, opsec.ErrDenied)
}
