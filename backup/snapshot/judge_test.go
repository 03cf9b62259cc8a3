package snapshot_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
)

var now = time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestProfileJudgesDepthAgeVerificationChanceAndBlast(t *testing.T) {
	p := snapshot.Profile{
		Name: "own", SnapshotsAdvised: 1, SnapshotsMax: 2, AgeAdvised: snapshot.Duration(day), AgeMax: snapshot.Duration(3 * day),
		VerifiedMax: snapshot.Duration(30 * day), UsableMin: 0.75, BlastMax: 2,
	}
	var b snapshot.Builder
	for i, n := range []snapshot.Node{
		{ID: "old-base", Created: now.Add(-90 * day), Verified: now.Add(-day)}, // a base may be old
		{ID: "day-old", Created: now.Add(-25 * time.Hour), Verified: now},
		{ID: "deep", Created: now, Restore: true},
		{ID: "too-deep", Created: now, Restore: true},
		{ID: "base-2"}, // nothing is known
		{ID: "four-days-old", Created: now.Add(-4 * day), Restore: true},
		{ID: "tomorrow", Created: now.Add(day), Restore: true},
	} {
		if i > 0 && n.ID != "base-2" {
			n.Needs = []snapshot.Need{{ID: []string{"", "old-base", "day-old", "deep", "", "base-2", "day-old"}[i]}}
		}
		require.NoError(t, b.Add(n))
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1, Now: now}, &p)
	require.NoError(t, err)
	got := map[string]opsec.Severity{}
	for _, f := range r.Findings {
		require.NotContains(t, got, f.Path+" "+f.Rule)
		got[f.Path+" "+f.Rule] = f.Severity
	}
	require.Equal(t, map[string]opsec.Severity{
		"day-old snapshot-age": opsec.SeverityLow, "four-days-old snapshot-age": opsec.SeverityMedium,
		"too-deep chain-depth": opsec.SeverityHigh, "tomorrow chain-depth": opsec.SeverityMedium,
		"base-2 verification-overdue": opsec.SeverityMedium, "tomorrow verification-overdue": opsec.SeverityMedium,
		"deep usable-low": opsec.SeverityHigh, "too-deep usable-low": opsec.SeverityHigh, "tomorrow usable-low": opsec.SeverityHigh,
		"old-base blast-radius":   opsec.SeverityHigh,
		"tomorrow time-in-future": opsec.SeverityMedium,
	}, got)
	for i := 1; i < len(r.Findings); i++ {
		require.GreaterOrEqual(t, r.Findings[i-1].Severity.Rank(), r.Findings[i].Severity.Rank())
	}
}

func TestGrowthGoesOnAsItDid(t *testing.T) {
	var b snapshot.Builder
	for i := range 11 { // a base, and ten snapshots two days apart
		n := snapshot.Node{ID: fmt.Sprint(i), Size: 100, Virtual: 1000, Created: now.Add(time.Duration(i) * 2 * day)}
		if i > 0 {
			n.Needs = []snapshot.Need{{ID: fmt.Sprint(i - 1), As: snapshot.AsBacking}}
		}
		require.NoError(t, b.Add(n))
	}
	g, _ := b.Build()
	p := snapshot.Profile{SnapshotsMax: 15, Horizon: snapshot.Duration(8 * day)}
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, &p)
	require.NoError(t, err)
	require.Equal(t, snapshot.Growth{
		Horizon: snapshot.Duration(8 * day), PerDay: 0.5, BytesPerDay: 50, Bytes: 1100, BytesThen: 1500, BytesMost: 11000, DepthThen: 15, LimitReached: snapshot.Duration(10 * day),
	}, r.Growth)
	p.SnapshotsMax = 9
	r, err = g.Analyze(snapshot.FailureModel{P: 0.1}, &p)
	require.NoError(t, err)
	require.Negative(t, r.Growth.LimitReached)
	r, err = chain(t, 3).Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	require.Equal(t, snapshot.Growth{Horizon: snapshot.Duration(30 * day), DepthThen: 3}, r.Growth, "no times, no growth")
}

// ladder is a graph in which ways part and never meet: each node needs the two before it.
func ladder(t testing.TB, n int) *snapshot.Graph {
	t.Helper()
	var b snapshot.Builder
	for i := range n {
		node := snapshot.Indexed{Restore: true}
		for j := max(0, i-2); j < i; j++ {
			node.Needs = append(node.Needs, j)
		}
		require.NoError(t, b.AddIndexed(node))
	}
	g, _ := b.Build()
	return g
}

func TestEntangledGraphsGetBoundsThatHold(t *testing.T) {
	g := ladder(t, 200)
	m := snapshot.FailureModel{P: 0.01}
	exact, err := g.Analyze(m, nil)
	require.NoError(t, err)
	require.True(t, exact.Exact)
	require.InDelta(t, 200-0.99*(1-math.Pow(0.99, 200))/0.01, exact.ExpectedLost, 1e-9)
	for _, work := range []int{0, 10, 1000, 10_000} {
		r, err := g.AnalyzeWithin(m, nil, work)
		require.NoError(t, err)
		require.False(t, r.Exact)
		require.Contains(t, rules(r.Findings), snapshot.RuleInexact)
		require.LessOrEqual(t, r.ExpectedLostLow, exact.ExpectedLost+1e-9)
		require.Greater(t, r.ExpectedLost, exact.ExpectedLost)
	}
}

func TestBoundsHoldOnAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 24, 4)
		g := d.build(t)
		m := snapshot.FailureModel{P: rapid.Float64Range(0.001, 0.9).Draw(t, "p")}
		exact, err := g.Analyze(m, nil)
		require.NoError(t, err)
		r, err := g.AnalyzeWithin(m, nil, rapid.IntRange(0, 60).Draw(t, "work"))
		require.NoError(t, err)
		const hair = 1e-12
		for v := range g.Len() {
			want, _ := exact.Usable(v)
			low, high := r.Usable(v)
			require.LessOrEqual(t, low, want+hair)
			require.GreaterOrEqual(t, high, want-hair)
			require.LessOrEqual(t, r.Blast(v), exact.Blast(v))
			require.LessOrEqual(t, r.Files(v), exact.Files(v))
			if r.Exact {
				require.Equal(t, exact.Blast(v), r.Blast(v))
			}
		}
		require.LessOrEqual(t, r.ExpectedLostLow, exact.ExpectedLost+hair)
		require.GreaterOrEqual(t, r.ExpectedLost, exact.ExpectedLost-hair)
	})
}

// A read through 1, 10, 30, 100 and 200 files: what qemu 7.2 took on one machine, by which nobody should plan another.
func TestLatencyFitsWhatWasMeasured(t *testing.T) {
	const us = time.Microsecond
	l, err := snapshot.FitLatency([]snapshot.Measurement{{1, 8 * us}, {10, 8 * us}, {30, 30 * us}, {100, 112 * us}, {200, 323 * us}})
	require.NoError(t, err)
	require.InDelta(t, 0.708, l.B, 0.001)
	require.Greater(t, l.Off, 1.5, "no power law, and it says so")
	l, err = snapshot.FitLatency([]snapshot.Measurement{{1, us}, {4, 8 * us}, {16, 64 * us}})
	require.NoError(t, err)
	require.InDelta(t, 1.5, l.B, 1e-9)
	require.InDelta(t, 1, l.Off, 1e-9)
	require.InDelta(t, 1000, float64(l.At(100))/float64(us), 1)
	l, err = snapshot.FitLatency([]snapshot.Measurement{{1, us}, {4, 64 * us}, {16, 16 * us}})
	require.NoError(t, err)
	require.InDelta(t, 6.35, l.Off, 0.01, "the second lies as far above the curve")
	for _, bad := range [][]snapshot.Measurement{nil, {{1, us}}, {{3, us}, {3, 2 * us}}, {{0, us}, {1, us}}, {{1, 0}, {2, us}}} {
		_, err := snapshot.FitLatency(bad)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}
