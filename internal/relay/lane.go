// Package relay lets the callers of one process that meet at a key run one after the other, so that no more writers
// collide than there are processes, and hand on what they have done, so that the last of them finishes it for all.
//
// A turn at a key is advice, not a lock: who has waited long goes on without it. A group is a promise: what a [Runner]
// was given to build on does not change, and its members learn one outcome.
package relay

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// patience is how long one waits for turns. It bounds what a caller that hangs does to others.
	patience = time.Second
	// linger is how long a lane stays without anybody in it, for those who come again soon.
	linger = time.Second
)

// Lanes are the queues at keys. The zero value is ready. S is what a group hands on.
type Lanes[S any] struct {
	mu    sync.Mutex
	of    map[string]*lane[S]
	swept time.Time
}

// lane is the queue at one key.
type lane[S any] struct {
	taken   bool // somebody has the turn, a runner or a group
	waiting []*Runner[S]
	left    time.Time // when it became free
}

// shift takes out who is first in line.
func (l *lane[S]) shift() *Runner[S] {
	first := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	return first
}

// Runner is one caller on its way: the turns that it has, or the group that has them. It is of one goroutine.
type Runner[S any] struct {
	// Alone says that the runner takes no group over. Set it before the first Take.
	Alone bool

	lanes *Lanes[S]
	keys  []string  // at which it has the turn
	met   []string  // at which it or its group got it while it ran
	group *Group[S] // that it builds on
	ready chan struct{}
}

// Runner returns a runner without any turn.
func (l *Lanes[S]) Runner() Runner[S] { return Runner[S]{lanes: l} }

// At reports whether a key has a lane: some have met there not long ago.
func (l *Lanes[S]) At(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[key] != nil
}

// Take waits for the turn at each of the keys that has a lane; open makes one where there is none. Turns are taken in the
// order of the keys; out of it, only those that are free, so that no two wait for each other. Take returns the keys at
// which somebody else still has the turn. It may come back with a [Group].
func (r *Runner[S]) Take(ctx context.Context, keys []string, open bool) (missing []string) {
	if !open && r.lanes.idle() {
		return nil
	}
	var out <-chan time.Time
	for _, key := range slices.Sorted(slices.Values(keys)) {
		has, waits := r.enter(key, open)
		if waits {
			if out == nil {
				timer := time.NewTimer(patience)
				defer timer.Stop()
				out = timer.C
			}
			select {
			case <-r.ready:
				has = true
			case <-ctx.Done():
				has = r.leave(key)
			case <-out:
				has = r.leave(key)
				over := make(chan time.Time) // no more patience for the next
				close(over)
				out = over
			}
		}
		if !has {
			missing = append(missing, key)
		}
	}
	return missing
}

// enter takes the turn if it is free or of no use, and otherwise gets in line, unless that is out of order.
func (r *Runner[S]) enter(key string, open bool) (has, waits bool) {
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	one := r.lanes.of[key]
	held := *r.held()
	switch {
	case one == nil && !open || slices.Contains(held, key):
		return true, false
	case one == nil:
		one = new(lane[S])
		if r.lanes.of == nil {
			r.lanes.of = map[string]*lane[S]{}
		}
		r.lanes.of[key] = one
	}
	switch {
	case !one.taken:
		one.taken = true
		r.hold(key)
		return true, false
	case len(held) > 0 && slices.Max(held) > key:
		return false, false
	}
	if r.ready == nil {
		r.ready = make(chan struct{}, 1)
	}
	one.waiting = append(one.waiting, r)
	return false, true
}

// leave gets out of line; it reports true if the runner has been given the turn meanwhile.
func (r *Runner[S]) leave(key string) (has bool) {
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	one := r.lanes.of[key]
	if i := slices.Index(one.waiting, r); i >= 0 {
		one.waiting = slices.Delete(one.waiting, i, i+1)
		return false
	}
	<-r.ready
	return true
}

// held returns the turns that r has: those of its group as long as it has the group.
func (r *Runner[S]) held() *[]string {
	if r.leads() {
		return &r.group.keys
	}
	return &r.keys
}

func (r *Runner[S]) leads() bool { return r.group != nil && r.group.runner == r }

func (r *Runner[S]) hold(key string) {
	keys := r.held()
	*keys = append(*keys, key)
	r.met = append(r.met, key)
}

// Met returns the keys at which the runner has had the turn.
func (r *Runner[S]) Met() []string { return r.met }

// Wanted reports whether somebody waits who would take a group over.
func (r *Runner[S]) Wanted() bool {
	if len(r.keys) == 0 {
		return false
	}
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	return r.lanes.next(r.keys) != ""
}

// next returns the first of the keys whose lane is headed by one who would take a group over, or "".
func (l *Lanes[S]) next(keys []string) string {
	for _, key := range keys {
		if line := l.of[key].waiting; len(line) > 0 && !line[0].Alone && line[0].group == nil {
			return key
		}
	}
	return ""
}

// End gives back what the runner has: its turns, and its group to those who wait for it.
func (r *Runner[S]) End() {
	if r.group == nil && len(r.keys) == 0 {
		return
	}
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	if r.leads() {
		r.group.onward()
	}
	r.group = nil
	r.lanes.release(r.keys)
	r.keys = nil
}

// release gives turns to the next in line.
func (l *Lanes[S]) release(keys []string) {
	for _, key := range keys {
		one := l.of[key]
		if len(one.waiting) == 0 {
			one.taken, one.left = false, time.Now()
			continue
		}
		next := one.shift()
		next.hold(key)
		next.ready <- struct{}{}
	}
}

// idle reports whether there are no lanes. Now and then it takes those away that nobody uses any more.
func (l *Lanes[S]) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.of) == 0 {
		return true
	}
	if now := time.Now(); now.Sub(l.swept) > linger {
		l.swept = now
		for key, one := range l.of {
			if !one.taken && now.Sub(one.left) > linger {
				delete(l.of, key)
			}
		}
	}
	return len(l.of) == 0
}
