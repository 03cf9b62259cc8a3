package etcd_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
)

// TestLargestBatchFitsWithoutConfiguration has as many bytes, checks and ops as there may be, under the longest prefix:
// with a check that fails, the answer names all keys.
func TestLargestBatchFitsWithoutConfiguration(t *testing.T) {
	d := newDriver(t, newClient(t, startServer(t, fast)), strings.Repeat("p", 128))
	var b store.Batch
	size := 0
	for i := range store.MaxChecks {
		key := fmt.Sprintf("%0*d", store.MaxKey, i)
		b.Checks = append(b.Checks, store.Check{Key: key})
		b.Ops = append(b.Ops, store.Op{Key: key})
		size += 2 * len(key)
	}
	for i := range b.Ops {
		b.Ops[i].Value = make([]byte, (store.MaxBatch-size)/store.MaxOps)
	}
	b.Ops[0].Value = append(b.Ops[0].Value, make([]byte, (store.MaxBatch-size)%store.MaxOps)...)
	_, err := d.Commit(t.Context(), b)
	require.NoError(t, err)
	_, err = d.Commit(t.Context(), b)
	var conflict *store.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Len(t, conflict.Keys, store.MaxChecks)

	// The cluster lets in at least this much above a full batch.
	larger := b
	larger.Ops[1].Value = make([]byte, len(b.Ops[1].Value)+1)
	_, err = d.Commit(t.Context(), larger)
	require.ErrorIs(t, err, store.ErrTooLarge)
}

func TestClusterConfiguredForLessSaysTooLarge(t *testing.T) {
	endpoint := startServer(t, func(cfg *embed.Config) { fast(cfg); cfg.MaxRequestBytes, cfg.MaxTxnOps = 10_000, 10 })
	small, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, Logger: zap.NewNop(), MaxCallSendMsgSize: 700_000, MaxCallRecvMsgSize: math.MaxInt32,
	})
	require.NoError(t, err)
	t.Cleanup(func() { small.Close() })
	d := newDriver(t, newClient(t, endpoint), "a")
	limited := newDriver(t, small, "a")
	for _, n := range []int{10_000, 200_000, 600_000, 900_000} { // over the limit of the server, of its gRPC, of the client
		var b store.Batch
		for i := range 4 {
			b.Ops = append(b.Ops, store.Op{Key: fmt.Sprint(i), Value: make([]byte, n/4)})
		}
		_, err := d.Commit(t.Context(), b)
		require.ErrorIs(t, err, store.ErrTooLarge, n)
		require.NotErrorIs(t, err, store.ErrIndeterminate, n)
		_, err = limited.Commit(t.Context(), b)
		require.ErrorIs(t, err, store.ErrTooLarge, n)
		require.NotErrorIs(t, err, store.ErrIndeterminate, n)
	}
	var b store.Batch
	for i := range 11 {
		b.Ops = append(b.Ops, store.Op{Key: fmt.Sprint(i)})
	}
	_, err = d.Commit(t.Context(), b)
	require.ErrorIs(t, err, store.ErrTooLarge)
	b.Ops = b.Ops[1:]
	_, err = d.Commit(t.Context(), b)
	require.NoError(t, err)
}

func TestDatabaseThatIsFullSaysSo(t *testing.T) {
	client := newClient(t, startServer(t, func(cfg *embed.Config) { fast(cfg); cfg.QuotaBackendBytes = 16 << 20 }))
	d, db := newDriver(t, client, "filler"), newDB(t, newDriver(t, client, "db"))
	require.NoError(t, insert(t.Context(), db, "0/a", "0/b"))
	value := make([]byte, store.MaxValue)
	put := func(n int, checked bool) error {
		b := store.Batch{Ops: []store.Op{{Key: fmt.Sprint(n), Value: value}}}
		if checked {
			b.Checks = []store.Check{{Key: fmt.Sprint(n)}}
		}
		_, err := d.Commit(t.Context(), b)
		return err
	}
	full := 0
	var err error
	for ; err == nil; full++ {
		require.Less(t, full, 1000) // it takes note of its size ten times a second
		err = put(full, true)
	}
	require.ErrorIs(t, put(full, true), etcd.ErrNoSpace)
	require.NotErrorIs(t, put(full, true), store.ErrIndeterminate, "what it checks is as it was")
	err = put(full+1, false)
	require.ErrorIs(t, err, etcd.ErrNoSpace)
	require.ErrorIs(t, err, store.ErrIndeterminate, "nothing tells whether it was done")

	_, err = d.Commit(t.Context(), store.Batch{
		Checks: []store.Check{{Key: "absent"}}, Ops: []store.Op{{Key: "absent", Delete: true}, {Key: "other", Value: value}},
	})
	require.ErrorIs(t, err, store.ErrIndeterminate, "what it checks would be as it was in either case")

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = insert(ctx, db, "1/a", "1/b")
	require.ErrorIs(t, err, etcd.ErrNoSpace)
	require.NotErrorIs(t, err, store.ErrIndeterminate, "its marker tells")
	require.Equal(t, map[string]bool{"0/a": true, "0/b": true}, ids(t, db), "reads go on")
	items, err := d.Get(ctx, "0")
	require.NoError(t, err)
	_, err = d.Commit(ctx, store.Batch{Checks: []store.Check{{Key: "0", Rev: items[0].Rev}}})
	require.NoError(t, err, "checks go on")
	for n := range full {
		_, err = d.Commit(ctx, store.Batch{Ops: []store.Op{{Key: fmt.Sprint(n), Delete: true}}})
		require.NoError(t, err, "deletes go on")
	}

	// what the operator does then
	now, err := client.Get(ctx, "k")
	require.NoError(t, err)
	_, err = client.Compact(ctx, now.Header.Revision, clientv3.WithCompactPhysical())
	require.NoError(t, err)
	_, err = client.Defragment(ctx, client.Endpoints()[0])
	require.NoError(t, err)
	_, err = client.AlarmDisarm(ctx, &clientv3.AlarmMember{})
	require.NoError(t, err)
	require.NoError(t, insert(ctx, db, "2/a", "2/b"))
	require.NoError(t, put(full+2, true))
	requireSound(t, db)
}
