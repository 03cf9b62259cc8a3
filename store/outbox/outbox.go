package outbox

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/lease"
)

// takeover is how long one event must have been the oldest of a node before another node delivers for it.
const takeover = 30 * time.Second

// retry bounds how long a recorder that fails is left alone.
const retry = 10 * time.Second

// Options is the wiring of [Run].
type Options struct {
	Logger *slog.Logger // is told what could not be delivered; nil discards
}

// Run delivers the events of db to recorder until ctx ends, and returns its error then: those of this node as they come,
// and those of other nodes that do not deliver theirs. Once an hour it sweeps ([store.DB.Sweep]). One Run for each
// process is enough; without any, [store.DB.Deliver] does one pass.
func Run(ctx context.Context, db *store.DB, recorder opsec.Recorder, o *Options) error {
	r := &run{db: db, recorder: recorder, log: slog.New(slog.DiscardHandler), seen: map[string]sight{}}
	if o != nil && o.Logger != nil {
		r.log = o.Logger
	}
	var err error
	if r.lease, err = lease.New(db, "outbox", db.Node(), takeover); err != nil {
		return err
	}
	wake, watched := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(ctx, wake)
	}()
	defer func() { <-watched }()
	for swept := time.Now(); ctx.Err() == nil; {
		r.pass(ctx)
		if time.Since(swept) > time.Hour {
			swept = time.Now()
			if _, err := db.Sweep(ctx); err != nil {
				r.warn(ctx, "store not swept", "", err)
			}
		}
		r.wait(ctx, wake)
	}
	return ctx.Err()
}

// run is the state of one Run.
type run struct {
	db       *store.DB
	recorder opsec.Recorder
	log      *slog.Logger
	lease    *lease.Lease
	seen     map[string]sight // other nodes with events that wait
	failures int              // of this node's own events, in a row
}

// sight is the oldest event of another node, and since when it has been that.
type sight struct {
	oldest opsec.ID
	since  time.Time
}

func (r *run) warn(ctx context.Context, what, node string, err error) {
	if ctx.Err() == nil {
		r.log.WarnContext(ctx, "outbox: "+what, "node", node, "err", err)
	}
}

// watch passes hints on to wake until ctx ends.
func (r *run) watch(ctx context.Context, wake chan<- struct{}) {
	for ctx.Err() == nil {
		for _, err := range r.db.WatchOutbox(ctx) {
			if err != nil {
				r.warn(ctx, "not watched", r.db.Node(), err)
				break
			}
			select {
			case wake <- struct{}{}:
			default:
			}
		}
		pause.For(ctx, time.Second)
	}
}

// wait returns when there is something to do: on a hint, or after a while. After a failure a hint is heard a little later,
// so that a recorder in trouble is not pressed.
func (r *run) wait(ctx context.Context, wake <-chan struct{}) {
	longest := takeover / 3
	if r.failures > 0 {
		pause.For(ctx, min(time.Second, 100*time.Millisecond<<min(r.failures, 10)))
		longest = retry
	}
	t := time.NewTimer(longest)
	defer t.Stop()
	select {
	case <-wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

// pass goes once through the outboxes that this node may deliver.
func (r *run) pass(ctx context.Context) {
	r.failures++
	if r.deliver(ctx, r.db.Node()) == nil {
		r.failures = 0
	}
	if left := r.abandoned(ctx); len(left) > 0 {
		r.takeOver(ctx, left)
	}
}

func (r *run) deliver(ctx context.Context, node string) error {
	_, err := r.db.Deliver(ctx, node, r.recorder)
	if err != nil {
		r.warn(ctx, "events not delivered", node, err)
	}
	return err
}

// abandoned returns the other nodes whose oldest event has not changed for the time of a takeover.
func (r *run) abandoned(ctx context.Context) (nodes []string) {
	seen := map[string]sight{}
	for w, err := range r.db.Undelivered(ctx) {
		if err != nil {
			r.warn(ctx, "not looked for events", "", err)
			return nil
		}
		if w.Node == r.db.Node() {
			continue
		}
		now := sight{w.Oldest, time.Now()}
		if before := r.seen[w.Node]; before.oldest == w.Oldest {
			now.since = before.since
		}
		if seen[w.Node] = now; time.Since(now.since) >= takeover {
			nodes = append(nodes, w.Node)
		}
	}
	r.seen = seen
	return nodes
}

// takeOver delivers for other nodes, if no third one does. What fails is tried again after the time of a takeover.
func (r *run) takeOver(ctx context.Context, nodes []string) {
	held, err := r.lease.Try(ctx)
	if err != nil {
		if !errors.Is(err, lease.ErrHeld) {
			r.warn(ctx, "no takeover", "", err)
		}
		return
	}
	for _, node := range nodes {
		if r.deliver(ctx, node) != nil {
			r.seen[node] = sight{r.seen[node].oldest, time.Now()}
		}
	}
	held.Release(context.WithoutCancel(ctx)) // or it runs out
}
