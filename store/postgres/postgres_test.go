//go:build unix

package postgres_test

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

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

// stores makes stores in the database behind a DSN, and knows which driver is of which.
type stores struct {
	direct, dsn string // where tables are made, and where the stores are used
	options     postgres.Options
	made        atomic.Int64
	names       sync.Map // by store.Driver
	pools       sync.Map
}

func newStores(t testing.TB, server *pgtest.Server) *stores {
	s := &stores{direct: server.DSN(), dsn: server.DSN()}
	require.NoError(t, postgres.Migrate(t.Context(), s.pool(t, s.direct), ""))
	return s
}

func (s *stores) pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn+" pool_max_conns=20")
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func (s *stores) handle(t testing.TB, name string) store.Driver {
	t.Helper()
	o := s.options
	o.Name = name
	pool := s.pool(t, s.dsn)
	d, err := postgres.New(pool, &o)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	s.names.Store(d, name)
	s.pools.Store(d, pool)
	return d
}

func (s *stores) open(t testing.TB) store.Driver {
	return s.handle(t, fmt.Sprintf("%s/%d", t.Name()[:min(len(t.Name()), 50)], s.made.Add(1)))
}

// again returns another handle onto the store of d, with a pool of its own.
func (s *stores) again(t testing.TB, d store.Driver) store.Driver {
	name, ok := s.names.Load(d)
	require.True(t, ok)
	return s.handle(t, name.(string))
}

func (s *stores) reopen(t testing.TB, d store.Driver) store.Driver {
	require.NoError(t, d.Close())
	pool, _ := s.pools.Load(d)
	pool.(*pgxpool.Pool).Close()
	return s.again(t, d)
}

func (s *stores) harness() storetest.Harness {
	return storetest.Harness{Open: s.open, Again: s.again, Reopen: s.reopen}
}

func TestConformance(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	storetest.Run(t, s.harness())
	dbtest.Run(t, s.harness(), nil)
}
