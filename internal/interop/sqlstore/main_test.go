//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
	"github.com/cloudopsec/opsec/store/storetest/dbtest"
)

func TestMain(m *testing.M) {
	if crashtest.Child(openPlace) {
		return
	}
	os.Exit(m.Run())
}

// stores makes stores in a cluster, and knows which handle is of which.
type stores struct {
	*pgtest.Server
	by      string // the driver of database/sql: "pgx", or "postgres" for lib/pq
	made    atomic.Int64
	schemas sync.Map // by store.Driver
}

func newStores(t *testing.T, by string) *stores { return &stores{Server: pgtest.Start(t, nil), by: by} }

// url is of a schema in the one database; each is a store of its own.
func (s *stores) url(schema string) string { return s.DSN("search_path=" + schema) }

func (s *stores) pool(t testing.TB, schema string) *sql.DB {
	t.Helper()
	pool, err := sql.Open(s.by, s.url(schema))
	require.NoError(t, err)
	pool.SetMaxOpenConns(16)
	pool.SetMaxIdleConns(16)
	t.Cleanup(func() { pool.Close() })
	return pool
}

func (s *stores) open(t testing.TB) store.Driver {
	t.Helper()
	name := fmt.Sprintf("store%d", s.made.Add(1))
	pool := s.pool(t, name)
	_, err := pool.ExecContext(t.Context(), "CREATE SCHEMA "+name+";"+schema)
	require.NoError(t, err)
	return s.handle(pool, name)
}

func (s *stores) handle(pool *sql.DB, schema string) store.Driver {
	e := &engine{pool: pool}
	s.schemas.Store(e, schema)
	return e
}

// again returns another handle onto the store of d, with a pool of its own.
func (s *stores) again(t testing.TB, d store.Driver) store.Driver {
	t.Helper()
	schema, ok := s.schemas.Load(d)
	require.True(t, ok)
	return s.handle(s.pool(t, schema.(string)), schema.(string))
}

func (s *stores) reopen(t testing.TB, d store.Driver) store.Driver {
	t.Helper()
	require.NoError(t, d.Close())
	require.NoError(t, d.(*engine).pool.Close())
	return s.again(t, d)
}

func (s *stores) harness() storetest.Harness {
	return storetest.Harness{Open: s.open, Again: s.again, Reopen: s.reopen}
}

func TestConformance(t *testing.T) {
	for _, by := range []string{"pgx", "postgres"} {
		t.Run(by, func(t *testing.T) {
			s := newStores(t, by)
			storetest.Run(t, s.harness())

			d := s.open(t)
			require.NoError(t, d.Close())
			require.NoError(t, d.(*engine).pool.PingContext(t.Context()), "Close leaves the pool open")
		})
	}
}

func TestSnippetOfTheDocumentIsThisProgram(t *testing.T) {
	const document = "../../../docs/adopt.md"
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## Your own database under the store (`store`)\n")
	require.True(t, found, "the section of %s", document)
	_, code, found := strings.Cut(section, "\n```go\n")
	require.True(t, found, "the program in %s", document)
	code, _, found = strings.Cut(code, "\n```\n")
	require.True(t, found, "its end")
	require.Equal(t, string(program), code+"\n")
	require.Less(t, strings.Count(string(program), "\n"), 150, "lines of it")
}

func TestStore(t *testing.T) { dbtest.Run(t, newStores(t, "pgx").harness(), nil) }

// owner is an engine whose Close closes the pool as well.
type owner struct{ *engine }

func (o owner) Close() error { return errors.Join(o.engine.Close(), o.pool.Close()) }

func openPlace(url string) (store.Driver, error) {
	pool, err := sql.Open("pgx", url)
	return owner{&engine{pool: pool}}, err
}

func TestCrashOfAClientLosesNothing(t *testing.T) {
	s := newStores(t, "pgx")
	place := func(t testing.TB) string {
		name, _ := s.schemas.Load(s.open(t))
		return s.url(name.(string))
	}
	crashtest.Run(t, crashtest.Harness{Place: place, Open: openPlace})
}

func TestProgramRuns(t *testing.T) {
	s := newStores(t, "postgres")
	d := s.open(t)
	name, _ := s.schemas.Load(d)
	t.Setenv("DATABASE_URL", s.url(name.(string)))
	main() // ends the process when something is wrong
	require.NoError(t, newDB(t, d).View(t.Context(), func(tx *store.Tx) error {
		h, err := hosts.Get(tx.Sub("acme"), store.Text("web-1"))
		require.Equal(t, &host{"web-1", "r7"}, h)
		return err
	}))
}

type account struct {
	ID    string `json:"id"`
	Login string `json:"login"`
	Role  string `json:"role"`
}

var accounts = store.NewCollection(store.Schema[account]{
	Name: "accounts", Guarded: true,
	ID: func(a *account) store.Key { return store.Text(a.ID) },
	Indexes: []store.Index[account]{
		{Name: "login", Unique: true, Keys: func(a *account) []store.Key { return []store.Key{store.Text(a.Login)} }},
		{Name: "role", Keys: func(a *account) []store.Key { return []store.Key{store.Text(a.Role)} }},
	},
})

func newDB(t *testing.T, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, nil)
	require.NoError(t, err)
	return db
}

func insert(ctx context.Context, db *store.DB, list ...*account) error {
	return db.Update(ctx, func(tx *store.Tx) error { return accounts.Insert(tx.Sub("acme"), list...) })
}

// ids returns those of the accounts that a query selects.
func ids(t *testing.T, db *store.DB, q store.Query) (list []string) {
	t.Helper()
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for a, err := range accounts.List(tx.Sub("acme"), q) {
			require.NoError(t, err)
			list = append(list, a.ID)
		}
		return nil
	}))
	return list
}

func requireSound(t *testing.T, db *store.DB) {
	t.Helper()
	for problem, err := range db.Check(t.Context(), nil, accounts) {
		require.NoError(t, err)
		t.Error(problem)
	}
}

func TestCollections(t *testing.T) {
	s := newStores(t, "pgx")
	d := s.open(t)
	db, other := newDB(t, d), newDB(t, s.again(t, d))
	require.NoError(t, insert(t.Context(), db, &account{"1", "ann", "admin"}, &account{"2", "bob", "user"}))
	require.NoError(t, insert(t.Context(), other, &account{"3", "cid", "admin"}))

	err := insert(t.Context(), other, &account{"4", "dan", "user"}, &account{"5", "ann", "user"})
	taken, ok := errors.AsType[*store.ExistsError](err)
	require.True(t, ok, err)
	require.Equal(t, "login", taken.Index)
	require.ErrorIs(t, insert(t.Context(), db, &account{"3", "eve", "user"}), store.ErrExists)

	require.NoError(t, db.Update(t.Context(), func(tx *store.Tx) error {
		if err := accounts.Delete(tx.Sub("acme"), store.Text("2")); err != nil {
			return err
		}
		return accounts.Put(tx.Sub("acme"), &account{"1", "amy", "user"})
	}))
	require.Equal(t, []string{"1", "3"}, ids(t, other, store.Query{}))
	require.Equal(t, []string{"3"}, ids(t, other, store.Query{Index: "role", Prefix: store.Text("admin")}))
	require.Equal(t, []string{"3", "1"}, ids(t, other, store.Query{Index: "login", Reverse: true}))
	requireSound(t, other)
}

// TestCrashOfTheServerLosesNothing stops the server at once while two nodes write, and starts it again. What returned
// nil is there, what returned an error other than ErrIndeterminate is not, and nothing is there by half.
func TestCrashOfTheServerLosesNothing(t *testing.T) {
	s := newStores(t, "pgx")
	d := s.open(t)
	nodes := []*store.DB{newDB(t, d), newDB(t, s.again(t, d))}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	const writers, crashes = 8, 3
	var acknowledged, refused, unknown sync.Map
	var count, failures atomic.Int64
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%d/%d", w, n)
				err := insert(ctx, nodes[w%2], &account{id, "login of " + id, "user"}, &account{id + "+", "login of " + id + "+", "user"})
				switch {
				case err == nil:
					acknowledged.Store(id, true)
					count.Add(1)
				case errors.Is(err, store.ErrIndeterminate):
					unknown.Store(id, true)
				default:
					refused.Store(id, true)
					failures.Add(1)
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	reach := func(n int64) {
		for count.Load() < n && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, ctx.Err(), "%d inserts", count.Load())
	}
	for range crashes {
		reach(count.Load() + 50)
		s.Crash(t)
		s.Up(t)
	}
	reach(count.Load() + 50)
	close(stop)
	wait.Wait()
	require.Positive(t, failures.Load(), "nobody noticed")

	there := map[string]bool{}
	for _, id := range ids(t, nodes[0], store.Query{}) {
		there[id] = true
	}
	acknowledged.Range(func(id, _ any) bool {
		require.True(t, there[id.(string)] && there[id.(string)+"+"], "%s was acknowledged, and is lost", id)
		return true
	})
	refused.Range(func(id, _ any) bool {
		require.False(t, there[id.(string)] || there[id.(string)+"+"], "%s was refused, and is there", id)
		return true
	})
	unknown.Range(func(id, _ any) bool {
		t.Errorf("%s is unknown, though there was time to find out", id)
		return true
	})
	t.Logf("%d acknowledged, %d refused", count.Load(), failures.Load())
	requireSound(t, nodes[1])
}
