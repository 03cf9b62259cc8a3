package etcd_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudopsec/opsec/store"
)

// compactAlways writes and forgets all history but the present, as fast as it can, until the test ends.
func compactAlways(t *testing.T, client *clientv3.Client) (compactions *atomic.Int64) {
	ctx, cancel := context.WithCancel(t.Context())
	compactions = new(atomic.Int64)
	var wait sync.WaitGroup
	t.Cleanup(wait.Wait)
	t.Cleanup(cancel)
	for range 2 {
		wait.Go(func() {
			for ctx.Err() == nil {
				if put, err := client.Put(ctx, "beside", ""); err == nil {
					if _, err = client.Compact(ctx, put.Header.Revision); err == nil {
						compactions.Add(1)
					}
				}
			}
		})
	}
	return compactions
}

func TestListsGoOnUnderCompaction(t *testing.T) {
	client := newClient(t, startServer(t, fast))
	d := newDriver(t, client, "a")
	const n = 600
	for from := 0; from < n; from += store.MaxOps {
		var ops []store.Op
		for i := range store.MaxOps {
			ops = append(ops, store.Op{Key: fmt.Sprintf("k%03d", from+i), Value: make([]byte, 100)})
		}
		_, err := d.Commit(t.Context(), store.Batch{Ops: ops})
		require.NoError(t, err)
	}
	compactions := compactAlways(t, client)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i := range 60 {
		reverse := i%2 == 1
		items, err := d.List(ctx, store.Range{Limit: store.MaxPage, Reverse: reverse})
		require.NoError(t, err)
		require.Len(t, items, n)
		for i, item := range items {
			if reverse {
				i = n - 1 - i
			}
			require.Equal(t, fmt.Sprintf("k%03d", i), item.Key)
			require.Len(t, item.Value, 100)
		}
	}
	require.Greater(t, compactions.Load(), int64(60))
}

// listen runs a Watch, and returns where its hints arrive.
func listen(t *testing.T, w store.Watcher, prefix string) (hints chan struct{}, end chan error) {
	t.Helper()
	hints, end = make(chan struct{}, 1), make(chan error, 1)
	go func() {
		var last error
		for _, err := range w.Watch(t.Context(), prefix) {
			if last = err; err == nil {
				select {
				case hints <- struct{}{}:
				default:
				}
			}
		}
		end <- last
	}()
	requireHint(t, hints)
	return hints, end
}

func requireHint(t *testing.T, hints <-chan struct{}) {
	t.Helper()
	select {
	case <-hints:
	case <-time.After(30 * time.Second):
		t.Fatal("no hint")
	}
}

// forget takes the hint that waits, if there is one.
func forget(hints <-chan struct{}) {
	select {
	case <-hints:
	default:
	}
}

func TestWatchGoesOnUnderCompaction(t *testing.T) {
	client := newClient(t, startServer(t, fast))
	d := newDriver(t, client, "a")
	hints, _ := listen(t, d, "k")
	compactAlways(t, client)
	for i := range 50 {
		forget(hints)
		_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k", Value: fmt.Append(nil, i)}}})
		require.NoError(t, err)
		requireHint(t, hints)
	}
}

// TestWatchThatMissedWhatIsCompactedHints has changes compacted while the network of the watch is cut.
func TestWatchThatMissedWhatIsCompactedHints(t *testing.T) {
	endpoint := startServer(t, fast)
	n := newNetwork(t, endpoint)
	client, near := n.client(t), newClient(t, endpoint)
	hints, _ := listen(t, newDriver(t, client, "a"), "k")
	d := newDriver(t, near, "a")
	for range 3 {
		n.breakAll()
		forget(hints)
		for i := range 5 {
			_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k", Value: fmt.Append(nil, i)}}})
			require.NoError(t, err)
		}
		now, err := near.Get(t.Context(), "k")
		require.NoError(t, err)
		_, err = near.Compact(t.Context(), now.Header.Revision)
		require.NoError(t, err)
		n.accept()
		requireHint(t, hints)
		forget(hints)
		_, err = d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k"}}})
		require.NoError(t, err)
		requireHint(t, hints)
	}
}

// TestWatchNoticesASilentNetwork is for a client with keep-alives, which the package's document asks for.
func TestWatchNoticesASilentNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the 11 seconds of a keep-alive")
	}
	t.Parallel()
	endpoint := startServer(t, fast)
	n := newNetwork(t, endpoint)
	hints, _ := listen(t, newDriver(t, n.client(t), "a"), "k")
	d := newDriver(t, newClient(t, endpoint), "a")
	n.silence()
	_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k"}}})
	require.NoError(t, err)
	requireHint(t, hints) // by another connection
}

func TestSlowListenerHoldsNoMemory(t *testing.T) {
	client := newClient(t, startProcess(t).endpoint())
	d := newDriver(t, client, "a")
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	listening, goOn, heard := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		n := 0
		for _, err := range d.Watch(t.Context(), "") {
			if err != nil {
				return
			}
			switch n++; n {
			case 1:
				close(listening)
				<-goOn
			case 2:
				close(heard)
			}
		}
	}()
	<-listening
	before := heap()
	value := make([]byte, store.MaxValue)
	const n = 200 // of 50 MiB
	for range n {
		_, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k", Value: value}}})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return heap()-before < n*store.MaxValue/4 }, 10*time.Second, 100*time.Millisecond)
	close(goOn)
	requireHint(t, heard)
}
