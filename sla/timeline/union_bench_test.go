package timeline_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/sla/timeline"
)

func byStart(a, b Span) int { return cmp.Compare(a.Start, b.Start) }

// plain is what Union is measured against: slices.SortFunc, and a merge.
func plain(list []Span) Line {
	slices.SortFunc(list, byStart)
	n := 0
	for _, s := range list {
		switch {
		case s.Start >= s.End:
		case n > 0 && s.Start <= list[n-1].End:
			list[n-1].End = max(list[n-1].End, s.End)
		default:
			list[n] = s
			n++
		}
	}
	return Line(list[:n:n])
}

// month returns spans of up to 2 s that start anywhere in a month.
func month(n int) []Span {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	list := make([]Span, n)
	for i := range list {
		at := 1_772_323_200_000 + r.Int64N(31*86_400_000)
		list[i] = Span{at, at + 1 + r.Int64N(2000)}
	}
	return list
}

var sink int64

// BenchmarkUnion reports nanoseconds of a processor per span, beside those of the plain way in the same run; and of spans in
// order, beside those of reading them.
func BenchmarkUnion(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000, 10_000_000} {
		src, list := month(n), make([]Span, n)
		b.Run(fmt.Sprintf("unsorted/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			compare(b, n, plain, src, list)
		})
		sorted := slices.Clone(src)
		slices.SortFunc(sorted, byStart)
		b.Run(fmt.Sprintf("sorted/%d", n), func(b *testing.B) {
			compare(b, n, func(l []Span) Line {
				var sum int64
				for i := range l {
					sum += l[i].End - l[i].Start
				}
				sink += sum
				return nil
			}, sorted, list)
		})
	}
}

// compare reports the best of the iterations: other work on the machine slows either. Short lists go many times in one.
func compare(b *testing.B, n int, other func([]Span) Line, src, list []Span) {
	times := max(1, 1_000_000/n)
	best := func(f func([]Span) Line, least time.Duration) time.Duration {
		var used time.Duration
		for range times {
			copy(list, src)
			start := cpu()
			f(list)
			used += cpu() - start
		}
		return min(least, used)
	}
	ours, theirs := time.Hour, time.Hour
	for range b.N {
		ours = best(timeline.Union, ours)
		theirs = best(other, theirs)
	}
	per := float64(n) * float64(times)
	b.ReportMetric(float64(ours.Nanoseconds())/per, "ns/span")
	b.ReportMetric(float64(theirs.Nanoseconds())/per, "peer-ns/span")
	b.ReportMetric(float64(theirs)/float64(ours), "peer/ours")
	b.ReportMetric(0, "ns/op")
}
