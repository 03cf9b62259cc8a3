package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
)

// network lies between clients and a server. It can stall: connections stay, and nothing comes through in the
// directions that are cut, as when a firewall forgets them.
type network struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	stalled map[direction]chan struct{} // closed when it flows again
	conns   []net.Conn
	down    bool          // new connections are closed at once
	silent  []net.Conn    // through which nothing comes any more
	over    chan struct{} // closed at the end
}

type direction string

const (
	requests direction = "requests"
	answers  direction = "answers"
)

func newNetwork(t *testing.T, endpoint string) *network {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	n := &network{listener: listener, server: endpoint[len("unix://"):], stalled: map[direction]chan struct{}{}, over: make(chan struct{})}
	t.Cleanup(func() { close(n.over) })
	t.Cleanup(n.flow)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			n.mu.Lock()
			if n.conns = append(n.conns, client); n.down {
				client.Close()
			}
			n.mu.Unlock()
			go n.join(client)
		}
	}()
	return n
}

func (n *network) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", n.server)
	if err != nil {
		return
	}
	defer server.Close()
	var wait sync.WaitGroup
	wait.Go(func() { n.forward(client, requests, server, client); server.Close() })
	n.forward(client, answers, client, server)
	client.Close()
	wait.Wait()
}

func (n *network) forward(of net.Conn, d direction, to io.Writer, from io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		got, err := from.Read(buffer)
		if err != nil {
			return
		}
		n.mu.Lock()
		gate := n.stalled[d]
		if slices.Contains(n.silent, of) {
			gate = n.over
		}
		n.mu.Unlock()
		if gate != nil {
			<-gate
		}
		if _, err := to.Write(buffer[:got]); err != nil {
			return
		}
	}
}

func (n *network) stall(directions ...direction) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range directions {
		n.stalled[d] = make(chan struct{})
	}
}

func (n *network) flow() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for d, gate := range n.stalled {
		close(gate)
		delete(n.stalled, d)
	}
}

// silence lets nothing through the connections that there are, for good.
func (n *network) silence() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = n.conns
}

// breakAll resets all connections, and refuses new ones.
func (n *network) breakAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = true
	for _, conn := range n.conns {
		conn.Close()
	}
	n.conns = nil
}

// accept takes connections again.
func (n *network) accept() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = false
}

func (n *network) client(t *testing.T) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{n.listener.Addr().String()}, Logger: zap.NewNop(),
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: time.Second, // gRPC allows no less than 10 s
	})
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// within runs a call under a deadline, and requires that it ends by it.
func within(t *testing.T, what string, call func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- call(ctx) }()
	select {
	case err := <-end:
		require.ErrorIs(t, err, context.DeadlineExceeded, what)
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("%s goes on long after its context has ended", what)
		return nil
	}
}

func TestNetworkThatStallsSurfacesWithinTheDeadline(t *testing.T) {
	endpoint := startServer(t, fast)
	for _, cut := range [][]direction{{requests}, {answers}, {requests, answers}} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			n := newNetwork(t, endpoint)
			d := newDriver(t, n.client(t), fmt.Sprintf("cut-%d-%s", len(cut), cut[0]))
			db := newDB(t, d)
			require.NoError(t, insert(t.Context(), db, "0/a", "0/b"))
			var a attempts

			n.stall(cut...)
			keys := []string{"a", "b", "c"}
			for _, read := range []func(context.Context) error{
				func(ctx context.Context) error { _, err := d.Get(ctx, keys[0]); return err },
				func(ctx context.Context) error { _, err := d.Get(ctx, keys...); return err },
				func(ctx context.Context) error { _, err := d.List(ctx, store.Range{Limit: 1}); return err },
				func(ctx context.Context) error {
					_, err := d.List(ctx, store.Range{Limit: 1000, Reverse: true})
					return err
				},
			} {
				require.NotErrorIs(t, within(t, "a read", read), store.ErrIndeterminate)
			}
			require.ErrorIs(t, within(t, "Commit", func(ctx context.Context) error {
				_, err := d.Commit(ctx, store.Batch{Checks: []store.Check{{Key: "own"}}, Ops: []store.Op{{Key: "own"}}})
				return err
			}), store.ErrIndeterminate)
			within(t, "Update", func(ctx context.Context) error { return insert(ctx, db, "1/a", "1/b") })

			n.flow()
			_, err := d.Get(t.Context(), keys...)
			require.NoError(t, err)
			_, err = d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "own", Delete: true}}})
			require.NoError(t, err)
			require.NoError(t, insert(t.Context(), db, "2/a", "2/b"))

			// Updates that are in the middle of their commits when it stalls, and live until it flows, know how they end.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var wait sync.WaitGroup
			for w := range 8 {
				wait.Go(func() {
					for i := range 30 {
						id := fmt.Sprintf("w%d/%d/", w, i)
						a.note(id, insert(ctx, db, id+"a", id+"b"))
					}
				})
			}
			for range 3 {
				time.Sleep(50 * time.Millisecond)
				n.stall(cut...)
				time.Sleep(100 * time.Millisecond)
				n.flow()
			}
			wait.Wait()
			a.requireKept(t, db)
			a.unknown.Range(func(id, _ any) bool {
				t.Errorf("%s is unknown, though there was time to find out", id)
				return true
			})
		})
	}
}

// TestCommitWhoseConnectionBreaksIsSettled has commits whose answers are lost while the context of the Update goes on.
func TestCommitWhoseConnectionBreaksIsSettled(t *testing.T) {
	n := newNetwork(t, startServer(t, fast))
	cutter := &breaker{Driver: newDriver(t, n.client(t), "broken"), network: n}
	db := newDB(t, cutter)
	for i := range 10 {
		id := fmt.Sprintf("%d/", i)
		cutter.armed = i%2 == 1
		require.NoError(t, insert(t.Context(), db, id+"a", id+"b"))
	}
	require.Equal(t, 5, cutter.lost)
	require.Len(t, ids(t, db), 20)
	requireSound(t, db)
}

// breaker ends the context of a commit that it is armed for while its answer is held up.
type breaker struct {
	*etcd.Driver
	*network
	armed bool
	lost  int
}

func (b *breaker) Commit(ctx context.Context, batch store.Batch) (store.Rev, error) {
	if !b.armed || len(batch.Ops) < 2 {
		return b.Driver.Commit(ctx, batch)
	}
	b.armed = false
	b.stall(answers)
	defer b.flow()
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	rev, err := b.Driver.Commit(short, batch)
	if errors.Is(err, store.ErrIndeterminate) {
		b.lost++
	}
	return rev, err
}
