package thirdparty

import "time"

// breaker leaves a party alone that does not answer. It decides; who uses it has the lock and the clock.
type breaker struct {
	failures int           // it takes to open
	pause    time.Duration // it stays open

	failed int       // calls, one after the other
	until  time.Time // open until then, if not zero
	probe  bool      // one call is trying
}

// admit reports whether a call may go out, and whether it is the one that tries.
func (b *breaker) admit(now time.Time) (ok, probe bool) {
	if b.until.IsZero() {
		return true, false
	}
	if b.until.Sub(now) > b.pause { // the clock has gone back
		b.until = now.Add(b.pause)
	}
	if b.probe || now.Before(b.until) {
		return false, false
	}
	b.probe = true
	return true, true
}

// result is how a call went.
type result int

const (
	answered result = iota // also with no
	unanswered
	withdrawn // by the caller: it says nothing about the party
)

// note takes the result of a call that was admitted, and reports whether that opened or closed the breaker.
func (b *breaker) note(r result, probe bool, now time.Time) (opened, closed bool) {
	if probe {
		b.probe = false
	}
	switch {
	case r == withdrawn || !probe && !b.until.IsZero(): // the second began before it opened
	case r == answered:
		closed = probe
		b.failed, b.until = 0, time.Time{}
	default:
		if b.failed++; probe || b.failed >= b.failures {
			opened = !probe
			b.until = now.Add(b.pause)
		}
	}
	return opened, closed
}
