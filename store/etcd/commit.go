package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cloudopsec/opsec/store"
)

// Commit implements [store.Driver], with one request. A batch that only deletes, and only what is absent, changes nothing,
// and returns the Rev of whatever the cluster has done last.
func (d *Driver) Commit(ctx context.Context, b store.Batch) (store.Rev, error) {
	if err := cmp.Or(d.usable(ctx), b.Validate()); err != nil || len(b.Checks)+len(b.Ops) == 0 {
		return 0, err
	}
	resp, err := d.txn(ctx, &b)
	for attempt := 1; errors.Is(err, rpctypes.ErrNoLeader) && attempt < attempts && wait(ctx, pause) == nil; attempt++ {
		resp, err = d.txn(ctx, &b) // the member has not even proposed it
	}
	switch {
	case err != nil:
		return 0, d.uncommitted(ctx, &b, err)
	case !resp.Succeeded:
		return 0, conflict(&b, resp)
	case len(b.Ops) == 0:
		return 0, nil
	}
	return store.Rev(resp.Header.Revision), nil
}

// txn sends a batch. When a check fails, the same transaction reads what the keys are at. A transaction without ops
// needs that in any case: etcd does not wait for the other members before one that compares alone, and its answer may
// be old.
func (d *Driver) txn(ctx context.Context, b *store.Batch) (*clientv3.TxnResponse, error) {
	checks, reads := make([]clientv3.Cmp, len(b.Checks)), make([]clientv3.Op, len(b.Checks))
	for i, c := range b.Checks {
		key := d.root + c.Key
		checks[i] = clientv3.Compare(clientv3.ModRevision(key), "=", int64(c.Rev))
		reads[i] = clientv3.OpGet(key, clientv3.WithKeysOnly())
	}
	ops := make([]clientv3.Op, len(b.Ops))
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Delete {
			ops[i] = clientv3.OpDelete(d.root + op.Key)
		} else {
			ops[i] = clientv3.OpPut(d.root+op.Key, string(op.Value))
		}
	}
	return d.kv.Txn(withLeader(ctx)).If(checks...).Then(ops...).Else(reads...).Commit()
}

// conflict names the keys that were not at their Rev.
func conflict(b *store.Batch, resp *clientv3.TxnResponse) error {
	var keys []string
	for i, c := range b.Checks {
		if item(c.Key, (*clientv3.GetResponse)(resp.Responses[i].GetResponseRange())).Rev != c.Rev {
			keys = append(keys, c.Key)
		}
	}
	return &store.ConflictError{Keys: keys}
}

// uncommitted says what is known of a commit that has returned err.
func (d *Driver) uncommitted(ctx context.Context, b *store.Batch, err error) error {
	if no := refused(err); no != nil {
		return withEnd(ctx, no)
	}
	if errors.Is(err, rpctypes.ErrNoSpace) {
		if err = fmt.Errorf("%w: %w", ErrNoSpace, err); d.untouched(ctx, b) {
			return err
		}
	} else {
		err = fmt.Errorf("etcd: %w", withEnd(ctx, err))
	}
	if d.open.Err() != nil {
		err = errors.Join(store.ErrClosed, err)
	}
	return errors.Join(store.ErrIndeterminate, err)
}

// untouched reports whether a batch that has been answered has certainly not been applied: something that it would have
// changed is still at the Rev that it checked.
func (d *Driver) untouched(ctx context.Context, b *store.Batch) bool {
	at := map[string]store.Rev{}
	for _, c := range b.Checks {
		at[c.Key] = c.Rev
	}
	for i := range b.Ops {
		op := &b.Ops[i]
		rev, checked := at[op.Key]
		if !checked || op.Delete && rev == 0 {
			continue
		}
		resp, err := d.kv.Get(withLeader(ctx), d.root+op.Key, clientv3.WithKeysOnly())
		return err == nil && item(op.Key, resp).Rev == rev
	}
	return false
}

// once sends a transaction once. The client's own retries are careful with what writes, except when the server answers
// that a context has ended while the caller's goes on: then the client sends again what may have been applied, and the
// second answer is a conflict with the first.
type once struct{ etcdserverpb.KVClient }

// Txn implements [etcdserverpb.KVClient].
func (o once) Txn(ctx context.Context, r *etcdserverpb.TxnRequest, opts ...grpc.CallOption) (*etcdserverpb.TxnResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := grpc.OnFinish(func(err error) {
		if code := status.Code(err); code == codes.Canceled || code == codes.DeadlineExceeded {
			cancel() // which the client takes for the caller's
		}
	})
	return o.KVClient.Txn(ctx, r, append(opts[:len(opts):len(opts)], stop)...)
}
