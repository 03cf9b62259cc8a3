package session

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec"
)

// Renew gives a session another token, as one does whenever what the session may do becomes more, so that a token which was
// planted or seen before is worth nothing (session fixation). The old one is over: here at once, elsewhere within
// [Policy].Cache. Tokens of applications stay.
func (m *Manager) Renew(ctx context.Context, t Token, u Use) (Session, Token, error) {
	fresh := newToken(t.address())
	s, err := m.change(ctx, t, u, ActionRenew, func(_ *Book, s *Session, _ *opsec.Event, _ time.Time) error {
		s.Token = fresh.digest()
		return nil
	})
	return given(s, fresh, err)
}

// Raise adds what was proven to a session: another factor, or one again (step-up). The session has another token afterwards, as by
// Renew. How long it lasts stays as it was. [Session.Fresh] asks how long ago a factor was proven.
func (m *Manager) Raise(ctx context.Context, t Token, u Use, proofs ...Proof) (Session, Token, error) {
	fresh := newToken(t.address())
	s, err := m.change(ctx, t, u, ActionRaise, func(b *Book, s *Session, e *opsec.Event, now time.Time) error {
		factors, err := m.policy.check(s.User, proofs, b.Revoked, now)
		if err != nil {
			return err
		}
		s.Token = fresh.digest()
		add(e, "factors", factorNames(factors))
		return s.prove(factors)
	})
	return given(s, fresh, err)
}

// Join takes an application into a session (single sign-on), and returns a token for this application alone: it is refused
// elsewhere, it ends with the session, and cannot itself take in others. An application that is in already has another token
// afterwards. With notify there is a [Notice] for it when the session ends. The name is 1 to 64 ASCII letters, digits, '.', '_', ':', '/'
// and '-'.
func (m *Manager) Join(ctx context.Context, t Token, u Use, application string, notify bool) (Session, Token, error) {
	if !validName(application) {
		return Session{}, Token{}, invalid("application: a name of %d bytes, want 1 to %d letters, digits, '._:/-'", len(application), maxName)
	}
	fresh := newToken(t.address())
	s, err := m.change(ctx, t, u, ActionJoin, func(_ *Book, s *Session, e *opsec.Event, now time.Time) error {
		e.System = application
		return s.join(Application{Name: application, Notify: notify, At: now, Token: fresh.digest()})
	})
	return given(s, fresh, err)
}

func given(s Session, t Token, err error) (Session, Token, error) {
	if err != nil {
		return Session{}, Token{}, err
	}
	return s, t, nil
}

// change does something to the session of a token, and records it. Only the session's own token does, not one of an application.
func (m *Manager) change(ctx context.Context, t Token, u Use, action string, do func(*Book, *Session, *opsec.Event, time.Time) error) (changed Session, err error) {
	if u.Application != "" {
		return Session{}, ErrAudience
	}
	digest, tag, now := t.digest(), t.tag(), m.Now()
	err = m.update(ctx, t.address(), now, func(b *Book, ended []Ended) ([]*opsec.Event, bool, error) {
		s, err := m.held(b, ended, &digest, &u)
		if err != nil {
			return nil, false, err
		}
		next := *s
		at := later(now, s.Seen)
		e := next.event(action, at)
		if err := do(b, &next, e, at); err != nil {
			return nil, false, err
		}
		next.Seen = at
		*s, changed = next, next
		if err := b.fits(); err != nil {
			return nil, false, err
		}
		return []*opsec.Event{e}, true, nil
	})
	m.cache.over(&tag, err)
	return changed, err
}
