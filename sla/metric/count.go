package metric

import (
	"fmt"
	"math/bits"
	"sort"
)

// sink takes slices of requests in order, which together have less than 2^64 requests, or are less than mostSlices.
type sink interface {
	// rated takes one slice that has enough requests.
	rated(good, total uint64, excluded bool)
	// empty takes slices that have none, or too few.
	empty(n uint64, excluded bool)
	end()
}

// SliceUnits is how many units a slice has in a [Tally] of MeanRate. With so many a tally holds a month of five-minute slices
// of 7.6 million resources, or a month of minutes of 1.5 million.
const SliceUnits = 1 << 28

// mostSlices is how many slices a period may have by MeanRate, so that its units are less than 2^63.
const mostSlices = 1 << 35

// counts adds up the counts of a period.
func (o Objective) counts(s *sweep, counts []Count) (Result, error) {
	var r Result
	t := tallier{o: &o, out: &r, runs: runs{least: uint64(max(o.Run, 1)), out: &r}}
	if err := o.count(s, counts, &t); err != nil {
		return Result{}, err
	}
	return r, nil
}

// count sends the counts of a period to a sink, slice by slice; of Requests, count by count.
func (o Objective) count(s *sweep, counts []Count, to sink) error {
	for i, c := range counts {
		switch {
		case c.Good > c.Total:
			return fault(fmt.Sprintf("counts[%d]", i), "%d are good, of %d", c.Good, c.Total)
		case i > 0 && c.Start < counts[i-1].Start:
			return fault(fmt.Sprintf("counts[%d]", i), "starts before that before it")
		}
	}
	from := func(ms int64) int { return sort.Search(len(counts), func(i int) bool { return counts[i].Start >= ms }) }
	if counts = counts[from(s.period.Start):from(s.period.End)]; o.Method == Requests {
		return o.requests(s, counts, to)
	}
	size := o.size()
	if o.Method == MeanRate && uint64(s.period.End-s.period.Start)/size >= mostSlices {
		return fault("slice", "2^35 or more in the period")
	}
	var failed error
	var at uint64 // index of the slice
	s.cut(size, func(n uint64, seen sight) {
		for failed == nil && n > 0 {
			gap := n
			if len(counts) > 0 {
				gap = min(n, uint64(counts[0].Start-s.period.Start)/size-at)
			}
			excluded := seen == sawUnknownExcluded
			if gap > 0 {
				if seen != 0 {
					to.empty(gap, excluded)
				}
				at += gap
				n -= gap
				continue
			}
			var good, total, carry uint64
			for len(counts) > 0 && uint64(counts[0].Start-s.period.Start)/size == at {
				good += counts[0].Good
				if total, carry = bits.Add64(total, counts[0].Total, 0); carry > 0 {
					failed = overflow()
					return
				}
				counts = counts[1:]
			}
			switch {
			case seen == 0: // not deployed
			case total < max(o.Least, 1):
				to.empty(1, excluded)
			default:
				to.rated(good, total, excluded)
			}
			at++
			n--
		}
	})
	if failed == nil {
		to.end()
	}
	return failed
}

// requests sends counts as they are.
func (o Objective) requests(s *sweep, counts []Count, to sink) error {
	length := int64(max(o.size(), 1))
	deployed, ahead := s.deployed, *s
	bare := s.period.Start // from when on it is next deployed, and not excluded
	var all, carry uint64
	for _, c := range counts {
		end := s.period.End
		if end-c.Start > length {
			end = c.Start + length
		}
		if c.Total == 0 || deployed.next(c.Start, true) >= end {
			continue
		}
		if all, carry = bits.Add64(all, c.Total, 0); carry > 0 {
			return overflow()
		}
		for bare = max(bare, c.Start); bare < end; {
			at := bare
			if bare = ahead.excluded.next(ahead.deployed.next(at, true), false); bare == at {
				break
			}
		}
		to.rated(c.Good, c.Total, bare >= end)
	}
	if all == 0 { // one stands for those that may have been
		var seen sight
		s.each(func(_ uint64, c class, excluded bool) { seen |= see(c, excluded) })
		if seen != 0 {
			to.empty(1, seen == sawUnknownExcluded)
		}
	}
	to.end()
	return nil
}

func overflow() error { return fault("counts", "more than 2^64 in all") }

// tallier is the sink of [Objective.Measure].
type tallier struct {
	o    *Objective
	out  *Result
	runs runs // of Slices
}

func (t *tallier) rated(good, total uint64, excluded bool) {
	one := Tally{Good: good, Bad: total - good}
	switch t.o.Method {
	case Slices:
		bad := ratioOf(good, total).Cmp(t.o.Good) < 0
		t.runs.add(1, slice{bad, bad, excluded, excluded})
		return
	case MeanRate:
		hi, lo := bits.Mul64(good, SliceUnits)
		whole, rest := bits.Div64(hi, lo, total) // hi < total, because good <= total
		one = Tally{Good: whole, Bad: SliceUnits - whole}
		if rest > 0 {
			one.Blur = 1
		}
	}
	t.out.Raw.plus(one)
	if excluded {
		one.Excluded, one.Bad = one.Bad, 0
	}
	t.out.Counted.plus(one)
}

func (t *tallier) empty(n uint64, excluded bool) {
	if t.o.Empty == EmptySkip {
		return
	}
	bad := t.o.Empty != EmptyGood
	switch t.o.Method {
	case Slices:
		t.runs.add(n, slice{worst: bad, outWorst: excluded, outBest: excluded})
		return
	case Requests:
		if !bad {
			return
		}
	case MeanRate:
		n *= SliceUnits
	}
	switch {
	case !bad:
		t.out.Raw.Good += n
		t.out.Counted.Good += n
	case excluded:
		t.out.Raw.Unknown += n
		t.out.Counted.ExcludedUnknown += n
	default:
		t.out.Raw.Unknown += n
		t.out.Counted.Unknown += n
	}
}

func (t *tallier) end() {
	if t.o.Method == Slices {
		t.runs.end()
	}
}
