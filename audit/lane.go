package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
)

// A batch is what waits, within these bounds.
const (
	batchLen   = 1024
	batchBytes = 1 << 20
)

// lane is one sink with its queue, its deadline and its breaker. The first fields do not change; the rest is guarded
// by the mutex of the Trail, which no lane holds while it calls its sink.
type lane struct {
	trail   *Trail
	index   int
	name    string
	sink    Sink
	durable bool
	wake    chan struct{} // holds a token when run should look again

	batch   []*flight // being written, or to be written again
	queue   []*flight // what comes after it
	single  int       // so many of the queue go one by one, because the sink refused them together
	writes  uint64    // counts the calls of Write
	writing bool      // one of them has not returned

	state    State
	since    time.Time
	err      error // the last
	failures int   // in a row
	retry    time.Time
	gap      gap    // not yet told
	lost     uint64 // in all
}

// up reports whether a critical event may wait for this sink.
func (l *lane) up() bool { return l.state == Up || l.state == Failing }

func (l *lane) waiting() int { return len(l.batch) + len(l.queue) }

// offer queues f if there is room for its class, and counts it as lost if not.
func (l *lane) offer(f *flight) {
	if l.waiting() >= l.trail.policy.room(f.record.Event.Class) {
		l.lose("queue full", f)
		return
	}
	l.push(f)
}

func (l *lane) push(f *flight) {
	f.at[l.index] = queued
	l.queue = append(l.queue, f)
	l.nudge()
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// lose counts events that this sink will not get. One that comes again, and is lost again, is counted once.
func (l *lane) lose(reason string, flights ...*flight) {
	now := l.trail.now()
	for _, f := range flights {
		if f.at[l.index] != lost {
			f.at[l.index] = lost
			l.gap.add(f.record.Event.Class, now, reason)
			l.lost++
			f.tell()
		}
	}
}

// run feeds the sink until the trail has ended, and closes it.
func (l *lane) run(ctx context.Context) error {
	for batch := l.next(); batch != nil; batch = l.next() {
		l.write(ctx, batch)
	}
	ctx, cancel := context.WithTimeout(ctx, l.trail.policy.WriteDeadline)
	defer cancel()
	if err := l.sink.Close(ctx); err != nil {
		return fmt.Errorf("audit: sink %s: close: %w", l.name, err)
	}
	return nil
}

// next waits for a batch, and returns nil at the end.
func (l *lane) next() []Record {
	for {
		batch, pause, end := l.take()
		if end || batch != nil {
			return batch
		}
		var later <-chan time.Time
		if pause > 0 {
			later = time.After(pause)
		}
		select {
		case <-l.wake:
		case <-later:
		}
	}
}

func (l *lane) take() (batch []Record, pause time.Duration, end bool) {
	l.trail.mu.Lock()
	defer l.trail.mu.Unlock()
	if l.waiting() == 0 {
		return nil, 0, l.trail.phase == ended
	}
	if pause := time.Until(l.retry); pause > 0 && l.trail.phase != ended {
		return nil, pause, false
	}
	if len(l.batch) == 0 {
		l.cut()
	}
	for _, f := range l.batch {
		batch = append(batch, f.record)
	}
	l.writing = true
	l.writes++
	return batch, 0, false
}

// cut moves the next batch from the front of the queue.
func (l *lane) cut() {
	n, size := 0, 0
	for n < len(l.queue) && n < batchLen && size < batchBytes && (n == 0 || l.single == 0) {
		size += len(l.queue[n].record.JSON)
		n++
	}
	l.single = max(0, l.single-1)
	l.batch = append([]*flight(nil), l.queue[:n]...)
	clear(l.queue[:n])
	l.queue = l.queue[n:]
}

// write calls the sink. Whatever the sink does, at the deadline everybody who waits for it is told.
func (l *lane) write(ctx context.Context, batch []Record) {
	ctx, cancel := context.WithTimeout(ctx, l.trail.policy.WriteDeadline)
	defer cancel()
	n := l.writes // changed by this goroutine alone
	stop := context.AfterFunc(ctx, func() { l.overrun(n) })
	err := l.sink.Write(ctx, batch)
	stop()
	l.settle(err, ctx.Err() != nil)
}

// overrun notes that call n of Write has not returned in time.
func (l *lane) overrun(n uint64) {
	l.trail.mu.Lock()
	hangs := l.writing && l.writes == n
	if hangs {
		l.turn(Hung, errors.New("no answer within the deadline"))
	}
	l.trail.mu.Unlock()
	if hangs {
		l.trail.logger.Error("audit sink hangs", "sink", l.name)
	}
}

// settle draws the consequences of a Write that has returned.
func (l *lane) settle(err error, late bool) {
	t := l.trail
	t.mu.Lock()
	before := l.state
	l.writing = false
	switch {
	case err == nil:
		l.accepted()
	case t.phase == ended:
		l.err = err
		l.lose(err.Error(), l.batch...)
		l.batch = nil
	case errors.Is(err, opsec.ErrInvalid):
		l.refused(err)
	default:
		l.failed(err, late)
	}
	after := l.state
	t.drained()
	t.mu.Unlock()
	if before != after {
		t.logger.Warn("audit sink", "sink", l.name, "was", before, "is", after, "error", err)
	}
}

func (l *lane) accepted() {
	now := l.trail.now()
	for _, f := range l.batch {
		f.landed(l.index, l.trail.lanes, l.trail.need, now)
	}
	l.batch, l.failures, l.retry = nil, 0, time.Time{}
	l.turn(Up, nil)
	if l.gap.total > 0 && l.trail.phase != ended {
		l.trail.report(l)
	}
}

// refused deals with a sink that works but will never take the batch: it may be for the sake of one record.
func (l *lane) refused(err error) {
	l.failures, l.retry = 0, time.Time{}
	l.turn(Up, err)
	if len(l.batch) == 1 {
		l.lose(err.Error(), l.batch...)
		l.batch[0].release()
	} else {
		l.single += len(l.batch)
		l.queue = append(l.batch, l.queue...)
	}
	l.batch = nil
}

func (l *lane) failed(err error, late bool) {
	p := l.trail.policy
	l.failures++
	pause := min(p.CoolDown, 50*time.Millisecond<<min(l.failures, 10))
	if late || l.failures >= p.Failures {
		pause = p.CoolDown
		l.turn(Open, err)
	} else {
		l.turn(Failing, err)
	}
	if l.trail.phase == draining {
		pause = min(pause, p.Drain/8)
	}
	l.retry = time.Now().Add(pause)
}

// turn changes the state, and tells those who wait when there is no more hope.
func (l *lane) turn(s State, err error) {
	l.err = err
	if l.state == s {
		return
	}
	l.state, l.since = s, l.trail.now()
	if !l.up() {
		for _, f := range l.batch {
			f.tell()
		}
		for _, f := range l.queue {
			f.tell()
		}
	}
}
