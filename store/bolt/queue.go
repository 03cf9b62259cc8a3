package bolt

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/cloudopsec/opsec/store"
)

// The most that one transaction takes from the queue.
const (
	groupCommits = 1000
	groupBytes   = 16 << 20
)

// commit is a caller of Commit, and its batch as long as it waits.
type commit struct {
	batch *store.Batch
	bytes int
	wake  chan struct{} // gets one token: the commit is done, or it is to lead; nil when it leads from the start
	leads bool
	rev   store.Rev
	err   error
}

// queue is where commits wait. One of them leads: it takes what waits, itself first, works it off, and hands the lead to
// the first that came meanwhile.
type queue struct {
	mu      sync.Mutex
	waiting []*commit
	led     bool  // somebody leads
	crowd   bool  // the last group was more than its leader
	refused error // why there are no commits any more
}

// enter puts c last. If nobody leads, c does.
func (q *queue) enter(c *commit) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refused != nil {
		return q.refused
	}
	if q.led {
		c.wake = make(chan struct{}, 1)
	} else {
		q.led, c.leads = true, true
	}
	q.waiting = append(q.waiting, c)
	return nil
}

// wait returns when c is done or leads, or with the error of ctx if c has left the queue.
func (q *queue) wait(ctx context.Context, c *commit) error {
	select {
	case <-c.wake:
		return nil
	case <-ctx.Done():
	}
	if q.withdraw(c) {
		return ctx.Err()
	}
	<-c.wake // the result is on its way
	return nil
}

// withdraw takes c out, and passes on the lead if c has just been given it. It reports false if c has been taken or refused.
func (q *queue) withdraw(c *commit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, c)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	if c.leads {
		q.pass()
	}
	return true
}

// take returns what the leader is to work off, itself first; nothing if all have been refused.
func (q *queue) take() []*commit {
	q.gather()
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.waiting) && n < groupCommits && (n == 0 || bytes+q.waiting[n].bytes <= groupBytes) {
		bytes += q.waiting[n].bytes
		n++
	}
	group := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	q.crowd = n > 1
	return group
}

// gather lets others run as long as that brings more of them into the queue: where there was a crowd, those of the last
// group are on their way with their next commits. A lone caller does not give way.
func (q *queue) gather() {
	for before := 0; ; {
		q.mu.Lock()
		crowd, n := q.crowd, len(q.waiting)
		q.mu.Unlock()
		if !crowd || n <= before {
			return
		}
		before = n
		runtime.Gosched()
	}
}

// release tells the others of the group that they are done, and passes on the lead.
func (q *queue) release(group []*commit) {
	for _, c := range group[1:] {
		c.wake <- struct{}{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pass()
}

// pass makes the first that waits the leader.
func (q *queue) pass() {
	q.led = len(q.waiting) > 0
	if q.led {
		next := q.waiting[0]
		next.leads = true
		next.wake <- struct{}{}
	}
}

// refuse turns away all that wait, and all that come.
func (q *queue) refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refused == nil || err == store.ErrClosed {
		q.refused = err
	}
	for _, c := range q.waiting {
		c.err = err
		if !c.leads { // whoever leads has its token already
			c.wake <- struct{}{}
		}
	}
	q.waiting = nil
}
