// Package turns lets the callers of one process that meet on a key take turns at it, so that on a hot key no more
// writers collide than there are processes. A turn is advice, not a lock: who has waited long goes on without it.
package turns

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Queues are the queues at keys. The zero value is ready.
type Queues struct {
	mu sync.Mutex
	of map[string]*queue
}

type queue struct {
	turn  chan struct{} // holds one token
	users int           // who holds the turn or waits for it
}

// patience is how long one waits for a turn. It bounds what a caller that hangs does to others.
const patience = time.Second

// Turns are what one caller holds.
type Turns struct {
	queues *Queues
	keys   []string
}

// New returns the turns of a caller, none yet.
func (q *Queues) New() Turns { return Turns{queues: q} }

// Take waits for the turn at each of the keys that has a queue; open makes one where there is none. Turns are taken in
// the order of the keys; out of it, only those that are free, so that no two wait for each other.
func (t *Turns) Take(ctx context.Context, keys []string, open bool) {
	if !open && t.queues.idle() {
		return
	}
	keys = slices.Sorted(slices.Values(keys))
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for _, key := range keys {
		if slices.Contains(t.keys, key) {
			continue
		}
		q := t.queues.join(key, open)
		if q == nil {
			continue
		}
		got := false
		if len(t.keys) > 0 && slices.Max(t.keys) > key {
			select {
			case q.turn <- struct{}{}:
				got = true
			default:
			}
		} else {
			select {
			case q.turn <- struct{}{}:
				got = true
			case <-ctx.Done():
			case <-deadline.C:
				deadline.Reset(0) // no more patience for the next
			}
		}
		if got {
			t.keys = append(t.keys, key)
		} else {
			t.queues.leave(key, q)
		}
	}
}

// End gives all turns back.
func (t *Turns) End() {
	for _, key := range t.keys {
		t.queues.mu.Lock()
		q := t.queues.of[key]
		t.queues.mu.Unlock()
		<-q.turn
		t.queues.leave(key, q)
	}
	t.keys = nil
}

func (q *Queues) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.of) == 0
}

func (q *Queues) join(key string, open bool) *queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	one := q.of[key]
	if one == nil {
		if !open {
			return nil
		}
		if q.of == nil {
			q.of = map[string]*queue{}
		}
		one = &queue{turn: make(chan struct{}, 1)}
		q.of[key] = one
	}
	one.users++
	return one
}

func (q *Queues) leave(key string, one *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(q.of, key)
	}
}
