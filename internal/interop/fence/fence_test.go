//go:build unix

// What package fence does for a real pair of servers that know no tokens: clients reach them through a Forwarder, and the primary is elected
// by Nodes.
package fence_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/dr/fence"
	"github.com/cloudopsec/opsec/internal/interop/pgreplica/pair"
	"github.com/cloudopsec/opsec/store/lease"
	"github.com/cloudopsec/opsec/store/memory"
)

// scene is two sites behind a forwarder, of which a is primary under load and b contends.
type scene struct {
	a, b      *site
	forwarder *fence.Forwarder
	orders    *load
	first     uint64 // token of a
	former    <-chan error
}

func set(t *testing.T) *scene {
	nodes := pair.Start(t, &pair.Options{Synchronous: true})
	nodes.Primary.SQL(t, "create table orders (id bigint primary key)")
	gate, err := fence.OpenGate(filepath.Join(t.TempDir(), "token"))
	require.NoError(t, err)
	sockets := map[string]string{"a:5432": nodes.Primary.Socket(), "b:5432": nodes.Standby.Socket()}
	forwarder := fence.NewForwarder(gate, &fence.ForwarderOptions{Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", sockets[addr])
	}})
	front, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- forwarder.Serve(ctx, front) }()
	t.Cleanup(func() { cancel(); <-served })

	var cluster fence.Cluster
	for _, name := range []string{"a", "b"} {
		cluster, err = cluster.Join(name, 0)
		require.NoError(t, err)
		cluster, err = cluster.Report(name, 0)
		require.NoError(t, err)
	}
	engine, shared := memory.New(), &clusters{Cluster: cluster}
	s := &scene{forwarder: forwarder}
	for at, node := range map[**site]*pair.Node{&s.a: nodes.Primary, &s.b: nodes.Standby} {
		*at = &site{Driver: engine, t: t, node: node, clusters: shared, forwarder: forwarder, up: make(chan uint64, 1), stopped: make(chan struct{})}
	}
	s.a.name, s.b.name, s.b.stands = "a", "b", true
	s.former = s.a.run(ctx)
	s.first = s.a.wait()
	s.orders = start(t, front.Addr(), 4)
	require.Eventually(t, func() bool { return s.orders.since(0) > 100 }, 20*time.Second, 5*time.Millisecond)

	// What a says from time to time: b has so much, and no more than that is acknowledged.
	at := position(t, s.a.node, "(select flush_lsn from pg_stat_replication)")
	c, err := shared.Acknowledge(s.first, at)
	require.NoError(t, err)
	shared.Cluster, err = c.Report("b", at)
	require.NoError(t, err)
	s.b.run(ctx)
	return s
}

// takenOver waits until b is primary and works, and returns the last row that may have been sent to a.
func (s *scene) takenOver(t *testing.T) (last int64) {
	second := s.b.wait()
	last = s.orders.next.Load()
	require.Greater(t, second, s.first)
	require.Eventually(t, func() bool { return s.orders.since(last) > 100 }, 20*time.Second, 5*time.Millisecond)
	return last
}

// settled ends the load and requires that every acknowledged row is at b.
func (s *scene) settled(t *testing.T) map[int64]bool {
	s.orders.end()
	there := present(t, s.b.node)
	for _, id := range s.orders.acked {
		require.True(t, there[id], "row %d was acknowledged, and is missing", id)
	}
	return there
}

func TestFrozenPrimaryThatThawsIsFenced(t *testing.T) {
	s := set(t)
	s.a.power.Lock() // the machine is suspended: its agent too
	s.a.node.Freeze(t)
	last := s.takenOver(t)
	s.a.node.Thaw(t)
	s.a.power.Unlock()
	require.ErrorIs(t, <-s.former, lease.ErrLost)
	<-s.a.stopped
	thawed := s.orders.next.Load()
	require.Eventually(t, func() bool { return s.orders.since(thawed) > 100 }, 20*time.Second, 5*time.Millisecond)
	require.ErrorIs(t, s.forwarder.Lead(s.first, "a:5432"), fence.ErrFenced)
	there := s.settled(t)

	// It still takes itself for the primary, and takes writes from whoever reaches it.
	require.Equal(t, "f\n", s.a.node.SQL(t, "set synchronous_commit = local", "insert into orders values (-1)", "select pg_is_in_recovery()"))
	alone := 0
	acked := map[int64]bool{}
	for _, id := range s.orders.acked {
		acked[id] = true
	}
	for id := range present(t, s.a.node) {
		require.LessOrEqual(t, id, last, "a row reached the former primary after Lead")
		if !there[id] {
			require.False(t, acked[id])
			alone++
		}
	}
	d, err := fence.Diverge([]fence.Term{{Token: s.first, End: position(t, s.a.node, "pg_current_wal_flush_lsn()")}},
		[]fence.Term{{Token: s.first, End: fork(t, s.b.node)}, {Token: s.first + 1, End: position(t, s.b.node, "pg_current_wal_flush_lsn()")}})
	require.NoError(t, err)
	require.Positive(t, d.Lost, "row -1 is there alone")
	require.Positive(t, d.Ahead)
	t.Logf("%d acknowledged, %d of them after the failover; %d rows (%d bytes of log) at the former primary alone", len(acked), s.orders.since(last), alone, d.Lost)
}

func TestNoAcknowledgedRowIsMissingAfterAKilledPrimaryWasReplaced(t *testing.T) {
	s := set(t)
	s.a.power.Lock() // the machine is gone
	defer s.a.power.Unlock()
	s.a.node.Crash(t)
	last := s.takenOver(t)

	s.a.node.Up(t) // as a primary: it knows of nothing
	require.ErrorIs(t, s.forwarder.Lead(s.first, "a:5432"), fence.ErrFenced)
	up := s.orders.next.Load()
	require.Eventually(t, func() bool { return s.orders.since(up) > 100 }, 20*time.Second, 5*time.Millisecond)
	s.settled(t)
	require.Equal(t, "f\n", s.a.node.SQL(t, "select pg_is_in_recovery()"))
	for id := range present(t, s.a.node) {
		require.LessOrEqual(t, id, last, "a row reached the former primary after Lead")
	}
	t.Logf("%d acknowledged, %d of them after the failover", len(s.orders.acked), s.orders.since(last))
}
