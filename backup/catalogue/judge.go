package catalogue

import (
	"time"

	"github.com/cloudopsec/opsec/store"
)

const (
	candidates = 10 // verified points that are looked at to take the place of one that goes: the last verified
	climbing   = 40 // points of their chains that are looked at, all together: a transaction reads so many keys and no more
)

// frozen returns a [*KeptError] when a point may not go whatever others there are.
func frozen(s *Source, p *Point, now time.Time) error {
	for _, list := range [][]Hold{s.Holds, p.Holds} {
		if len(list) > 0 {
			return &KeptError{Point: p.ID, Why: Held, What: string(list[0].ID)}
		}
	}
	if until := p.LockedUntil(); now.Before(until) {
		return &KeptError{Point: p.ID, Why: Locked, What: stamp(until)}
	}
	return nil
}

// judge returns a [*KeptError] when a present point may not go. It reads what it decides by in the transaction, so that what it finds
// still holds when the point is marked.
func (w *work) judge(s *Source, p *Point, lastToo bool) error {
	if err := frozen(s, p, w.now); err != nil {
		return err
	}
	for child, err := range w.points.List(w.sub, store.Query{Index: "child", Prefix: pointKey(p.Source, p.ID)}) {
		if err != nil {
			return err
		}
		return &KeptError{Point: p.ID, Why: NeededBy, What: child.ID}
	}
	if lastToo {
		return nil
	}
	if p.whole() {
		ok, err := w.another(p)
		if err == nil && !ok {
			err = &KeptError{Point: p.ID, Why: LastVerified}
		}
		return err
	}
	for other, err := range w.points.List(w.sub, between("time", p.Source, time.Time{}, time.Time{})) {
		if err != nil {
			return err
		}
		if other.ID != p.ID {
			return nil
		}
	}
	return &KeptError{Point: p.ID, Why: LastPoint}
}

// another reports whether another point of the source is known to be whole, with all that it needs.
func (w *work) another(p *Point) (bool, error) {
	q := between("whole", p.Source, time.Time{}, time.Time{})
	q.Reverse = true
	tried, left := 0, climbing
	for other, err := range w.points.List(w.sub, q) {
		if err != nil {
			return false, err
		}
		if other.ID != p.ID {
			sound := true
			end, err := w.climb(w.sub, p.Source, other.Parents, left, func(a *Point) bool {
				left--
				sound = a.State == Present && !a.Broken()
				return sound
			})
			if err != nil || end && sound {
				return sound, err
			}
		}
		if tried++; tried == candidates || left == 0 {
			break
		}
	}
	return false, nil
}
