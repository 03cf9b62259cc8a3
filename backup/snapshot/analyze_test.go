package snapshot_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/snapshot"
	"github.com/cloudopsec/opsec/internal/race"
)

func TestChainLosesWhatTheClosedFormSays(t *testing.T) {
	// n - (1-p)(1-(1-p)^n)/p
	for _, c := range []struct {
		n           int
		lost, alone string
		tip         string
	}{{1, "0.01", "0.01", "0.99"}, {7, "0.27", "0.07", "0.93"}, {30, "4.23", "0.30", "0.74"}, {100, "37.24", "1.00", "0.37"}} {
		const p = 0.01
		r, err := chain(t, c.n).Analyze(snapshot.FailureModel{P: p}, nil)
		require.NoError(t, err)
		n := float64(c.n)
		require.InDelta(t, n-(1-p)*(1-math.Pow(1-p, n))/p, r.ExpectedLost, 1e-9)
		require.Equal(t, c.lost, fmt.Sprintf("%.2f", r.ExpectedLost))
		require.Equal(t, c.alone, fmt.Sprintf("%.2f", r.Independent))
		require.Equal(t, c.tip, fmt.Sprintf("%.2f", r.Chains[0].Usable))
		require.Equal(t, c.n, r.Chains[0].Depth)
		require.Equal(t, "s1", r.Chains[0].Root)
		require.True(t, r.Exact)
	}
}

func TestTinyChancesAreNotLostInRounding(t *testing.T) {
	r, err := chain(t, 1000).Analyze(snapshot.FailureModel{P: 1e-15}, nil)
	require.NoError(t, err)
	require.InEpsilon(t, 1000*1001/2*1e-15, r.ExpectedLost, 1e-6)
}

func TestReportEqualsPlainSetsOnAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDAG(t, 30, rapid.IntRange(1, 10).Draw(t, "most needs"))
		g := d.build(t)
		m := snapshot.FailureModel{P: rapid.Float64Range(0.001, 0.9).Draw(t, "p"), Independence: rapid.Float64Range(0, 1).Draw(t, "independence")}
		r, err := g.Analyze(m, nil)
		require.NoError(t, err)
		require.True(t, r.Exact)
		sets := d.closures()
		blast := make([]int, len(sets))
		var lost, alone float64
		points, dead := 0, 0
		for i, set := range sets {
			want := exactChance(m, d.nodes, set)
			v, _ := g.Find(d.nodes[i].ID)
			low, high := r.Usable(v)
			require.InDelta(t, want, low, 1e-12)
			require.Equal(t, low, high)
			if !d.nodes[i].Restore {
				continue
			}
			points++
			lost += 1 - want
			alone += m.Of(d.nodes[i])
			broken := false
			for _, j := range set {
				blast[j]++
				broken = broken || d.nodes[j].Broken != ""
			}
			if broken {
				dead++
			}
		}
		require.Equal(t, []int{points, dead}, []int{r.Points, r.Lost})
		require.InDelta(t, lost, r.ExpectedLost, 1e-9)
		require.InDelta(t, alone, r.Independent, 1e-9)
		spof := 0
		for i := range sets {
			v, _ := g.Find(d.nodes[i].ID)
			require.Equal(t, blast[i], r.Blast(v), "blast of %s", d.nodes[i].ID)
			require.Equal(t, len(sets[i]), r.Files(v), "files of %s", d.nodes[i].ID)
			if blast[i] > 1 || blast[i] == 1 && !d.nodes[i].Restore {
				spof++
			}
		}
		require.Equal(t, spof, r.AllSPOF)
	})
}

func TestWideGraphsAreWalkedInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	m := snapshot.FailureModel{P: 0.01}
	for range race.Fewer(100) {
		var d drawn
		for i := range 60 {
			node := snapshot.Node{ID: fmt.Sprint("n", i), Restore: true}
			for range rng.IntN(3) * min(i, 1) {
				node.Needs = append(node.Needs, snapshot.Need{ID: fmt.Sprint("n", rng.IntN(i))})
			}
			if i == 59 {
				for j := range 59 {
					if rng.IntN(4) == 0 {
						node.Needs = append(node.Needs, snapshot.Need{ID: fmt.Sprint("n", j)})
					}
				}
			}
			d.nodes = append(d.nodes, node)
		}
		d.order = upTo(60)
		g := d.build(t)
		r, err := g.Analyze(m, nil)
		require.NoError(t, err)
		for i, set := range d.closures() {
			low, _ := r.Usable(i)
			require.InDelta(t, math.Pow(1-m.P, float64(len(set))), low, 1e-12)
			require.Equal(t, len(set), r.Files(i))
		}
	}
}

func TestMonteCarloAgrees(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range race.Fewer(10) {
		var d drawn
		for i := range 30 {
			node := snapshot.Node{ID: fmt.Sprint("n", i), Restore: true}
			for range rng.IntN(min(i, 3) + 1) {
				node.Needs = append(node.Needs, snapshot.Need{ID: fmt.Sprint("n", max(0, i-1-rng.IntN(8)))})
			}
			d.nodes = append(d.nodes, node)
		}
		d.order = upTo(30)
		m := snapshot.FailureModel{P: 0.05}
		r, err := d.build(t).Analyze(m, nil)
		require.NoError(t, err)
		sets := d.closures()
		const trials = 20_000
		var all, squares float64
		for range trials {
			bad := make([]bool, len(d.nodes))
			for i := range bad {
				bad[i] = rng.Float64() < m.P
			}
			lost := 0.0
			for _, set := range sets {
				for _, j := range set {
					if bad[j] {
						lost++
						break
					}
				}
			}
			all += lost
			squares += lost * lost
		}
		mean := all / trials
		deviation := math.Sqrt((squares/trials - mean*mean) / trials)
		require.InDelta(t, mean, r.ExpectedLost, 5*deviation)
	}
}

func TestReplicasHelpOnlyAsFarAsTheyAreIndependent(t *testing.T) {
	n := snapshot.Node{ID: "a", Replicas: 3}
	require.InDelta(t, 0.1, snapshot.FailureModel{P: 0.1}.Of(n), 1e-15) // the strict zero: they fail together
	require.InDelta(t, 0.001, snapshot.FailureModel{P: 0.1, Independence: 1}.Of(n), 1e-15)
	require.InDelta(t, 0.2*0.1+0.8*0.001, snapshot.FailureModel{P: 0.1, Independence: 0.8}.Of(n), 1e-15)
}

func TestVerificationLowersTheRisk(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	const year = 8766 * time.Hour
	m := snapshot.FailureModel{Hazard: &snapshot.Hazard{PerYear: 0.5, PerTiBYear: 0.25, Unknown: snapshot.Duration(2 * year)}, Now: now}
	of := func(created, verified time.Time, size int64) float64 {
		return m.Of(snapshot.Node{ID: "a", Created: created, Verified: verified, Size: size})
	}
	require.InDelta(t, 1-math.Exp(-0.5), of(now.Add(-year), time.Time{}, 0), 1e-12)
	require.InDelta(t, 1-math.Exp(-1), of(now.Add(-year), time.Time{}, 2<<40), 1e-12)
	require.InDelta(t, 1-math.Exp(-0.875), of(now.Add(-year), time.Time{}, 3<<39), 1e-12)
	require.InDelta(t, 1, of(time.Date(-9000, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{}, 0), 1e-12, "longer than durations are")
	require.InDelta(t, 1-math.Exp(-0.25), of(now.Add(-year), now.Add(-year/2), 0), 1e-12)
	require.Zero(t, of(now.Add(-year), now, 0))
	require.InDelta(t, 1-math.Exp(-1), of(time.Time{}, time.Time{}, 0), 1e-12, "nothing is known: the age that the model takes")
	require.InDelta(t, 1-math.Exp(-0.5), of(now.Add(-year), now.Add(time.Hour), 0), 1e-12, "a verification to come is not believed")
	require.InDelta(t, 1-math.Exp(-1), of(now.Add(time.Hour), now.Add(time.Hour), 0), 1e-12)
	require.Equal(t, 1.0, m.Of(snapshot.Node{ID: "a", Verified: now, Broken: "torn"}))
}

func TestModelsAndProfilesAreStrict(t *testing.T) {
	nan := math.NaN()
	hour := snapshot.Duration(time.Hour)
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	g := chain(t, 2)
	for field, m := range map[string]snapshot.FailureModel{
		"p 0":                   {},
		"p NaN":                 {P: nan},
		"p 1.5":                 {P: 1.5},
		"p 0.1: want nothing":   {P: 0.1, Hazard: &snapshot.Hazard{PerYear: 1, Unknown: hour}, Now: now},
		"independence":          {P: 0.1, Independence: -1},
		"hazard.per_year":       {Hazard: &snapshot.Hazard{PerYear: math.Inf(1), Unknown: hour}, Now: now},
		"hazard.per_tib_year":   {Hazard: &snapshot.Hazard{PerTiBYear: -1, Unknown: hour}, Now: now},
		"hazard 0: want a rate": {Hazard: &snapshot.Hazard{Unknown: hour}, Now: now},
		"hazard.unknown":        {Hazard: &snapshot.Hazard{PerYear: 1}, Now: now},
		"now 0001-01-01 00:00:00 +0000 UTC: want a time, ": {Hazard: &snapshot.Hazard{PerYear: 1, Unknown: hour}},
		"now 3653": {Hazard: &snapshot.Hazard{PerYear: 1, Unknown: hour}, Now: time.Unix(1<<60, 0)},
	} {
		_, err := g.Analyze(m, nil)
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, "snapshot: failure model: "+field)
	}
	for field, p := range map[string]snapshot.Profile{
		"no limit":          {Name: "none"},
		"snapshots_advised": {SnapshotsAdvised: 3, SnapshotsMax: 2},
		"snapshots_max":     {SnapshotsMax: -1},
		"age_advised":       {AgeAdvised: 2 * hour, AgeMax: hour},
		"usable_min":        {UsableMin: 1},
	} {
		_, err := g.Analyze(snapshot.FailureModel{P: 0.1}, &p)
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, "snapshot: profile: "+field)
	}
	_, err := g.Analyze(snapshot.FailureModel{P: 0.1}, &snapshot.Profile{AgeMax: hour})
	require.ErrorIs(t, err, opsec.ErrInvalid, "ages cannot be judged without knowing what time it is")
	for _, p := range snapshot.Profiles() {
		require.NoError(t, p.Validate())
		again, ok := snapshot.ProfileNamed(p.Name)
		require.True(t, ok)
		require.Equal(t, p, again)
	}
	_, ok := snapshot.ProfileNamed("")
	require.False(t, ok)
}
