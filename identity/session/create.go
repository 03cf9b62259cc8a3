package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cloudopsec/opsec"
)

// Request is who wants a session, where.
type Request struct {
	// User has the tenant and the account that the proofs are of, and where the request comes from: IP and Terminal (8.1.2). The
	// person behind the account, and its kind, come from the register of accounts. Session is not set. Texts are at most 256
	// bytes of UTF-8 without control characters.
	User   opsec.Actor
	System string     // what is logged in to
	Key    Thumbprint // the session is to be bound to; zero is none
}

const maxText = 256

func (r *Request) validate() error {
	u := &r.User
	if err := u.Tenant.Validate(); err != nil {
		return err
	}
	for _, text := range []struct{ name, s string }{{"account", u.Account}, {"terminal", u.Terminal}, {"system", r.System}} {
		if text.s == "" {
			return invalid("request: %s: not set", text.name)
		}
	}
	for _, s := range []string{u.Account, u.Person, string(u.Kind), u.Terminal, r.System, u.IP.Zone()} {
		if len(s) > maxText || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
			return invalid("request: a text of %d bytes, want at most %d of UTF-8 without control characters", len(s), maxText)
		}
	}
	switch {
	case !u.IP.IsValid():
		return invalid("request: ip: not set")
	case u.Session != "":
		return invalid("request: session: is set")
	}
	return nil
}

// Create opens a session for who has proven the factors that the policy asks for, and returns its token, which is nowhere
// else. Proofs that do not do are [ErrProof], a policy that asks for a key [ErrKey], too many sessions a [*FullError]: these
// are recorded as refused, not as failed. Whatever is remembered of wrong secrets is not touched: this package does not know it.
func (m *Manager) Create(ctx context.Context, r Request, proofs ...Proof) (Session, Token, error) {
	if err := r.validate(); err != nil {
		return Session{}, Token{}, err
	}
	at, now := AddressOf(r.User.Tenant, r.User.Account), m.Now()
	s := Session{ID: opsec.NewID(), User: r.User, System: r.System, Began: now, Seen: now, Key: r.Key}
	s.User.Session = string(s.ID)
	token := newToken(at)
	s.Token = token.digest()
	err := m.update(ctx, at, now, func(b *Book, _ []Ended) (events []*opsec.Event, changed bool, err error) {
		ended, err := m.open(b, &s, proofs)
		if errors.Is(err, opsec.ErrDenied) {
			e := s.event(ActionRefuse, now)
			e.Outcome, e.Reason = opsec.Denied, err.Error()
			return []*opsec.Event{e}, false, err
		}
		if err != nil {
			return nil, false, err
		}
		return append(logOuts(ended, now), s.logIn()), true, nil
	})
	if err != nil {
		return Session{}, Token{}, err
	}
	return s, token, nil
}

func (m *Manager) open(b *Book, s *Session, proofs []Proof) (ended []Ended, err error) {
	if err = b.of(s.User.Account); err != nil {
		return nil, err
	}
	switch s.Factors, err = m.policy.check(s.User, proofs, b.Revoked, s.Began); {
	case err != nil:
		return nil, err
	case len(s.Factors) < m.policy.Factors:
		return nil, fmt.Errorf("%w: %d factors, want %d", ErrProof, len(s.Factors), m.policy.Factors)
	case m.policy.Bound && s.Key.IsZero():
		return nil, ErrKey
	}
	s.Epoch = b.Epoch
	if ended, err = b.Open(&m.policy, *s, s.Began); err != nil {
		return nil, err
	}
	return ended, b.fits()
}
