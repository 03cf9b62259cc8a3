package lifecycle

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/keymgmt"
)

// Task is a step that is due.
type Task struct {
	Verb keymgmt.Verb `json:"verb"`
	Ref  keymgmt.Ref  `json:"ref"` // without Key for a step of the keyset
	At   time.Time    `json:"at"`  // since when; in the future for a warning
	Why  string       `json:"why"`
}

// Due yields what is due in a keyset, or will be within Policy.Warn: first whether its primary is to be rotated, then, the
// newest first, which keys are to be scheduled for destruction or destroyed, one read each.
func (m *Manager) Due(ctx context.Context, id keymgmt.SetID) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		s, err := m.Keyset(ctx, id)
		if err != nil {
			yield(Task{}, err)
			return
		}
		if t, err := m.rotation(ctx, s); (err != nil || t.Verb != "") && !yield(t, err) || err != nil {
			return
		}
		soon := instant(m.o.Now()).Add(s.Policy.Warn)
		for k, err := range m.Keys(ctx, id) {
			if err != nil {
				yield(Task{}, err)
				return
			}
			if t := task(s.Policy, k); t.Verb != "" && !t.At.After(soon) && !yield(t, nil) {
				return
			}
		}
	}
}

// rotation returns the task to rotate, or none.
func (m *Manager) rotation(ctx context.Context, s keymgmt.Keyset) (Task, error) {
	t := Task{Verb: keymgmt.Rotate, Ref: keymgmt.Ref{Set: s.SetID}, At: instant(m.o.Now())}
	if s.Primary == 0 {
		t.Why = "no key protects"
		return t, nil
	}
	ref := keymgmt.Ref{Set: s.SetID, Key: s.Primary}
	k, err := m.Key(ctx, ref)
	if err != nil {
		return Task{}, err
	}
	if s.Policy.Permits(k.Algorithm, s.Purpose) != nil {
		t.Why = "the policy does not permit the primary's algorithm any more"
		return t, nil
	}
	u, err := m.usage(ctx, ref)
	if err != nil {
		return Task{}, err
	}
	rest := u.left(s.Policy)
	if rest.Messages <= s.Policy.Messages/8 || rest.Bytes <= s.Policy.Bytes/8 {
		t.Why = "of what one key may protect, an eighth is left or less"
		return t, nil
	}
	due := k.Activated.Add(s.Policy.RotateEvery)
	if k.ProtectUntil.Before(due) {
		due = k.ProtectUntil
	}
	if due.After(t.At.Add(s.Policy.Warn)) {
		return Task{}, nil
	}
	t.At, t.Why = due, "the primary has served its time"
	return t, nil
}

// task returns what is due with a key on its way out, whenever that is.
func task(p keymgmt.Policy, k keymgmt.Key) Task {
	switch t := (Task{Ref: k.Ref}); k.State {
	case keymgmt.Deactivated:
		t.Verb, t.At, t.Why = keymgmt.Schedule, k.ProcessUntil, "the key processes no more"
		return t
	case keymgmt.Compromised:
		t.Verb, t.At, t.Why = keymgmt.Schedule, k.Compromised, "the key is compromised: rescue what it protects"
		return t
	case keymgmt.DestroyScheduled:
		t.Verb, t.At, t.Why = keymgmt.Destroy, k.DestroyAfter, "the waiting time is over"
		switch {
		case k.External:
			t.Verb = keymgmt.Unlink
		case k.Census == nil && !k.Activated.IsZero() && !p.InsecureSkipCensus:
			t.Why += "; nobody has counted what is left on the key"
		}
		return t
	case keymgmt.DestroyFailed:
		t.Verb, t.At, t.Why = keymgmt.Destroy, k.Changed, "the destruction has failed"
		if k.External {
			t.Verb = keymgmt.Unlink
		}
		return t
	}
	return Task{}
}

// Tend rotates a keyset if that is due, and returns what it did; a zero [Task] for nothing. A keyset without primary is left
// alone, since somebody has taken it away; so is one whose primary is with a third party. A rotation that needs consent is
// refused.
func (m *Manager) Tend(ctx context.Context, by By, id keymgmt.SetID) (Task, error) {
	s, err := m.Keyset(ctx, id)
	if err != nil || s.Primary == 0 {
		return Task{}, err
	}
	t, err := m.rotation(ctx, s)
	if err != nil || t.Verb == "" || t.At.After(m.o.Now()) {
		return Task{}, err
	}
	if primary, err := m.Key(ctx, keymgmt.Ref{Set: id, Key: s.Primary}); err != nil || primary.External {
		return Task{}, err
	}
	if by.Reason == "" {
		by.Reason = t.Why
	}
	k, err := m.Rotate(ctx, by, id)
	if err != nil {
		return Task{}, err
	}
	t.Ref = k.Ref
	return t, nil
}

// Sweep tends all keysets of a tenant, and takes silent nodes out. It yields what it did; the error of a keyset is yielded, and
// it goes on. The repository must be a [keymgmt.Lister].
func (m *Manager) Sweep(ctx context.Context, by By, tenant opsec.TenantID) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		list, _, err := m.members(ctx)
		for node, n := range list {
			if err == nil && m.silent(node, n) {
				_, err = m.fence(ctx, node, n)
			}
		}
		if err != nil && !yield(Task{}, err) {
			return
		}
		for s, err := range m.List(ctx, tenant, "") {
			if err != nil {
				yield(Task{}, err)
				return
			}
			t, err := m.Tend(ctx, by, s.SetID)
			if err != nil {
				err = fmt.Errorf("lifecycle: keyset %s: %w", s.SetID, err)
			}
			if (err != nil || t.Verb != "") && !yield(t, err) {
				return
			}
		}
	}
}
