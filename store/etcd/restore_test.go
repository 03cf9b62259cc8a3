package etcd_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/cloudopsec/opsec/store"
)

// save writes a snapshot of a member, as etcdctl does.
func save(ctx context.Context, t *testing.T, client *clientv3.Client, path string) {
	t.Helper()
	from, err := client.Snapshot(ctx)
	require.NoError(t, err)
	defer from.Close()
	to, err := os.Create(path)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
}

// TestRestoreMustLiftTheRevisions restores as etcdutl does, with and without --bump-revision and --mark-compacted. A node
// remembers what it wrote after the backup; without them its Rev comes again, for another value.
func TestRestoreMustLiftTheRevisions(t *testing.T) {
	put := func(d store.Driver, value string) store.Rev {
		rev, err := d.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k", Value: []byte(value)}}})
		require.NoError(t, err)
		return rev
	}
	client := newClient(t, startServer(t, fast))
	d := newDriver(t, client, "a")
	put(d, "before")
	backup := filepath.Join(tempDir(t), "backup")
	save(t.Context(), t, client, backup)
	remembered := put(d, "after the backup")

	for _, lifted := range []bool{false, true} {
		dir := tempDir(t)
		restore := snapshot.RestoreConfig{
			SnapshotPath: backup, OutputDataDir: filepath.Join(dir, "data"), Name: embed.DefaultName,
			PeerURLs: []string{"unix://" + dir + "/p"}, InitialCluster: embed.DefaultName + "=unix://" + dir + "/p",
			InitialClusterToken: "etcd-cluster",
		}
		if lifted {
			restore.RevisionBump, restore.MarkCompacted = 1_000_000_000, true
		}
		require.NoError(t, snapshot.NewV3(zap.NewNop()).Restore(restore))
		server, err := start(dir, fast)
		require.NoError(t, err)
		t.Cleanup(server.Close)

		d := newDriver(t, newClient(t, "unix://"+socket(dir)), "a")
		items, err := d.Get(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, "before", string(items[0].Value))
		rev := put(d, "another")
		_, err = d.Commit(t.Context(), store.Batch{Checks: []store.Check{{Key: "k", Rev: remembered}}})
		if lifted {
			require.Greater(t, rev, remembered)
			require.ErrorAs(t, err, new(*store.ConflictError))
		} else {
			require.Equal(t, remembered, rev)
			require.NoError(t, err)
		}
	}
}
