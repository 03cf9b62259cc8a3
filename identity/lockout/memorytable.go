package lockout

import "time"

// slot is a row of a table, two to a line of cache. From the highest bit to the lowest:
//
//	0: Pending[0] 10, digest 54; 0 in an empty slot
//	1: Failures 16, Last 48
//	2: Locks 16, Until 48; while it is open, when the row is forgotten instead, or 0 for never
//	3: Pending[1] 10, brink 1, standing 5, Batch 48
//
// It is on the brink when reservations that nobody settles would lock it.
//
// Reservations are at most 1000, and 48 bits of milliseconds end in the year 10889.
type slot [4]uint64

const (
	digestBits = 54
	digestMask = 1<<digestBits - 1
	timeBits   = 48
	timeMask   = 1<<timeBits - 1
	brinkBit   = 1 << (digestBits - 1)
)

var standings = [...]Standing{Open, Barred, Locked, Permanent, Held}

func standingNumber(s Standing) uint64 {
	switch s {
	case Barred:
		return 1
	case Locked:
		return 2
	case Permanent:
		return 3
	case Held:
		return 4
	}
	return 0
}

func packed(ms int64) uint64 { return uint64(min(max(ms, 0), timeMask)) }

func (r *slot) digest() uint64   { return r[0] & digestMask }
func (r *slot) last() int64      { return int64(r[1] & timeMask) }
func (r *slot) until() int64     { return int64(r[2] & timeMask) }
func (r *slot) batch() int64     { return int64(r[3] & timeMask) }
func (r *slot) standing() uint64 { return r[3] >> timeBits & 0x1f }
func (r *slot) pending() bool    { return (r[0]|r[3])>>digestBits != 0 }
func (r *slot) brink() bool      { return r[3]&brinkBit != 0 }

func (r *slot) state() State {
	s := State{
		Failures: uint16(r[1] >> timeBits), Locks: uint16(r[2] >> timeBits),
		Pending: [2]uint16{uint16(r[0] >> digestBits), uint16(r[3] >> digestBits)},
		Batch:   r.batch(), Last: r.last(),
	}
	if n := r.standing(); n != 0 {
		s.Standing, s.Until = standings[n], r.until()
	}
	return s
}

func (r *slot) set(s State, p *Policy) {
	if p == nil {
		p = &Policy{}
	}
	until, pending, brink := s.Until, int(s.Pending[0])+int(s.Pending[1]), uint64(0)
	switch {
	case pending > 0 && int(s.Failures)+pending >= p.Failures:
		brink = brinkBit
	case s.Standing == Open && pending == 0 && p.Forget > 0:
		until = s.Last + min((p.Forget+p.Skew).Milliseconds(), timeMask/2) + 1
	}
	r[0] = r[0]&digestMask | uint64(s.Pending[0])<<digestBits
	r[1] = uint64(s.Failures)<<timeBits | packed(s.Last)
	r[2] = uint64(s.Locks)<<timeBits | packed(until)
	r[3] = uint64(s.Pending[1])<<digestBits | brink | standingNumber(s.Standing)<<timeBits | packed(s.Batch)
}

// Rows that stand are kept beyond their end, since the clocks of those who ask may differ. Reservations that nobody has settled for
// so long are failures that nobody has asked for.
const (
	beyondLock    = int64(time.Hour / time.Millisecond)
	beyondPending = int64(24 * time.Hour / time.Millisecond)
)

// droppable reports whether a row may go to make room for another, and what it is worth: 0 when it is forgotten, or the more the
// more failures it has counted, and the later.
func (r *slot) droppable(now int64) (worth uint64, ok bool) {
	switch until := r.until(); {
	case r.standing() == 0 && until != 0 && until < now:
		return 0, true
	case r.brink() || r.pending() && now-r.batch() < beyondPending:
		return 0, false
	case r.standing() > 2 || r.standing() != 0 && now-until < beyondLock:
		return 0, false
	}
	return (r[1]>>timeBits+r[2]>>timeBits)<<timeBits | r[1]&timeMask | 1, true
}

// table is the rows of one stripe: open addressing, the next free slot after that of the digest, at most three quarters full.
type table struct {
	slots []slot
	rows  int
	most  int // rows
	hand  int // where the last row was dropped
	idle  int // rows that came since the last sweep
}

func (t *table) home(digest uint64) int { return int(digest & 0xffffffff * uint64(len(t.slots)) >> 32) }

func (t *table) next(i int) int {
	if i++; i < len(t.slots) {
		return i
	}
	return 0
}

// stored is what a slot holds of a digest.
func stored(digest uint64) uint64 { return max(digest&digestMask, 1) }

// find returns where a digest stands.
func (t *table) find(digest uint64) (at int, found bool) {
	digest = stored(digest)
	if len(t.slots) == 0 {
		return 0, false
	}
	for at = t.home(digest); ; at = t.next(at) {
		switch t.slots[at].digest() {
		case digest:
			return at, true
		case 0:
			return at, false
		}
	}
}

// insert adds a row that is not there, for which there is room.
func (t *table) insert(digest uint64, s State, p *Policy) {
	at, _ := t.find(digest)
	t.slots[at][0] = stored(digest)
	t.slots[at].set(s, p)
	t.rows++
	t.idle++
}

// remove empties a slot, and moves up the rows behind it that would be found no more.
func (t *table) remove(hole int) {
	t.rows--
	for at := t.next(hole); ; at = t.next(at) {
		r := &t.slots[at]
		if r.digest() == 0 {
			break
		}
		if t.distance(t.home(r.digest()), at) >= t.distance(hole, at) {
			t.slots[hole] = *r
			hole = at
		}
	}
	t.slots[hole] = slot{}
}

func (t *table) distance(from, to int) int {
	if from <= to {
		return to - from
	}
	return to - from + len(t.slots)
}

// room makes room for one more row, and reports false where there is none to be had.
func (t *table) room(now int64) bool {
	if t.rows < min(t.most, len(t.slots)*3/4) {
		return true
	}
	full := t.rows >= t.most
	if (!full || t.idle > t.most/8) && t.sweep(now) > len(t.slots)/16 {
		return true
	}
	if !full {
		t.grow()
		return true
	}
	return t.rows < t.most || t.drop(now)
}

// grow copies the rows of this stripe into a table that is larger by a quarter: some ten thousand of them, where there are ten
// million in all.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, min(len(old)+len(old)/4+8, t.most+t.most/3+2))
	for _, r := range old {
		if r.digest() != 0 {
			at, _ := t.find(r.digest())
			t.slots[at] = r
		}
	}
}

// sweep drops what is forgotten.
func (t *table) sweep(now int64) (n int) {
	t.idle = 0
	for i := 0; i < len(t.slots); {
		if worth, ok := t.slots[i].droppable(now); ok && worth == 0 && t.slots[i].digest() != 0 {
			t.remove(i) // and look at what has moved here
			n++
		} else {
			i++
		}
	}
	return n
}

// drop drops the least of the next few rows that may go: all are looked at, if it must be.
func (t *table) drop(now int64) bool {
	const few = 32
	least, seen, at := ^uint64(0), 0, -1
	for range t.slots {
		t.hand = t.next(t.hand)
		if t.slots[t.hand].digest() == 0 {
			continue
		}
		if worth, ok := t.slots[t.hand].droppable(now); ok && worth < least {
			least, at = worth, t.hand
		}
		if seen++; seen >= few && at >= 0 {
			break
		}
	}
	if at < 0 {
		return false
	}
	t.remove(at)
	return true
}
