package catalogue

import (
	"time"

	"github.com/cloudopsec/opsec/store"
)

const (
	candidates = 10 // points that are looked at to take the place of one that goes: the last verified, or the last received
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
	return w.last(w.sub, p)
}

// last returns a [*KeptError] when no other point of the source could take the place of what is there of this one: of a point known to be
// whole another such, of one that has a copy to restore from another that has one, and each with all that it needs. Of a point that is of
// no use any other will do.
func (s *shelf) last(sub *store.Sub, p *Point) error {
	index, why, will := "time", LastPoint, (*Point).usable
	switch {
	case !p.Verified().IsZero():
		index, why = "whole", LastVerified
	case !p.usable():
		will = func(*Point) bool { return true }
	}
	q := between(index, p.Source, time.Time{}, time.Time{})
	q.Reverse = true
	tried, left := 0, climbing
	for other, err := range s.points.List(sub, q) {
		if err != nil {
			return err
		}
		if other.ID == p.ID {
			continue
		}
		if will(other) {
			sound := true
			end, err := s.climb(sub, p.Source, other.Parents, left, func(a *Point) bool {
				left--
				sound = a.State == Present && !a.Broken()
				return sound
			})
			if err != nil || end && sound {
				return err
			}
		}
		if tried++; tried == candidates || left == 0 {
			break
		}
	}
	return &KeptError{Point: p.ID, Why: why}
}
