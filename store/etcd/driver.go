package etcd

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
)

// Options is the wiring of [New]. The zero value, or nil, works.
type Options struct {
	// Prefix names the store in its cluster, 1 to 128 letters, digits and characters of "-_./"; "opsec" if empty. A
	// colon ends it in the keys of etcd, and it holds none, so no store can name a key of another: those of "prod" begin
	// with "prod:", those of "prod/a" with "prod/a:". A role of etcd is granted the same.
	Prefix string
}

const maxPrefix = 128 // bytes, so that the largest batch stays far below etcd's 1.5 MiB

// Driver is a [store.Driver] on an etcd cluster, and a [store.Watcher]. Make it with [New].
type Driver struct {
	kv      clientv3.KV
	watcher clientv3.Watcher
	root    string // of all keys
	top     string // above all keys

	open  context.Context // until Close
	close context.CancelFunc
}

// New returns a driver over a client that stays the caller's: Close leaves it open, and when the caller closes it, the
// driver is closed too. Nothing is sent. A nil client or a bad prefix is an error wrapping [opsec.ErrInvalid].
//
// The driver uses the client's connection and options, but neither its KV nor its Watcher, so what was put there in
// their place (package namespace) has no effect.
func New(client *clientv3.Client, o *Options) (*Driver, error) {
	prefix := "opsec"
	if o != nil && o.Prefix != "" {
		prefix = o.Prefix
	}
	if client == nil {
		return nil, fmt.Errorf("etcd: no client: %w", opsec.ErrInvalid)
	}
	if len(prefix) > maxPrefix || strings.Trim(prefix, letters) != "" {
		return nil, fmt.Errorf("etcd: Options.Prefix %.140q, want 1 to %d of %s: %w", prefix, maxPrefix, letters, opsec.ErrInvalid)
	}
	d := &Driver{
		kv:      clientv3.NewKVFromKVClient(once{clientv3.RetryKVClient(client)}, client),
		watcher: clientv3.NewWatcher(client),
		root:    prefix + ":",
		top:     prefix + ";", // what follows the colon
	}
	d.open, d.close = context.WithCancel(client.Ctx())
	return d, nil
}

// letters are those of a prefix. Trim finds no other only if there is none.
const letters = "-_./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// usable returns why nothing can be done.
func (d *Driver) usable(ctx context.Context) error {
	if d.open.Err() != nil {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Get implements [store.Driver], with one request.
func (d *Driver) Get(ctx context.Context, keys ...string) ([]store.Item, error) {
	if err := cmp.Or(d.usable(ctx), store.ValidateKeys(keys...)); err != nil || len(keys) == 0 {
		return nil, err
	}
	items := make([]store.Item, len(keys))
	if len(keys) == 1 {
		resp, err := d.kv.Get(withLeader(ctx), d.root+keys[0])
		if err != nil {
			return nil, d.failed(ctx, err)
		}
		items[0] = item(keys[0], resp)
		return items, nil
	}
	gets := make([]clientv3.Op, len(keys))
	for i, key := range keys {
		gets[i] = clientv3.OpGet(d.root + key)
	}
	resp, err := d.readTxn(ctx, gets)
	if err != nil {
		return nil, d.failed(ctx, err)
	}
	for i, key := range keys {
		items[i] = item(key, (*clientv3.GetResponse)(resp.Responses[i].GetResponseRange()))
	}
	return items, nil
}

// item is the one that was asked for.
func item(key string, resp *clientv3.GetResponse) store.Item {
	if len(resp.Kvs) == 0 {
		return store.Item{Key: key}
	}
	return store.Item{Key: key, Value: resp.Kvs[0].Value, Rev: store.Rev(resp.Kvs[0].ModRevision)}
}

// How often what a member certainly has not done is tried again: as the client does with single reads.
const (
	attempts = 100
	pause    = 25 * time.Millisecond
)

// readTxn does reads at one point in time.
func (d *Driver) readTxn(ctx context.Context, gets []clientv3.Op) (*clientv3.TxnResponse, error) {
	for attempt := 1; ; attempt++ {
		resp, err := d.kv.Txn(withLeader(ctx)).Then(gets...).Commit()
		if codeOf(err) != codes.Unavailable || attempt == attempts || wait(ctx, pause) != nil {
			return resp, err
		}
	}
}

// wait returns after a time, or the error of a context that ends before.
func wait(ctx context.Context, how time.Duration) error {
	timer := time.NewTimer(how)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// withLeader makes a member that is cut off from the others say so at once, where it would try for seconds.
func withLeader(ctx context.Context) context.Context { return clientv3.WithRequireLeader(ctx) }

// Close implements [store.Driver]. It ends every Watch and leaves the client open. A call that is on its way still
// finishes; the end of its context, or of the client, ends it.
func (d *Driver) Close() error {
	d.close()
	_ = d.watcher.Close() // what it returns is why a stream had ended
	return nil
}
