package recompute_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// BenchmarkReportOfAMillion adds twenty intervals of each of a million machines to a meter, and makes the report of the month. add-s and report-s are
// of the last round; heap-MiB is what is alive after it. The collector is told not to let the process grow beyond 2 GiB, as GOMEMLIMIT does.
func BenchmarkReportOfAMillion(b *testing.B) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(2 << 30))
	const machines, pieces = 1_000_000, 20
	names := make([]string, machines)
	for i := range names {
		names[i] = fmt.Sprintf("vm-%07d", i)
	}
	for b.Loop() {
		m := meter.New()
		length := (march.End - march.Start) / pieces
		for p := range int64(pieces) {
			for i, name := range names {
				e := meter.Evidence{Source: "probe", Seq: uint64(p), Resource: name, State: meter.Up,
					Span: timeline.Span{Start: march.Start + p*length, End: march.Start + (p+1)*length}}
				if i%1000 == int(p) {
					e.State = meter.Down
				}
				if err := m.Add(e); err != nil {
					b.Fatal(err)
				}
			}
		}
		added := b.Elapsed()
		in := input(b, nil)
		in.States = m
		r, err := recompute.Compute(b.Context(), in)
		require.NoError(b, err)
		require.Equal(b, ratio.Breach, r.Services[0].Objectives[1].Figure.Verdict)
		require.Equal(b, 20_000, r.Services[0].Objectives[1].Broken)
		b.ReportMetric(added.Seconds(), "add-s")
		b.ReportMetric((b.Elapsed() - added).Seconds(), "report-s")
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		b.ReportMetric(float64(s.HeapInuse)/(1<<20), "heap-MiB")
		b.ReportMetric(float64(s.Sys)/(1<<20), "sys-MiB")
		runtime.KeepAlive(m)
	}
}
