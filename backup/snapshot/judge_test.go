package snapshot_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
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
		low, high := r.Usable(1)
		require.Equal(t, low, high, "the second node needs the first alone, whatever comes after it")
	}
	r, err := graph(t, map[string][]string{"star": {"a", "b", "c"}}, "a", "b", "c", "star").AnalyzeWithin(m, nil, 0)
	require.NoError(t, err)
	require.Equal(t, 4, r.Files(3), "itself and three others, at least")
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

// graph builds a graph of restore points; a need is an id, or a word, a colon and an id.
func graph(t *testing.T, nodes map[string][]string, order ...string) *snapshot.Graph {
	t.Helper()
	var b snapshot.Builder
	for _, id := range order {
		n := snapshot.Node{ID: id, Restore: true, Created: now.Add(-1000 * day), Size: 1}
		for _, need := range nodes[id] {
			as, to, said := strings.Cut(need, ":")
			if !said {
				as, to = snapshot.AsBacking, need
			}
			n.Needs = append(n.Needs, snapshot.Need{ID: to, As: as})
		}
		require.NoError(t, b.Add(n))
	}
	g, found := b.Build()
	require.Empty(t, found)
	return g
}

// Who names the tip of a chain as a file of his, or as what holds a point, does not hide how long it is.
func TestNobodyHidesTheLengthOfAChain(t *testing.T) {
	g := graph(t, map[string][]string{"b": {"a"}, "c": {"b"}, "d": {"c"}, "x": {"data-file:d"}, "y": {"extent:d"}, "d#in": {"contains:d"}},
		"a", "b", "c", "d", "x", "y", "d#in")
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, &snapshot.Profile{Name: "own", SnapshotsMax: 2})
	require.NoError(t, err)
	require.Equal(t, []snapshot.Finding{{
		Path: "d", Rule: snapshot.RuleDepth, Severity: opsec.SeverityHigh, Text: "3 snapshots in its chain, more than 2 (own)",
	}}, r.Findings)
	require.Equal(t, 3, r.AllChains, "d, x and y: a point inside is no chain of its own")

	// Points inside one file that follow each other are a chain too.
	g = graph(t, map[string][]string{"1": {"contains:f"}, "2": {"contains:f", "parent:1"}, "3": {"contains:f", "parent:2"}, "4": {"contains:f", "parent:3"}},
		"f", "1", "2", "3", "4")
	r, err = g.Analyze(snapshot.FailureModel{P: 0.1}, &snapshot.Profile{Name: "own", SnapshotsMax: 2})
	require.NoError(t, err)
	require.Equal(t, []string{snapshot.RuleDepth}, rules(r.Findings))
	require.Equal(t, "4", r.Findings[0].Path)
}

func TestWhatIsMissingIsNoChain(t *testing.T) {
	var b snapshot.Builder
	require.NoError(t, b.Add(snapshot.Node{ID: "gone#in", Restore: true, Needs: []snapshot.Need{{ID: "gone", As: snapshot.AsContains}}}))
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	require.Zero(t, r.AllChains)
	require.Equal(t, 1, r.Lost)
}

func TestRootIsAtTheEndOfTheWayThatTheDepthIsOf(t *testing.T) {
	g := graph(t, map[string][]string{"b2": {"b1"}, "b3": {"b2"}, "tip": {"a", "b3", "c"}, "tip#in": {"contains:tip"}, "on": {"tip#in"}},
		"a", "b1", "b2", "b3", "c", "tip", "tip#in", "on")
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"on", "b1"}, []string{r.Chains[0].Tip, r.Chains[0].Root})
	require.Equal(t, 5, r.Chains[0].Depth)
	var svg strings.Builder
	require.NoError(t, r.WriteSVG(&svg))
	require.Contains(t, svg.String(), "Not drawn: 2 references beside the deepest of a node.")
	require.Contains(t, svg.String(), ">b1: usable")

	g = graph(t, map[string][]string{"f#in": {"contains:f"}, "on": {"f#in"}, "two": {"g", "f"}}, "f", "f#in", "on", "g", "two")
	r, err = g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"on", "f"}, []string{r.Chains[0].Tip, r.Chains[0].Root}, "what holds a point is below it")
	require.Equal(t, []string{"two", "g"}, []string{r.Chains[1].Tip, r.Chains[1].Root}, "of two ways as long, the first")
}

func TestPointsInsideAFileGrowOldToo(t *testing.T) {
	g := graph(t, map[string][]string{"f#old": {"contains:f"}}, "f", "f#old")
	vmware, _ := snapshot.ProfileNamed("vmware")
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1, Now: now}, &vmware)
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	require.Equal(t, "f#old: a snapshot 1000 d old, older than 3 d (vmware)", r.Findings[0].Path+": "+r.Findings[0].Text)
}

func TestAChanceThatIsJustEnoughIsEnough(t *testing.T) {
	g := graph(t, nil, "a")
	for i := 1; i < 100; i++ {
		p := snapshot.Profile{UsableMin: float64(100-i) / 100}
		r, err := g.Analyze(snapshot.FailureModel{P: float64(i) / 100}, &p)
		require.NoError(t, err)
		require.Empty(t, r.Findings)
		r, err = g.Analyze(snapshot.FailureModel{P: float64(i)/100 + 1e-6}, &p)
		require.NoError(t, err)
		require.Equal(t, []string{snapshot.RuleProbability}, rules(r.Findings))
	}
}

func TestAgesAreOfTheLaterOfCreationAndVerification(t *testing.T) {
	p := snapshot.Profile{VerifiedMax: snapshot.Duration(30 * day)}
	for _, c := range []struct {
		created, verified time.Duration // before now
		overdue           bool
	}{{90 * day, 30 * day, false}, {90 * day, 30*day + time.Microsecond, true}, {10 * day, 90 * day, false}, {-day, 90 * day, true}, {-day, day, false}} {
		var b snapshot.Builder
		require.NoError(t, b.Add(snapshot.Node{ID: "a", Created: now.Add(-c.created), Verified: now.Add(-c.verified)}))
		g, _ := b.Build()
		r, err := g.Analyze(snapshot.FailureModel{P: 0.1, Now: now}, &p)
		require.NoError(t, err)
		require.Equal(t, c.overdue, slices.Contains(rules(r.Findings), snapshot.RuleVerify), "%+v", c)
	}
	_, err := chain(t, 1).Analyze(snapshot.FailureModel{P: 0.1, Now: time.Unix(1<<60, 0)}, &p)
	require.ErrorIs(t, err, opsec.ErrInvalid, "a time beyond what is reckoned with")
}

// aged is a chain of a base and snapshots that were created so long before now.
func aged(t *testing.T, ages ...time.Duration) *snapshot.Graph {
	t.Helper()
	var b snapshot.Builder
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Size: 1000, Created: now.Add(-900 * day)}))
	for i, age := range ages {
		require.NoError(t, b.AddIndexed(snapshot.Indexed{Size: 10, Created: now.Add(-age), Needs: []int{i}, As: snapshot.AsBacking}))
	}
	g, _ := b.Build()
	return g
}

func TestGrowthIsToldOnlyOfTimesThatTellOne(t *testing.T) {
	const second = time.Second
	p := snapshot.Profile{SnapshotsMax: 10}
	for name, c := range map[string]struct {
		ages    []time.Duration
		perDay  float64
		then    int
		reached time.Duration
	}{
		"made within seconds":          {[]time.Duration{3 * second, 2 * second, second}, 0, 4, 0},
		"within a day, less a moment":  {[]time.Duration{24*time.Hour - time.Microsecond, time.Hour, 0}, 0, 4, 0},
		"within a day":                 {[]time.Duration{24 * time.Hour, time.Hour, 0}, 2, 64, 84 * time.Hour},
		"a burst long after the first": {[]time.Duration{100 * day, 2 * second, second}, 2 / (100 - second.Hours()/24), 4, 350*day - 3500*time.Millisecond},
		"as quiet as it was busy":      {[]time.Duration{4 * day, 3 * day, 2 * day}, 1, 34, 7 * day},
		"quiet for longer":             {[]time.Duration{4*day + time.Second, 3 * day, 2*day + time.Second}, 0, 4, 0},
		"over long ago":                {[]time.Duration{400 * day, 399 * day, 398 * day}, 0, 4, 0},
		"one is to come":               {[]time.Duration{2 * day, 0, -500 * day}, 0.5, 19, 14 * day},
		"one alone":                    {[]time.Duration{day}, 0, 2, 0},
		"all at once":                  {[]time.Duration{day, day, day}, 0, 4, 0},
	} {
		r, err := aged(t, c.ages...).Analyze(snapshot.FailureModel{P: 0.1, Now: now}, &p)
		require.NoError(t, err)
		require.InDelta(t, c.perDay, r.Growth.PerDay, 1e-9, name)
		require.InDelta(t, c.perDay*10, r.Growth.BytesPerDay, 1e-9, name)
		require.Equal(t, c.then, r.Growth.DepthThen, name)
		require.InDelta(t, float64(c.reached), float64(r.Growth.LimitReached), float64(time.Second), name)
		var text strings.Builder
		require.NoError(t, r.WriteText(&text))
		require.Equal(t, c.perDay > 0, strings.Contains(text.String(), "growth: "), name)
	}
	p.SnapshotsMax = 2
	r, err := aged(t, second, second, second).Analyze(snapshot.FailureModel{P: 0.1, Now: now}, &p)
	require.NoError(t, err)
	require.Negative(t, r.Growth.LimitReached, "it is beyond the limit, whatever its pace")
}

func TestAnAgeAtTheLimitIsWithinIt(t *testing.T) {
	vmware, _ := snapshot.ProfileNamed("vmware")
	for age, want := range map[time.Duration]opsec.Severity{
		day: "", day + time.Microsecond: opsec.SeverityLow, 3 * day: opsec.SeverityLow, 3*day + time.Microsecond: opsec.SeverityMedium,
	} {
		r, err := aged(t, age).Analyze(snapshot.FailureModel{P: 0.1, Now: now}, &vmware)
		require.NoError(t, err)
		var got opsec.Severity
		for _, f := range r.Findings {
			got = f.Severity
		}
		require.Equal(t, want, got, age.String())
	}
}

// What is lost is told once, as lost, and not judged by what it would be like if it were not.
func TestWhatIsLostOrAtALimitIsNotJudgedFurther(t *testing.T) {
	p := snapshot.Profile{Name: "own", SnapshotsMax: 9, AgeMax: snapshot.Duration(day), VerifiedMax: snapshot.Duration(day), UsableMin: 0.95, BlastMax: 2}
	var b snapshot.Builder
	for _, n := range []snapshot.Node{
		{ID: "torn", Broken: "torn"},
		{ID: "a", Restore: true, Verified: now, Needs: []snapshot.Need{{ID: "gone"}}},
		{ID: "b", Restore: true, Verified: now, Needs: []snapshot.Need{{ID: "gone"}}},
		{ID: "c", Restore: true, Verified: now, Needs: []snapshot.Need{{ID: "gone"}}},
		{ID: "base", Restore: true, Verified: now},
		{ID: "layer", Verified: now, Needs: []snapshot.Need{{ID: "base"}}}, // no restore point
		{ID: "tip", Restore: true, Verified: now, Needs: []snapshot.Need{{ID: "base"}}, Replicas: 9},
		{ID: "soon", Created: now, Verified: now.Add(time.Hour)},
	} {
		require.NoError(t, b.Add(n))
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.05, Independence: 1, Now: now}, &p)
	require.NoError(t, err)
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Path+" "+f.Rule)
	}
	require.Equal(t, []string{
		"a unusable", "b unusable", "c unusable", "a missing-need", "b missing-need", "c missing-need", "soon time-in-future",
	}, got)
}

func TestTheWorstAreListed(t *testing.T) {
	var b snapshot.Builder
	const roots = 7000
	want := make([]int, roots)
	for i := range roots {
		require.NoError(t, b.AddIndexed(snapshot.Indexed{}))
		want[i] = 1 + i*7919%13
	}
	for i, points := range want {
		for range points {
			require.NoError(t, b.AddIndexed(snapshot.Indexed{Restore: true, Needs: []int{i}}))
		}
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	var got []int
	for _, p := range r.SPOF {
		got = append(got, p.Blast)
	}
	slices.Sort(want)
	slices.Reverse(want)
	require.Equal(t, want[:1000], got)
	require.Equal(t, roots, r.AllSPOF)
}

func TestChainsAreInOrderOfTheirChanceAndThenOfDepth(t *testing.T) {
	var b snapshot.Builder
	for _, n := range []snapshot.Node{
		{ID: "1"}, {ID: "2", Replicas: 9, Needs: []snapshot.Need{{ID: "1"}}}, {ID: "3", Replicas: 9, Needs: []snapshot.Need{{ID: "2"}}}, // .9
		{ID: "x"}, {ID: "y", Needs: []snapshot.Need{{ID: "x"}}}, // .81
	} {
		require.NoError(t, b.Add(n))
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1, Independence: 1}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"y", "3"}, []string{r.Chains[0].Tip, r.Chains[1].Tip})
}

func TestSizesAddUpToTheMostThatThereIs(t *testing.T) {
	var b snapshot.Builder
	for range 3 {
		require.NoError(t, b.AddIndexed(snapshot.Indexed{Size: math.MaxInt64 - 5, Virtual: 7}))
	}
	g, _ := b.Build()
	r, err := g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	require.Equal(t, []int64{math.MaxInt64, math.MaxInt64, math.MaxInt64}, []int64{r.Growth.Bytes, r.Growth.BytesThen, r.Growth.BytesMost})
	require.NoError(t, b.AddIndexed(snapshot.Indexed{Size: 9, Virtual: 7}))
	g, _ = b.Build()
	r, err = g.Analyze(snapshot.FailureModel{P: 0.1}, nil)
	require.NoError(t, err)
	require.Equal(t, int64(9), r.Growth.BytesMost, "an image may take more than the disk that it shows")
}
