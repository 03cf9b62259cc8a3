package etcd

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudopsec/opsec/store"
)

// chunk is how many values come with one answer, of 32 MiB at most.
const chunk = 128

// List implements [store.Driver]. A page of keys, and one of at most 128 values, takes one request; any other takes one
// for its keys and one for each 128 values.
//
// The time that etcd needs grows with the range, not with the page: it counts all keys from Start to End, and in reverse
// it collects all of them before it turns them round. See the package's document for figures.
func (d *Driver) List(ctx context.Context, r store.Range) ([]store.Item, error) {
	if err := cmp.Or(d.usable(ctx), r.Validate()); err != nil {
		return nil, err
	}
	p := page{Driver: d, r: r, start: d.root + max(r.Start, "\x00"), end: d.top}
	if r.End != "" {
		p.end = d.root + r.End
	}
	if p.start >= p.end {
		return nil, nil
	}
	kvs, err := p.list(ctx)
	if errors.Is(err, rpctypes.ErrCompacted) { // the point in time of the first request was gone at another
		p.rev = 0
		kvs, err = p.ask(ctx, p.start, p.end, r.KeysOnly)
	}
	if err != nil {
		return nil, d.failed(ctx, err)
	}
	return p.items(kvs), nil
}

// page is one List at work.
type page struct {
	*Driver
	r          store.Range
	start, end string // in etcd
	rev        int64  // the point in time, once there was an answer
}

// items are those of the page.
func (p *page) items(kvs []*mvccpb.KeyValue) []store.Item {
	list, size := make([]store.Item, len(kvs)), 0
	for i, kv := range kvs {
		list[i] = store.Item{Key: string(kv.Key[len(p.root):]), Value: kv.Value, Rev: store.Rev(kv.ModRevision)}
		if size += len(kv.Value); size >= store.MaxPageBytes {
			return list[:i+1]
		}
	}
	return list
}

func (p *page) list(ctx context.Context) ([]*mvccpb.KeyValue, error) {
	if p.r.KeysOnly || !p.r.Reverse && p.r.Limit <= chunk {
		return p.ask(ctx, p.start, p.end, p.r.KeysOnly)
	}
	keys, err := p.ask(ctx, p.start, p.end, true)
	if err != nil {
		return nil, err
	}
	all, size := make([]*mvccpb.KeyValue, 0, len(keys)), 0
	for some := range slices.Chunk(keys, chunk) {
		low, high := some[0].Key, some[len(some)-1].Key
		if p.r.Reverse {
			low, high = high, low
		}
		kvs, err := p.ask(ctx, string(low), string(high)+"\x00", false)
		if err != nil {
			return nil, err
		}
		all = append(all, kvs...)
		for _, kv := range kvs {
			size += len(kv.Value)
		}
		if size >= store.MaxPageBytes {
			break
		}
	}
	return all, nil
}

// ask sends a request, for the point in time of the first.
func (p *page) ask(ctx context.Context, start, end string, keysOnly bool) ([]*mvccpb.KeyValue, error) {
	opts := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithLimit(int64(p.r.Limit)), clientv3.WithRev(p.rev)}
	if keysOnly {
		opts = append(opts, clientv3.WithKeysOnly())
	}
	if p.r.Reverse {
		opts = append(opts, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
	}
	resp, err := p.kv.Get(withLeader(ctx), start, opts...)
	if err != nil {
		return nil, err
	}
	p.rev = resp.Header.Revision
	return resp.Kvs, nil
}
