package response

import (
	"cmp"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the greatest [time.Duration], in milliseconds.
const longest = 9_223_372_036_855

// few is up to how many durations quantiles are exact to the millisecond: beyond, they come from a histogram with three
// significant digits.
const few = 10_000

// spread gathers durations for quantiles: those that ended, and those that are open and took so long at least.
type spread struct {
	ended, least pile // least has all
	n, open      uint64
}

func (s *spread) add(d time.Duration, open bool) {
	s.least.add(d)
	s.n++
	if open {
		s.open++
		return
	}
	s.ended.add(d)
}

// ranks are the quantiles of a summary, in hundredths.
var ranks = []struct {
	name string
	of   uint64
}{{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"max", 100}}

// quantiles returns bounds of each: the least is that of all at what they took so far, the greatest has all that are open
// last.
func (s *spread) quantiles() map[string]Bounds {
	out := map[string]Bounds{}
	for _, q := range ranks {
		rank := (s.n*q.of + 99) / 100 // the smallest of which so many hundredths are not greater
		low, _ := s.least.at(rank)
		b := Bounds{Low: low}
		if rank > s.n-s.open {
			b.Unbounded = true
		} else {
			_, b.High = s.ended.at(rank)
		}
		out[q.name] = b
	}
	return out
}

// pile is durations, in order when they are asked for.
type pile struct {
	n        uint64
	list     []time.Duration
	sorted   bool
	rest     *hdrhistogram.Histogram // nil while there are few
	bars     []hdrhistogram.Bar
	greatest time.Duration
}

func (p *pile) add(d time.Duration) {
	p.n++
	p.greatest = max(p.greatest, d)
	if p.rest != nil {
		p.record(d)
		return
	}
	p.list = append(p.list, d)
	if len(p.list) > few {
		p.rest = hdrhistogram.New(1, longest, 3)
		for _, d := range p.list {
			p.record(d)
		}
		p.list = nil
	}
}

// record cannot fail: a duration has less milliseconds than the histogram tracks.
func (p *pile) record(d time.Duration) { _ = p.rest.RecordValue(d.Milliseconds()) }

// at returns bounds, in milliseconds, of the duration of a rank, from 1.
func (p *pile) at(rank uint64) (low, high int64) {
	if rank == p.n {
		return p.greatest.Milliseconds(), up(p.greatest)
	}
	if p.rest == nil {
		if !p.sorted {
			slices.SortFunc(p.list, cmp.Compare[time.Duration])
			p.sorted = true
		}
		d := p.list[rank-1]
		return d.Milliseconds(), up(d)
	}
	if p.bars == nil {
		p.bars = p.rest.Distribution()
	}
	var n uint64
	for _, b := range p.bars {
		if n += uint64(b.Count); n >= rank {
			return min(b.From, p.greatest.Milliseconds()), min(b.To+1, up(p.greatest))
		}
	}
	return p.greatest.Milliseconds(), up(p.greatest)
}

// up rounds up to milliseconds.
func up(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}
