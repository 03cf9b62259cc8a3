package etcd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/cloudopsec/opsec/store"
)

// Watch implements [store.Watcher]. A connection that breaks, a member without a leader and a compaction are a pause and
// a hint. It ends with [store.ErrClosed] after Close, and with an error when the client may not read there.
func (d *Driver) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		listening, stop := context.WithCancel(withLeader(ctx))
		defer stop()
		defer context.AfterFunc(d.open, stop)()
		hints, end := make(chan struct{}, 1), make(chan error, 1) // one hint waits at most
		go func() { end <- d.listen(listening, d.root+prefix, hints) }()
		defer func() { stop(); <-end }()
		for {
			select {
			case <-hints:
				if !yield(struct{}{}, nil) {
					return
				}
			case err := <-end:
				end <- nil
				switch {
				case ctx.Err() != nil:
				case d.open.Err() != nil:
					yield(struct{}{}, store.ErrClosed)
				default:
					yield(struct{}{}, fmt.Errorf("etcd: %w", err))
				}
				return
			}
		}
	}
}

// How long a watch that has ended waits before the next.
const (
	minRest = 50 * time.Millisecond
	maxRest = 2 * time.Second
)

// listen turns what etcd tells into hints, and takes it from the client at once, which would keep all of it for somebody
// slow. It returns when ctx ends, or when there is nothing to wait for.
func (d *Driver) listen(ctx context.Context, prefix string, hints chan<- struct{}) error {
	rest := minRest
	for {
		var err error
		for resp := range d.watcher.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify(), clientv3.WithFragment()) {
			if err = resp.Err(); err != nil {
				continue // it is the last
			}
			rest = minRest
			select {
			case hints <- struct{}{}:
			default: // one waits already, and stands for this too
			}
		}
		if ctx.Err() == nil && isDenied(err) {
			return err
		}
		if wait(ctx, rest) != nil {
			return ctx.Err()
		}
		rest = min(2*rest, maxRest)
	}
}

// isDenied reports whether a watch may not be. Its reason comes as a text.
func isDenied(err error) bool {
	return err != nil && (errors.Is(err, rpctypes.ErrPermissionDenied) || strings.Contains(err.Error(), rpctypes.ErrPermissionDenied.Error()))
}
