package plan_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
)

// kept is what strategy asks for, met: ten days of points every four hours, each day's first one off the site too.
func kept() plan.Observed {
	o := plan.Observed{Tenant: "acme", Source: "web-1", At: at(240), Since: at(2)}
	for h := 0.0; h < 240; h += 4 {
		p := plan.ObservedPoint{ID: fmt.Sprint("p", h), Level: plan.Files, Taken: at(h), Copies: []plan.ObservedCopy{copyAt("array", plan.OnSite, at(h+1))}}
		if int(h)%24 == 0 {
			p.Copies = append(p.Copies, copyAt("vault", plan.OffSite, at(h+2)))
		} else {
			p.Parents = []string{fmt.Sprint("p", h-4)}
		}
		for i := range p.Copies {
			p.Copies[i].Verified = at(200)
			if p.Copies[i].Durable.After(at(200)) {
				p.Copies[i].Verified = p.Copies[i].Durable
			}
		}
		o.Points = append(o.Points, p)
	}
	o.Tests = []plan.ObservedTest{
		{ID: "t1", Point: "p0", Level: plan.Files, Site: plan.OnSite, At: at(20), Took: 2 * time.Hour, Passed: true},
		{ID: "t2", Point: "p0", Level: plan.Files, Site: plan.OffSite, At: at(30), Took: 5 * time.Hour, Passed: true},
	}
	return o
}

func TestWhatIsOwedHasNoFindings(t *testing.T) {
	s := strategy()
	found, err := plan.Check(s, kept())
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestEachRuleFindsWhatBreaksIt(t *testing.T) {
	type finding struct {
		rule     plan.Rule
		severity opsec.Severity
		subject  string
		text     string
	}
	const last = 59
	for name, c := range map[string]struct {
		change func(s *plan.Strategy, o *plan.Observed)
		want   []finding
	}{
		"a gap that is over": {func(_ *plan.Strategy, o *plan.Observed) {
			o.Points[44].Parents = nil // the next full one, at 176
			o.Points = append(o.Points[:43:43], o.Points[44:]...)
		}, []finding{
			{plan.RuleLoss, opsec.SeverityMedium, "web-1", "up to 9h would have been lost, want at most 6h"},
			{plan.RuleRPO, opsec.SeverityMedium, "web-1", "8h between two backups, want at most 4h"},
		}},
		"none since": {func(_ *plan.Strategy, o *plan.Observed) { o.Points = o.Points[:last-1] }, []finding{
			{plan.RuleCopies, opsec.SeverityHigh, "web-1", "0 targets on-site can restore a point of the last 6h, want 1"},
			{plan.RuleLoss, opsec.SeverityHigh, "web-1", "up to 12h would have been lost, want at most 6h"},
			{plan.RuleRPO, opsec.SeverityHigh, "web-1", "no backup since 12h, want one every 4h"},
		}},
		"not durable in time": {func(_ *plan.Strategy, o *plan.Observed) { o.Points[31].Copies[0].Durable = at(128) }, []finding{
			{plan.RuleLoss, opsec.SeverityMedium, "web-1", "up to 8h would have been lost, want at most 6h"},
		}},
		"nothing off the site of late": {func(_ *plan.Strategy, o *plan.Observed) { o.Points[54].Copies = o.Points[54].Copies[:1] }, []finding{
			{plan.RuleCopies, opsec.SeverityHigh, "web-1", "0 targets off-site can restore a point of the last 1d6h, want 1"},
			{plan.RuleLoss, opsec.SeverityHigh, "web-1", "up to 2d would have been lost off the site, want at most 1d6h"},
			{plan.RuleRPO, opsec.SeverityHigh, "web-1", "no backup off the site since 2d, want one every 1d"},
		}},
		"too few": {func(s *plan.Strategy, o *plan.Observed) {
			for i := range 54 {
				o.Points[i].Deleted = at(239)
			}
		}, []finding{
			{plan.RulePoints, opsec.SeverityMedium, "web-1", "1 points can be restored off the site, want 7"},
			{plan.RulePoints, opsec.SeverityMedium, "web-1", "6 points can be restored, want 7"},
			{plan.RulePoints, opsec.SeverityMedium, "web-1", "points go 1d back, want 7d"},
			{plan.RulePoints, opsec.SeverityMedium, "web-1", "points off the site go 1d back, want 7d"},
		}},
		"one more target": {func(s *plan.Strategy, o *plan.Observed) { s.OnSite = 2 }, []finding{
			{plan.RuleCopies, opsec.SeverityHigh, "web-1", "1 targets on-site can restore a point of the last 6h, want 2"},
		}},
		"not encrypted": {func(s *plan.Strategy, o *plan.Observed) { o.Points[7].Copies[0].Encrypted = false }, []finding{
			{plan.RuleEncryption, opsec.SeverityHigh, "p28@array", "the copy is not encrypted"},
		}},
		"plain is allowed": {func(s *plan.Strategy, o *plan.Observed) {
			s.InsecurePlain, o.Points[7].Copies[0].Encrypted = true, false
		}, nil},
		"abroad": {func(s *plan.Strategy, o *plan.Observed) { o.Points[7].Copies[0].Region = "us-1" }, []finding{
			{plan.RuleRegion, opsec.SeverityHigh, "p28@array", `the copy is in "us-1", where none may be`},
		}},
		"never verified": {func(s *plan.Strategy, o *plan.Observed) { o.Points[0].Copies[0].Verified = time.Time{} }, []finding{
			{plan.RuleVerified, opsec.SeverityMedium, "p0@array", "the copy was never verified, in 9d23h"},
		}},
		"verified long ago": {func(s *plan.Strategy, o *plan.Observed) { o.Points[0].Copies[0].Verified = at(71) }, []finding{
			{plan.RuleVerified, opsec.SeverityMedium, "p0@array", "the copy was last verified 7d1h ago, want every 7d"},
		}},
		"damaged": {func(s *plan.Strategy, o *plan.Observed) { o.Points[59].Copies[0].Broken = true }, []finding{
			{plan.RuleCopies, opsec.SeverityHigh, "web-1", "0 targets on-site can restore a point of the last 6h, want 1"},
			{plan.RuleLoss, opsec.SeverityHigh, "web-1", "up to 8h would have been lost, want at most 6h"},
			{plan.RuleVerified, opsec.SeverityHigh, "p236@array", "the copy is damaged"},
		}},
		"never tested": {func(s *plan.Strategy, o *plan.Observed) { s.TestEvery, o.Tests = 9*day, nil }, []finding{
			{plan.RuleTested, opsec.SeverityHigh, "web-1", "no recovery test off-site has passed in 9d22h, want one every 9d"},
			{plan.RuleTested, opsec.SeverityHigh, "web-1", "no recovery test on-site has passed in 9d23h, want one every 9d"},
		}},
		"test failed": {func(s *plan.Strategy, o *plan.Observed) {
			o.Tests = append(o.Tests, plan.ObservedTest{ID: "t3", Site: plan.OnSite, At: at(239)})
		}, []finding{{plan.RuleTested, opsec.SeverityHigh, "t3", "the last recovery test on-site failed"}}},
		"just young enough": {func(s *plan.Strategy, o *plan.Observed) {
			s.RPO, o.At = 6*time.Hour, at(242)
			o.Points = append(o.Points, plan.ObservedPoint{ID: "running", Level: plan.Files, Taken: at(240), Copies: []plan.ObservedCopy{copyAt("vault", plan.OffSite, time.Time{})}})
		}, nil},
		"a test to come is none": {func(s *plan.Strategy, o *plan.Observed) {
			s.TestEvery = 9 * day
			o.Tests[0].At = at(241)
		}, []finding{
			{plan.RuleData, opsec.SeverityHigh, "t1", "test 0 is left out: of no side, or of a time to come"},
			{plan.RuleTested, opsec.SeverityHigh, "web-1", "no recovery test on-site has passed in 9d23h, want one every 9d"},
		}},
		"it was slow once": {func(s *plan.Strategy, o *plan.Observed) {
			o.Tests = append(o.Tests, plan.ObservedTest{ID: "t0", Site: plan.OnSite, At: at(10), Took: 9 * time.Hour, Passed: true})
		}, nil},
		"too slow": {func(s *plan.Strategy, o *plan.Observed) { o.Tests[1].Took = 13 * time.Hour }, []finding{
			{plan.RuleRTO, opsec.SeverityHigh, "t2", "the recovery off-site took 13h, want at most 12h"},
		}},
		"a chain without its first": {func(s *plan.Strategy, o *plan.Observed) { o.Points[6].Deleted = at(239) }, []finding{
			{plan.RuleChain, opsec.SeverityHigh, "p28", `it needs "p24", which was deleted`},
		}},
		"what cannot be": {func(s *plan.Strategy, o *plan.Observed) {
			o.Points = append(o.Points, o.Points[3], plan.ObservedPoint{ID: "future", Level: plan.Files, Taken: at(241)}, plan.ObservedPoint{ID: "tape", Taken: at(1)})
			o.Tests = append(o.Tests, plan.ObservedTest{ID: "moon", At: at(1)},
				plan.ObservedTest{ID: "never", Site: plan.OnSite}, plan.ObservedTest{ID: "soon", Site: plan.OnSite, At: at(241), Passed: true})
		}, []finding{
			{plan.RuleData, opsec.SeverityHigh, "future", "the point is left out: it was taken at a time to come, or at none"},
			{plan.RuleData, opsec.SeverityHigh, "moon", "test 2 is left out: of no side, or of a time to come"},
			{plan.RuleData, opsec.SeverityHigh, "never", "test 3 is left out: of no side, or of a time to come"},
			{plan.RuleData, opsec.SeverityHigh, "p12", "the point is left out: there is another point of this id, or it has none"},
			{plan.RuleData, opsec.SeverityHigh, "soon", "test 4 is left out: of no side, or of a time to come"},
			{plan.RuleData, opsec.SeverityHigh, "tape", "the point is left out: it is of no level that is known"},
		}},
		"no point for a while": {func(s *plan.Strategy, o *plan.Observed) { o.Since = at(0) }, []finding{
			{plan.RuleLoss, opsec.SeverityMedium, "web-1", "there was no point off the site that could be restored"},
			{plan.RuleLoss, opsec.SeverityMedium, "web-1", "there was no point that could be restored"},
		}},
		"just far enough back": {func(s *plan.Strategy, o *plan.Observed) {
			for i := range 18 { // up to p72; the 18 that need no more go back 7 days
				o.Points[i].Deleted = at(239)
			}
		}, nil},
		"not quite far enough": {func(s *plan.Strategy, o *plan.Observed) {
			s.Reach = 7*day + 1
			for i := range 18 {
				o.Points[i].Deleted = at(239)
			}
		}, []finding{
			{plan.RulePoints, opsec.SeverityMedium, "web-1", "points go 7d back, want 7d"},
			{plan.RulePoints, opsec.SeverityMedium, "web-1", "points off the site go 7d back, want 7d"},
		}},
		"young": {func(s *plan.Strategy, o *plan.Observed) {
			*o = plan.Observed{Tenant: "acme", Source: "web-1", At: at(2), Points: o.Points[:1]}
			o.Points[0].Copies[0].Verified, o.Points[0].Copies[1].Verified = at(1), at(2)
		}, []finding{
			{plan.RulePoints, opsec.SeverityLow, "web-1", "1 points can be restored off the site, want 7; there never were more"},
			{plan.RulePoints, opsec.SeverityLow, "web-1", "1 points can be restored, want 7; there never were more"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, o := strategy(), kept()
			c.change(&s, &o)
			found, err := plan.Check(s, o)
			require.NoError(t, err)
			var got []finding
			for _, f := range found {
				got = append(got, finding{f.Rule, f.Severity, f.Subject, f.Text})
			}
			if name == "too few" || name == "no point for a while" || name == "not quite far enough" || name == "young" || name == "never tested" { // of one rule and subject: in the order that they are found
				require.ElementsMatch(t, c.want, got)
				return
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestNothingAtAllIsFound(t *testing.T) {
	found, err := plan.Check(strategy(), plan.Observed{Tenant: "acme", Source: "web-1", At: at(0)})
	require.NoError(t, err)
	rules := map[plan.Rule]bool{}
	for _, f := range found {
		rules[f.Rule] = true
	}
	require.Equal(t, map[plan.Rule]bool{plan.RuleLoss: true, plan.RuleCopies: true, plan.RulePoints: true}, rules)
}

func TestObservedOfAnotherSourceIsRefused(t *testing.T) {
	for _, change := range []func(o *plan.Observed){
		func(o *plan.Observed) { o.Source = "web-2" }, func(o *plan.Observed) { o.Tenant = "other" }, func(o *plan.Observed) { o.At = time.Time{} },
	} {
		o := kept()
		change(&o)
		_, err := plan.Check(strategy(), o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := plan.Check(plan.Strategy{}, kept())
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

func TestObservedSurvivesJSON(t *testing.T) {
	text, err := json.Marshal(kept())
	require.NoError(t, err)
	require.Contains(t, string(text), `"took":"2h0m0s"`)
	var back plan.Observed
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, kept(), back)
}
