package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/cloudopsec/opsec"
)

// Options is the wiring of a [Manager].
type Options struct {
	Now        func() time.Time // nil is time.Now
	Authorizer opsec.Authorizer // is asked for what is done to sessions of others: revoked, listed; [opsec.CallerAuthorized] permits all
	Logger     *slog.Logger     // is told of tokens shown without their key, or to another application; nil is none
	Entries    int              // sessions that are cached at most, about 1 KiB each: 0 is 4096, none when Policy.Cache is 0
}

// Manager opens sessions, validates their tokens, and ends them. It is a node: others over the same repository see what it does, those
// that have a session cached within [Policy].Cache. All methods may be called by many goroutines.
type Manager struct {
	books  Books
	policy Policy
	o      Options
	clock  clock
	cache  *cache
}

// New returns a Manager. There must be an Authorizer, and the policy must be valid; otherwise the error wraps [opsec.ErrInvalid].
func New(books Books, p Policy, o *Options) (*Manager, error) {
	if books == nil || o == nil || o.Authorizer == nil {
		return nil, invalid("repository, options, authorizer: one is nil")
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if o.Entries < 0 {
		return nil, invalid("options: entries is %d, want at least 0", o.Entries)
	}
	m := &Manager{books: books, policy: p, o: *o, clock: newClock(o.Now)}
	if m.o.Entries == 0 {
		m.o.Entries = 4096
	}
	if p.Cache == 0 {
		m.o.Entries = 0
	}
	if m.o.Logger == nil {
		m.o.Logger = slog.New(slog.DiscardHandler)
	}
	m.cache = newCache(m.o.Entries)
	return m, nil
}

// Policy returns the policy.
func (m *Manager) Policy() Policy { return m.policy }

// Now returns the time by the clock of the Manager, for [Session.Fresh] and [Session.At].
func (m *Manager) Now() time.Time { return m.clock.read().time() }

// Use says how a token is used: what whoever passes it on knows from elsewhere.
type Use struct {
	Application string     // that was sent the token; "" is who the session was opened for
	Key         Thumbprint // of the key that the client has proven to hold; zero is none
}

// step is what a verb does to a book in which all that has ended is settled. When it returns an error nothing of that is
// kept but the events that come with it.
type step func(b *Book, ended []Ended) (events []*opsec.Event, changed bool, err error)

// update takes a step. What had ended before is recorded, even when the step is refused.
func (m *Manager) update(ctx context.Context, at Address, now time.Time, do step) error {
	if at.Tenant == "" { // of the zero Token
		return ErrUnknown
	}
	var refused error
	err := m.books.Update(ctx, at, func(b Book) (Change, error) {
		tidied := b.forget(now)
		ended := b.Settle(&m.policy, now)
		events := logOuts(ended, now)
		settled := b.clone()
		done, changed, err := do(&b, ended)
		if refused = err; err != nil {
			b = settled
		}
		c := Change{Events: append(events, done...)}
		if changed || tidied || len(ended) > 0 {
			b.Due = b.due(&m.policy)
			c.Put = &b
		}
		return c, nil
	})
	if err != nil {
		return err
	}
	return refused
}

// held returns the session that a token opens, in a book that is settled, or why none.
func (m *Manager) held(b *Book, ended []Ended, d *Digest, u *Use) (*Session, error) {
	s, application := b.find(d)
	if s == nil {
		for i := range ended {
			if _, ok := ended[i].Session.application(d); ok {
				return nil, &EndedError{ended[i].Standing}
			}
		}
		return nil, ErrUnknown
	}
	return s, m.permits(s, application, u)
}

// permits says whether a token of this session may be used so. That it may not is told to the Logger: the token may be stolen.
func (m *Manager) permits(s *Session, application string, u *Use) (err error) {
	switch {
	case application != u.Application:
		err = ErrAudience
	case !s.Key.IsZero() && !s.Key.is(&u.Key), s.Key.IsZero() && m.policy.Bound:
		err = ErrKey
	default:
		return nil
	}
	m.o.Logger.Warn("session: a token was refused that somebody has been given", "tenant", s.User.Tenant, "session", s.ID, "why", err)
	return err
}
