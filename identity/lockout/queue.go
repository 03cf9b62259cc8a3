package lockout

import (
	"slices"
	"sync"
	"sync/atomic"
)

// queues are those who wait for a guess at an account to be settled, in the order of their coming.
type queues struct {
	waiting atomic.Int64 // in all: mostly none, and then nobody looks further
	mu      sync.Mutex
	lines   map[Key][]*waiter
}

type waiter struct{ woken chan struct{} }

func (q *queues) join(k Key) *waiter {
	w := &waiter{make(chan struct{}, 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lines == nil {
		q.lines = map[Key][]*waiter{}
	}
	q.lines[k] = append(q.lines[k], w)
	q.waiting.Add(1)
	return w
}

// leave takes w out, and wakes n of those behind it, or one at least if it was woken and has not used that.
func (q *queues) leave(k Key, w *waiter, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	line := q.lines[k]
	at := slices.Index(line, w)
	if line = slices.Delete(line, at, at+1); len(line) == 0 {
		delete(q.lines, k)
	} else {
		q.lines[k] = line
	}
	q.waiting.Add(-1)
	select {
	case <-w.woken:
		n = max(n, 1)
	default:
	}
	wake(line, n)
}

// first reports whether w is the first of its line, who asks for all.
func (q *queues) first(k Key, w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lines[k][0] == w
}

// wake wakes the first n who wait for k.
func (q *queues) wake(k *Key, n int) {
	if q.waiting.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	wake(q.lines[*k], n)
}

func wake(line []*waiter, n int) {
	for _, w := range line {
		if n <= 0 {
			return
		}
		select {
		case w.woken <- struct{}{}:
			n--
		default: // is awake already
		}
	}
}
