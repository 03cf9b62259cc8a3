package etcd_test

import (
	"cmp"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
	"github.com/cloudopsec/opsec/store/storetest/dbtest"
)

// Each handle is on another of three members, so that what one has not heard of yet shows.
func TestConformance(t *testing.T) {
	_, endpoints := startCluster(t)
	storetest.Run(t, newStores(endpoints...).harness())
}

func TestStore(t *testing.T) { dbtest.Run(t, newStores(startServer(t, fast)).harness(), nil) }

// owner is a driver whose Close closes the client as well.
type owner struct {
	*etcd.Driver
	client *clientv3.Client
}

func (o owner) Close() error { return cmp.Or(o.Driver.Close(), o.client.Close()) }

// openPlace opens a store by its endpoint and prefix.
func openPlace(place string) (store.Driver, error) {
	endpoint, prefix, _ := strings.Cut(place, " ")
	client, err := dial(endpoint)
	if err != nil {
		return nil, err
	}
	d, err := etcd.New(client, &etcd.Options{Prefix: prefix})
	return owner{d, client}, err
}

func TestCrashOfAClientLosesNothing(t *testing.T) {
	endpoint := startServer(t, fast)
	place := func(testing.TB) string { return endpoint + " crash" }
	crashtest.Run(t, crashtest.Harness{Place: place, Open: openPlace})
}

func TestStoresOfOneClusterAreDisjoint(t *testing.T) {
	client := newClient(t, startServer(t, fast))
	prefixes := []string{"", "a", "a/b", "a.", "ab", "A", strings.Repeat("x", 128)}
	var drivers []*etcd.Driver
	keys := []string{"\x00", ":", "/b:k", "b:", ":k", "k", "\xff\xff"}
	for _, prefix := range prefixes {
		d := newDriver(t, client, prefix)
		drivers = append(drivers, d)
		var ops []store.Op
		for _, key := range keys {
			ops = append(ops, store.Op{Key: key, Value: []byte(prefix)})
		}
		_, err := d.Commit(t.Context(), store.Batch{Ops: ops})
		require.NoError(t, err)
	}
	for _, key := range []string{"a", "a9", "a;", "a;k", "b:"} { // of other programs
		_, err := client.Put(t.Context(), key, "foreign")
		require.NoError(t, err)
	}
	for i, d := range drivers {
		for _, reverse := range []bool{false, true} {
			items, err := d.List(t.Context(), store.Range{Limit: store.MaxPage, Reverse: reverse})
			require.NoError(t, err)
			require.Len(t, items, len(keys))
			for _, item := range items {
				require.Equal(t, prefixes[i], string(item.Value), "%q in store %q", item.Key, prefixes[i])
			}
		}
	}
	// What the document says of the keys, so that a role can be granted them.
	all, err := client.Get(t.Context(), "a/b:", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	require.Len(t, all.Kvs, len(keys))
	all, err = client.Get(t.Context(), "opsec:k")
	require.NoError(t, err)
	require.Len(t, all.Kvs, 1)
}

func TestBadOptionsAreRefused(t *testing.T) {
	client := newClient(t, "unix:///nowhere")
	for _, prefix := range []string{":", "a:b", "a:", "a b", "a\x00", "é", "*", strings.Repeat("x", 129)} {
		_, err := etcd.New(client, &etcd.Options{Prefix: prefix})
		require.ErrorIs(t, err, opsec.ErrInvalid, prefix)
		require.ErrorContains(t, err, "Prefix")
	}
	_, err := etcd.New(nil, nil)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestCloseIsOfTheDriverAloneAndCloseOfTheClientOfBoth(t *testing.T) {
	client := newClient(t, startServer(t, fast))
	d, other := newDriver(t, client, "a"), newDriver(t, client, "a")
	require.NoError(t, d.Close())
	_, err := client.Get(t.Context(), "k")
	require.NoError(t, err, "the client is the caller's")
	_, err = other.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k"}}})
	require.NoError(t, err)

	ended := make(chan error)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		var last error
		for _, err := range other.Watch(ctx, "") {
			if last = err; err == nil {
				ended <- nil // it listens
			}
		}
		ended <- last
	}()
	require.NoError(t, <-ended)
	require.NoError(t, client.Close())
	require.ErrorIs(t, <-ended, store.ErrClosed)
	_, err = other.Get(t.Context(), "k")
	require.ErrorIs(t, err, store.ErrClosed)
	_, err = other.Commit(t.Context(), store.Batch{Ops: []store.Op{{Key: "k"}}})
	require.ErrorIs(t, err, store.ErrClosed)
	require.NotErrorIs(t, err, store.ErrIndeterminate, "nothing was sent")
}
