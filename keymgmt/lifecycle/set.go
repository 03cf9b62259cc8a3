package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
)

// The bounds of a keyset's labels.
const (
	MaxLabels    = 64
	maxLabel     = 256     // bytes of a name or a value
	maxLabelText = 8 << 10 // bytes of all of them
	maxHandle    = 260     // bytes of a custodian's handle
)

// Create makes a keyset without keys. The caller fills in SetID, Purpose, Algorithm, Policy, Roles, Labels, and Custodian: the
// handle of a key-encryption key that it shares with other keysets, without "/". With "" the keyset gets one of its own, which
// [Manager.Retire] can destroy. It needs no role, since there are none yet: the Authorizer decides.
func (m *Manager) Create(ctx context.Context, by By, s keymgmt.Keyset) (keymgmt.Keyset, error) {
	now := instant(m.o.Now())
	s = keymgmt.Keyset{
		SetID: s.SetID, Purpose: s.Purpose, Algorithm: s.Algorithm, Policy: s.Policy, Roles: s.Roles, Custodian: s.Custodian,
		Labels: s.Labels, Created: now,
	}
	if strings.Contains(s.Custodian, "/") || !text(s.Custodian, maxHandle) {
		return keymgmt.Keyset{}, invalid("custodian: want text without \"/\" of at most %d bytes, or nothing", maxHandle)
	}
	if s.Custodian == "" {
		s.Custodian = ownHandle(s.SetID)
	}
	if err := validate(s); err != nil {
		return keymgmt.Keyset{}, err
	}
	o := Order{Verb: keymgmt.Create, Set: s.SetID, fresh: &s}
	var done *step
	err := m.guard(ctx, by, o, func() (err error) {
		if err = m.look(ctx, by, o, func(*step) error { return nil }); err != nil {
			return err
		}
		if err = m.custodian.Generate(ctx, s.Custodian); err != nil {
			return fmt.Errorf("lifecycle: key-encryption key of %s: %w", s.SetID, err)
		}
		done, err = m.commit(ctx, by, o, func(s *step) error {
			s.attr("purpose", s.set.Purpose)
			s.attr("policy", s.set.Policy.Name)
			return nil
		})
		return err
	})
	if err != nil {
		return keymgmt.Keyset{}, err
	}
	return detached(done.set)
}

// detached is a copy that shares nothing.
func detached(s keymgmt.Keyset) (keymgmt.Keyset, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return keymgmt.Keyset{}, err
	}
	return parseSet(s.SetID, b)
}

// ownHandle is that of a keyset's own key-encryption key.
func ownHandle(id keymgmt.SetID) string { return id.String() }

func validate(s keymgmt.Keyset) error {
	if err := s.SetID.Validate(); err != nil {
		return err
	}
	if err := s.Policy.Validate(); err != nil {
		return err
	}
	if err := s.Policy.Permits(s.Algorithm, s.Purpose); err != nil {
		return err
	}
	for _, v := range []keymgmt.Verb{keymgmt.Create, keymgmt.Fail} {
		if _, asked := s.Policy.Quorum[v]; asked {
			return invalid("policy: quorum: nobody can consent to %s", v)
		}
	}
	sum := 0
	for name, value := range s.Labels {
		if name == "" || !text(name, maxLabel) || !text(value, maxLabel) {
			return invalid("labels: want texts of at most %d bytes without control characters, and names that are not empty", maxLabel)
		}
		sum += len(name) + len(value)
	}
	if len(s.Labels) > MaxLabels || sum > maxLabelText {
		return invalid("labels: %d of %d bytes, want at most %d of %d", len(s.Labels), sum, MaxLabels, maxLabelText)
	}
	return s.Roles.Validate()
}

// Update changes, of the policy, the algorithm of the next key, and the labels, those that are not zero. A policy that asks
// for consent to an update is changed with that consent; by one that does not, no consent is taken away or changed, only added to. Dates that keys have stay as they are: see [Manager.ChangePeriods].
func (m *Manager) Update(ctx context.Context, by By, id keymgmt.SetID, policy *keymgmt.Policy, a keymgmt.Algorithm, labels map[string]string) (keymgmt.Keyset, error) {
	o := Order{Verb: keymgmt.Update, Set: id, Policy: policy, Algorithm: a, Labels: labels}
	return m.change(ctx, by, o, func(s *step) error {
		if policy != nil {
			if err := s.mayAsk(policy.Quorum); err != nil {
				return err
			}
			s.set.Policy = *policy
			s.attr("policy", policy.Name)
		}
		if a != "" {
			s.set.Algorithm = a
			s.attr("algorithm", a)
		}
		if labels != nil {
			s.set.Labels = labels
			s.attr("labels", len(labels))
		}
		return nil
	})
}

// mayAsk returns an error that wraps [opsec.ErrDenied] when less consent would be asked for, and nobody else has been asked.
func (s *step) mayAsk(next map[keymgmt.Verb]approval.Policy) error {
	if s.spent != nil {
		return nil
	}
	for v, was := range s.set.Policy.Quorum {
		before, err := digestOf(was)
		if err != nil {
			return err
		}
		is, asked := next[v]
		after, err := digestOf(is)
		if err != nil {
			return err
		}
		if !asked || after != before {
			return denied("the consent to %s is changed with the consent of others alone, and the policy asks for none to %s", v, keymgmt.Update)
		}
	}
	return nil
}

// Grant replaces the roles. Nobody changes his own.
func (m *Manager) Grant(ctx context.Context, by By, id keymgmt.SetID, roles keymgmt.Roles) (keymgmt.Keyset, error) {
	return m.change(ctx, by, Order{Verb: keymgmt.Grant, Set: id, Roles: roles}, func(s *step) error {
		if was, is := s.set.Roles.Of(by.Actor), roles.Of(by.Actor); was != is {
			return denied("nobody changes his own role, here from %s to %q", was, string(is))
		}
		s.event.Granted, s.event.Cancelled = beyond(roles, s.set.Roles), beyond(s.set.Roles, roles)
		if n := len(s.event.Granted) + len(s.event.Cancelled); n > opsec.MaxAttrs {
			return invalid("roles: %d changes at once, want at most %d", n, opsec.MaxAttrs)
		}
		s.set.Roles = roles
		return nil
	})
}

func (m *Manager) change(ctx context.Context, by By, o Order, fn func(*step) error) (keymgmt.Keyset, error) {
	s, err := m.take(ctx, by, o, func(s *step) error {
		if err := fn(s); err != nil {
			return err
		}
		return validate(s.set)
	})
	if err != nil {
		return keymgmt.Keyset{}, err
	}
	return detached(s.set)
}

// Retire destroys the key-encryption key that a keyset has of its own, when all of its keys are destroyed, and with it
// whatever copy of their wrapped material is left anywhere, backups under an escrow aside. It is an effect outside: the intent
// is recorded before, the end with the custodian's evidence after; interrupted, it is called again. A keyset that is retired
// gets no more keys.
func (m *Manager) Retire(ctx context.Context, by By, id keymgmt.SetID) (evidence keymgmt.Evidence, err error) {
	before, err := m.Keyset(ctx, id)
	if err != nil {
		return evidence, err
	}
	if before.Custodian != "" && before.Custodian != ownHandle(id) {
		return evidence, invalid("keyset %s: its key-encryption key is shared", id)
	}
	for k, err := range m.Keys(ctx, id) {
		if err != nil {
			return evidence, err
		}
		if !k.State.Final() {
			return evidence, &keymgmt.StateError{Ref: k.Ref, State: k.State, Verb: keymgmt.Retire}
		}
	}
	s, err := m.take(ctx, by, Order{Verb: keymgmt.Retire, Set: id}, func(s *step) error {
		if s.set.Generation != before.Generation {
			return fmt.Errorf("lifecycle: keyset %s: %w", id, ErrChanged)
		}
		s.set.Custodian, s.event.Outcome = "", opsec.Pending
		return nil
	})
	if err != nil {
		return evidence, err
	}
	evidence, err = m.custodian.Destroy(ctx, ownHandle(id))
	attrs := []opsec.Attr{
		{Key: "method", Value: evidence.Method, Mark: opsec.Tenant},
		{Key: "destroyed", Value: strings.Join(evidence.Copies, ", "), Mark: opsec.Tenant},
		{Key: "left", Value: strings.Join(evidence.Left, ", "), Mark: opsec.Tenant},
	}
	if unrecorded := m.end(context.WithoutCancel(ctx), s.event, err, attrs...); err == nil && unrecorded != nil {
		err = fmt.Errorf("lifecycle: the key-encryption key of %s is destroyed, which is not recorded: %w", id, unrecorded)
	}
	return evidence, err
}
