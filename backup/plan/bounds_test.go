package plan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/backup/plan"
)

// What is as old, or takes as long, as it may is in order; a moment more is found.
func TestCheckHoldsToTheVeryLimit(t *testing.T) {
	s := plan.Strategy{Source: "web-1", RPO: day, RTO: time.Hour, Points: 1, OnSite: 1, SkipRegions: true, VerifyEvery: 2 * day, TestEvery: 3 * day}
	now := at(1000)
	rules := func(verified, tested time.Time, took time.Duration) (list []plan.Rule) {
		c := copyAt("a", plan.OnSite, at(1))
		c.Verified = verified
		found, err := plan.Check(s, plan.Observed{Source: "web-1", At: now,
			Points: []plan.ObservedPoint{{ID: "p", Level: plan.Image, Taken: now.Add(-time.Hour), Copies: []plan.ObservedCopy{c}}},
			Tests:  []plan.ObservedTest{{ID: "t", Point: "p", Level: plan.Image, Site: plan.OnSite, At: tested, Took: took, Passed: true}}})
		require.NoError(t, err)
		for _, f := range found {
			list = append(list, f.Rule)
		}
		return slices.Compact(list)
	}
	require.Empty(t, rules(now.Add(-2*day), now.Add(-3*day), time.Hour))
	require.Equal(t, []plan.Rule{plan.RuleVerified}, rules(now.Add(-2*day-1), now.Add(-3*day), time.Hour))
	require.Equal(t, []plan.Rule{plan.RuleTested}, rules(now.Add(-2*day), now.Add(-3*day-1), time.Hour))
	require.Equal(t, []plan.Rule{plan.RuleRTO}, rules(now.Add(-2*day), now.Add(-3*day), time.Hour+1))
	require.Equal(t, []plan.Rule{plan.RuleData}, rules(now.Add(1), now, time.Hour))
	require.Contains(t, rules(now, now, -1), plan.RuleData)
	require.Contains(t, rules(now, now, -1), plan.RuleTested, "a test that took less than nothing is none")
}
