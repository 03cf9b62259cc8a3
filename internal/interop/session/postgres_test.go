//go:build unix

// What three managers over one PostgreSQL must never do, each with a pool, a driver and a store of its own, as processes
// have them.
package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/identity/session/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

const managers = 3

var admin = opsec.Actor{Tenant: "acme", Account: "ann", Person: "p-1", Kind: opsec.Human}

type proof struct{ account string }

func (proof) Tenant() opsec.TenantID { return "acme" }
func (p proof) Account() string      { return p.account }
func (proof) Factor() string         { return "password" }
func (proof) At() time.Time          { return time.Now() }

func request(account string) session.Request {
	return session.Request{System: "console", User: opsec.Actor{Tenant: "acme", Account: account, Kind: opsec.Human,
		IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop"}}
}

// recorder counts the events of an action, each once.
type recorder struct {
	mu   sync.Mutex
	seen map[opsec.ID]opsec.Event
}

func (r *recorder) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[e.ID] = *e
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

// fleet is managers over one database.
type fleet struct {
	server   *pgtest.Server
	stores   []*store.DB
	managers []*session.Manager
}

func newFleet(t *testing.T, p session.Policy) *fleet {
	t.Helper()
	f := &fleet{server: pgtest.Start(t, nil)}
	for i := range managers {
		pool, err := pgxpool.New(t.Context(), f.server.DSN("pool_max_conns=8"))
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		if i == 0 {
			require.NoError(t, postgres.Migrate(t.Context(), pool, ""))
		}
		driver, err := postgres.New(pool, nil)
		require.NoError(t, err)
		t.Cleanup(func() { driver.Close() })
		db, err := store.New(driver, &store.Options{Node: fmt.Sprintf("manager-%d", i)})
		require.NoError(t, err)
		m, err := session.New(shelf.Stored(db), p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
		require.NoError(t, err)
		f.stores, f.managers = append(f.stores, db), append(f.managers, m)
	}
	return f
}

// each runs fn for every manager, n times at once.
func (f *fleet) each(n int, fn func(i int, m *session.Manager)) {
	var wg sync.WaitGroup
	for i, m := range f.managers {
		for range n {
			wg.Go(func() { fn(i, m) })
		}
	}
	wg.Wait()
}

// paired counts the log-ins, and checks that each has one log-out.
func (f *fleet) paired(t *testing.T) int {
	t.Helper()
	r := &recorder{seen: map[opsec.ID]opsec.Event{}}
	for _, db := range f.stores {
		_, err := db.Deliver(t.Context(), db.Node(), r)
		require.NoError(t, err)
	}
	ins, outs := map[string]bool{}, map[string]bool{}
	for _, e := range r.seen {
		switch e.Action {
		case session.ActionLogIn:
			require.False(t, ins[e.Resource.ID])
			ins[e.Resource.ID] = true
		case session.ActionLogOut:
			require.False(t, outs[e.Resource.ID], "one log-out each")
			outs[e.Resource.ID] = true
		}
	}
	require.Equal(t, ins, outs)
	return len(ins)
}

var policy = session.Policy{
	Maximum: time.Hour, Idle: time.Hour, Grain: time.Minute, Fresh: time.Minute, Factors: 1, Concurrent: 5,
}

func TestNeverMoreSessionsThanThePolicySays(t *testing.T) {
	for _, when := range []session.WhenFull{session.Refuse, session.EndOldest} {
		p := policy
		p.WhenFull = when
		f := newFleet(t, p)
		var opened atomic.Int32
		f.each(4, func(_ int, m *session.Manager) {
			for range 5 {
				_, _, err := m.Create(t.Context(), request("eve"), proof{"eve"})
				if err == nil {
					opened.Add(1)
				} else if !errors.Is(err, session.ErrFull) {
					t.Error(err)
				}
				list, err := m.Sessions(t.Context(), "acme", "eve", admin)
				if err != nil || len(list) > p.Concurrent {
					t.Error(len(list), err)
				}
			}
		})
		want := map[session.WhenFull]int32{session.Refuse: 5, session.EndOldest: 60}[when]
		require.Equal(t, want, opened.Load())
		require.NoError(t, f.managers[0].RevokeAll(t.Context(), "acme", "eve", admin, "test"))
		_, err := f.managers[1].Sweep(t.Context(), "acme")
		require.NoError(t, err)
		require.EqualValues(t, want, f.paired(t))
	}
}

// Log-ins, uses, renewals, log-outs and revocations at once: a token that was revoked is valid nowhere, and the books balance.
func TestManagersAgree(t *testing.T) {
	p := policy
	p.WhenFull, p.Grain = session.EndOldest, 0
	f := newFleet(t, p)
	f.each(3, func(i int, m *session.Manager) {
		for n := range 10 {
			account := fmt.Sprint("account-", n%2)
			_, token, err := m.Create(t.Context(), request(account), proof{account})
			if errors.Is(err, session.ErrProof) {
				continue // a revocation of the same instant
			}
			if err != nil {
				t.Error(err)
				continue
			}
			for _, other := range f.managers {
				if _, err := other.Validate(t.Context(), token, session.Use{}); err != nil && !errors.Is(err, opsec.ErrDenied) {
					t.Error(err)
				}
			}
			_, fresh, err := m.Renew(t.Context(), token, session.Use{})
			if err != nil {
				if !errors.Is(err, opsec.ErrDenied) {
					t.Error(err)
				}
				continue
			}
			other := f.managers[(i+1)%managers]
			if _, err := other.Validate(t.Context(), token, session.Use{}); !errors.Is(err, session.ErrUnknown) {
				t.Error("an old token:", err)
			}
			switch n % 5 {
			case 3:
				_, err = m.End(t.Context(), fresh, session.Use{})
			case 4:
				err = m.RevokeAll(t.Context(), "acme", account, admin, "test")
			default:
				continue
			}
			if err != nil && !errors.Is(err, opsec.ErrDenied) {
				t.Error(err)
			}
			if _, err := other.Validate(t.Context(), fresh, session.Use{}); !errors.Is(err, opsec.ErrDenied) {
				t.Error("valid after its end:", err)
			}
		}
	})
	for _, account := range []string{"account-0", "account-1"} {
		require.NoError(t, f.managers[0].RevokeAll(t.Context(), "acme", account, admin, "the end"))
	}
	_, err := f.managers[2].Sweep(t.Context(), "acme")
	require.NoError(t, err)
	require.Positive(t, f.paired(t))
}

// The server goes down in the middle: what was acknowledged is there, and the books balance.
func TestACrashLosesNoSession(t *testing.T) {
	p := policy
	p.WhenFull = session.EndOldest
	f := newFleet(t, p)
	var last atomic.Pointer[session.Token]
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	first := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for _, m := range f.managers {
		wg.Go(func() {
			for range 10 {
				if _, token, err := m.Create(ctx, request("eve"), proof{"eve"}); err == nil {
					last.Store(&token)
					once.Do(func() { close(first) })
				}
			}
		})
	}
	select {
	case <-first:
	case <-ctx.Done():
		t.Fatal("nobody has got a session")
	}
	f.server.Crash(t)
	f.server.Up(t)
	wg.Wait()
	_, token, err := f.managers[0].Create(ctx, request("eve"), proof{"eve"})
	require.NoError(t, err)
	require.NotNil(t, last.Load())
	_, err = f.managers[1].Validate(ctx, token, session.Use{})
	require.NoError(t, err)
	require.NoError(t, f.managers[2].RevokeAll(ctx, "acme", "eve", admin, "the end"))
	_, err = f.managers[0].Sweep(ctx, "acme")
	require.NoError(t, err)
	require.Positive(t, f.paired(t))
}
