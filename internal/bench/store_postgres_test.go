//go:build unix

package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

// Both sides use one server, one pool and tables of the same columns. Ratios are the peer's time over the driver's: 0.9
// x-pgx says that the driver has 0.9 of the rate of statements written by hand.
//
//	go test -run='^$' -bench='Postgres.*/ratios' -benchtime=3x

// database is a pool, a driver with storeRows rows, and the same rows in a table "raw".
func database(b *testing.B) (*pgxpool.Pool, *postgres.Driver) {
	server := pgtest.Start(b, &pgtest.Options{Settings: []string{"autovacuum=off"}}) // it would come at any time
	pool, err := pgxpool.New(context.Background(), server.DSN("pool_max_conns=64"))
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	require.NoError(b, postgres.Migrate(context.Background(), pool, ""))
	driver, err := postgres.New(pool, nil)
	require.NoError(b, err)
	b.Cleanup(func() { driver.Close() })
	statement(b, pool, `CREATE TABLE raw (key bytea PRIMARY KEY, value bytea NOT NULL, rev bigint NOT NULL) WITH (fillfactor = 85)`)
	for from := 0; from < storeRows; from += storeBatch {
		require.NoError(b, commitRows(driver, rows(from)))
		require.NoError(b, insertRows(pool, rows(from)))
	}
	statement(b, pool, "VACUUM ANALYZE")
	return pool, driver
}

func statement(b *testing.B, pool *pgxpool.Pool, text string) {
	_, err := pool.Exec(context.Background(), text)
	require.NoError(b, err)
}

func insertRows(pool *pgxpool.Pool, ops []store.Op) error {
	keys, values := make([][]byte, len(ops)), make([][]byte, len(ops))
	for i, op := range ops {
		keys[i], values[i] = []byte(op.Key), op.Value
	}
	_, err := pool.Exec(context.Background(), `INSERT INTO raw SELECT key, value, 1 FROM unnest($1::bytea[], $2::bytea[]) AS r (key, value)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, rev = raw.rev + 1`, keys, values)
	return err
}

// byHand is the conditional write as one would write it.
func byHand(pool *pgxpool.Pool, key string, value []byte) error {
	ctx, raw := context.Background(), []byte(key)
	var old []byte
	var rev int64
	if err := pool.QueryRow(ctx, "SELECT value, rev FROM raw WHERE key = $1", raw).Scan(&old, &rev); err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, "UPDATE raw SET value = $1, rev = rev + 1 WHERE key = $2 AND rev = $3", value, raw, rev)
	if err == nil && tag.RowsAffected() != 1 {
		err = errors.New("conflict")
	}
	return err
}

func BenchmarkPostgresConditional(b *testing.B) {
	pool, driver := database(b)
	value := noise(storeValue)
	race(b, loneWrites*storeValue, []contestant{
		{name: "driver", run: alone(func(key string) error { return conditional(driver, key, value) })},
		{name: "pgx", run: alone(func(key string) error { return byHand(pool, key, value) })},
	})
}

func BenchmarkPostgresConditional64(b *testing.B) {
	pool, driver := database(b)
	value := noise(storeValue)
	race(b, storeCaller*each*storeValue, []contestant{
		{name: "driver", run: crowd(func(key string) error { return conditional(driver, key, value) })},
		{name: "pgx", run: crowd(func(key string) error { return byHand(pool, key, value) })},
	})
}

type counter struct {
	Name  string `json:"name"`
	Value int    `json:"value"`
}

var counters = store.NewCollection(store.Schema[counter]{
	Name: "counters", ID: func(c *counter) store.Key { return store.Text(c.Name) },
})

// increment adds one to a record in a transaction of a DB.
func increment(db *store.DB, name string) error {
	return db.Update(context.Background(), func(tx *store.Tx) error {
		s := tx.Sub("acme")
		c, err := counters.Get(s, store.Text(name))
		if err != nil {
			return err
		}
		return counters.Put(s, &counter{name, c.Value + 1})
	})
}

// optimistic adds one to a number in a loop over the driver, until nobody was faster.
func optimistic(d store.Driver, key string) error {
	for {
		items, err := d.Get(context.Background(), key)
		if err != nil {
			return err
		}
		var n uint64
		if items[0].Rev != 0 {
			n = binary.BigEndian.Uint64(items[0].Value)
		}
		_, err = d.Commit(context.Background(), store.Batch{
			Checks: []store.Check{{Key: key, Rev: items[0].Rev}},
			Ops:    []store.Op{{Key: key, Value: binary.BigEndian.AppendUint64(nil, n+1)}},
		})
		if _, conflict := errors.AsType[*store.ConflictError](err); !conflict {
			return err
		}
	}
}

// hot lets 64 callers add to one number, by a DB and by the loop.
func hot(b *testing.B, driver store.Driver) {
	db, err := store.New(driver, nil)
	require.NoError(b, err)
	require.NoError(b, db.Update(context.Background(), func(tx *store.Tx) error {
		return counters.Put(tx.Sub("acme"), &counter{Name: "hot"})
	}))
	race(b, storeCaller*each, []contestant{
		{name: "DB", run: crowd(func(string) error { return increment(db, "hot") })},
		{name: "loop", run: crowd(func(string) error { return optimistic(driver, "hot") })},
	})
}

func BenchmarkPostgresHotKey(b *testing.B) {
	_, driver := database(b)
	hot(b, driver)
}

// BenchmarkPostgresUpdate compares a transaction of a DB, whose commit also moves a marker, with one by hand that locks,
// reads and writes one row.
func BenchmarkPostgresUpdate(b *testing.B) {
	pool, driver := database(b)
	db, err := store.New(driver, nil)
	require.NoError(b, err)
	for i := range storeCaller {
		require.NoError(b, db.Update(context.Background(), func(tx *store.Tx) error {
			return counters.Put(tx.Sub("acme"), &counter{Name: strconv.Itoa(i)})
		}))
	}
	const writes = 400
	run := func(write func(i int) error) func() string {
		return func() string {
			for i := range writes {
				if err := write(i % storeCaller); err != nil {
					return ""
				}
			}
			return "written"
		}
	}
	value := noise(storeValue)
	race(b, writes, []contestant{
		{name: "DB", run: run(func(i int) error { return increment(db, strconv.Itoa(i)) })},
		{name: "pgx-tx", run: run(func(i int) error {
			return pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
				var old []byte
				err := tx.QueryRow(context.Background(), "SELECT value FROM raw WHERE key = $1 FOR UPDATE", []byte(storeKey(i))).Scan(&old)
				if err != nil {
					return err
				}
				_, err = tx.Exec(context.Background(), "UPDATE raw SET value = $1, rev = rev + 1 WHERE key = $2", value, []byte(storeKey(i)))
				return err
			})
		})},
	})
}

func BenchmarkPostgresBatches(b *testing.B) {
	pool, driver := database(b)
	race(b, batchWrites*storeBatch*storeValue, []contestant{
		{name: "driver", run: batched(func(ops []store.Op) error { return commitRows(driver, ops) })},
		{name: "pgx", run: batched(func(ops []store.Op) error { return insertRows(pool, ops) })},
	})
}

func BenchmarkPostgresScan(b *testing.B) {
	pool, driver := database(b)
	race(b, storeRows*storeValue, []contestant{
		{name: "driver", run: func() string {
			n := 0
			for r := (store.Range{Limit: store.MaxPage}); ; {
				page, err := driver.List(context.Background(), r)
				if err != nil {
					return ""
				}
				if len(page) == 0 {
					return strconv.Itoa(n)
				}
				n += len(page)
				r.Start = page[len(page)-1].Key + "\x00"
			}
		}},
		{name: "pgx", run: func() string {
			n := 0
			for after := []byte{}; ; {
				rows, err := pool.Query(context.Background(), "SELECT key, value, rev FROM raw WHERE key > $1 ORDER BY key LIMIT 1000", after)
				if err != nil {
					return ""
				}
				var item store.Item
				got := 0
				for ; rows.Next(); got++ {
					var key []byte
					var rev int64
					if rows.Scan(&key, &item.Value, &rev) != nil {
						return ""
					}
					item.Key, item.Rev, after = string(key), store.Rev(rev), key
				}
				if rows.Err() != nil {
					return ""
				}
				if n += got; got == 0 {
					return strconv.Itoa(n)
				}
			}
		}},
	})
}
