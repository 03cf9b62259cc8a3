package lockout

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// queues are those who wait for a guess at an account to be settled, in the order of their coming.
type queues struct {
	waiting atomic.Int64 // in all: mostly none, and then nobody looks further
	mu      sync.Mutex
	lines   map[Key]*list.List // of waiters
}

type waiter struct {
	woken chan struct{}
	place *list.Element
}

func (q *queues) join(k Key) *waiter {
	w := &waiter{woken: make(chan struct{}, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lines == nil {
		q.lines = map[Key]*list.List{}
	}
	if q.lines[k] == nil {
		q.lines[k] = list.New()
	}
	w.place = q.lines[k].PushBack(w)
	q.waiting.Add(1)
	return w
}

// leave takes w out, and wakes n of those behind it, or one at least if it was woken and has not used that.
func (q *queues) leave(k Key, w *waiter, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.lines[k]
	line.Remove(w.place)
	q.waiting.Add(-1)
	select {
	case <-w.woken:
		n = max(n, 1)
	default:
	}
	if wake(line, n); line.Len() == 0 {
		delete(q.lines, k)
	}
}

// first reports whether w is the first of its line, who asks for all.
func (q *queues) first(k Key, w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines[k].Front() == w.place
}

// wake wakes the first n who wait for k.
func (q *queues) wake(k *Key, n int) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if line := q.lines[*k]; line != nil {
		wake(line, n)
	}
}

func wake(line *list.List, n int) {
	for at := line.Front(); at != nil && n > 0; at = at.Next() {
		select {
		case at.Value.(*waiter).woken <- struct{}{}:
			n--
		default: // is awake already
		}
	}
}
