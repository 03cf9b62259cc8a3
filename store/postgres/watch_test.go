//go:build unix

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

// listen returns a channel that gets each hint of a watch, and its end.
func listen(ctx context.Context, d store.Driver, prefix string) chan error {
	hints := make(chan error, 100)
	go func() {
		for _, err := range d.(store.Watcher).Watch(ctx, prefix) {
			select {
			case hints <- err:
			case <-ctx.Done():
			}
		}
		close(hints)
	}()
	return hints
}

func put(t *testing.T, d store.Driver, key string) {
	t.Helper()
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: key}}})
	require.NoError(t, err)
}

// requireHint waits for less than the ten seconds after which a watch yields by itself.
func requireHint(t *testing.T, hints chan error) {
	t.Helper()
	select {
	case err, more := <-hints:
		require.NoError(t, err)
		require.True(t, more)
	case <-time.After(8 * time.Second):
		t.Fatal("no hint")
	}
}

// drain returns when no hint has come for a while.
func drain(hints chan error) {
	for {
		select {
		case <-hints:
		case <-time.After(300 * time.Millisecond):
			return
		}
	}
}

func TestWatchOutlivesItsConnection(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t)
	other := s.again(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	hints := listen(ctx, d, "")
	requireHint(t, hints)
	put(t, other, "a")
	requireHint(t, hints)
	drain(hints)

	_, err := newPool(t, s.DSN).Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
	require.NoError(t, err)
	requireHint(t, hints) // it may have missed something
	drain(hints)
	put(t, other, "b")
	requireHint(t, hints)
	drain(hints)

	server.Crash(t)
	requireHint(t, hints)
	server.Up(t)
	drain(hints)
	require.Eventually(t, func() bool { // the connections of the pool have to be found dead first
		_, err := other.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "c"}}})
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	requireHint(t, hints)

	cancel()
	for range hints {
	}
	require.EqualValues(t, 0, listeners(t, s), "the connection goes with the last watch")
}

func listeners(t *testing.T, s *stores) (n int) {
	t.Helper()
	pool := newPool(t, s.DSN)
	for range 100 { // a backend takes a moment to end
		const text = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
		require.NoError(t, pool.QueryRow(t.Context(), text).Scan(&n))
		if n == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return n
}

// A hundred watches take one connection, and none of the pool.
func TestWatchesShareAConnection(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	p := s.next()
	p.DSN = server.DSN("pool_max_conns=1")
	d := s.handle(t, p)
	other := s.again(t, d)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all []chan error
	for range 100 {
		all = append(all, listen(ctx, d, "k"))
	}
	for _, hints := range all {
		requireHint(t, hints)
	}
	var n int
	const text = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
	require.NoError(t, newPool(t, server.DSN()).QueryRow(t.Context(), text).Scan(&n))
	require.Equal(t, 1, n)
	put(t, other, "k")
	for _, hints := range all {
		requireHint(t, hints)
	}
}

// Many commits are few notifications, and the last commit is not forgotten.
func TestNotificationsAreCoalesced(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	d := s.open(t)
	requireHint(t, listen(t.Context(), d, ""))
	pool := newPool(t, s.DSN)
	var text string
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN%'").Scan(&text))
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), text)
	require.NoError(t, err)
	heard := func() (n int) {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			_, err := conn.Conn().WaitForNotification(ctx)
			cancel()
			if err != nil {
				return n
			}
			n++
		}
	}

	start := time.Now()
	for range 300 {
		put(t, d, "k")
	}
	most := int(time.Since(start)/(10*time.Millisecond)) + 2
	n := heard()
	require.Positive(t, n)
	require.LessOrEqual(t, n, most)
	require.Less(t, n, 300)
	put(t, d, "k")
	require.Equal(t, 1, heard())
}

// What was committed shortly before a driver is closed is told nevertheless.
func TestCloseTellsWhatIsDue(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	other := s.open(t)
	hints := listen(t.Context(), other, "")
	requireHint(t, hints)
	d := s.again(t, other)
	put(t, d, "a")
	requireHint(t, hints)
	put(t, d, "b") // while the notifier rests
	require.NoError(t, d.Close())
	requireHint(t, hints)
}

// A Close that finds no server does not wait for one.
func TestCloseWithoutAServer(t *testing.T) {
	server := pgtest.Start(t, nil)
	d := newStores(t, server).open(t)
	put(t, d, "a")
	server.Down(t)
	require.NoError(t, d.Close())
}

// Watches that come and go at once leave no goroutine and no connection behind.
func TestWatchesComeAndGo(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t).(*postgres.Driver)
	var wait sync.WaitGroup
	for i := range 8 {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		wait.Go(func() {
			for range 25 {
				ctx, cancel := context.WithCancel(t.Context())
				timer := time.AfterFunc(time.Duration(random.IntN(3000))*time.Microsecond, cancel)
				for _, err := range d.Watch(ctx, "") {
					if err != nil {
						t.Error(err)
					}
					if random.IntN(2) == 0 {
						break
					}
				}
				timer.Stop()
				cancel()
			}
		})
	}
	wait.Wait()
	require.NoError(t, d.Close())
	require.Eventually(t, func() bool { // those of the tests before this one may be about to end
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !bytes.Contains(stacks, []byte("(*ear)")) && !bytes.Contains(stacks, []byte("(*notifier)"))
	}, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, listeners(t, s))
}

// A driver listens as its pool connects, with a password that is fetched for each connection.
func TestWatchConnectsAsThePoolDoes(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	config, err := pgxpool.ParseConfig(s.DSN)
	require.NoError(t, err)
	config.ConnConfig.User = "somebody"
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { c.User = "opsec"; return nil }
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	p := s.next()
	d, err := postgres.New(pool, p.options())
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	hints := listen(t.Context(), d, "")
	requireHint(t, hints)
	drain(hints)
	put(t, s.handle(t, p), "a")
	requireHint(t, hints)
}

func TestWatchOfAClosedDriverEnds(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	for _, poll := range []time.Duration{0, time.Millisecond} {
		p := s.next()
		p.Poll = poll
		d := s.handle(t, p)
		hints := listen(t.Context(), d, "")
		requireHint(t, hints)
		require.NoError(t, d.Close())
		var last error
		for err := range hints {
			last = err
		}
		require.ErrorIs(t, last, store.ErrClosed)
		for _, err := range d.(store.Watcher).Watch(t.Context(), "") {
			require.ErrorIs(t, err, store.ErrClosed)
		}
	}
}

// Behind PgBouncer a driver listens on a direct connection; its commits and notifications go through the pooler.
func TestWatchBesidePgBouncer(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	config, err := pgxpool.ParseConfig(server.DSN())
	require.NoError(t, err)
	dsn := server.Bounce(t, "default_query_exec_mode=exec")
	name := s.next().Name
	open := func() *postgres.Driver {
		d, err := postgres.New(newPool(t, dsn), &postgres.Options{Name: name, Listen: config.ConnConfig})
		require.NoError(t, err)
		t.Cleanup(func() { d.Close() })
		return d
	}
	d, other := open(), open()
	hints := listen(t.Context(), d, "")
	requireHint(t, hints)
	drain(hints)
	put(t, other, "a")
	requireHint(t, hints)
}

func TestWatchGoesOnWithoutAServer(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t)
	server.Down(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	hints := 0
	for _, err := range d.(store.Watcher).Watch(ctx, "") {
		require.NoError(t, err)
		hints++
	}
	require.Positive(t, hints)
	_, err := d.Get(t.Context(), "a")
	require.Error(t, err)
	require.False(t, errors.Is(err, store.ErrClosed))
}
