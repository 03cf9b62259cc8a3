package spray

import "math/bits"

// A surge is seen in slots of a twelfth of a window, against those of two days of windows of an hour.
const (
	slotsOfWindow = 12
	slotsKept     = 576
)

// slot counts all attempts of a time.
type slot struct {
	number   int64 // ms since 1970 by the length of a slot
	attempts uint32
	failures uint32
	told     bool
}

// slots are the last ones, each at its number modulo their count.
type slots [slotsKept]slot

func (s *slots) at(number int64) *slot { return &s[uint64(number)%slotsKept] }

// usual sums the slots before one, without surges.
func (s *slots) usual(number int64) (attempts, failures uint64) {
	for i := range s {
		if o := &s[i]; o.number < number && o.number > number-slotsKept && !o.told {
			attempts, failures = attempts+uint64(o.attempts), failures+uint64(o.failures)
		}
	}
	return attempts, failures
}

// surge reports whether the share of failures in a slot is so many times what is usual. Nothing is usual before ten times
// SurgeLeast attempts. Products have 128 bits.
func (p *Policy) surge(now *slot, attempts, failures uint64) bool {
	if uint64(now.failures) < uint64(p.SurgeLeast) || attempts < 10*uint64(p.SurgeLeast) {
		return false
	}
	h, l := bits.Mul64(uint64(now.failures), attempts)
	uh, ul := bits.Mul64((failures+1)*uint64(p.Surge), uint64(now.attempts))
	return h > uh || h == uh && l >= ul
}

// merge adds those of another node; of two at one place the later one counts.
func (s *slots) merge(o *slots) {
	for i := range s {
		a, b := &s[i], &o[i]
		switch {
		case b.attempts == 0:
		case b.number > a.number || a.attempts == 0:
			*a = *b
		case b.number == a.number:
			a.attempts, a.failures, a.told = sum32(a.attempts, b.attempts), sum32(a.failures, b.failures), a.told || b.told
		}
	}
}

func sum32(a, b uint32) uint32 { return uint32(min(uint64(a)+uint64(b), 1<<32-1)) }

// newest returns the latest slot.
func (s *slots) newest() *slot {
	n := &s[0]
	for i := range s {
		if s[i].number > n.number {
			n = &s[i]
		}
	}
	return n
}
