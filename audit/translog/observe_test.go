package translog_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

func TestLogOfLogsHasEveryShardOnRecord(t *testing.T) {
	above := newKit(t)
	top := above.open()
	a, b := newKit(t), newKit(t)
	node := a.open()
	for n := range 300 {
		a.append(node, "acme", "eve", n)
	}
	settle(t, node)
	shard := translog.Shard{Trust: a.policy.Trust, FS: os.DirFS(a.dir)}
	seen, err := top.Observe(t.Context(), reader, shard)
	require.NoError(t, err)
	require.Equal(t, origin, seen.Log)
	require.GreaterOrEqual(t, seen.Size, uint64(300))
	settle(t, top)
	require.NoError(t, top.stop())
	before := load(t, a.dir)

	top = above.open() // what it has seen is read from the record
	for n := range 300 {
		a.append(node, "acme", "eve", n)
	}
	settle(t, node)
	require.NoError(t, node.stop())
	seen, err = top.Observe(t.Context(), reader, shard)
	require.NoError(t, err)
	again, err := top.Observe(t.Context(), reader, shard)
	require.NoError(t, err)
	require.Equal(t, seen, again)

	store(t, a.dir, before) // cut
	_, err = top.Observe(t.Context(), reader, shard)
	require.ErrorIs(t, err, translog.ErrTampered)

	_, err = top.Observe(t.Context(), reader, translog.Shard{Trust: b.policy.Trust, FS: os.DirFS(a.dir)})
	require.Error(t, err, "signed by another key")
	settle(t, top)
	all := translog.Profile{Name: "all", AllTenants: true, Most: opsec.Personal}
	got := collect(t, top.View(reader, all), translog.Query{Actions: []string{translog.ActionObserve}})
	require.Len(t, got, 3)
	require.Equal(t, opsec.Failure, got[2].Event.Outcome)
	require.NoError(t, top.stop())
	r := above.sound()
	require.Equal(t, []verify.Observation{seen}, r.Shards)
}

func TestObservedByManyAtOnceItNeverShrinks(t *testing.T) {
	above, a := newKit(t), newKit(t)
	top, node := above.open(), a.open()
	shard := translog.Shard{Trust: a.policy.Trust, FS: os.DirFS(a.dir)}
	k := sync.WaitGroup{}
	for w := range 8 {
		k.Go(func() {
			for n := range 10 {
				if _, err := node.Append(t.Context(), login("acme", "eve", n*8+w)); err != nil {
					t.Error(err)
				}
				time.Sleep(5 * time.Millisecond)
				if _, err := top.Observe(t.Context(), reader, shard); err != nil {
					t.Error(err)
				}
			}
		})
	}
	k.Wait()
	require.NoError(t, node.stop())
	require.NoError(t, top.stop())
	above.sound()
}

func TestEmptyShardIsObservedToo(t *testing.T) {
	above, a := newKit(t), newKit(t)
	top, node := above.open(), a.open()
	shard := translog.Shard{Trust: a.policy.Trust, FS: os.DirFS(a.dir)}
	require.Eventually(t, func() bool { return node.Checkpoint() != nil }, 20*time.Second, time.Millisecond)
	seen, err := top.Observe(t.Context(), reader, shard)
	require.NoError(t, err)
	require.Zero(t, seen.Size)
	a.append(node, "acme", "eve", 1)
	settle(t, node)
	seen, err = top.Observe(t.Context(), reader, shard)
	require.NoError(t, err)
	require.Positive(t, seen.Size)
	require.NoError(t, top.stop())
	above.sound()
}

func TestShardThatWasRewrittenIsFound(t *testing.T) {
	above, a := newKit(t), newKit(t)
	top, node := above.open(), a.open()
	a.append(node, "acme", "eve", 1)
	require.NoError(t, node.stop())
	before := load(t, a.dir)
	node = a.open()
	a.append(node, "acme", "eve", 2)
	require.NoError(t, node.stop())
	shard := translog.Shard{Trust: a.policy.Trust, FS: os.DirFS(a.dir)}
	_, err := top.Observe(t.Context(), reader, shard)
	require.NoError(t, err)
	store(t, a.dir, before)
	node = a.open()
	for n := range 10 {
		a.append(node, "acme", "mallory", n)
	}
	require.NoError(t, node.stop())
	_, err = top.Observe(t.Context(), reader, shard)
	require.ErrorIs(t, err, translog.ErrTampered)
}
