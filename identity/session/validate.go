package session

import (
	"context"
	"time"

	"github.com/cloudopsec/opsec"
)

// Validate returns the session of a token, and notes that it was used. While the session is cached that takes well under a
// microsecond and allocates nothing; otherwise one read, and at most every [Policy].Grain a write. Whatever it refuses
// wraps [opsec.ErrDenied]; any other error means that the repository could not be asked, and the caller refuses too.
func (m *Manager) Validate(ctx context.Context, t Token, u Use) (Session, error) {
	now := m.clock.read()
	tag := t.tag()
	e := m.cache.get(&tag, t.tenant)
	if e == nil || now.wall >= e.end || !now.within(m.policy.Cache, e.read) {
		return m.visit(ctx, t, u, now)
	}
	if err := m.permits(&e.session, e.application, &u); err != nil {
		return Session{}, err
	}
	if now.wall >= e.touch && e.touching.CompareAndSwap(false, true) {
		return m.visit(ctx, t, u, now)
	}
	return e.session, nil
}

// visit reads the session, notes the use, and keeps it in the cache.
func (m *Manager) visit(ctx context.Context, t Token, u Use, now reading) (Session, error) {
	var (
		session     Session
		application string
		digest      = t.digest()
		tag         = t.tag()
		era         = m.cache.era(&tag)
	)
	err := m.update(ctx, t.address(), now.time(), func(b *Book, ended []Ended) ([]*opsec.Event, bool, error) {
		s, err := m.held(b, ended, &digest, &u)
		if err != nil {
			return nil, false, err
		}
		touched := s.Touch(&m.policy, now.time())
		session, application = *s, u.Application
		return nil, touched, nil
	})
	if err != nil {
		m.cache.drop(&tag)
		return Session{}, err
	}
	m.cache.put(&entry{
		tag: tag, application: application, session: session, read: now, era: era,
		end:   session.NextDeadline(&m.policy).UnixNano(),
		touch: session.Seen.Add(max(m.policy.Grain, time.Nanosecond)).UnixNano(),
	})
	return session, nil
}
