package etcd

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudopsec/opsec/store"
)

// chunk is how many values come with one answer, of 32 MiB at most.
const chunk = 128

// List implements [store.Driver]. A page that may have more than 128 values takes one request for its keys and one for
// each 128 values; any other takes one. In reverse it takes as many more as it needs to find where the page begins: one
// when the range is not much larger than the page, some twenty in a million keys.
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
	start := p.start
	if p.r.Reverse {
		var err error
		if start, err = p.near(ctx); err != nil {
			return nil, err
		}
	}
	if p.r.KeysOnly || p.r.Limit <= chunk {
		return p.ask(ctx, start, p.end, p.r.KeysOnly)
	}
	keys, err := p.ask(ctx, start, p.end, true)
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

// maxProbes bounds the search for keys that are made to make it long.
const maxProbes = 64

// near returns a start for a page in reverse, near its end. etcd reads the whole of a range before it turns it round, so
// that the last ten of a million would cost as much as all. But with one key it tells how many are behind, so bisection
// finds a start with enough of them, and not many more. However the keys lie, the page is the right one; what is not
// found is only a cheaper start.
func (p *page) near(ctx context.Context) (string, error) {
	enough, many := int64(p.r.Limit), int64(2*p.r.Limit+16)
	low, high, probe := p.start, p.end, p.start // more than many are behind low; less than enough, behind high
	for range maxProbes {
		resp, err := p.kv.Get(withLeader(ctx), probe,
			clientv3.WithRange(p.end), clientv3.WithLimit(1), clientv3.WithKeysOnly(), clientv3.WithRev(p.rev))
		if err != nil {
			return "", err
		}
		p.rev = resp.Header.Revision
		switch {
		case resp.Count > many:
			low = string(resp.Kvs[0].Key)
		case resp.Count < enough && probe != p.start:
			high = probe
		default:
			return probe, nil
		}
		if probe = between(low, high); probe <= low || probe >= high {
			break
		}
	}
	return low, nil
}

// between returns a key halfway between two, as far as their bytes are numbers; one that is not between if it sees none.
func between(low, high string) string {
	n := 0
	for n < len(low) && n < len(high) && low[n] == high[n] {
		n++
	}
	a, b := number(low[n:]), number(high[n:])
	for b-a <= 1 && n+8 < len(low) { // what lies between begins as low does
		n += 8
		a, b = number(low[n:]), math.MaxUint64
	}
	return low[:n] + string(binary.BigEndian.AppendUint64(nil, a+(b-a)/2))
}

// number is that of the first eight bytes.
func number(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}
