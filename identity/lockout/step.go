package lockout

import (
	"cmp"
	"math"
	"time"
)

// The times that a counter knows, in milliseconds since 1970. A clock outside of them counts as the nearest: one that is so
// wrong neither unlocks nor makes a batch that could be taken for none.
const (
	firstTime = int64(MaxReserve / time.Millisecond)
	lastTime  = 253402300799000 - 1 // the last second of the year 9999 is left for the end of a lock
	never     = lastTime + 1        // when a lock ends that would outlast it
)

// Step returns the state and the verdict after an event. It is pure, knows an answer for each state and each event, and
// allocates nothing.
//
// The time of a step is now, or what the state has seen if that is later. Before the event, the time since the last step passes:
// reservations that are too old become failures at the time when they became so, a lock that is over ends, a run that is old
// enough is forgotten. It makes no difference whether somebody has looked meanwhile.
//
// A state that no course of steps could have left, such as one with a standing that is unknown, is taken for the strictest that it
// could stand for. A policy that is not valid is as strict as its fields can be read, and a nil one is the zero Policy.
func (p *Policy) Step(s State, e Event, now time.Time) (State, Verdict) {
	if p == nil {
		p = &Policy{}
	}
	c := counter{Policy: p, State: s, now: millis(now)}
	c.mend()
	c.pass()
	v := Verdict{Answer: Done}
	switch e.Kind {
	case Reserve:
		v.Answer, v.Batch = c.reserve()
	case Succeed, Fail, Release:
		v.Answer = c.settle(e)
	case Unlock:
		c.unlock()
	case Recover:
		v.Answer = c.recovered()
	case Look:
		if c.Standing != Open {
			v.Answer = Refused
		}
	case Hold:
		if c.Standing != Held {
			c.become(Held, 0)
		}
	default:
		v.Answer = Refused
	}
	if c.pending() == 0 {
		c.Batch = 0
	}
	v.Standing, v.Failures, v.Left, v.Opened = c.Standing, int(c.State.Failures), c.left(), c.opened
	if c.began {
		v.Became = c.Standing
	}
	if c.Standing == Barred || c.Standing == Locked {
		v.Until = time.UnixMilli(c.Until).UTC()
	}
	return c.State, v
}

// counter is a state on its way through one step.
type counter struct {
	*Policy
	State
	now    int64 // of the clock
	at     int64 // of the step
	began  bool  // what Standing says began in this step, unless it is Open
	opened bool
}

// millis returns the time in milliseconds since 1970, between firstTime and lastTime.
func millis(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < firstTime/1000:
		return firstTime
	case s > lastTime/1000:
		return lastTime
	}
	return min(t.UnixMilli(), lastTime)
}

// mend takes what no course of steps could have left for the strictest that it could stand for.
func (c *counter) mend() {
	switch c.Standing {
	case Open, Permanent, Held:
		c.Until = 0
	case Barred, Locked:
		if c.Until <= 0 {
			c.Standing, c.Until = Permanent, 0
		}
		c.Until = min(c.Until, never)
	default:
		c.Standing, c.Until = Held, 0
	}
	if c.State.Failures == 0 && (c.Locks > 0 || c.Last != 0) { // the count is lost
		c.State.Failures = uint16(c.threshold())
	}
	if c.Last <= 0 && c.State.Failures > 0 {
		c.Last = c.now
	}
	c.Last = min(max(c.Last, 0), lastTime)
	c.Pending = [2]uint16{min(c.Pending[0], MaxFailures), min(c.Pending[1], MaxFailures)}
	if c.pending() == 0 {
		c.Batch = 0
	}
	c.Batch = min(max(c.Batch, 0), lastTime)
	c.at = max(c.now, c.Last, c.Batch)
}

// grid is how far batches are apart, in milliseconds.
func (c *counter) grid() int64 {
	return min(max(c.Policy.Reserve, MinReserve), MaxReserve).Milliseconds()
}

// threshold is how many failures lock.
func (c *counter) threshold() int { return min(max(c.Policy.Failures, 1), MaxFailures) }

func (c *counter) pending() int { return int(c.Pending[0]) + int(c.Pending[1]) }

// left is how many guesses may begin now.
func (c *counter) left() int {
	switch {
	case c.Standing != Open:
		return 0
	case int(c.State.Failures) < c.threshold():
		return max(c.threshold()-int(c.State.Failures)-c.pending(), 0)
	}
	return max(1-c.pending(), 0)
}

// pass lets the time go by.
func (c *counter) pass() {
	r := c.grid()
	switch {
	case c.pending() == 0:
	case c.Batch == 0 || c.Batch%r != 0: // the policy had another grid
		c.expire(1, c.at)
		c.expire(0, c.at)
	default:
		if c.at >= c.Batch+r {
			c.expire(1, c.Batch+r)
			if c.at >= c.Batch+2*r {
				c.expire(0, c.Batch+2*r)
			}
			c.Pending = [2]uint16{0, c.Pending[0]}
			c.Batch += r
		}
	}
	c.end(c.now)
	forget := max(c.Forget, 0).Milliseconds()
	if c.Standing == Open && c.pending() == 0 && forget > 0 && c.at-c.Last > forget+c.skew() {
		c.clear()
	}
}

func (c *counter) skew() int64 { return max(c.Skew, 0).Milliseconds() }

// expire counts the reservations of a batch as failures, at that time.
func (c *counter) expire(batch int, at int64) {
	n := c.Pending[batch]
	if c.Pending[batch] = 0; n > 0 {
		c.end(min(at, c.now))
		c.fail(n, at, false)
	}
}

// end ends a lock or bar that is over at that time.
func (c *counter) end(at int64) {
	if (c.Standing == Barred || c.Standing == Locked) && at >= c.Until {
		c.Standing, c.Until = Open, 0
	}
}

// fail counts n failures. A lock that is in force stays as it is.
func (c *counter) fail(n uint16, at int64, settled bool) {
	previous := c.Last
	c.State.Failures = uint16(min(int(c.State.Failures)+int(n), math.MaxUint16))
	c.Last = max(c.Last, at)
	switch {
	case c.Standing != Open && c.Standing != Barred:
	case int(c.State.Failures) >= c.threshold():
		c.lock(at)
	case c.Standing == Open && settled && c.Rapid > 0 && previous > 0 && at-previous < c.Rapid.Milliseconds():
		c.become(Barred, at+max(cmp.Or(c.RapidBar, c.Rapid).Milliseconds(), 0)+c.skew())
	}
}

// lock locks for a while, or for good when that has been done often enough.
func (c *counter) lock(at int64) {
	length := c.length()
	if length <= 0 || c.Temporary != -1 && int(c.Locks) >= c.Temporary {
		c.become(Permanent, 0)
		return
	}
	c.Locks = uint16(min(int(c.Locks)+1, math.MaxUint16))
	c.become(Locked, max(c.Until, at+length+c.skew()))
}

// length is that of the lock that is due, in milliseconds.
func (c *counter) length() int64 {
	length, times := c.Lock.Milliseconds(), int64(1)
	switch c.Growth {
	case Fixed:
		return length
	case Multiple:
		times = int64(c.State.Failures) / int64(c.threshold())
	case Linear:
		times = 1 + int64(c.State.Failures) - int64(c.threshold())
	case Doubling:
		times = 1 << min(c.Locks, 32)
	default:
		return 0
	}
	most := max(c.LockMost, c.Lock).Milliseconds()
	if length <= 0 || times >= most/length+1 {
		return most
	}
	return min(length*times, most)
}

func (c *counter) become(s Standing, until int64) {
	c.Standing, c.Until, c.began = s, min(until, never), true
}

// clear forgets everything but what is under way.
func (c *counter) clear() { c.State = State{Pending: c.Pending, Batch: c.Batch} }

func (c *counter) reserve() (Answer, int64) {
	switch {
	case c.Standing != Open:
		return Refused, 0
	case c.left() == 0:
		return Wait, 0
	}
	c.Batch = c.at - c.at%c.grid()
	c.Pending[0]++
	return Done, c.Batch
}

func (c *counter) settle(e Event) Answer {
	switch {
	case e.Batch == c.Batch && c.Pending[0] > 0:
		c.Pending[0]--
	case e.Batch == c.Batch-c.grid() && c.Pending[1] > 0:
		c.Pending[1]--
	default:
		return Expired
	}
	switch {
	case e.Kind == Succeed && (c.Standing == Permanent || c.Standing == Held):
		return Refused
	case e.Kind == Succeed:
		c.opened = c.Standing != Open
		c.clear()
	case e.Kind == Fail && !e.Repeat:
		c.fail(1, c.at, true)
	}
	return Done
}

func (c *counter) recovered() Answer {
	if c.Standing == Held {
		return Refused
	}
	c.unlock()
	return Done
}

// unlock clears everything but what is under way, and that too when a clock made it that was wrong: it would keep the counter in
// that clock's time.
func (c *counter) unlock() {
	c.opened = c.Standing != Open || c.State.Failures > 0
	c.clear()
	if c.Batch > c.now+c.grid()+c.skew() {
		c.Pending = [2]uint16{}
	}
}
