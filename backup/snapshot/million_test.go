package snapshot_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/internal/race"
)

// farm builds a graph without names: chains of up to deep snapshots, with times and sizes.
func farm(tb testing.TB, n, deep int) *snapshot.Graph {
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	var b snapshot.Builder
	b.Grow(n, n)
	var need [1]int
	for i, left := 0, 0; i < n; i++ {
		node := snapshot.Indexed{
			Restore: true, Created: now.Add(-time.Duration(n-i) * time.Minute), Size: 1 << 30,
			Verified: now.Add(-time.Duration(rng.IntN(90)) * day),
		}
		if left == 0 {
			left = 1 + rng.IntN(deep)
		} else {
			need[0] = i - 1
			node.Needs = need[:]
		}
		left--
		if err := b.AddIndexed(node); err != nil {
			tb.Fatal(err)
		}
	}
	g, _ := b.Build()
	return g
}

func model() snapshot.FailureModel {
	return snapshot.FailureModel{
		Hazard: &snapshot.Hazard{PerYear: 0.02, PerTiBYear: 0.01, Unknown: snapshot.Duration(365 * day)}, Independence: 0.9, Now: now,
	}
}

// All that is allocated from the first node to the last finding counts, whether the collector has taken it back or not.
func TestAMillionSnapshotsFitIn64MiB(t *testing.T) {
	n := race.Fewer(1_000_000)
	vmware, _ := snapshot.ProfileNamed("vmware")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := farm(t, n, 32).Analyze(model(), &vmware)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.True(t, r.Exact)
	require.Equal(t, n, r.Points)
	took := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes", took)
	if n == 1_000_000 { // of fewer, the lists of the report are too large a share
		require.Less(t, took, uint64(64<<20))
	}
}

// The same with a value for every field.
func TestAMillionSnapshotsOfWhichAllIsKnownFitIn64MiB(t *testing.T) {
	n := race.Fewer(1_000_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var b snapshot.Builder
	b.Grow(n, n)
	var need [1]int
	for i := range n {
		node := snapshot.Indexed{
			Restore: true, Created: now.Add(-time.Duration(n-i) * time.Minute), Verified: now, Size: 1 << 30, Virtual: 1 << 34,
			Replicas: 2, As: snapshot.AsBacking,
		}
		if i%32 > 0 {
			need[0] = i - 1
			node.Needs = need[:]
		}
		if err := b.AddIndexed(node); err != nil {
			t.Fatal(err)
		}
	}
	g, _ := b.Build()
	vmware, _ := snapshot.ProfileNamed("vmware")
	r, err := g.Analyze(model(), &vmware)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	require.Equal(t, n, r.Points)
	require.Equal(t, 32, r.Reads.Max)
	took := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes", took)
	if n == 1_000_000 {
		require.Less(t, took, uint64(64<<20))
	}
}

func TestDepthDoesNotExhaustTheStack(t *testing.T) {
	const n = 300_000
	var b snapshot.Builder
	for i := range n { // tips first, so that all has to be put in order
		node := snapshot.Indexed{Restore: true, Size: 1}
		if i < n-1 {
			node.Needs = []int{i + 1}
		}
		require.NoError(t, b.AddIndexed(node))
	}
	g, found := b.Build()
	require.Empty(t, found)
	r, err := g.Analyze(snapshot.FailureModel{P: 1e-6}, nil)
	require.NoError(t, err)
	require.Equal(t, n, r.Chains[0].Depth)
	require.Equal(t, fmt.Sprint("#", n-1), r.Chains[0].Root)
	l, err := g.Destroy(r.Chains[0].Root)
	require.NoError(t, err)
	require.Equal(t, n, l.Points)
	_, err = g.Flatten(snapshot.FailureModel{P: 1e-6}, snapshot.Budget{Bytes: 10})
	require.ErrorIs(t, err, opsec.ErrInvalid, "too deep to look at all pairs")
}

func BenchmarkReportMillion(b *testing.B) {
	vmware, _ := snapshot.ProfileNamed("vmware")
	for _, deep := range []int{32, 1_000_000} {
		b.Run(fmt.Sprintf("deep=%d", deep), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := farm(b, 1_000_000, deep).Analyze(model(), &vmware); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFlatten(b *testing.B) {
	for _, c := range []struct {
		name    string
		n, deep int
		copies  int64
	}{{"chain=400", 400, 1 << 30, 20}, {"forest=100000", 100_000, 32, 1000}} {
		g := farm(b, c.n, c.deep)
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var p *snapshot.Plan
			for b.Loop() {
				var err error
				if p, err = g.Flatten(model(), snapshot.Budget{Bytes: c.copies * 16 << 30}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((p.After/p.Bound-1)*100, "%gap")
		})
	}
}
