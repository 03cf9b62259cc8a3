package budget

import (
	"math/bits"
	"slices"
	"time"

	"github.com/cloudopsec/opsec/sla/ratio"
)

// maxBuckets is how many buckets a ring has at most: 96 MiB of them.
const maxBuckets = 1 << 22

// Ring is what was good and bad of late, in buckets, with running sums over windows: moving on takes the same time whatever
// the windows' length. It takes 24 bytes a bucket, and is not for use by several goroutines at once.
type Ring struct {
	bucket  int64 // milliseconds
	whole   uint64
	list    []Counts // bucket n is at n modulo their number
	newest  int64    // number of the newest bucket
	now     int64    // the latest moment, which is in it
	moved   bool
	windows []window // by length, the longest last
}

// window is a sum over the newest buckets.
type window struct {
	buckets int
	sum     Counts
}

// NewRing makes a ring for windows that are a whole number of buckets each. Whole is how much there is in every bucket, such
// as its milliseconds times the resources: what Add does not tell of them is unknown, as are those before the first
// [Ring.Advance]; what of the newest bucket is still to come is not. With 0, as of requests, there is what Add tells. The
// error wraps [opsec.ErrInvalid].
func NewRing(bucket time.Duration, windows []time.Duration, whole uint64) (*Ring, error) {
	if bucket <= 0 || bucket%time.Millisecond != 0 {
		return nil, fault("bucket", "want whole milliseconds, more than 0")
	}
	if len(windows) == 0 || len(windows) > 2*maxRules+2 {
		return nil, fault("windows", "want 1 to %d", 2*maxRules+2)
	}
	r := &Ring{bucket: bucket.Milliseconds(), whole: whole}
	for _, w := range windows {
		if w <= 0 || w%bucket != 0 || w/bucket > maxBuckets {
			return nil, fault("windows", "want 1 to %d whole buckets, not %v", maxBuckets, w)
		}
		r.windows = append(r.windows, window{buckets: int(w / bucket)})
	}
	slices.SortFunc(r.windows, func(a, b window) int { return a.buckets - b.buckets })
	r.windows = slices.CompactFunc(r.windows, func(a, b window) bool { return a.buckets == b.buckets })
	r.list = make([]Counts, r.longest().buckets)
	if hi, _ := bits.Mul64(whole, uint64(len(r.list))); hi > 0 {
		return nil, fault("whole", "more than 2^64 in the longest window")
	}
	return r, nil
}

// Ring makes a ring for the windows of the policy's rules: in tenths of the longest buckets that divide them all, so that a
// short window does not start empty again and again, or in those buckets where tenths are no whole seconds or too many. Of
// [Workbook] and 30 days they are 8,640 of 30 seconds. See [NewRing] for whole, which is that of a second.
func (p Policy) Ring(perSecond uint64) (*Ring, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	var list []time.Duration
	var bucket uint64
	for _, r := range p.Rules {
		for _, d := range []time.Duration{time.Duration(r.Long), time.Duration(r.Short)} {
			list = append(list, d)
			bucket = gcd(bucket, uint64(d))
		}
	}
	length := time.Duration(bucket)
	if tenth := length / 10; length%(10*time.Second) == 0 && slices.Max(list)/tenth <= maxBuckets {
		length = tenth
	}
	hi, lo := bits.Mul64(perSecond, uint64(length.Milliseconds()))
	if hi > 0 || lo%1000 != 0 {
		return nil, fault("perSecond", "not a whole number in a bucket of %v", length)
	}
	return NewRing(length, list, lo/1000)
}

func (r *Ring) longest() *window { return &r.windows[len(r.windows)-1] }

// clamp returns a moment, or if it is far off that of 146 million years from 1970, so that windows before and after it can be
// reckoned.
func clamp(at int64) int64 { return max(-1<<62, min(at, 1<<62)) }

// number returns the number of the bucket in which a moment is.
func (r *Ring) number(at int64) int64 {
	at = clamp(at)
	n := at / r.bucket
	if at%r.bucket < 0 {
		n--
	}
	return n
}

func (r *Ring) at(n int64) *Counts {
	i := n % int64(len(r.list))
	if i < 0 {
		i += int64(len(r.list))
	}
	return &r.list[i]
}

// Advance moves on to a moment, in milliseconds since 1970: windows end with the bucket in which it is, as far as that has
// come. Earlier ones change nothing. Moments come from a clock that is trusted, because a leap forward drops what the ring
// has; evidence does not move it.
func (r *Ring) Advance(now int64) {
	now = clamp(now)
	if r.moved && now <= r.now {
		return
	}
	n := r.number(now)
	switch {
	case !r.moved:
		r.newest, r.moved = n, true
	case uint64(n)-uint64(r.newest) >= uint64(len(r.list)):
		clear(r.list)
		for i := range r.windows {
			r.windows[i].sum = Counts{}
		}
		r.newest = n
	}
	for r.now = now; r.newest < n; {
		r.newest++
		for i := range r.windows {
			w := &r.windows[i]
			w.sum = w.sum.minus(*r.at(r.newest - int64(w.buckets)))
		}
		*r.at(r.newest) = Counts{}
	}
}

// Add counts what was at a moment, in any order. It returns [ErrLate] of what no window covers any more, [ErrAhead] of what
// is later than the newest bucket, and an error that wraps [opsec.ErrInvalid] of more than the bucket's whole, or than 2^64
// in the longest window; then nothing was counted.
func (r *Ring) Add(at int64, c Counts) error {
	n := r.number(at)
	switch {
	case !r.moved || n > r.newest:
		return ErrAhead
	case uint64(r.newest)-uint64(n) >= uint64(len(r.list)):
		return ErrLate
	}
	b := r.at(n)
	old, _ := b.all()
	add, over := c.all()
	in, carry := bits.Add64(old, add, 0)
	if over || carry > 0 || r.whole > 0 && in > r.whole {
		return fault("counts", "more in a bucket than its whole, or than 2^64")
	}
	if r.whole == 0 {
		all, _ := r.longest().sum.all()
		if _, carry := bits.Add64(all, add, 0); carry > 0 {
			return fault("counts", "more than 2^64 in the longest window")
		}
	}
	*b = b.plus(c)
	for i := range r.windows {
		if w := &r.windows[i]; r.newest-n < int64(w.buckets) {
			w.sum = w.sum.plus(c)
		}
	}
	return nil
}

// Over returns what was in the window of that length that ends with the newest bucket. The error wraps [opsec.ErrInvalid]:
// the ring does not keep such a window.
func (r *Ring) Over(length time.Duration) (Counts, error) {
	w, err := r.window(length)
	if err != nil {
		return Counts{}, err
	}
	return r.known(w.sum, w.buckets, r.newest), nil
}

func (r *Ring) window(length time.Duration) (window, error) {
	for _, w := range r.windows {
		if time.Duration(w.buckets)*time.Duration(r.bucket)*time.Millisecond == length {
			return w, nil
		}
	}
	return window{}, fault("window", "the ring does not keep %v", length)
}

// known counts what nothing tells of so many buckets, up to the last, as unknown.
func (r *Ring) known(c Counts, buckets int, last int64) Counts {
	if r.whole > 0 {
		all, _ := c.all()
		c.Unknown += r.whole*uint64(buckets) - all
		if last == r.newest {
			c.Unknown -= r.ahead()
		}
	}
	return c
}

// ahead is how much of the newest bucket is still to come: not what was added already.
func (r *Ring) ahead() uint64 {
	if !r.moved {
		return 0
	}
	left := uint64((r.newest+1)*r.bucket - 1 - r.now)
	hi, lo := bits.Mul64(r.whole, left)
	part, rest := bits.Div64(hi, lo, uint64(r.bucket))
	in, _ := r.at(r.newest).all()
	return min(part+min(rest, 1), r.whole-in)
}

// Forecast returns when the budget of a rolling window is used up if things go on as they did in another, the pace: both are
// kept by the ring. While they go on, what was bad in the window leaves it again; the moments are ends of buckets. The error
// wraps [opsec.ErrInvalid], also before the first [Ring.Advance], when no moment is known.
func (r *Ring) Forecast(target ratio.Ratio, rolling, pace time.Duration) (Forecast, error) {
	if !r.moved {
		return Forecast{}, fault("now", "the ring has not come anywhere yet")
	}
	w, err := r.window(rolling)
	if err != nil {
		return Forecast{}, err
	}
	p, err := r.window(pace)
	if err != nil {
		return Forecast{}, err
	}
	return Forecast{
		Earliest: r.ends(target, w, p, func(c Counts) uint64 { return c.Bad + c.Unknown }),
		Latest:   r.ends(target, w, p, func(c Counts) uint64 { return c.Bad }),
	}, nil
}
