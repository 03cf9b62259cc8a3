package plan

import (
	"encoding/json"
	"math"
	"math/big"
	"math/bits"
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
)

const (
	day   = 24 * time.Hour
	month = 30 * day
	never = MaxPeriod + time.Second // longer than any limit

	// MaxCost is the most that a month of one stream may cost, in millionths of the currency: a problem with one that costs more is
	// refused, so that sums are exact.
	MaxCost = 1 << 53
)

// Stream is an option with its interval and the length of its chains.
type Stream struct {
	Option   string        `json:"option"`
	Level    Level         `json:"level"`
	Interval time.Duration `json:"interval"`
	Every    int           `json:"every"`    // one of so many points is full; 0: a dedup store has none
	Points   int           `json:"points"`   // that are kept
	Run      time.Duration `json:"run"`      // the longest run, rounded up to seconds
	Loss     time.Duration `json:"loss"`     // the worst: interval, run, lag and skew
	Closure  int64         `json:"closure"`  // bytes of the source that the longest chain restores from
	Restore  time.Duration `json:"restore"`  // of them, rounded up to seconds
	Measured bool          `json:"measured"` // Restore is from recovery tests
	Stored   int64         `json:"stored"`   // bytes at the target, at most: just before old ones go, with the next one under way
	Sent     int64         `json:"sent"`     // bytes a month, rounded up
	Largest  int64         `json:"largest"`  // bytes that the longest run sends, rounded up
	Cost     int64         `json:"cost"`     // a month, rounded up
}

type streamFields Stream

// MarshalJSON implements [json.Marshaler].
func (s Stream) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		streamFields
		Interval strictjson.Duration `json:"interval"`
		Run      strictjson.Duration `json:"run"`
		Loss     strictjson.Duration `json:"loss"`
		Restore  strictjson.Duration `json:"restore"`
	}{streamFields(s), strictjson.Duration(s.Interval), strictjson.Duration(s.Run), strictjson.Duration(s.Loss), strictjson.Duration(s.Restore)})
}

// runs returns a stream without what depends on how many points are kept. It is false when a run may take longer than the interval.
func (o Option) runs(w Workload, interval time.Duration, every int) (Stream, bool) {
	d := o.data(w)
	s := Stream{Option: o.ID, Level: o.Level, Interval: interval, Every: every, Closure: d.Bytes}
	first := d.Bytes // of the longest run: a chain begins anew with all of it
	switch o.Chain {
	case Incremental:
		s.Closure = d.Bytes + d.changed(interval)*int64(every-1) // below 2^60
	case Differential:
		if every > 1 {
			s.Closure = d.Bytes + d.changed(times(interval, every-1))
		}
	case Dedup:
		first = d.changed(interval)
	}
	s.Run, s.Largest = took(first, o.Backup), mulDiv(first, int64(o.Ratio), 1000)
	s.Loss = sum(interval, s.Run, o.Lag, o.Skew)
	s.Restore, s.Measured = o.restores(s.Closure)
	return s, s.Run <= interval
}

// restores returns how long so many bytes take to come back, by the slowest of the tests where there are any.
func (o Option) restores(bytes int64) (t time.Duration, measured bool) {
	for _, test := range o.Tests {
		t = max(t, whole(time.Duration(min(mulDiv(int64(test.Took), bytes, test.Bytes), int64(never)))))
	}
	if len(o.Tests) > 0 {
		return t, true
	}
	return took(bytes, o.Restore), false
}

// keep returns the stream when so many points of it are kept, with what that costs.
func (o Option) keep(s Stream, w Workload, points int, testEvery time.Duration) (Stream, error) {
	s.Points = points
	stored, chain, every := o.stored(s, w)
	ratio := func(n *big.Int) *big.Int {
		return up(new(big.Int).Mul(n, big.NewInt(int64(o.Ratio))), big.NewInt(1000))
	}
	kept := ratio(stored)
	perMonth := big.NewRat(int64(month), int64(s.Interval))
	sent := new(big.Rat).SetFrac(new(big.Int).Mul(chain, big.NewInt(int64(o.Ratio))), big.NewInt(1000*int64(every)))
	sent.Mul(sent, perMonth)
	read := new(big.Rat).SetInt(ratio(big.NewInt(s.Closure)))
	read.Mul(read, big.NewRat(int64(month), int64(testEvery)))

	gib := big.NewRat(1, 1<<30)
	cost := new(big.Rat).SetInt64(o.Price.Month)
	pay := func(price int64, quantity *big.Rat) {
		cost.Add(cost, new(big.Rat).Mul(new(big.Rat).SetInt64(price), quantity))
	}
	pay(o.Price.Run, perMonth)
	pay(o.Price.Store, new(big.Rat).Mul(new(big.Rat).SetInt(kept), gib))
	pay(o.Price.Write, new(big.Rat).Mul(sent, gib))
	pay(o.Price.Read, new(big.Rat).Mul(read, gib))
	total, moved := up(cost.Num(), cost.Denom()), up(sent.Num(), sent.Denom())
	if !total.IsInt64() || total.Int64() > MaxCost || !kept.IsInt64() || !moved.IsInt64() {
		return s, invalid("option %q every %v with %d points: more than a month may cost, %d, or than can be counted", o.ID, s.Interval, points, int64(MaxCost))
	}
	s.Stored, s.Sent, s.Cost = kept.Int64(), moved.Int64(), total.Int64()
	return s, nil
}

// stored returns how many bytes of the source a target holds at most, those of a whole chain, and of how many runs that is.
//
// The points that are kept and the one under way may begin anywhere in a chain; what the first of them needs stays too.
func (o Option) stored(s Stream, w Workload) (most, chain *big.Int, every int) {
	d := o.data(w)
	full, changed := big.NewInt(d.Bytes), big.NewInt(d.changed(s.Interval))
	n, k := int64(s.Points)+1, int64(s.Every)
	mul := func(a int64, b *big.Int) *big.Int { return new(big.Int).Mul(big.NewInt(a), b) }
	switch o.Chain {
	case Dedup: // the first point brings all
		return new(big.Int).Add(full, mul(n-1, changed)), changed, 1
	case Incremental: // the most is held when the first is the last of its chain
		points := n + k - 1
		fulls := (points + k - 1) / k
		return new(big.Int).Add(mul(fulls, full), mul(points-fulls, changed)),
			new(big.Int).Add(full, mul(k-1, changed)), s.Every
	}
	sums := make([]*big.Int, 2*k+1) // of sizes, along two chains
	sums[0] = new(big.Int)
	for i := range 2 * k {
		size := full
		if at := int(i % k); at > 0 {
			size = big.NewInt(d.changed(times(s.Interval, at)))
		}
		sums[i+1] = new(big.Int).Add(sums[i], size)
	}
	most = new(big.Int)
	for j := range k {
		held := new(big.Int).Sub(sums[j+n%k], sums[j])
		held.Add(held, mul(n/k, sums[k]))
		if j > 0 {
			held.Add(held, full)
		}
		if held.Cmp(most) > 0 {
			most = held
		}
	}
	return most, sums[k], s.Every
}

// times returns n times d, or never.
func times(d time.Duration, n int) time.Duration {
	return time.Duration(min(mulDiv(int64(d), int64(n), 1), int64(never)))
}

// took returns how long so many bytes take, or never.
func took(bytes, rate int64) time.Duration {
	return time.Duration(min(mulDiv(bytes, 1, rate), int64(never/time.Second))) * time.Second
}

// whole rounds up to seconds, or never.
func whole(d time.Duration) time.Duration {
	return min((d+time.Second-1)/time.Second*time.Second, never)
}

// sum returns the sum of durations, or never.
func sum(list ...time.Duration) (t time.Duration) {
	for _, d := range list {
		t = min(t+min(d, never), never)
	}
	return t
}

// mulDiv returns a*b/c rounded up, or the largest number where that is larger. None is negative, and c is not 0.
func mulDiv(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	lo, carry := bits.Add64(lo, uint64(c)-1, 0)
	hi += carry
	if hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64))
}

// up returns a/b rounded up; none is negative.
func up(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}
