package postgres

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"

	"github.com/cloudopsec/opsec/internal/hint"
	"github.com/cloudopsec/opsec/internal/pause"
	"github.com/cloudopsec/opsec/store"
)

// Watch implements [store.Watcher]. Changes of this driver are told below prefix, those of others below the name of
// the store. All watches of a driver share one connection, beside the pool; while that is being made anew they are woken
// too, since they may have missed something, as they are every ten seconds in which nothing came: the process that
// changed something may have died before it notified.
func (d *Driver) Watch(ctx context.Context, prefix string) iter.Seq2[struct{}, error] {
	if d.poll > 0 {
		return d.polling(ctx)
	}
	return func(yield func(struct{}, error) bool) {
		if d.closed.Load() {
			yield(struct{}{}, store.ErrClosed)
			return
		}
		d.ear.open(ctx, d.channel, &d.hub)
		defer d.ear.close()
		for _, err := range d.hub.Watch(ctx, prefix) {
			if !yield(struct{}{}, err) {
				return
			}
		}
	}
}

func (d *Driver) polling(ctx context.Context) iter.Seq2[struct{}, error] {
	return func(yield func(struct{}, error) bool) {
		for ctx.Err() == nil {
			if d.closed.Load() {
				yield(struct{}{}, store.ErrClosed)
				return
			}
			if !yield(struct{}{}, nil) || pause.For(ctx, d.poll) != nil {
				return
			}
		}
	}
}

// tell wakes those who watch what a commit has changed, here and elsewhere.
func (d *Driver) tell(b *store.Batch) {
	if d.poll > 0 {
		return
	}
	if d.hub.Listening() {
		for i := range b.Ops {
			d.hub.Tell(b.Ops[i].Key)
		}
	}
	d.notice.send()
}

// ear is the connection that listens, for as long as anybody watches.
type ear struct {
	connect func(context.Context) (*pgx.Conn, error)

	mu    sync.Mutex
	users int
	stop  context.CancelFunc
	ended chan struct{}
	heard chan struct{} // closed when it listens for the first time
}

// open begins to listen, or joins those who do, and returns when the server has been told, or cannot be for now.
func (e *ear) open(ctx context.Context, channel string, hub *hint.Hub) {
	e.mu.Lock()
	if e.users++; e.users == 1 {
		var inner context.Context
		inner, e.stop = context.WithCancel(context.WithoutCancel(ctx)) // close ends it, when the last watch does
		e.ended, e.heard = make(chan struct{}), make(chan struct{})
		go e.run(inner, channel, hub, e.heard, e.ended)
	}
	heard := e.heard
	e.mu.Unlock()
	select {
	case <-heard:
	case <-ctx.Done():
	}
}

func (e *ear) close() {
	e.mu.Lock()
	e.users--
	last, stop, ended := e.users == 0, e.stop, e.ended
	e.mu.Unlock()
	if last {
		stop()
		<-ended // who watches next does not wait for it
	}
}

// How the ear behaves.
const (
	silence    = 10 * time.Second // after which it looks whether the server is still there
	impatience = 5 * time.Second  // how long the server may take for an answer
	longest    = 5 * time.Second  // between two attempts to connect
)

func (e *ear) run(ctx context.Context, channel string, hub *hint.Hub, heard, ended chan struct{}) {
	defer close(ended)
	tried := sync.OnceFunc(func() { close(heard) })
	defer tried()
	for failures := 0; ctx.Err() == nil; failures++ {
		conn, err := e.listen(ctx, channel)
		if err == nil {
			failures = 0
			tried()
			hub.TellAll()
			e.hear(ctx, conn, hub)
		}
		tried()
		hub.TellAll()
		pause.For(ctx, min(longest, backoff(failures)<<min(failures, 7)))
	}
}

func (e *ear) listen(ctx context.Context, channel string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	conn, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		hangUp(conn)
		return nil, err
	}
	return conn, nil
}

// hear wakes the listeners of the hub until the connection breaks or ctx ends.
func (e *ear) hear(ctx context.Context, conn *pgx.Conn, hub *hint.Hub) {
	defer hangUp(conn)
	for ctx.Err() == nil {
		quiet, cancel := context.WithTimeout(ctx, silence)
		_, err := conn.WaitForNotification(quiet)
		cancel()
		if err != nil && (quiet.Err() == nil || ctx.Err() != nil || !answers(ctx, conn)) {
			return
		}
		hub.TellAll()
	}
}

func answers(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, impatience)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// hangUp does not wait for the server.
func hangUp(conn *pgx.Conn) {
	now, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(now)
}

// listenAt returns how to connect beside a pool: to its server, as its connections do, unless another is given.
func listenAt(pool *pgxpool.Pool, given *pgx.ConnConfig) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) {
		if given != nil {
			return pgx.ConnectConfig(ctx, given.Copy())
		}
		c := pool.Config()
		if c.BeforeConnect != nil { // where passwords that expire are fetched
			if err := c.BeforeConnect(ctx, c.ConnConfig); err != nil {
				return nil, err
			}
		}
		return pgx.ConnectConfig(ctx, c.ConnConfig)
	}
}

// notifier tells other processes that something has changed. The first change is told at once, those that follow
// together: a notification inside a commit would let no two of them commit at the same time (the queue has one lock),
// and beside each it would cost as much again.
type notifier struct {
	tell func(context.Context) error
	open context.Context // until the driver is closed
	shut context.CancelFunc
	life context.Context // a little longer, for the last notification
	end  context.CancelFunc

	mu      sync.Mutex
	more    bool // something has changed since the last notification
	running sync.WaitGroup
	runs    bool
}

// rest is the time between two notifications of a driver, farewell what the last one may take.
const (
	rest     = 10 * time.Millisecond
	farewell = time.Second
)

func (n *notifier) send() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.more = true
	if !n.runs && n.open.Err() == nil {
		n.runs = true
		n.running.Go(n.run)
	}
}

// run lives for as long as there is something to tell.
func (n *notifier) run() {
	for failures := 0; n.next(); {
		ctx, cancel := context.WithTimeout(n.life, impatience)
		err := n.tell(ctx)
		cancel()
		if failures++; err == nil || errors.Is(err, puddle.ErrClosedPool) || n.open.Err() != nil {
			failures = 0
		} else {
			n.mu.Lock()
			n.more = true
			n.mu.Unlock()
		}
		pause.For(n.open, rest<<min(failures, 9))
	}
}

func (n *notifier) next() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs = n.more && n.life.Err() == nil
	n.more = false
	return n.runs
}

// close lets what is due be told.
func (n *notifier) close() {
	n.mu.Lock()
	n.shut()
	n.mu.Unlock()
	defer time.AfterFunc(farewell, n.end).Stop()
	n.running.Wait()
	n.end()
}
