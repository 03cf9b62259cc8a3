package meter_test

import (
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

const (
	begin int64 = 1_772_323_200_000 // of March 2026, UTC
	month int64 = 31 * 86_400_000
)

func resources(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("project-%03d/vm-%07d", i%500, i)
	}
	return list
}

// BenchmarkAdd adds the evidence of a prober that goes through its resources again and again, and that of one of which nothing
// comes in order. In the same run a map of lists takes it, which notices nothing that comes twice. Other work on the machine
// stops either now and then, so that it is the median of batches that is reported; ns/op is of both, with all that is put in
// order meanwhile.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		names := resources(n)
		ordered := func(i int) meter.Evidence {
			at := begin + int64(i/n)*1000
			return meter.Evidence{Source: "probe", Seq: uint64(i), Resource: names[i%n], Span: timeline.Span{Start: at, End: at + 1000}, State: meter.Up}
		}
		b.Run(fmt.Sprintf("in order/%d resources", n), func(b *testing.B) { addAll(b, n, ordered) })
		b.Run(fmt.Sprintf("any order/%d resources", n), func(b *testing.B) {
			addAll(b, n, func(i int) meter.Evidence { return ordered(int(uint64(i) * 0x9e3779b97f4a7c15 >> 40)) })
		})
	}
}

func addAll(b *testing.B, n int, evidence func(int) meter.Evidence) {
	const batch = 1 << 10
	var ours, theirs []time.Duration
	m, peer := meter.New(), map[string][]meter.Evidence{}
	list := make([]meter.Evidence, batch)
	for i := range n { // when they come for the first time their names are taken
		e := evidence(i)
		_ = m.Add(e)
		peer[e.Resource] = append(peer[e.Resource], e)
	}
	b.ReportAllocs()
	for done := 0; b.Loop(); done++ {
		if done%batch != 0 {
			continue
		}
		for i := range list {
			list[i] = evidence(n + done + i)
		}
		start := time.Now()
		for i := range list {
			_ = m.Add(list[i])
		}
		between := time.Now()
		for i := range list {
			peer[list[i].Resource] = append(peer[list[i].Resource], list[i])
		}
		ours, theirs = append(ours, between.Sub(start)), append(theirs, time.Since(between))
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	b.ReportMetric(float64(ours[len(ours)/2])/batch, "ns/add")
	b.ReportMetric(float64(ours[len(ours)/20])/batch, "p5-ns/add")
	b.ReportMetric(float64(theirs[len(theirs)/2])/batch, "map-ns/add")
}

// BenchmarkMillion takes in 20 states of each of a million resources, and reckons their availability and digest. Beside
// seconds it reports those of processors, which other work on the machine moves less.
func BenchmarkMillion(b *testing.B) {
	const n, each = 1_000_000, 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2 << 30))
	names := resources(n)
	target, err := ratio.Parse("99.9%")
	require.NoError(b, err)
	o := metric.Objective{ID: "vm", Target: target, Method: metric.Time, Window: metric.Window{Calendar: "month"}}
	period := timeline.Span{Start: begin, End: begin + month}
	for b.Loop() {
		peak, stop := watch()
		start, used := time.Now(), cpu()
		report := func(what string) {
			b.ReportMetric(time.Since(start).Seconds(), what+"-s")
			b.ReportMetric((cpu() - used).Seconds(), what+"-cpu-s")
		}
		m := meter.New()
		for k := range int64(each) {
			for i, name := range names {
				e := meter.Evidence{Source: "probe", Seq: uint64(k*n) + uint64(i), Resource: name, Span: timeline.Span{Start: begin + k*month/each, End: begin + (k+1)*month/each}, State: meter.Up}
				if (int64(i)+k)%97 == 0 {
					e.State = meter.Down
				}
				if m.Add(e) != nil {
					b.Fatal("not added")
				}
			}
		}
		report("add")
		var sum metric.Result
		m.Resources(period, func(_ string, in metric.Input) bool {
			one, err := o.Measure(in, period)
			return err == nil && sum.Add(one) == nil
		})
		report("and-report")
		m.Digest(period)
		report("and-digest")
		stop()
		b.ReportMetric(float64(peak.Load())/(1<<30), "peak-GiB")
		require.Equal(b, uint64(n)*uint64(month), sum.Counted.Good+sum.Counted.Bad)
	}
}

// watch looks at how much memory the process has from the system.
func watch() (peak *atomic.Uint64, stop func()) {
	peak = new(atomic.Uint64)
	done := make(chan struct{})
	go func() {
		for {
			s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
			metrics.Read(s)
			peak.Store(max(peak.Load(), s[0].Value.Uint64()-s[1].Value.Uint64()))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return peak, func() { close(done) }
}

// BenchmarkAddTenMillion adds as many pieces in order to a new meter, with the names and all memory: in rounds through the
// resources, numbered by the source or for each resource alone, and resource after resource. Then it asks for nothing, for
// which all is put in order.
func BenchmarkAddTenMillion(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000, 1_000_000} {
		addTenMillion(b, n, "")
	}
	addTenMillion(b, 100_000, numberedAlike)
	addTenMillion(b, 100_000, oneByOne)
}

const (
	numberedAlike = ", numbered alike"
	oneByOne      = ", one by one"
)

func addTenMillion(b *testing.B, n int, how string) {
	const pieces = 10_000_000
	names := resources(n)
	outer, inner := pieces/n, n
	if how == oneByOne {
		outer, inner = inner, outer
	}
	b.Run(fmt.Sprintf("%d resources%s", n, how), func(b *testing.B) {
		var added time.Duration
		for b.Loop() {
			start := time.Now()
			m := meter.New()
			for i := range outer {
				for j := range inner {
					resource, round, seq := j, i, i*inner+j
					switch how {
					case numberedAlike:
						seq = round
					case oneByOne:
						resource, round, seq = i, j, j
					}
					at := begin + int64(round)*1000
					_ = m.Add(meter.Evidence{Source: "probe", Seq: uint64(seq), Resource: names[resource], Span: timeline.Span{Start: at, End: at + 1000}, State: meter.Up})
				}
			}
			added += time.Since(start)
			m.Digest(timeline.Span{})
		}
		per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N) / pieces }
		b.ReportMetric(per(added), "ns/add")
		b.ReportMetric(per(b.Elapsed()), "with-order-ns/add")
	})
}
