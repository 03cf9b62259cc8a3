package session_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

// skews is how the clocks of the machine's nodes are off, and apart how much two of them differ at most.
var skews = []time.Duration{0, -4 * time.Second, 5 * time.Second}

const apart = 9 * time.Second

// told is what the model knows of one session, by true time: nothing of how package session keeps it.
type told struct {
	id      opsec.ID
	token   session.Token
	old     map[session.Token]time.Time // tokens that it no longer has, since when
	app     session.Token               // of the application "wiki", or zero
	began   time.Time
	used    time.Time // last, successfully
	ended   time.Time // zero: not by anybody
	account string
}

// mayHaveRunOut and mustHaveRunOut leave room for clocks that are apart, and for the grain.
func (s *told) mayHaveRunOut(p *session.Policy, now time.Time) bool {
	return !now.Before(s.began.Add(p.Maximum-apart)) || !now.Before(s.used.Add(p.Idle-p.Grain-apart))
}

func (s *told) mustHaveRunOut(p *session.Policy, now time.Time) bool {
	return !now.Before(s.began.Add(p.Maximum+apart)) || !now.Before(s.used.Add(p.Idle+apart))
}

// machine is three nodes over one repository, and the model.
type machine struct {
	*world
	nodes    []*session.Manager
	sessions []*told
	revoked  map[string]time.Time
}

func (m *machine) node(t *rapid.T) *session.Manager {
	return m.nodes[rapid.IntRange(0, len(m.nodes)-1).Draw(t, "node")]
}

// one draws a session, or skips.
func (m *machine) one(t *rapid.T) *told {
	if len(m.sessions) == 0 {
		t.Skip("no session")
	}
	from := max(0, len(m.sessions)-8)
	return m.sessions[rapid.IntRange(from, len(m.sessions)-1).Draw(t, "session")]
}

// answered judges an answer about a session's token. Late is how long an end may go unseen.
func (m *machine) answered(t *rapid.T, s *told, token session.Token, late time.Duration, err error) bool {
	now := time.Now()
	if err == nil {
		if !s.ended.IsZero() {
			require.Less(t, now.Sub(s.ended), late, "valid after its end and the cache time")
		}
		if since, old := s.old[token]; old {
			require.Less(t, now.Sub(since), late, "the token was changed")
		}
		require.False(t, s.mustHaveRunOut(&m.policy, now), "valid beyond a limit")
		return true
	}
	require.ErrorIs(t, err, opsec.ErrDenied)
	_, old := s.old[token]
	require.True(t, !s.ended.IsZero() || old || s.mayHaveRunOut(&m.policy, now), "refused for no reason: %v", err)
	if s.ended.IsZero() && !old {
		s.ended = now
	}
	return false
}

func (m *machine) open(t *rapid.T) {
	account, now := rapid.SampledFrom([]string{"eve", "bob"}).Draw(t, "account"), time.Now()
	s, token, err := m.node(t).Create(bg, request(account), proven{"acme", account, "password", now})
	live := func() (list []*told) {
		for _, s := range m.sessions {
			if s.account == account && s.ended.IsZero() {
				list = append(list, s)
			}
		}
		return list
	}
	switch before := live(); {
	case errors.Is(err, session.ErrProof):
		require.Less(t, now.Sub(m.revoked[account]), apart+1, "only for a revocation, by a clock that is ahead")
		return
	case errors.Is(err, session.ErrFull):
		require.Equal(t, session.Refuse, m.policy.WhenFull)
		require.GreaterOrEqual(t, len(before), m.policy.Concurrent)
		return
	default:
		require.NoError(t, err)
	}
	m.sessions = append(m.sessions, &told{id: s.ID, token: token, old: map[session.Token]time.Time{}, began: now, used: now, account: account})
	// Who is left is known from the repository; whoever is missing has run out, or was the oldest of too many.
	book := m.book(account)
	require.LessOrEqual(t, len(book.Sessions), m.policy.Concurrent)
	displaced := 0
	for _, s := range live() {
		if slices.ContainsFunc(book.Sessions, func(k session.Session) bool { return k.ID == s.id }) {
			continue
		}
		if !s.mayHaveRunOut(&m.policy, now) {
			displaced++
			require.Equal(t, session.EndOldest, m.policy.WhenFull)
			require.Len(t, book.Sessions, m.policy.Concurrent)
			for _, k := range book.Sessions {
				require.False(t, k.Began.Before(s.began.Add(-apart)), "an older one was left")
			}
		}
		s.ended = now
	}
	require.LessOrEqual(t, displaced, 1)
}

func (m *machine) validate(t *rapid.T) {
	s := m.one(t)
	token := s.token
	for old := range s.old {
		if rapid.Bool().Draw(t, "old") {
			token = old
		}
		break
	}
	use := session.Use{}
	if s.app != (session.Token{}) && rapid.Bool().Draw(t, "application") {
		token, use.Application = s.app, "wiki"
	}
	got, err := m.node(t).Validate(bg, token, use)
	if m.answered(t, s, token, m.policy.Cache, err) {
		require.Equal(t, s.id, got.ID)
		if s.ended.IsZero() {
			s.used = time.Now()
		}
	}
}

func (m *machine) renew(t *rapid.T) {
	s := m.one(t)
	_, token, err := m.node(t).Renew(bg, s.token, session.Use{})
	if m.answered(t, s, s.token, 0, err) {
		s.old[s.token], s.token, s.used = time.Now(), token, time.Now()
	}
}

func (m *machine) join(t *rapid.T) {
	s := m.one(t)
	_, token, err := m.node(t).Join(bg, s.token, session.Use{}, "wiki", true)
	if m.answered(t, s, s.token, 0, err) {
		if s.app != (session.Token{}) {
			s.old[s.app] = time.Now()
		}
		s.app, s.used = token, time.Now()
		delete(s.old, session.Token{})
	}
}

func (m *machine) end(t *rapid.T) {
	s := m.one(t)
	notice, err := m.node(t).End(bg, s.token, session.Use{})
	if m.answered(t, s, s.token, 0, err) {
		require.Equal(t, s.app != session.Token{}, len(notice.Applications) == 1)
		s.ended = time.Now()
	}
}

func (m *machine) revokeAll(t *rapid.T) {
	account := rapid.SampledFrom([]string{"eve", "bob"}).Draw(t, "account")
	require.NoError(t, m.node(t).RevokeAll(bg, "acme", account, admin, "test"))
	m.revoked[account] = time.Now()
	for _, s := range m.sessions {
		if s.account == account && s.ended.IsZero() {
			s.ended = time.Now()
		}
	}
}

// Whatever happens on three nodes whose clocks are apart: nothing is valid after its end and the cache time, nothing beyond a limit,
// nothing is refused for no reason, an account has never more sessions than it may, and each log-in has its log-out in the end.
func TestSessionsKeepTheirPromises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // a T without a deadline: that is of the time outside
			p := session.Policy{
				Maximum: 20 * time.Minute, Idle: 6 * time.Minute, Fresh: time.Minute, Factors: 1, Concurrent: rapid.IntRange(1, 4).Draw(t, "concurrent"),
				Cache:    rapid.SampledFrom([]time.Duration{0, 20 * time.Second, 2 * time.Minute}).Draw(t, "cache"),
				Grain:    rapid.SampledFrom([]time.Duration{0, 30 * time.Second, 3 * time.Minute}).Draw(t, "grain"),
				WhenFull: rapid.SampledFrom([]session.WhenFull{session.Refuse, session.EndOldest}).Draw(t, "full"),
			}
			m := &machine{world: newWorld(t, p), revoked: map[string]time.Time{}}
			for _, d := range skews {
				m.nodes = append(m.nodes, m.world.node(&session.Options{Now: func() time.Time { return time.Now().Add(d) }, Entries: 16}))
			}
			validate := func(t *rapid.T) { m.validate(t) }
			t.Repeat(map[string]func(*rapid.T){
				"open": m.open, "validate": validate, "validate again": validate, "validate once more": validate,
				"renew": m.renew, "join": m.join, "end": m.end, "revoke all": m.revokeAll,
				"wait": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
				},
				"wait long": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(100, 400).Draw(t, "seconds")) * time.Second)
				},
				"sweep": func(t *rapid.T) {
					_, err := m.node(t).Sweep(bg, "acme")
					require.NoError(t, err)
				},
				"": func(t *rapid.T) {
					for _, account := range []string{"eve", "bob"} {
						require.LessOrEqual(t, len(m.book(account).Sessions), p.Concurrent)
					}
				},
			})
			time.Sleep(p.Maximum + apart)
			_, err := m.nodes[1].Sweep(bg, "acme")
			require.NoError(t, err)
			m.paired(t)
			require.Len(t, m.record.of(session.ActionLogIn), len(m.sessions))
		})
	})
}
