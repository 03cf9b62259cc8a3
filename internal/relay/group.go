package relay

import (
	"context"
	"time"
)

const (
	// slack is how old a group may be when its runner arrives, before the members finish without it.
	slack = 50 * time.Millisecond
	// age is how long a group grows.
	age = 5 * time.Millisecond
)

// Group is what runners hand on, with all turns that they have. Those who have added to it are its members, and wait
// until one of them has finished it for all.
type Group[S any] struct {
	// State is what the members have done. It is changed by a runner between Arrive and Share, and by finish, and never
	// under a runner that builds on it.
	State S

	lanes   *Lanes[S]
	began   time.Time
	keys    []string   // at which the group has the turn
	runner  *Runner[S] // who has it; nil when it grows no more
	arrived bool       // the runner is about to add to it: nobody takes it away
	members int        // who wait
	lead    chan struct{}
	done    chan struct{}
	outcome error // once it is done
}

// Group returns the group that r was given or has started, or nil.
func (r *Runner[S]) Group() *Group[S] { return r.group }

// Start begins a group, with all turns that r has. The runner goes on as if it had arrived.
func (r *Runner[S]) Start(state S) {
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	r.group = &Group[S]{
		State: state, lanes: r.lanes, began: time.Now(), keys: r.keys, runner: r,
		lead: make(chan struct{}, 1), done: make(chan struct{}),
	}
	r.keys = nil
}

// Arrive reports whether r may add to its group. It is too late when the members have waited for long.
func (r *Runner[S]) Arrive() bool {
	r.lanes.mu.Lock()
	defer r.lanes.mu.Unlock()
	if !r.leads() {
		return false
	}
	r.group.arrived = true
	return true
}

// Share makes r a member of the group that it has added to, hands the group on unless it is full, and waits until the
// group is finished, or ctx ends. One member calls finish, in its own goroutine, and what that returns is the outcome
// for all. When finish returns false, or panics, another member calls its own, if there is one.
//
// Share reports false when the outcome is not known: ctx has ended before.
func (r *Runner[S]) Share(ctx context.Context, full bool, finish func() (error, bool)) (outcome error, known bool) {
	g := r.group
	r.group = nil
	if g.enlist(full) && !g.wait(ctx) {
		return nil, false
	}
	select {
	case <-g.done:
		return g.outcome, true
	default:
	}
	defer func() {
		g.lanes.mu.Lock()
		defer g.lanes.mu.Unlock()
		if !known {
			g.members--
			g.appoint()
			return
		}
		g.outcome = outcome
		close(g.done)
		g.release()
	}()
	if ctx.Err() != nil {
		return nil, false
	}
	return finish()
}

// enlist makes the runner a member. It reports false if the group grows no more, and that member is to finish it.
func (g *Group[S]) enlist(full bool) (waits bool) {
	g.lanes.mu.Lock()
	defer g.lanes.mu.Unlock()
	g.members++
	if !full && g.pass() {
		return true
	}
	g.runner = nil
	return false
}

// pass hands the group to the first who waits for one of its turns and takes groups over.
func (g *Group[S]) pass() bool {
	if time.Since(g.began) >= age {
		return false
	}
	key := g.lanes.next(g.keys)
	if key == "" {
		return false
	}
	next := g.lanes.of[key].shift()
	g.runner, g.arrived = next, false
	g.keys = append(g.keys, next.keys...)
	next.keys, next.group, next.met = nil, g, append(next.met, key)
	next.ready <- struct{}{}
	return true
}

// onward is what becomes of a group whose runner gives up: it goes to the next, or to a member that finishes it.
func (g *Group[S]) onward() {
	if !g.pass() {
		g.runner = nil
		g.appoint()
	}
}

// appoint lets one of the members finish. If all have left, nobody waits for an outcome, and there is none.
func (g *Group[S]) appoint() {
	if g.members > 0 {
		g.lead <- struct{}{}
		return
	}
	g.release()
}

func (g *Group[S]) release() {
	g.lanes.release(g.keys)
	g.keys = nil
}

// wait returns when the group is done, or the member is to finish it. It reports false if ctx ends before.
func (g *Group[S]) wait(ctx context.Context) bool {
	timer := time.NewTimer(slack)
	defer timer.Stop()
	for {
		select {
		case <-g.done:
			return true
		case <-g.lead:
			return true
		case <-timer.C:
			left := g.overdue()
			if left <= 0 {
				return true
			}
			timer.Reset(left)
		case <-ctx.Done():
			return g.leave()
		}
	}
}

// overdue returns how long the runner has yet. If that is over, the group is taken from it.
func (g *Group[S]) overdue() time.Duration {
	g.lanes.mu.Lock()
	defer g.lanes.mu.Unlock()
	if g.runner == nil || g.arrived {
		return slack
	}
	left := slack - time.Since(g.began)
	if left <= 0 {
		g.runner = nil
	}
	return left
}

// leave ends a membership, unless the group is done.
func (g *Group[S]) leave() (done bool) {
	g.lanes.mu.Lock()
	defer g.lanes.mu.Unlock()
	select {
	case <-g.done:
		return true
	default:
	}
	g.members--
	select {
	case <-g.lead: // it was perhaps for this one
		g.appoint()
	default:
	}
	return false
}
