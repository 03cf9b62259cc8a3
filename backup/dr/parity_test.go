package dr_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/dr"
)

func statement(site string) dr.Statement {
	return dr.Statement{
		Site: site, Taken: noon, Patched: noon.Add(-24 * time.Hour),
		AtRest:    dr.Encryption{Algorithm: "AES-256-GCM", Strength: 256, Custody: 2},
		InTransit: dr.Encryption{Algorithm: "TLS 1.3, X25519", Strength: 128, Custody: 1},
		Access:    dr.Grade{Digest: "a1", Level: 3}, Baseline: dr.Grade{Digest: "b1", Level: 2},
		Controls: map[string]int{"mfa": 2, "guards": 1},
	}
}

func TestCompareNamesEachWeakness(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*dr.Statement)
		aspect   string
		relation dr.Relation
	}{
		"strength": {func(s *dr.Statement) { s.AtRest.Algorithm, s.AtRest.Strength = "AES-128-GCM", 128 }, "at_rest.strength", dr.Weaker},
		"none":     {func(s *dr.Statement) { s.InTransit = dr.Encryption{Algorithm: "none"} }, "in_transit.strength", dr.Weaker},
		"custody":  {func(s *dr.Statement) { s.AtRest.Custody = 1 }, "at_rest.custody", dr.Weaker},
		"no word":  {func(s *dr.Statement) { s.AtRest = dr.Encryption{} }, "at_rest.strength", dr.Unknown},
		"access":   {func(s *dr.Statement) { s.Access = dr.Grade{Digest: "a2", Level: 2} }, "access", dr.Weaker},
		"other":    {func(s *dr.Statement) { s.Access.Digest = "a2" }, "access", dr.Incomparable},
		"ungraded": {func(s *dr.Statement) { s.Baseline = dr.Grade{Digest: "b2"} }, "baseline", dr.Unknown},
		"patches":  {func(s *dr.Statement) { s.Patched = s.Patched.Add(-time.Hour) }, "patched", dr.Weaker},
		"silent":   {func(s *dr.Statement) { s.Patched = time.Time{} }, "patched", dr.Unknown},
		"control":  {func(s *dr.Statement) { s.Controls["mfa"] = 0 }, "controls.mfa", dr.Weaker},
		"unsaid":   {func(s *dr.Statement) { delete(s.Controls, "guards") }, "controls.guards", dr.Unknown},
		"old":      {func(s *dr.Statement) { s.Taken = s.Taken.Add(-12 * time.Hour) }, "taken", dr.Unknown},
		"stronger": {func(s *dr.Statement) { s.Controls["mfa"] = 3 }, "controls.mfa", dr.Stronger},
	} {
		t.Run(name, func(t *testing.T) {
			recovery := statement("west")
			c.change(&recovery)
			p, err := dr.Compare(statement("east"), recovery, time.Hour)
			require.NoError(t, err)
			require.Equal(t, c.relation == dr.Stronger, p.Same)
			found := map[string]dr.Relation{}
			for _, d := range p.Differences {
				found[d.Aspect] = d.Relation
			}
			require.Equal(t, c.relation, found[c.aspect], "%v", p.Differences)
		})
	}
	p, err := dr.Compare(statement("east"), statement("west"), time.Hour)
	require.NoError(t, err)
	require.Equal(t, dr.Parity{Same: true}, p)
}

func TestStatementsThatSayNothingSensible(t *testing.T) {
	for _, change := range []func(*dr.Statement){
		func(s *dr.Statement) { s.Site = "" },
		func(s *dr.Statement) { s.Site = "east" },
		func(s *dr.Statement) { s.Taken = time.Time{} },
		func(s *dr.Statement) { s.Patched = noon.Add(time.Second) },
		func(s *dr.Statement) { s.AtRest.Strength = -1 },
		func(s *dr.Statement) { s.AtRest.Algorithm = "" },
		func(s *dr.Statement) { s.Controls["mfa"] = -1 },
		func(s *dr.Statement) { s.Access.Level = -1 },
	} {
		recovery := statement("west")
		change(&recovery)
		_, err := dr.Compare(statement("east"), recovery, time.Hour)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

// What is weaker one way is stronger the other way, and nothing is the same both ways but what has no difference.
func TestCompareIsAntisymmetric(t *testing.T) {
	opposite := map[dr.Relation]dr.Relation{dr.Weaker: dr.Stronger, dr.Stronger: dr.Weaker, dr.Unknown: dr.Unknown, dr.Incomparable: dr.Incomparable}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(site string) dr.Statement {
			s := statement(site)
			s.AtRest = dr.Encryption{Algorithm: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "alg"), Strength: rapid.SampledFrom([]int{0, 128, 256}).Draw(t, "bits"), Custody: rapid.IntRange(0, 3).Draw(t, "custody")}
			s.Access = dr.Grade{Digest: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "digest"), Level: rapid.IntRange(0, 2).Draw(t, "level")}
			s.Controls = rapid.MapOf(rapid.SampledFrom([]string{"p", "q"}), rapid.IntRange(0, 2)).Draw(t, "controls")
			return s
		}
		a, b := draw("east"), draw("west")
		if a.Access.Digest == b.Access.Digest {
			b.Access.Level = a.Access.Level
		}
		there, err := dr.Compare(a, b, time.Hour)
		require.NoError(t, err)
		back, err := dr.Compare(b, a, time.Hour)
		require.NoError(t, err)
		relations := map[string]dr.Relation{}
		for _, d := range back.Differences {
			relations[d.Aspect] = d.Relation
		}
		require.Len(t, there.Differences, len(back.Differences))
		for _, d := range there.Differences {
			require.Equal(t, opposite[d.Relation], relations[d.Aspect], d.Aspect)
		}
		if there.Same && back.Same {
			require.Empty(t, there.Differences)
		}
	})
}

func TestDrillsAreOverdueFailAndMissObjectives(t *testing.T) {
	p := dr.DrillPolicy{Every: dr.Duration(90 * 24 * time.Hour), RTO: dr.Duration(time.Hour), Back: true, Warned: dr.Duration(10 * 24 * time.Hour), Recent: 2}
	rules := func(r dr.DrillReport) (list []string) {
		for _, f := range r.Findings {
			list = append(list, f.Rule)
		}
		return list
	}
	r, err := p.Assess(nil, noon)
	require.NoError(t, err)
	require.True(t, r.Overdue)

	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	good := dr.Drill{ID: "d1", At: day(-30), Took: dr.Duration(40 * time.Minute), Outcome: opsec.Success, Back: true}
	r, err = p.Assess([]dr.Drill{good}, noon)
	require.NoError(t, err)
	require.Empty(t, r.Findings)
	require.Equal(t, day(60), r.Next)
	r, _ = p.Assess([]dr.Drill{good}, day(51))
	require.Equal(t, []string{"drill-due"}, rules(r))
	r, _ = p.Assess([]dr.Drill{good}, day(61))
	require.Equal(t, []string{"drill-overdue"}, rules(r))

	slow := dr.Drill{ID: "d2", At: day(-3), Took: dr.Duration(2 * time.Hour), Lost: dr.Duration(time.Second), Outcome: opsec.Success}
	failed := dr.Drill{ID: "d3", At: day(-2), Outcome: opsec.Failure}
	future := dr.Drill{ID: "d4", At: day(1), Outcome: opsec.Success, Back: true}
	r, err = p.Assess([]dr.Drill{failed, good, future, slow}, noon)
	require.NoError(t, err)
	require.Equal(t, []string{"drill-failed", "drill-rto", "drill-rpo", "drill-one-way"}, rules(r))
	require.Equal(t, day(60), r.Next, "one way is no whole drill")
	require.Equal(t, 2, r.Judged)
	require.Equal(t, 1, r.Failed)
	require.Equal(t, slow.Took, r.Slowest)

	_, err = dr.DrillPolicy{}.Assess(nil, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = p.Assess([]dr.Drill{{}}, noon)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
