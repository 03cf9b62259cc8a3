//go:build unix

package bench

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
	"github.com/cloudopsec/opsec/store/storetest/storebench"
)

// BenchmarkEngines measures the engines by the same benchmarks. That of etcd is in its own module: go test -bench=Driver
// in store/etcd.
//
//	go test -run='^$' -bench=Engines
func BenchmarkEngines(b *testing.B) {
	b.Run("memory", func(b *testing.B) { storebench.Run(b, func(testing.TB) store.Driver { return memory.New() }) })
	b.Run("bolt", func(b *testing.B) {
		storebench.Run(b, func(t testing.TB) store.Driver {
			d, err := bolt.Open(filepath.Join(storeDir(t), "state"), nil)
			require.NoError(t, err)
			t.Cleanup(func() { d.Close() })
			return d
		})
	})
	b.Run("postgres", func(b *testing.B) {
		pool, err := pgxpool.New(context.Background(), pgtest.Start(b, nil).DSN("pool_max_conns=64"))
		require.NoError(b, err)
		b.Cleanup(pool.Close)
		require.NoError(b, postgres.Migrate(context.Background(), pool, ""))
		storebench.Run(b, func(t testing.TB) store.Driver {
			d, err := postgres.New(pool, &postgres.Options{Name: string(opsec.NewID())})
			require.NoError(t, err)
			t.Cleanup(func() { d.Close() })
			return d
		})
	})
}
