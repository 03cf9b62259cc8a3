package budget_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloudopsec/opsec/sla/budget"
)

// BenchmarkRing slides windows of an hour and of 30 days by a minute, and counts in it: the length makes no difference.
func BenchmarkRing(b *testing.B) {
	for _, longest := range []time.Duration{time.Hour, 30 * day} {
		b.Run(longest.String(), func(b *testing.B) {
			ring, err := budget.NewRing(time.Minute, []time.Duration{5 * time.Minute, 30 * time.Minute, longest}, 0)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			at := int64(0)
			for b.Loop() {
				at += 60_000
				ring.Advance(at)
				if err := ring.Add(at, budget.Counts{Good: 999, Bad: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	p := workbook(b, "99.9%", 30*day)
	ring, err := p.Ring(0)
	if err != nil {
		b.Fatal(err)
	}
	ring.Advance(0)
	_ = ring.Add(0, budget.Counts{Good: 990, Bad: 10})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Judge(ring.Over); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnlikely(b *testing.B) {
	for _, n := range []uint64{100, 10_000, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := budget.Unlikely(n/50, n, of(b, "1.9%"), of(b, "1%")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkClopperPearson(b *testing.B) {
	for _, n := range []uint64{100, 10_000, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := budget.ClopperPearson(n-n/50, n, of(b, "95%")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
