//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/postgres"
	"github.com/cloudopsec/opsec/store/postgres/pgtest"
)

type account struct {
	ID    string `json:"id"`
	Login string `json:"login"`
}

var accounts = store.NewCollection(store.Schema[account]{
	Name: "accounts", Guarded: true,
	ID: func(a *account) store.Key { return store.Text(a.ID) },
	Indexes: []store.Index[account]{
		{Name: "login", Unique: true, Keys: func(a *account) []store.Key { return []store.Key{store.Text(a.Login)} }},
	},
})

func insert(ctx context.Context, db *store.DB, list ...*account) error {
	return db.Update(ctx, func(tx *store.Tx) error { return accounts.Insert(tx.Sub("acme"), list...) })
}

func ids(t *testing.T, db *store.DB) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	require.NoError(t, db.View(t.Context(), func(tx *store.Tx) error {
		for a, err := range accounts.List(tx.Sub("acme"), store.Query{}) {
			require.NoError(t, err)
			there[a.ID] = true
		}
		return nil
	}))
	return there
}

func requireSound(t *testing.T, db *store.DB) {
	t.Helper()
	for problem, err := range db.Check(t.Context(), nil, accounts) {
		require.NoError(t, err)
		t.Error(problem)
	}
}

// workload lets writers insert pairs of accounts on two nodes, and knows what each was told.
type workload struct {
	nodes                          []*store.DB
	acknowledged, refused, unknown sync.Map
	count, failures                atomic.Int64
	stop                           chan struct{}
	wait                           sync.WaitGroup
}

func work(ctx context.Context, nodes ...*store.DB) *workload {
	w := &workload{nodes: nodes, stop: make(chan struct{})}
	for i := range 8 {
		w.wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-w.stop:
					return
				default:
				}
				id := fmt.Sprintf("%d/%d", i, n)
				err := insert(ctx, nodes[i%len(nodes)], &account{id, "login of " + id}, &account{id + "+", "login of " + id + "+"})
				switch {
				case err == nil:
					w.acknowledged.Store(id, true)
					w.count.Add(1)
				case errors.Is(err, store.ErrIndeterminate):
					w.unknown.Store(id, true)
				default:
					w.refused.Store(id, true)
					w.failures.Add(1)
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	return w
}

// more waits until so many inserts more have been acknowledged.
func (w *workload) more(ctx context.Context, t *testing.T, n int64) {
	t.Helper()
	for n += w.count.Load(); w.count.Load() < n; {
		require.NoError(t, ctx.Err(), "%d inserts", w.count.Load())
		time.Sleep(time.Millisecond)
	}
}

func (w *workload) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	w.wait.Wait()
	there := ids(t, w.nodes[0])
	w.acknowledged.Range(func(id, _ any) bool {
		require.True(t, there[id.(string)] && there[id.(string)+"+"], "%s was acknowledged, and is lost", id)
		return true
	})
	w.refused.Range(func(id, _ any) bool {
		require.False(t, there[id.(string)] || there[id.(string)+"+"], "%s was refused, and is there", id)
		return true
	})
	requireSound(t, w.nodes[len(w.nodes)-1])
	t.Logf("%d acknowledged, %d refused", w.count.Load(), w.failures.Load())
}

func TestCrashOfTheServerLosesNothing(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := work(ctx, newDB(t, d), newDB(t, s.again(t, d)))
	for range 5 {
		w.more(ctx, t, 50)
		server.Crash(t)
		_, err := d.Get(ctx, "a")
		require.Error(t, err, "there is no server")
		server.Up(t)
	}
	w.more(ctx, t, 50)
	w.end(t)
	w.unknown.Range(func(id, _ any) bool {
		t.Errorf("%s is unknown, though there was time to find out", id)
		return true
	})
}

// After a restart all connections of the pool are dead, and a read needs more attempts than there are.
func TestReadsOutliveTheConnections(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	pool := newPool(t, s.DSN)
	d, err := postgres.New(pool, nil)
	require.NoError(t, err)
	for name, read := range map[string]func() error{
		"Get":  func() error { _, err := d.Get(t.Context(), "a"); return err },
		"List": func() error { _, err := d.List(t.Context(), store.Range{Limit: 1}); return err },
		"check": func() error {
			_, err := d.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "a"}}})
			return err
		},
		"Verify": func() error { return d.Verify(t.Context()) },
	} {
		var conns []*pgxpool.Conn
		for range pool.Stat().MaxConns() {
			conn, err := pool.Acquire(t.Context())
			require.NoError(t, err)
			conns = append(conns, conn)
		}
		server.Crash(t)
		server.Up(t)
		for _, conn := range conns { // whose end nobody has seen
			conn.Release()
		}
		require.NoError(t, read(), name)
	}
}

// network lies between clients and the server, and stalls on demand: it takes no more bytes, in neither direction, and
// closes nothing.
type network struct {
	dir    string
	mu     sync.Mutex
	flows  *sync.Cond
	stands bool
}

func newNetwork(t *testing.T, socket string) *network {
	n := &network{dir: t.TempDir()}
	n.flows = sync.NewCond(&n.mu)
	l, err := net.Listen("unix", filepath.Join(n.dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	var conns sync.Map
	keep := func(c net.Conn) net.Conn { conns.Store(c, true); return c }
	t.Cleanup(func() {
		l.Close()
		n.stall(false)
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				continue
			}
			keep(client)
			keep(server)
			go n.pass(client, server)
			go n.pass(server, client)
		}
	}()
	return n
}

func (n *network) pass(from, to net.Conn) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		got, err := from.Read(buffer)
		n.mu.Lock()
		for n.stands {
			n.flows.Wait()
		}
		n.mu.Unlock()
		if _, werr := to.Write(buffer[:got]); werr != nil || err != nil {
			return
		}
	}
}

func (n *network) stall(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stands = on
	n.flows.Broadcast()
}

// What a network that stalls does is over when the context is, or soon after.
func TestStallOfTheNetworkSurfaces(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	n := newNetwork(t, filepath.Join(server.Dir(), ".s.PGSQL.5432"))
	direct := s.open(t)
	p := s.placeOf(t, direct)
	p.DSN = fmt.Sprintf("host=%s user=opsec dbname=postgres sslmode=disable pool_max_conns=10", n.dir)
	d := s.handle(t, p)
	db := newDB(t, d)
	require.NoError(t, insert(t.Context(), db, &account{"1", "ann"}))

	for name, call := range map[string]func(context.Context) error{
		"Get":  func(ctx context.Context) error { _, err := d.Get(ctx, "a"); return err },
		"List": func(ctx context.Context) error { _, err := d.List(ctx, store.Range{Limit: 1}); return err },
		"Commit": func(ctx context.Context) error {
			_, err := d.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "a"}}})
			return err
		},
		"check": func(ctx context.Context) error {
			_, err := d.Commit(ctx, store.Batch{Checks: []store.Check{{Key: "zz"}}})
			return err
		},
		"Update": func(ctx context.Context) error { return insert(ctx, db, &account{"2", "bob"}) },
	} {
		require.NoError(t, d.(*postgres.Driver).Verify(t.Context()), name) // connected
		n.stall(true)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		select {
		case err := <-ended:
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			if name == "Commit" {
				require.ErrorIs(t, err, store.ErrIndeterminate)
			}
		case <-time.After(20 * time.Second):
			t.Fatal(name + " still waits")
		}
		cancel()
		n.stall(false)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := work(ctx, db, newDB(t, direct))
	for range 5 {
		w.more(ctx, t, 20)
		n.stall(true)
		w.more(ctx, t, 20) // by those who are not cut off
		n.stall(false)
	}
	w.more(ctx, t, 20)
	w.end(t)
}

// A transaction of others holds the row that a commit wants.
func TestCommitBehindALock(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	d := s.open(t)
	rev, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "a", Value: []byte("1")}}})
	require.NoError(t, err)
	pool := newPool(t, s.DSN)
	change := store.Batch{Checks: []store.Check{{Key: "a", Rev: rev}}, Ops: []store.Op{{Key: "a", Value: []byte("2")}}}
	waiting := func() (pid int) {
		t.Helper()
		const text = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
		for pid == 0 {
			if err := pool.QueryRow(t.Context(), text).Scan(&pid); !errors.Is(err, pgx.ErrNoRows) {
				require.NoError(t, err)
			}
		}
		return pid
	}
	locked := func(run func()) {
		t.Helper()
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			tag, err := tx.Exec(t.Context(), "SELECT FROM opsec.item FOR UPDATE")
			require.NoError(t, err)
			require.Positive(t, tag.RowsAffected())
			run()
			return nil
		}))
	}
	commit := func(ctx context.Context) chan error {
		ended := make(chan error, 1)
		go func() { _, err := d.Commit(ctx, change); ended <- err }()
		return ended
	}
	requireUntouched := func() {
		t.Helper()
		items, err := d.Get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, "1", string(items[0].Value))
	}

	t.Run("gives up at the server before the deadline, with a certain answer", func(t *testing.T) {
		locked(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			err := <-commit(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, store.ErrIndeterminate)
			var n int
			require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&n))
			require.Zero(t, n, "nobody waits at the server")
		})
		requireUntouched()
	})
	t.Run("is canceled by somebody at the server", func(t *testing.T) {
		locked(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			ended := commit(ctx)
			_, err := pool.Exec(t.Context(), "SELECT pg_cancel_backend($1)", waiting())
			require.NoError(t, err)
			err = <-ended
			require.ErrorContains(t, err, "57014")
			require.NotErrorIs(t, err, store.ErrIndeterminate)
		})
		requireUntouched()
	})
	t.Run("is terminated, which could have been after the commit", func(t *testing.T) {
		locked(func() {
			ended := commit(t.Context())
			_, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend($1)", waiting())
			require.NoError(t, err)
			require.ErrorIs(t, <-ended, store.ErrIndeterminate)
		})
		requireUntouched()
	})
	t.Run("is left by its caller, and may still happen", func(t *testing.T) {
		locked(func() {
			ctx, cancel := context.WithCancel(t.Context())
			ended := commit(ctx)
			waiting()
			cancel()
			err := <-ended
			require.ErrorIs(t, err, store.ErrIndeterminate)
			require.ErrorIs(t, err, context.Canceled)
		})
	})
}

// told notes what the server is told to be a commit's deadline.
type told struct{ milliseconds int }

func (*told) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (*told) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
func (*told) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*told) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (o *told) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	if strings.Contains(data.SQL, "statement_timeout") {
		o.milliseconds, _ = strconv.Atoi(data.Args[0].(string))
	}
}

// The server gives up sooner than the caller, by an eighth of the time, and 50 ms at most.
func TestServerIsToldTheDeadline(t *testing.T) {
	s := newStores(t, pgtest.Start(t, nil))
	config, err := pgxpool.ParseConfig(s.DSN)
	require.NoError(t, err)
	var server told
	config.ConnConfig.Tracer = &server
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	d, err := postgres.New(pool, nil)
	require.NoError(t, err)
	t.Cleanup(func() { d.Close() })
	for deadline, most := range map[time.Duration]int{
		time.Minute: 60_000 - 50, 300 * time.Millisecond: 300 - 37, time.Hour * 24 * 365: math.MaxInt32,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		server.milliseconds = 0
		_, err := d.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "a"}}})
		require.NoError(t, err)
		require.LessOrEqual(t, server.milliseconds, most)
		require.Positive(t, server.milliseconds)
	}
}

// The deadline that the server is told of a commit is not one for whoever has the connection next.
func TestDeadlineStaysInItsCommit(t *testing.T) {
	server := pgtest.Start(t, nil)
	s := newStores(t, server)
	for name, dsn := range map[string]string{
		"prepared":        server.DSN("pool_max_conns=1"),
		"simple protocol": server.DSN("pool_max_conns=1", "default_query_exec_mode=simple_protocol"),
		"exec":            server.DSN("pool_max_conns=1", "default_query_exec_mode=exec"),
		"pgbouncer":       server.Bounce(t, "pool_max_conns=1", "default_query_exec_mode=exec"),
	} {
		pool := newPool(t, dsn)
		d, err := postgres.New(pool, s.next().options())
		require.NoError(t, err)
		t.Cleanup(func() { d.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, b := range []store.Batch{
			{Ops: []store.Op{{Key: "a"}}},
			{Checks: []store.Check{{Key: "b"}}, Ops: []store.Op{{Key: "b"}}},
			{Checks: []store.Check{{Key: "c"}}, Ops: []store.Op{{Key: "a"}, {Key: "b"}}},
			{Checks: []store.Check{{Key: "a"}}, Ops: []store.Op{{Key: "b"}}}, // a conflict
		} {
			if _, err := d.Commit(ctx, b); err != nil {
				require.ErrorAs(t, err, new(*store.ConflictError), name)
			}
			var timeout string
			require.NoError(t, pool.QueryRow(t.Context(), "SHOW statement_timeout").Scan(&timeout))
			require.Equal(t, "0", timeout, name)
		}
	}
}

// Commits take their keys in one order, so that none of them waits in a circle.
func TestCommitsDoNotDeadlock(t *testing.T) {
	server := pgtest.Start(t, &pgtest.Options{Settings: []string{"deadlock_timeout=10ms"}}) // soon found, if there is one
	s := newStores(t, server)
	d := s.open(t)
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for range 60 {
				var b store.Batch
				for _, k := range random.Perm(24)[:12] {
					key := fmt.Sprintf("k%02d", k)
					switch random.IntN(4) {
					case 0:
						b.Ops = append(b.Ops, store.Op{Key: key, Delete: true})
					case 1:
						b.Checks = append(b.Checks, store.Check{Key: key})
						b.Ops = append(b.Ops, store.Op{Key: key, Value: []byte("inserted")})
					case 2:
						b.Checks = append(b.Checks, store.Check{Key: key})
					default:
						b.Ops = append(b.Ops, store.Op{Key: key, Value: []byte("put")})
					}
				}
				_, err := d.Commit(t.Context(), b)
				if _, conflict := errors.AsType[*store.ConflictError](err); err != nil && !conflict {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	require.NotContains(t, server.Log(t), "deadlock detected")
}

// Somebody else takes the rows in another order: the server ends one of the two transactions, and a commit is tried again.
func TestDeadlockWithOthersIsTriedAgain(t *testing.T) {
	server := pgtest.Start(t, &pgtest.Options{Settings: []string{"deadlock_timeout=300ms"}})
	s := newStores(t, server)
	d := s.open(t)
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "a"}, {Key: "b"}}})
	require.NoError(t, err)
	pool := newPool(t, s.DSN)
	for !strings.Contains(server.Log(t), "deadlock detected") {
		ended := make(chan error, 1)
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "SET LOCAL deadlock_timeout = '1h'"); err != nil { // the other one is ended
				return err
			}
			if _, err := tx.Exec(t.Context(), "UPDATE opsec.item SET value = 'x' WHERE key LIKE '%b'"); err != nil {
				return err
			}
			go func() {
				_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "a"}, {Key: "b"}}})
				ended <- err
			}()
			time.Sleep(30 * time.Millisecond) // it holds a, and waits for b
			_, err := tx.Exec(t.Context(), "UPDATE opsec.item SET value = 'x' WHERE key LIKE '%a'")
			return err
		})
		require.NoError(t, err)
		require.NoError(t, <-ended)
	}
}
