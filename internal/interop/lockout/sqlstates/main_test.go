//go:build unix

package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

const nodes = 3

// start makes the tables on a server of its own, and a pool for each node, of either driver.
func start(t *testing.T) (server *pgtest.Server, pools []*sql.DB) {
	server = pgtest.Start(t, nil)
	for i := range nodes {
		pool, err := sql.Open([]string{"pgx", "postgres"}[i%2], server.DSN())
		require.NoError(t, err)
		pool.SetMaxOpenConns(8)
		t.Cleanup(func() { pool.Close() })
		pools = append(pools, pool)
	}
	_, err := pools[0].ExecContext(t.Context(), schema)
	require.NoError(t, err)
	return server, pools
}

func gates(t *testing.T, pools []*sql.DB, p lockout.Policy, patience time.Duration) (list []*lockout.Gate) {
	for _, pool := range pools {
		g, err := lockout.New(states{pool}, lockout.Profile{Name: "test", Rules: []lockout.Rule{
			{Factor: lockout.Password, Class: lockout.Every, Policy: p},
		}}, &lockout.Options{Authorizer: opsec.CallerAuthorized{}, Patience: patience})
		require.NoError(t, err)
		list = append(list, g)
	}
	return list
}

func attempt(account string) lockout.Attempt {
	return lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: account, Factor: lockout.Password}}
}

func actions(t *testing.T, pool *sql.DB) (list []string) {
	rows, err := pool.QueryContext(t.Context(), "SELECT body FROM outbox ORDER BY id")
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var body []byte
		var e opsec.Event
		require.NoError(t, rows.Scan(&body))
		require.NoError(t, json.Unmarshal(body, &e))
		require.NoError(t, e.Validate())
		list = append(list, e.Action)
	}
	require.NoError(t, rows.Err())
	return list
}

func TestGuessersOnThreeNodesGetExactlyTheLimit(t *testing.T) {
	_, pools := start(t)
	const limit = 10
	all := gates(t, pools, lockout.Policy{Failures: limit, Reserve: time.Minute}, time.Minute)
	var verified atomic.Int64
	var wg sync.WaitGroup
	for i := range 48 {
		wg.Go(func() {
			for n := 0; ; n++ {
				_, err := logIn(t.Context(), all[i%nodes], attempt("victim"), fmt.Append(nil, i, "/", n), func(string, []byte) error {
					verified.Add(1)
					return opsec.ErrDenied
				})
				if !errors.Is(err, lockout.ErrWrong) {
					if _, locked := errors.AsType[*lockout.LockedError](err); !locked {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, limit, verified.Load())
	require.Equal(t, []string{lockout.ActionPermanent}, actions(t, pools[0]))
}

func TestRightLogInsOnThreeNodesAllSucceed(t *testing.T) {
	_, pools := start(t)
	all := gates(t, pools, lockout.Policy{Failures: 3, Reserve: time.Minute}, time.Minute)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := logIn(t.Context(), all[i%nodes], attempt("shared"), nil, func(string, []byte) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var n int
	require.NoError(t, pools[0].QueryRowContext(t.Context(), "SELECT count(*) FROM lockout").Scan(&n))
	require.Zero(t, n, "what a success has cleared takes no room")
	require.Empty(t, actions(t, pools[0]))
}

// The tables say of a trace what Step says of it.
func TestTablesAgreeWithStep(t *testing.T) {
	_, pools := start(t)
	p := &lockout.Policy{Failures: 3, Lock: 10 * time.Second, Growth: lockout.Doubling, LockMost: time.Minute, Temporary: 2,
		Forget: 30 * time.Second, Reserve: 2 * time.Second}
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	kinds := []lockout.Kind{lockout.Reserve, lockout.Reserve, lockout.Reserve, lockout.Fail, lockout.Fail, lockout.Fail, lockout.Succeed,
		lockout.Release, lockout.Unlock, lockout.Hold, lockout.Recover, lockout.Look}
	known := map[lockout.Key]lockout.State{}
	batches := map[lockout.Key]int64{}
	recorded := 0
	for i := range 600 {
		k := attempt(fmt.Sprint("account-", i/30)).Key
		if i%7 == 0 {
			k.Class, k.Device = lockout.Trusted, "phone"
		}
		now = now.Add(time.Duration(r.IntN(8000)-2000) * time.Millisecond)
		kind := kinds[r.IntN(len(kinds)-min(i%3, 1)*4)]
		c := lockout.Change{Policy: p, Now: now, Event: lockout.Event{Kind: kind, Batch: batches[k]}}
		state, want := p.Step(known[k], c.Event, now)
		known[k] = state
		if want.Batch != 0 {
			batches[k] = want.Batch
		}
		if c.Record(k, want) != nil {
			recorded++
		}
		got, err := states{pools[i%nodes]}.Update(t.Context(), k, c)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.NotZero(t, recorded)
	require.Len(t, actions(t, pools[0]), recorded)
}

// A server that dies while guesses are under way gives nobody more of them.
func TestGuessesStayWithinTheLimitOverACrash(t *testing.T) {
	server, pools := start(t)
	const limit = 40
	all := gates(t, pools, lockout.Policy{Failures: limit, Reserve: 10 * time.Minute}, 3*time.Second)
	var verified atomic.Int64
	var wg sync.WaitGroup
	half := make(chan struct{})
	for i := range 12 {
		wg.Go(func() {
			for n := 0; ; n++ { // over all errors of the crash, until it is locked, or guesses that were lost take the rest
				_, err := logIn(t.Context(), all[i%nodes], attempt("victim"), fmt.Append(nil, i, "/", n), func(string, []byte) error {
					if verified.Add(1) == limit/2 {
						close(half)
					}
					return opsec.ErrDenied
				})
				if _, locked := errors.AsType[*lockout.LockedError](err); locked || errors.Is(err, lockout.ErrBusy) {
					return
				}
			}
		})
	}
	<-half
	server.Crash(t)
	server.Up(t)
	wg.Wait()
	require.LessOrEqual(t, verified.Load(), int64(limit))
}

func TestProgramLogsIn(t *testing.T) {
	_, pools := start(t)
	gate, err := newGate(pools[0], 0)
	require.NoError(t, err)
	proof, err := logIn(t.Context(), gate, attempt("ada"), nil, func(string, []byte) error { return nil })
	require.NoError(t, err)
	require.Equal(t, "ada", proof.Account())
	_, err = logIn(t.Context(), gate, attempt("ada"), []byte("x"), func(string, []byte) error { return opsec.ErrDenied })
	require.ErrorIs(t, err, lockout.ErrWrong)
	_, err = logIn(t.Context(), gate, attempt("ada"), []byte("x"), func(string, []byte) error { return errors.New("directory down") })
	require.ErrorIs(t, err, lockout.ErrUndecided)
	require.NoError(t, gate.Hold(t.Context(), lockout.Who{Tenant: "acme", Account: "ada"}, opsec.Actor{Account: "root"}, "suspected"))
	_, err = logIn(t.Context(), gate, attempt("ada"), nil, func(string, []byte) error { t.Error("verified"); return nil })
	require.ErrorIs(t, err, opsec.ErrDenied)
}

func TestSnippetOfTheDocumentIsThisProgram(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/adopt.md")
	require.NoError(t, err)
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	require.Contains(t, string(text), "\n```go\n"+string(program)+"```\n")
}
