package report_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/backup/report"
	"github.com/cloudopsec/opsec/internal/race"
)

func source(t require.TestingT) report.Source {
	p, o := problem(), observed()
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	return report.Source{Title: "Backups of web-1", At: o.At, Strategy: &p.Strategy, Solution: &s, Observed: &o}
}

func TestReportTellsOfPlanFindingsExposureAndTests(t *testing.T) {
	r, err := report.New(source(t))
	require.NoError(t, err)
	require.False(t, r.Clean())
	html, md := page(t, r)
	best := r.Solution.Best
	for _, want := range []string{
		"# Backups of web-1", "- **Source:** web-1\n- **Tenant:** acme\n", "2026-03-11 00:00",
		"The strategy can be met", plan.Money(best.Cost), "array-files", "vault-files",
		"| The site is gone | 1d | 1d6h | 12h |", "1 on the site, 1 off it", "eu-1, eu-2",
		"1d between two backups, want at most 4h", "up to 1d1h would have been lost, want at most 6h",
		"| 2026-03-05 06:00 | 2026-03-06 01:00 | 1d1h |", // 4 Mar 96 h + 6 h until 120 h + 1 h
		"At most 1d1h, on 2026-03-06 01:00; the limit is 6h, and it was passed 1 time.",
		"### From copies anywhere", "### From copies off-site", "| `t2` | `p0` | files | off-site | 2026-03-02 06:00 | 5h | **failed** |",
		"55 min restore files, as measured", "114 min restore files, as promised", "1 of 2 passed: 50.0 % (95 %: 1.3 to 98.7 %)",
	} {
		require.Contains(t, md, want)
	}
	require.Contains(t, html, "<polygon")
	require.Contains(t, html, `<td role="cell" data-label="Subject" class="short"><code>web-1</code>`, "ids that are short are not divided")
	require.NotContains(t, html, "<script")

	var text strings.Builder
	require.NoError(t, r.JSON(&text))
	var back struct {
		Checked  bool
		Findings []plan.Finding
		Exposure []struct {
			Worst    string
			Breaches []struct{ From, Until time.Time }
		}
		Tests []plan.ObservedTest
	}
	require.NoError(t, json.Unmarshal([]byte(text.String()), &back))
	require.True(t, back.Checked)
	require.Equal(t, r.Findings, back.Findings)
	require.Len(t, back.Exposure, 2)
	require.Equal(t, "25h0m0s", back.Exposure[0].Worst)
	require.Equal(t, at(102), back.Exposure[0].Breaches[0].From)
	require.Len(t, back.Tests, 2)
}

func TestEachPartIsOptional(t *testing.T) {
	all := source(t)
	r, err := report.New(report.Source{Title: "T", At: all.At})
	require.NoError(t, err)
	require.True(t, r.Clean())
	_, md := page(t, r)
	require.NotContains(t, md, "## ")
	r, err = report.New(report.Source{Title: "T", At: all.At, Observed: &plan.Observed{At: all.At}})
	require.NoError(t, err)
	require.False(t, r.Clean(), "without any point")
	_, md = page(t, r)
	require.Contains(t, md, "> **Needs attention.** no point can be restored.")
	require.Contains(t, md, "No recovery was tested")

	r, err = report.New(report.Source{Title: "T", At: all.At, Observed: all.Observed}) // nothing to hold it against
	require.NoError(t, err)
	require.False(t, r.Checked)
	_, md = page(t, r)
	require.Contains(t, md, "At most 1d1h, on 2026-03-06 01:00.")
	require.NotContains(t, md, "findings")

	r, err = report.New(report.Source{Title: "T", At: all.At, Solution: all.Solution})
	require.NoError(t, err)
	require.True(t, r.Clean())
	_, md = page(t, r)
	require.Contains(t, md, "What more or less would buy")
	require.NotContains(t, md, "Recovery tests")
}

func TestWhyNothingMeetsTheStrategyIsShown(t *testing.T) {
	p := problem()
	p.Strategy.RTO = 20 * time.Minute
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	r, err := report.New(report.Source{Title: "T", At: start, Strategy: &p.Strategy, Solution: &s})
	require.NoError(t, err)
	require.False(t, r.Clean())
	_, md := page(t, r)
	require.Contains(t, md, "Nothing meets the strategy")
	require.Contains(t, md, "| `rto` | at most 20m |")
}

func TestNothingToRestoreIsLoud(t *testing.T) {
	p := problem()
	r, err := report.New(report.Source{Title: "T", At: start, Strategy: &p.Strategy, Observed: &plan.Observed{Tenant: "acme", Source: "web-1", At: start}})
	require.NoError(t, err)
	_, md := page(t, r)
	require.Contains(t, md, "No point can be restored")
	require.NotContains(t, md, "Needs attention", "which is a finding already")
	require.Contains(t, md, "No recovery was tested")

	r, err = report.New(report.Source{Title: "T", At: start, Observed: &plan.Observed{At: start, Since: start.Add(-day), Points: []plan.ObservedPoint{
		{ID: "p", Level: plan.Files, Taken: start.Add(-day), Parents: []string{"gone"}, Copies: []plan.ObservedCopy{{Target: "a", Site: plan.OnSite, Durable: start}}}}}})
	require.NoError(t, err)
	_, md = page(t, r)
	require.Contains(t, md, "There was never a point that could be restored; there was a time without any point")
}

func TestTextsOfOthersAreText(t *testing.T) {
	const hostile = "<script>|`*\x00\u202e and more than fits in a column"
	s := source(t)
	s.Strategy.Source, s.Observed.Source, s.Title = hostile, hostile, hostile
	s.Observed.Points[0].ID, s.Observed.Points[0].Copies[0].Encrypted = hostile, false
	s.Observed.Tests[0].ID = hostile
	r, err := report.New(s)
	require.NoError(t, err)
	html, md := page(t, r)
	require.NotContains(t, html, "<script")
	require.Contains(t, html, `<td role="cell" data-label="Subject"><code>&lt;script&gt;`, "an id that is long is divided")
	require.NotContains(t, html+md, "\u202e")
	require.NotContains(t, md, "\x00")
}

// Whatever is observed, there is a report of it.
func TestWhateverIsObservedIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := func(what string) time.Time {
			if h := rapid.IntRange(-30, 60).Draw(t, what); h < 50 {
				return at(h)
			}
			return time.Time{}
		}
		o := plan.Observed{Tenant: "acme", Source: "web-1", At: at(rapid.IntRange(1, 50).Draw(t, "at")), Since: when("since")}
		id := rapid.SampledFrom([]string{"", "a", "b", "c", "d", "\x00"})
		for range rapid.IntRange(0, 5).Draw(t, "points") {
			p := plan.ObservedPoint{ID: id.Draw(t, "id"), Level: rapid.SampledFrom([]plan.Level{plan.Files, plan.Image, "x"}).Draw(t, "level"), Taken: when("taken"), Deleted: when("deleted")}
			for range rapid.IntRange(0, 2).Draw(t, "parents") {
				p.Parents = append(p.Parents, id.Draw(t, "parent"))
			}
			for range rapid.IntRange(0, 2).Draw(t, "copies") {
				p.Copies = append(p.Copies, plan.ObservedCopy{Target: id.Draw(t, "target"), Site: rapid.SampledFrom([]plan.Site{plan.OnSite, plan.OffSite, ""}).Draw(t, "site"),
					Durable: when("durable"), Verified: when("verified"), Broken: rapid.IntRange(0, 9).Draw(t, "broken") == 0})
			}
			o.Points = append(o.Points, p)
		}
		for range rapid.IntRange(0, 2).Draw(t, "tests") {
			o.Tests = append(o.Tests, plan.ObservedTest{ID: id.Draw(t, "test"), Point: id.Draw(t, "of"), At: when("ended"), Took: time.Duration(rapid.Int64().Draw(t, "took"))})
		}
		s := report.Source{Title: "T", At: o.At, Observed: &o}
		if rapid.Bool().Draw(t, "strategy") {
			p := problem()
			s.Strategy = &p.Strategy
		}
		r, err := report.New(s)
		require.NoError(t, err)
		page(t, r)
		require.NoError(t, r.JSON(io.Discard))
	})
}

func TestAPointOfJustNowIsAPoint(t *testing.T) {
	r, err := report.New(report.Source{Title: "T", At: start, Observed: &plan.Observed{At: start, Points: []plan.ObservedPoint{
		{ID: "p", Level: plan.Files, Taken: start, Copies: []plan.ObservedCopy{{Target: "a", Site: plan.OnSite, Durable: start}}}}}})
	require.NoError(t, err)
	_, md := page(t, r)
	require.NotContains(t, md, "There was never a point")
	require.Contains(t, md, "At most 0s, on 2026-03-01 00:00.")
}

func TestTheNewestRecoveryTestsAreShownFirst(t *testing.T) {
	s := source(t)
	s.Observed.Tests = append(s.Observed.Tests, plan.ObservedTest{ID: "t3", Point: "p0", Level: plan.Files, Site: plan.OnSite, At: at(25), Took: time.Hour, Passed: true})
	r, err := report.New(s)
	require.NoError(t, err)
	_, md := page(t, r)
	require.Contains(t, md, "2 of 3 passed")
	require.Regexp(t, "(?s)`t2` .*`t3` .*`t1` ", md[strings.Index(md, "## Recovery tests"):])
}

func TestAClockThatWasAheadLosesNothing(t *testing.T) {
	r, err := report.New(report.Source{Title: "T", At: at(2), Observed: &plan.Observed{At: at(2), Points: []plan.ObservedPoint{
		{ID: "p", Level: plan.Files, Taken: at(2), Copies: []plan.ObservedCopy{{Target: "a", Site: plan.OnSite, Durable: at(1)}}}}}})
	require.NoError(t, err)
	require.Zero(t, r.Exposure[0].Worst)
	_, md := page(t, r)
	require.Contains(t, md, "At most 0s, on 2026-03-01 02:00.")
}

func TestWithoutCopiesOffTheSiteThereIsOneExposure(t *testing.T) {
	s := source(t)
	s.Strategy.OffSite, s.Strategy.SiteRPO, s.Strategy.SiteLoss, s.Strategy.SiteRTO = 0, 0, 0, 0
	r, err := report.New(s)
	require.NoError(t, err)
	require.Len(t, r.Exposure, 1)
}

func TestLongHistoriesStaySmall(t *testing.T) {
	s := source(t)
	s.Observed.Points = nil
	hours := race.Fewer(30_000)
	s.Observed.At, s.At = at(hours), at(hours)
	for h := range hours - 1 {
		if h%10 == 9 { // a gap; and none is encrypted
			continue
		}
		s.Observed.Points = append(s.Observed.Points, plan.ObservedPoint{ID: fmt.Sprint(h), Level: plan.Files, Taken: at(h), Copies: []plan.ObservedCopy{{Target: "a", Site: plan.OnSite, Durable: at(h + 1)}}})
	}
	r, err := report.New(s)
	require.NoError(t, err)
	html, md := page(t, r)
	require.Less(t, len(html), 1<<20)
	require.Contains(t, md, "more are left out here.")
}

func TestReportsWithoutATitleOrOfAnotherSourceAreRefused(t *testing.T) {
	for _, change := range []func(s *report.Source){
		func(s *report.Source) { s.Title = "" }, func(s *report.Source) { s.Title = " \n" }, func(s *report.Source) { s.At = time.Time{} },
		func(s *report.Source) { s.Observed.Source = "web-2" }, func(s *report.Source) { s.Strategy.RPO = 0 },
	} {
		s := source(t)
		change(&s)
		_, err := report.New(s)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}
