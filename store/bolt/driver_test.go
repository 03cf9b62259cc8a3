package bolt_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

func open(t testing.TB, path string) *bolt.Driver {
	t.Helper()
	d, err := bolt.Open(path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func put(t testing.TB, d store.Driver, key, value string) store.Rev {
	t.Helper()
	rev, err := d.Commit(context.Background(), store.Batch{Ops: []store.Op{{Key: key, Value: []byte(value)}}})
	require.NoError(t, err)
	require.NotZero(t, rev)
	return rev
}

func TestWhatIsWrittenIsReadAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	d := open(t, path)
	rev := put(t, d, "k", "v")
	put(t, d, "empty", "")
	require.NoError(t, d.Close())
	d = open(t, path)
	got, err := d.Get(t.Context(), "k", "absent", "empty", "k")
	require.NoError(t, err)
	k := store.Item{Key: "k", Value: []byte("v"), Rev: rev}
	require.Equal(t, []store.Item{k, {Key: "absent"}, {Key: "empty", Value: []byte{}, Rev: rev + 1}, k}, got)
	require.NoError(t, d.Check(t.Context()))
}
