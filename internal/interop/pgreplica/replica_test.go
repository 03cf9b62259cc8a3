//go:build unix

// What package pgreplica says of a real pair of servers, and what is left of it when the primary is killed.
package pgreplica_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
	"github.com/cloudopsec/opsec/backup/dr/pgreplica"
	"github.com/cloudopsec/opsec/internal/interop/pgreplica/pair"
)

var actor = opsec.Actor{Tenant: opsec.Provider, Account: "watchdog", Kind: opsec.System}

func watch(t *testing.T, n *pair.Node) *pgreplica.Monitor {
	db, err := sql.Open("pgx", n.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	require.NoError(t, pgreplica.Prepare(t.Context(), pgreplica.SQL(db)))
	m, err := pgreplica.New(pgreplica.SQL(db), pgreplica.Policy{Standby: pair.Name, Wait: pgreplica.Duration(2 * time.Second)})
	require.NoError(t, err)
	return m
}

// write is one row that was acknowledged.
type write struct {
	id int64
	at time.Time // when the acknowledgement came
}

// load writes rows by several sessions until the primary dies.
type load struct {
	mu    sync.Mutex
	acked []write
	next  atomic.Int64
	wg    sync.WaitGroup
}

func start(t *testing.T, n *pair.Node, sessions int) *load {
	n.SQL(t, "create table orders (id bigint primary key)")
	l := &load{}
	for range sessions {
		conn, notices := session(t, n)
		l.wg.Go(func() {
			for {
				id := l.next.Add(1)
				*notices = nil
				_, err := conn.Exec(context.Background(), "insert into orders values ($1)", id)
				if pgreplica.Acknowledged(err, *notices...) {
					l.mu.Lock()
					l.acked = append(l.acked, write{id, time.Now()})
					l.mu.Unlock()
				}
				if err != nil {
					return
				}
			}
		})
	}
	return l
}

// session is a connection and the codes of the notices that have come on it.
func session(t *testing.T, n *pair.Node) (*pgx.Conn, *[]string) {
	notices := new([]string)
	config, err := pgx.ParseConfig(n.DSN())
	require.NoError(t, err)
	config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) { *notices = append(*notices, notice.Code) }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn, notices
}

func present(t *testing.T, n *pair.Node) map[int64]bool {
	conn, _ := session(t, n)
	rows, err := conn.Query(t.Context(), "select id from orders")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	require.NoError(t, err)
	found := map[int64]bool{}
	for _, id := range ids {
		found[id] = true
	}
	return found
}

func TestNoAcknowledgedRowIsMissingAfterASynchronousPrimaryIsKilled(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	monitor := watch(t, nodes.Primary)
	orders := start(t, nodes.Primary, 4)
	policy := dr.Policy{Want: dr.Synchronous, Patience: pgreplica.Duration(time.Minute), Stale: pgreplica.Duration(10 * time.Second)}
	var state dr.State
	var verdict dr.Verdict
	for range 20 {
		status, err := monitor.Look(t.Context())
		require.NoError(t, err)
		exposure, known := status.Exposure()
		require.True(t, known && status.Connected && status.Synchronous, "%+v", status)
		require.Zero(t, exposure, "%+v", status)
		state, verdict = policy.Step(state, dr.Event{Status: &status}, time.Now())
		require.Equal(t, dr.BothSites, verdict.Writes)
	}
	nodes.Primary.Crash(t)
	orders.wg.Wait()
	system := dr.Decision{By: actor, Reason: "the primary was killed"}
	_, verdict = policy.Step(state, dr.Event{FailOver: &dr.Takeover{Decision: system}}, time.Now())
	require.NoError(t, verdict.Refused, "nothing can be lost")
	nodes.Standby.Promote(t)

	there := present(t, nodes.Standby)
	require.Greater(t, len(orders.acked), 50)
	for _, w := range orders.acked {
		require.True(t, there[w.id], "row %d was acknowledged, and is missing", w.id)
	}
	t.Logf("%d acknowledged, %d there", len(orders.acked), len(there))
}

func TestAsynchronousLossIsWithinTheReportedExposure(t *testing.T) {
	nodes := pair.Start(t, nil)
	monitor := watch(t, nodes.Primary)
	orders := start(t, nodes.Primary, 4)
	for range 5 {
		_, err := monitor.Look(t.Context())
		require.NoError(t, err)
	}
	nodes.Standby.Freeze(t) // the line is slow: what comes from now on is not there
	var last dr.Status
	for range 10 {
		time.Sleep(50 * time.Millisecond)
		var err error
		last, err = monitor.Look(t.Context())
		require.NoError(t, err)
		require.False(t, last.Synchronous)
	}
	exposure, known := last.Exposure()
	require.True(t, known)
	require.Greater(t, exposure, 300*time.Millisecond, "%+v", last)
	require.Positive(t, last.Behind)
	nodes.Primary.Freeze(t) // dead, and nothing more is sent
	killed := time.Now()
	frozen := orders.count()
	// The standby has in its socket what was sent to it; a line that is cut has not. Either is allowed: the loss is at most the exposure.
	nodes.Standby.Thaw(t)
	nodes.Standby.Promote(t)
	there := present(t, nodes.Standby)
	lost := 0
	for _, w := range frozen {
		if !there[w.id] {
			lost++
			require.False(t, w.at.Before(last.Safe), "row %d was acknowledged at %v, is missing, and %v was said to be safe", w.id, w.at, last.Safe)
			require.LessOrEqual(t, killed.Sub(w.at), exposure+killed.Sub(last.At))
		}
	}
	t.Logf("%d acknowledged, %d lost, exposure %v", len(frozen), lost, exposure)
	nodes.Primary.Thaw(t)
	nodes.Primary.Crash(t)
	orders.wg.Wait()
}

func (l *load) count() []write {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]write(nil), l.acked...)
}

func TestAsynchronousLossOfACutLineIsWithinTheReportedExposure(t *testing.T) {
	nodes := pair.Start(t, nil)
	monitor := watch(t, nodes.Primary)
	orders := start(t, nodes.Primary, 4)
	for range 5 {
		_, err := monitor.Look(t.Context())
		require.NoError(t, err)
	}
	nodes.Standby.Crash(t)
	time.Sleep(200 * time.Millisecond)
	last, err := monitor.Look(t.Context())
	require.NoError(t, err)
	require.False(t, last.Connected)
	exposure, known := last.Exposure()
	require.True(t, known)
	nodes.Primary.Crash(t)
	killed := time.Now()
	orders.wg.Wait()
	nodes.Standby.Up(t)
	nodes.Standby.Promote(t)
	there := present(t, nodes.Standby)
	lost := 0
	for _, w := range orders.acked {
		if !there[w.id] {
			lost++
			require.False(t, w.at.Before(last.Safe))
			require.LessOrEqual(t, killed.Sub(w.at), exposure+killed.Sub(last.At))
		}
	}
	require.Positive(t, lost, "a test in which nothing is lost shows nothing")
	t.Logf("%d acknowledged, %d lost, exposure %v", len(orders.acked), lost, exposure)
}

func TestCancelledWaitIsNotAcknowledged(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	monitor := watch(t, nodes.Primary)
	good, err := monitor.Look(t.Context())
	require.NoError(t, err)
	nodes.Primary.SQL(t, "create table orders (id bigint primary key)")
	conn, notices := session(t, nodes.Primary)
	_, err = conn.Exec(t.Context(), "insert into orders values (1)")
	require.True(t, pgreplica.Acknowledged(err, *notices...))
	nodes.Standby.Crash(t)

	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "insert into orders values (2)")
		done <- err
	}()
	cancelWait(t, nodes.Primary, conn, done)
	err = <-done
	require.NoError(t, err, "the server says that it is done: it is, on one site")
	require.False(t, pgreplica.Acknowledged(err, *notices...), "%q", *notices)
	require.Equal(t, "2\n", nodes.Primary.SQL(t, "set synchronous_commit = local", "select count(*) from orders"))

	began := time.Now()
	status, err := monitor.Look(t.Context())
	require.NoError(t, err)
	require.Less(t, time.Since(began), 5*time.Second)
	require.False(t, status.Connected || status.Synchronous)
	require.Equal(t, good.Newest, status.Newest, "no beat was acknowledged")
	exposure, known := status.Exposure()
	require.True(t, known)
	require.Zero(t, exposure)

	nodes.Primary.Crash(t) // before the standby is back, which would get the row
	nodes.Standby.Up(t)
	nodes.Standby.Promote(t)
	require.Equal(t, map[int64]bool{1: true}, present(t, nodes.Standby))
}

// cancelWait cancels what a session waits for, until something is done.
func cancelWait(t *testing.T, n *pair.Node, session *pgx.Conn, done <-chan error) {
	pid := session.PgConn().PID()
	cancel := fmt.Sprintf("select pg_cancel_backend(%d) from pg_stat_activity where pid = %d and wait_event = 'SyncRep'", pid, pid)
	for range 600 {
		if len(done) > 0 {
			return
		}
		n.SQL(t, cancel)
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it waits on")
}

// A standby that stops while a beat waits for it costs a Look Policy.Wait, and no more.
func TestBeatDoesNotWaitForEver(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	monitor := watch(t, nodes.Primary)
	good, err := monitor.Look(t.Context())
	require.NoError(t, err)
	nodes.Standby.Freeze(t)
	began := time.Now()
	status, err := monitor.Look(t.Context())
	require.NoError(t, err)
	require.Less(t, time.Since(began), 10*time.Second)
	require.False(t, status.Synchronous)
	require.Equal(t, good.Newest, status.Newest)
	nodes.Standby.Thaw(t)
	require.Eventually(t, func() bool {
		status, err = monitor.Look(t.Context())
		return err == nil && status.Synchronous && status.Newest.After(good.Newest)
	}, 30*time.Second, 50*time.Millisecond)
	exposure, known := status.Exposure()
	require.True(t, known)
	require.Zero(t, exposure)
	_, err = watchStandby(t, nodes.Standby).Look(t.Context())
	require.ErrorIs(t, err, opsec.ErrDenied)
}

func watchStandby(t *testing.T, n *pair.Node) *pgreplica.Monitor {
	db, err := sql.Open("pgx", n.DSN())
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	m, err := pgreplica.New(pgreplica.SQL(db), pgreplica.Policy{Standby: pair.Name, Wait: pgreplica.Duration(2 * time.Second)})
	require.NoError(t, err)
	return m
}

// direct is the Conn of one session.
type direct struct{ *pgx.Conn }

func (d direct) Exec(ctx context.Context, q string, args ...any) error {
	_, err := d.Conn.Exec(ctx, q, args...)
	return err
}

func (d direct) Row(ctx context.Context, into []any, q string, args ...any) error {
	return d.QueryRow(ctx, q, args...).Scan(into...)
}

func TestCommitsTellACancelledWaitApart(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	nodes.Primary.SQL(t, "create table orders (id bigint primary key)")
	commits := new(pgreplica.Commits)
	config, err := pgx.ParseConfig(nodes.Primary.DSN())
	require.NoError(t, err)
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { commits.Notice(n.Code) }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	insert := func(id int) error {
		return commits.Do(func() error {
			_, err := conn.Exec(context.Background(), "insert into orders values ($1)", id)
			return err
		})
	}
	require.ErrorIs(t, insert(1), opsec.ErrInvalid)
	deaf, _ := session(t, nodes.Primary) // its notices go elsewhere
	require.ErrorIs(t, commits.Prove(t.Context(), direct{deaf}), opsec.ErrInvalid)
	for _, setting := range []string{"client_min_messages = error", "synchronous_commit = local"} {
		require.NoError(t, direct{conn}.Exec(t.Context(), "set "+setting))
		require.ErrorIs(t, commits.Prove(t.Context(), direct{conn}), opsec.ErrInvalid, setting)
		require.NoError(t, direct{conn}.Exec(t.Context(), "reset all"))
	}
	require.NoError(t, commits.Prove(t.Context(), direct{conn}))
	require.NoError(t, insert(1))
	require.Error(t, insert(1), "it is there")

	nodes.Standby.Freeze(t)
	done := make(chan error, 1)
	go func() { done <- insert(2) }()
	cancelWait(t, nodes.Primary, conn, done)
	require.Equal(t, pgreplica.ErrNotAcknowledged, <-done)
	nodes.Standby.Thaw(t)
}

func TestStandbyTellsHowFarItHasCome(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	primary, _ := session(t, nodes.Primary)
	other, _ := session(t, nodes.Standby)
	_, err := pgreplica.LookAtStandby(t.Context(), direct{primary})
	require.ErrorIs(t, err, opsec.ErrDenied)
	nodes.Primary.SQL(t, "create table orders (id bigint primary key)")
	var end string
	require.NoError(t, direct{primary}.Row(t.Context(), []any{&end}, "select pg_current_wal_flush_lsn()::text"))
	place, err := pgreplica.ParseLSN(end)
	require.NoError(t, err)
	s, err := pgreplica.LookAtStandby(t.Context(), direct{other})
	require.NoError(t, err)
	require.Equal(t, "streaming", s.Status)
	require.WithinDuration(t, time.Now(), s.Heard, time.Minute)
	require.Eventually(t, func() bool {
		s, err = pgreplica.LookAtStandby(t.Context(), direct{other})
		return err == nil && s.Has >= place && s.Replayed >= place && s.ToReplay() == 0
	}, 20*time.Second, 20*time.Millisecond)
	require.WithinDuration(t, time.Now(), s.Commit, time.Minute)

	require.NoError(t, direct{other}.Exec(t.Context(), "select pg_wal_replay_pause()"))
	require.Eventually(t, func() bool {
		s, err = pgreplica.LookAtStandby(t.Context(), direct{other})
		return err == nil && s.Paused
	}, 20*time.Second, 20*time.Millisecond)
	nodes.Primary.SQL(t, "insert into orders values (1)")
	nodes.Primary.Crash(t)
	before := s.Commit
	require.Eventually(t, func() bool {
		s, err = pgreplica.LookAtStandby(t.Context(), direct{other})
		return err == nil && s.Status == "" && s.ToReplay() > 0
	}, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, before, s.Commit)
	require.Zero(t, s.Heard)
}

// A quorum may be made without the standby, so that the mirror is not synchronous.
func TestAQuorumIsNoWaitForThisStandby(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	monitor := watch(t, nodes.Primary)
	status, err := monitor.Look(t.Context())
	require.NoError(t, err)
	require.True(t, status.Synchronous)
	nodes.Primary.SQL(t, "alter system set synchronous_standby_names = 'ANY 1 ("+pair.Name+", third)'", "select pg_reload_conf()")
	require.Eventually(t, func() bool {
		status, err = monitor.Look(t.Context())
		return err == nil && status.Connected && !status.Synchronous
	}, 20*time.Second, 50*time.Millisecond)
}

// Somebody else of the same name, who has flushed nothing, hides behind nobody: which of them would take over is not known.
func TestOfTwoStandbysOfOneNameTheWorstCounts(t *testing.T) {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	monitor := watch(t, nodes.Primary)
	status, err := monitor.Look(t.Context())
	require.NoError(t, err)
	require.True(t, status.Synchronous)
	conn, err := pgconn.Connect(t.Context(), nodes.Primary.DSN("replication=yes", "application_name="+pair.Name))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Conn().Close() })
	end := strings.TrimSpace(nodes.Primary.SQL(t, "select pg_current_wal_flush_lsn()"))
	conn.Frontend().Send(&pgproto3.Query{String: "START_REPLICATION PHYSICAL " + end})
	require.NoError(t, conn.Frontend().Flush())
	require.Eventually(t, func() bool {
		status, err = monitor.Look(t.Context())
		return err == nil && !status.Synchronous && status.Behind == -1
	}, 20*time.Second, 50*time.Millisecond)
}
