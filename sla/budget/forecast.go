package budget

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Forecast is from when on nothing more may be bad, in milliseconds since 1970: nil is not before the window ends, or of a
// rolling one never.
type Forecast struct {
	Earliest *int64 `json:"earliest"` // if all that is unknown was bad
	Latest   *int64 `json:"latest"`   // if all that is unknown was good
}

// Ends forecasts when the budget of a calendar window is used up if things go on as they did of late: recent is what was
// good and bad in that length of time before now, in the units of the budget, and the window ends at end. The budget is that
// of the whole window, so its All needs the time of the whole, as of [metric.Tally.Budget] with what is still to come as good.
// The error wraps [opsec.ErrInvalid].
//
// A pace is an assumption, and of a few requests a poor one: see [ClopperPearson] for how well it is known.
func Ends(b metric.Budget, recent Counts, length time.Duration, now, end int64) (Forecast, error) {
	if _, over := recent.all(); over {
		return Forecast{}, fault("recent", "more than 2^64 in all")
	}
	if !whole(Duration(length)) {
		return Forecast{}, fault("length", "want whole milliseconds, more than 0, not %v", length)
	}
	if now > end {
		return Forecast{}, fault("end", "want a window that has not ended: %d is before %d", end, now)
	}
	used, carry := bits.Add64(b.Used, b.Open, 0)
	if carry > 0 {
		used = math.MaxUint64
	}
	reaches := func(used, bad uint64) *int64 {
		if used >= b.All {
			return new(now)
		}
		hi, lo := bits.Mul64(b.All-used, uint64(length.Milliseconds()))
		if hi >= bad {
			return nil
		}
		ms, rest := bits.Div64(hi, lo, bad)
		part := min(rest, 1) // of a millisecond is one
		if left := uint64(end) - uint64(now); ms > left || ms == left && part > 0 {
			return nil
		}
		return new(int64(uint64(now) + ms + part))
	}
	return Forecast{reaches(used, recent.Bad+recent.Unknown), reaches(b.Used, recent.Bad)}, nil
}

// ends goes on bucket by bucket until the budget is used up, or all of the window is at the pace.
func (r *Ring) ends(target ratio.Ratio, w, pace window, bad func(Counts) uint64) *int64 {
	now := r.known(w.sum, w.buckets, r.newest)
	late := r.known(pace.sum, pace.buckets, r.newest)
	lateAll, _ := late.all()
	oldest := r.newest - int64(w.buckets) + 1
	for step := range uint64(w.buckets + 1) {
		all, _ := now.all()
		// The sums are multiplied by the buckets of the pace, so that a bucket at the pace is a whole number.
		spent := beside(uint64(pace.buckets), bad(now), step, bad(late), target.Den())
		may := beside(uint64(pace.buckets), all, step, lateAll, target.Complement().Num())
		if (all > 0 || step > 0 && lateAll > 0) && slices.Compare(spent[:], may[:]) >= 0 {
			return new((r.newest + 1 + int64(step)) * r.bucket)
		}
		if step < uint64(w.buckets) {
			n := oldest + int64(step)
			now = now.minus(r.known(*r.at(n), 1, n))
		}
	}
	return nil
}

// beside returns (a*b + c*d) * e. The sums of a ring are less than 2^64 and its buckets less than 2^23, so that it fits.
func beside(a, b, c, d, e uint64) [3]uint64 {
	h1, l1 := bits.Mul64(a, b)
	h2, l2 := bits.Mul64(c, d)
	lo, carry := bits.Add64(l1, l2, 0)
	return wide(h1+h2+carry, lo, e)
}
