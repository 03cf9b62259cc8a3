//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"strings"
	"time"

	"encoding/json"
	"github.com/jackc/pgx/v5/pgconn"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
	"github.com/cloudopsec/opsec/store/storetest/dbtest"
	"github.com/cloudopsec/opsec/store/storetest/history"
)

func TestMain(m *testing.M) {
	if crashtest.Child(openPlace) || history.Child(openPlace) {
		return
	}
	os.Exit(m.Run())
}

// place is one store, for another process.
type place struct {
	DSN, Schema, Name string
	Poll              time.Duration
}

func (p place) options() *postgres.Options {
	return &postgres.Options{Schema: p.Schema, Name: p.Name, Poll: p.Poll}
}

func (p place) String() string {
	text, _ := json.Marshal(p)
	return string(text)
}

// openPlace opens a store; its Close closes the pool as well.
func openPlace(text string) (store.Driver, error) {
	var p place
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, err
	}
	pool, err := pgxpool.New(context.Background(), p.DSN)
	if err != nil {
		return nil, err
	}
	d, err := postgres.New(pool, p.options())
	return owner{d, pool}, err
}

type owner struct {
	*postgres.Driver
	pool *pgxpool.Pool
}

func (o owner) Close() error {
	err := o.Driver.Close()
	o.pool.Close()
	return err
}

// stores makes stores in one table, and knows where the store of a driver is.
type stores struct {
	place           // of all; each store has a name
	places sync.Map // by store.Driver
}

func newStores(t testing.TB, server *pgtest.Server) *stores {
	t.Helper()
	s := &stores{place: place{DSN: server.DSN("pool_max_conns=20")}}
	require.NoError(t, postgres.Migrate(t.Context(), newPool(t, s.DSN), s.Schema))
	return s
}

func newPool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (s *stores) next() place {
	p := s.place
	p.Name = string(opsec.NewID())
	return p
}

func (s *stores) handle(t testing.TB, p place) store.Driver {
	t.Helper()
	d, err := postgres.New(newPool(t, p.DSN), p.options())
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	s.places.Store(d, p)
	return d
}

func (s *stores) placeOf(t testing.TB, d store.Driver) place {
	t.Helper()
	p, ok := s.places.Load(d)
	require.True(t, ok)
	return p.(place)
}

func (s *stores) open(t testing.TB) store.Driver { return s.handle(t, s.next()) }
func (s *stores) again(t testing.TB, d store.Driver) store.Driver {
	return s.handle(t, s.placeOf(t, d))
}

func (s *stores) reopen(t testing.TB, d store.Driver) store.Driver {
	require.NoError(t, d.Close())
	return s.again(t, d)
}

func (s *stores) harness() storetest.Harness {
	return storetest.Harness{Open: s.open, Again: s.again, Reopen: s.reopen}
}

func newDB(t testing.TB, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, nil)
	require.NoError(t, err)
	return db
}

func TestConformance(t *testing.T) {
	t.Parallel()
	s := newStores(t, pgtest.Start(t, nil))
	storetest.Run(t, s.harness())
	dbtest.Run(t, s.harness(), nil)

	pool := newPool(t, s.DSN)
	d, err := postgres.New(pool, nil)
	require.NoError(t, err)
	require.NoError(t, d.Close())
	require.NoError(t, pool.Ping(t.Context()), "Close leaves the pool open")
}

// Whatever a program does with its connections, the store behind them is the same.
func TestConformanceOfOtherConnections(t *testing.T) {
	t.Parallel()
	t.Run("serializable", func(t *testing.T) {
		server := pgtest.Start(t, &pgtest.Options{Settings: []string{"default_transaction_isolation=serializable"}})
		storetest.Run(t, newStores(t, server).harness())
	})
	server := pgtest.Start(t, nil)
	t.Run("simple protocol, and another schema", func(t *testing.T) {
		s := newStores(t, server)
		s.DSN += " default_query_exec_mode=simple_protocol"
		s.Schema = `Über "all"`
		require.NoError(t, postgres.Migrate(t.Context(), newPool(t, s.DSN), s.Schema))
		storetest.Run(t, s.harness())
	})
	t.Run("one connection", func(t *testing.T) {
		s := newStores(t, server)
		s.DSN = server.DSN("pool_max_conns=1")
		storetest.Run(t, s.harness())
	})
}

// PgBouncer, in transaction mode, gives every transaction another connection: no prepared statement lasts, and nothing
// can listen.
func TestConformanceThroughPgBouncer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	s.DSN = server.Bounce(t, "default_query_exec_mode=exec", "pool_max_conns=40")
	s.Poll = 20 * time.Millisecond
	storetest.Run(t, s.harness())
	dbtest.Run(t, s.harness(), nil)
	crashtest.Run(t, crashtest.Harness{Place: func(testing.TB) string { return s.next().String() }, Open: openPlace, Rounds: 5})
}

func TestConformanceThroughTLS(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, &pgtest.Options{TLS: true})
	s := newStores(t, server)
	ca := server.Authority()
	cert, key := ca.Certify(t, "opsec")
	s.DSN = server.SecureDSN(ca.Root(), cert, key, "pool_max_conns=20")
	storetest.Run(t, s.harness())

	var version string
	pool := newPool(t, s.DSN)
	d, err := postgres.New(pool, nil)
	require.NoError(t, err)
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").Scan(&version))
	require.Equal(t, "TLSv1.3", version)
	require.NoError(t, d.Verify(t.Context()))

	stranger := pgtest.NewAuthority(t)
	strangeCert, strangeKey := stranger.Certify(t, "opsec")
	otherCert, otherKey := ca.Certify(t, "somebody")
	for name, dsn := range map[string]string{
		"a server that is not certified by the root": server.SecureDSN(stranger.Root(), cert, key),
		"a client that another has certified":        server.SecureDSN(ca.Root(), strangeCert, strangeKey),
		"a client certified in another name":         server.SecureDSN(ca.Root(), otherCert, otherKey),
		"a client without a certificate":             server.SecureDSN(ca.Root(), "", ""),
		"a server of another name":                   strings.Replace(server.SecureDSN(ca.Root(), cert, key), "localhost", "127.0.0.1", 1),
		"no TLS":                                     strings.Replace(server.SecureDSN(ca.Root(), cert, key), "verify-full", "disable", 1),
	} {
		refused, err := postgres.New(newPool(t, dsn), nil)
		require.NoError(t, err)
		err = refused.Verify(t.Context())
		require.Error(t, err, name)
		require.NotErrorIs(t, err, postgres.ErrUnfit, name)
		_, ok := errors.AsType[*pgconn.ConnectError](err)
		require.True(t, ok, "%s: %v", name, err)
	}
}
