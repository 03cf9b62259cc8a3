//go:build unix

package fence_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/backup/dr/pgreplica"
	"github.com/cloudopsec/opsec/internal/interop/pgreplica/pair"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
)

// site is a machine with a server and its agent: a fence.Primary, and the engine through which the agent sees the store.
// While its machine is suspended, under power for writing, the agent does nothing.
type site struct {
	store.Driver
	t         *testing.T
	name      string
	node      *pair.Node
	clusters  *clusters
	forwarder *fence.Forwarder
	power     sync.RWMutex
	stands    bool          // its server is a standby
	up        chan uint64   // its token, once it is primary
	stopped   chan struct{} // its agent was told to stop it
}

// clusters is the one cluster of a test.
type clusters struct {
	sync.Mutex
	fence.Cluster
}

func (s *site) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	s.power.RLock()
	defer s.power.RUnlock()
	return s.Driver.Get(ctx, keys...)
}

func (s *site) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	s.power.RLock()
	defer s.power.RUnlock()
	return s.Driver.Commit(ctx, b)
}

func (s *site) May(_ context.Context, held *lease.Held) error {
	s.clusters.Lock()
	defer s.clusters.Unlock()
	c := s.clusters.Cluster
	if s.stands {
		var err error
		if c, err = c.Report(s.name, position(s.t, s.node, "pg_last_wal_receive_lsn()")); err != nil {
			return err
		}
	}
	c, _, err := c.Elect(s.name, held.Token(), nil, time.Now())
	if err == nil {
		s.clusters.Cluster = c
	}
	return err
}

func (s *site) Promote(_ context.Context, token uint64) error {
	if err := s.forwarder.Lead(token, s.name+":5432"); err != nil {
		return err
	}
	if s.stands {
		s.node.Promote(s.t)
	}
	s.up <- token
	return nil
}

// Stop does nothing to the server: what keeps a former primary from writing here is the forwarder alone.
func (s *site) Stop(context.Context) error {
	s.power.RLock()
	defer s.power.RUnlock()
	close(s.stopped)
	return nil
}

// run contends until the test ends, and returns the result.
func (s *site) run(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	db, err := store.New(s, nil)
	require.NoError(s.t, err)
	n, err := fence.NewNode(db, "orders", s.name, fence.Timing{TTL: time.Second, Stop: 200 * time.Millisecond, DriftPPM: 200}, s)
	require.NoError(s.t, err)
	go func() { done <- n.Run(ctx) }()
	return done
}

func (s *site) wait() uint64 {
	select {
	case token := <-s.up:
		return token
	case <-time.After(20 * time.Second):
		s.t.Fatalf("%s does not become primary", s.name)
		return 0
	}
}

// position asks a server for a place in its log.
func position(t *testing.T, n *pair.Node, what string) (bytes uint64) {
	_, err := fmt.Sscan(n.SQL(t, "select pg_wal_lsn_diff("+what+", '0/0')"), &bytes)
	require.NoError(t, err)
	return bytes
}

// fork is where the log of a server that was promoted once leaves that of its former primary.
func fork(t *testing.T, n *pair.Node) uint64 {
	fields := strings.Fields(n.SQL(t, "select pg_read_file('pg_wal/00000002.history')"))
	require.Greater(t, len(fields), 1)
	return position(t, n, "'"+fields[1]+"'")
}

// load writes rows through the forwarder by several sessions, each of which connects again when its connection is cut.
type load struct {
	front string
	next  atomic.Int64
	mu    sync.Mutex
	acked []int64
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func start(t *testing.T, front net.Addr, sessions int) *load {
	ctx, cancel := context.WithCancel(context.Background())
	host, port, err := net.SplitHostPort(front.String())
	require.NoError(t, err)
	l := &load{front: fmt.Sprintf("host=%s port=%s user=opsec dbname=postgres sslmode=disable", host, port), stop: cancel}
	t.Cleanup(l.end)
	for range sessions {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				l.session(ctx)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	return l
}

// session writes until its connection ends. A write that was sent is waited for, or else could be there without its answer.
func (l *load) session(ctx context.Context) {
	var notices []string
	config, err := pgx.ParseConfig(l.front)
	if err != nil {
		return
	}
	config.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) { notices = append(notices, notice.Code) }
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	for ctx.Err() == nil {
		id := l.next.Add(1)
		notices = nil
		_, err := conn.Exec(context.Background(), "insert into orders values ($1)", id)
		if pgreplica.Acknowledged(err, notices...) {
			l.mu.Lock()
			l.acked = append(l.acked, id)
			l.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

func (l *load) end() {
	l.stop()
	l.wg.Wait()
}

// since counts the acknowledged rows after an id.
func (l *load) since(id int64) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, have := range l.acked {
		if have > id {
			n++
		}
	}
	return n
}

func present(t *testing.T, n *pair.Node) map[int64]bool {
	found := map[int64]bool{}
	for line := range strings.Lines(n.SQL(t, "select id from orders")) {
		var id int64
		_, err := fmt.Sscan(line, &id)
		require.NoError(t, err)
		found[id] = true
	}
	return found
}
