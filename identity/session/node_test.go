package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

// apart returns nodes over the same books whose clocks are apart, one of them by an hour.
func (w *world) apart() (nodes []*session.Manager) {
	for _, d := range []time.Duration{0, -7 * time.Second, 5 * time.Second, -time.Hour} {
		nodes = append(nodes, w.node(&session.Options{Now: func() time.Time { return time.Now().Add(d) }}))
	}
	return nodes
}

// What ends a session is seen by every node within Policy.Cache, whatever their clocks say.
func TestAnEndIsSeenByEveryNodeWithinTheCacheTime(t *testing.T) {
	ends := map[string]func(*session.Manager, session.Session, session.Token) error{
		"revoke all": func(m *session.Manager, _ session.Session, _ session.Token) error {
			return m.RevokeAll(bg, "acme", "eve", admin, "test")
		},
		"revoke": func(m *session.Manager, s session.Session, _ session.Token) error {
			_, err := m.Revoke(bg, "acme", "eve", s.ID, admin, "test")
			return err
		},
		"log-out": func(m *session.Manager, _ session.Session, token session.Token) error {
			_, err := m.End(bg, token, session.Use{})
			return err
		},
		"renew": func(m *session.Manager, _ session.Session, token session.Token) error {
			_, _, err := m.Renew(bg, token, session.Use{})
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain)
				nodes := w.apart()
				for by := range nodes {
					s, token, err := nodes[0].Create(bg, request("eve"), proven{"acme", "eve", "password", time.Now()})
					require.NoError(t, err)
					for _, m := range nodes { // each has read it at another time
						_, err := m.Validate(bg, token, session.Use{})
						require.NoError(t, err)
						time.Sleep(3 * time.Second)
					}
					require.NoError(t, end(nodes[by], s, token))
					served := 0
					for range 10 {
						for _, m := range nodes {
							if _, err := m.Validate(bg, token, session.Use{}); err == nil {
								served++
							}
						}
						time.Sleep(plain.Cache / 10)
					}
					require.Positive(t, served, "a cache is a cache: otherwise this test shows nothing")
					for _, m := range nodes {
						_, err := m.Validate(bg, token, session.Use{})
						require.ErrorIs(t, err, opsec.ErrDenied)
					}
					require.NoError(t, nodes[0].RevokeAll(bg, "acme", "eve", admin, "again"))
					time.Sleep(time.Hour) // past the epoch, for the node that is behind
				}
			})
		})
	}
}

// A read that has begun before a revocation, and ends long after it, is kept in the cache for the rest of the time alone.
func TestASlowReadDoesNotStretchTheCacheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain)
		m := w.node(&session.Options{Now: time.Now})
		_, token, err := m.Create(bg, request("eve"), proven{"acme", "eve", "password", time.Now()})
		require.NoError(t, err)
		slow := &slowBooks{Memory: w.memory, after: 20 * time.Second}
		reader, err := session.New(slow, plain, &session.Options{Authorizer: opsec.CallerAuthorized{}})
		require.NoError(t, err)
		var all sync.WaitGroup
		all.Go(func() {
			_, err := reader.Validate(bg, token, session.Use{})
			if err != nil {
				panic(err)
			}
		})
		time.Sleep(time.Second)
		require.NoError(t, m.RevokeAll(bg, "acme", "eve", admin, "test"))
		all.Wait()
		slow.after = 0
		_, err = reader.Validate(bg, token, session.Use{})
		require.NoError(t, err, "read before the revocation, 20 s ago")
		time.Sleep(11 * time.Second)
		_, err = reader.Validate(bg, token, session.Use{})
		require.ErrorIs(t, err, opsec.ErrDenied)
	})
}

// What ends here is over here at once, also for a use that has read the session before and puts it into the cache afterwards.
func TestAUseUnderWayKeepsNothingThatHasEndedHere(t *testing.T) {
	ends := map[string]func(*session.Manager, session.Token) error{
		"log-out": func(m *session.Manager, token session.Token) error {
			_, err := m.End(bg, token, session.Use{})
			return err
		},
		"renew": func(m *session.Manager, token session.Token) error {
			_, _, err := m.Renew(bg, token, session.Use{})
			return err
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, plain)
				slow := &slowBooks{Memory: w.memory}
				m, err := session.New(slow, plain, &session.Options{Authorizer: opsec.CallerAuthorized{}})
				require.NoError(t, err)
				_, token, err := m.Create(bg, request("eve"), proven{"acme", "eve", "password", time.Now()})
				require.NoError(t, err)
				slow.after = 2 * time.Second
				var all sync.WaitGroup
				all.Go(func() {
					if _, err := m.Validate(bg, token, session.Use{}); err != nil {
						panic(err)
					}
				})
				synctest.Wait()
				slow.after = 0
				require.NoError(t, end(m, token))
				all.Wait()
				_, err = m.Validate(bg, token, session.Use{})
				require.ErrorIs(t, err, session.ErrUnknown)
			})
		})
	}
}

// slowBooks answers late.
type slowBooks struct {
	*session.Memory
	after time.Duration
}

func (s *slowBooks) Update(ctx context.Context, at session.Address, fn func(session.Book) (session.Change, error)) error {
	err := s.Memory.Update(ctx, at, fn)
	time.Sleep(s.after)
	return err
}

// A clock that is set back neither stretches the cache time nor revives what was found to have ended.
func TestAClockThatGoesBackRevivesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, plain)
		clock := &hand{at: noon}
		m := w.node(&session.Options{Now: clock.now})
		other := w.node(&session.Options{Now: clock.now})
		_, token, err := m.Create(bg, request("eve"), proven{"acme", "eve", "password", noon})
		require.NoError(t, err)
		_, err = m.Validate(bg, token, session.Use{})
		require.NoError(t, err)
		require.NoError(t, other.RevokeAll(bg, "acme", "eve", admin, "test"))
		clock.add(-24 * time.Hour)
		_, err = m.Validate(bg, token, session.Use{})
		require.NoError(t, err, "cached")
		time.Sleep(plain.Cache)
		_, err = m.Validate(bg, token, session.Use{})
		require.ErrorIs(t, err, opsec.ErrDenied)

		clock.add(25 * time.Hour)
		_, token, err = m.Create(bg, request("bob"), proven{"acme", "bob", "password", clock.now()})
		require.NoError(t, err)
		clock.add(plain.Maximum)
		_, err = m.Validate(bg, token, session.Use{})
		ended(t, session.Idle, err)
		clock.add(-plain.Maximum)
		for _, m := range []*session.Manager{m, other} {
			_, err = m.Validate(bg, token, session.Use{})
			require.ErrorIs(t, err, session.ErrUnknown)
		}
	})
}

// Revocations and log-ins at once: whoever has a session afterwards has opened it after the revocation.
func TestRevocationAmongLogIns(t *testing.T) {
	p := plain
	p.Concurrent, p.WhenFull, p.Cache = 32, session.EndOldest, 0
	w := newWorld(t, p)
	nodes := []*session.Manager{w.node(&session.Options{}), w.node(&session.Options{}), w.node(&session.Options{})}
	var all sync.WaitGroup
	var mu sync.Mutex
	tokens := map[session.Token]time.Time{}
	var revoked time.Time
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				at := time.Now()
				_, token, err := nodes[i%3].Create(bg, request("eve"), proven{"acme", "eve", "password", at})
				switch {
				case err == nil:
					mu.Lock()
					tokens[token] = at
					mu.Unlock()
				case !errors.Is(err, session.ErrProof):
					panic(err)
				}
			}
		})
	}
	all.Go(func() {
		for range 20 {
			at := time.Now()
			if err := nodes[0].RevokeAll(bg, "acme", "eve", admin, "test"); err != nil {
				panic(err)
			}
			mu.Lock()
			revoked = at
			mu.Unlock()
		}
	})
	all.Wait()
	valid := 0
	for token, at := range tokens {
		if _, err := nodes[1].Validate(bg, token, session.Use{}); err == nil {
			valid++
			require.True(t, at.After(revoked))
		}
	}
	t.Log(len(tokens), "opened,", valid, "valid")
	require.NoError(t, nodes[0].RevokeAll(bg, "acme", "eve", admin, "the end"))
	_, err := nodes[0].Sweep(bg, "acme")
	require.NoError(t, err)
	w.paired(t)
}
