package plan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
)

func TestStrategiesOutOfBoundsAreRefused(t *testing.T) {
	require.NoError(t, strategy().Validate())
	for name, change := range map[string]func(s *plan.Strategy){
		"source":       func(s *plan.Strategy) { s.Source = "" },
		"tenant":       func(s *plan.Strategy) { s.Tenant = opsec.TenantID(strings.Repeat("x", 257)) },
		"rpo":          func(s *plan.Strategy) { s.RPO = 0 },
		"rto":          func(s *plan.Strategy) { s.RTO = plan.MaxPeriod + 1 },
		"loss":         func(s *plan.Strategy) { s.Loss = s.RPO - 1 },
		"site_rpo":     func(s *plan.Strategy) { s.SiteRPO = s.RPO - 1 },
		"site_loss":    func(s *plan.Strategy) { s.SiteLoss = s.SiteRPO - 1 },
		"site_rto":     func(s *plan.Strategy) { s.SiteRTO = s.RTO - 1 },
		"system":       func(s *plan.Strategy) { s.System = -1 },
		"points":       func(s *plan.Strategy) { s.Points = 0 },
		"many points":  func(s *plan.Strategy) { s.Points = plan.MaxPoints + 1 },
		"reach":        func(s *plan.Strategy) { s.Reach = -1 },
		"on_site":      func(s *plan.Strategy) { s.OnSite = -1 },
		"off_site":     func(s *plan.Strategy) { s.OffSite = plan.MaxTargets + 1 },
		"no copy":      func(s *plan.Strategy) { s.OnSite, s.OffSite, s.SiteRPO, s.SiteLoss, s.SiteRTO = 0, 0, 0, 0, 0 },
		"no off-site":  func(s *plan.Strategy) { s.OffSite = 0 },
		"no region":    func(s *plan.Strategy) { s.Regions = nil },
		"both regions": func(s *plan.Strategy) { s.SkipRegions = true },
		"empty region": func(s *plan.Strategy) { s.Regions = []string{""} },
		"verify_every": func(s *plan.Strategy) { s.VerifyEvery = 0 },
		"test_every":   func(s *plan.Strategy) { s.TestEvery = 0 },
	} {
		s := strategy()
		change(&s)
		require.ErrorIs(t, s.Validate(), opsec.ErrInvalid, name)
	}
	require.Error(t, plan.Strategy{}.Validate())
}

func TestALimitThatIsLeftOutIsAsTightAsTheOneBesideIt(t *testing.T) {
	s := plan.Strategy{RPO: 4 * time.Hour, RTO: time.Hour}
	require.Equal(t, plan.Limits{Span: 4 * time.Hour, Loss: 4 * time.Hour, Time: time.Hour}, s.Incident())
	require.Equal(t, s.Incident(), s.Disaster())
	require.Equal(t, 4*time.Hour, s.SystemAge())
	require.False(t, s.Allows("eu-1"))
	s.SiteRPO = day
	require.Equal(t, plan.Limits{Span: day, Loss: day, Time: time.Hour}, s.Disaster())
}

func TestStrategyAndProblemSurviveTheirText(t *testing.T) {
	text, err := json.Marshal(problem())
	require.NoError(t, err)
	require.Contains(t, string(text), `"rpo":"4h0m0s"`)
	back, err := plan.ParseProblem(bytes.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, problem(), back)

	s, err := plan.ParseStrategy(strings.NewReader(`
source: web-1      # a machine
tenant: acme
rpo: 4h
rto: 3h
points: 7
on_site: 1
off_site: 1
regions: [eu-1, eu-2]
verify_every: 168h
test_every: 720h
`))
	require.NoError(t, err)
	require.Equal(t, plan.Strategy{Tenant: "acme", Source: "web-1", RPO: 4 * time.Hour, RTO: 3 * time.Hour, Points: 7, OnSite: 1, OffSite: 1,
		Regions: []string{"eu-1", "eu-2"}, VerifyEvery: 7 * day, TestEvery: 30 * day}, s)
}

func TestDocumentsThatSaySomethingElseAreRefused(t *testing.T) {
	good := "source: s\nrpo: 4h\nrto: 3h\npoints: 7\non_site: 1\noff_site: 0\nskip_regions: true\nverify_every: 1h\ntest_every: 1h\n"
	_, err := plan.ParseStrategy(strings.NewReader(good))
	require.NoError(t, err)
	for name, text := range map[string]string{
		"unknown":  good + "colour: red\n",
		"twice":    good + "rpo: 5h\n",
		"null":     good + "reach:\n",
		"number":   strings.Replace(good, "rpo: 4h", "rpo: 4", 1),
		"fraction": strings.Replace(good, "points: 7", "points: 7.5", 1),
		"octal":    strings.Replace(good, "points: 7", "points: 0o7", 1),
		"anchor":   strings.Replace(good, "source: s", "source: &a s", 1),
		"tag":      strings.Replace(good, "source: s", "source: !!str s", 1),
		"merge":    "<<: {rpo: 4h}\n" + good,
		"bound":    strings.Replace(good, "points: 7", "points: 0", 1),
		"empty":    "",
		"list":     "- a",
		"two":      good + "---\n" + good,
		"deep":     "source: " + strings.Repeat("[", 50) + strings.Repeat("]", 50),
		"large":    good + "#" + strings.Repeat("x", 1<<20),
		"marks":    good + "#" + strings.Repeat(",", 1<<16+1),
		"no yaml":  "\x00{",
	} {
		s, err := plan.ParseStrategy(strings.NewReader(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Zero(t, s, name)
	}
	var s plan.Strategy
	require.ErrorIs(t, json.Unmarshal([]byte(`{"source":"s","rpo":"1h"}`), &s), opsec.ErrInvalid)
	require.Zero(t, s)
}

func FuzzParseProblem(f *testing.F) {
	text, err := json.Marshal(problem())
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte("strategy: {rpo: 1h}\noptions: [{intervals: [1h]}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := plan.ParseProblem(bytes.NewReader(text))
		if err != nil {
			return
		}
		again, err := json.Marshal(p)
		require.NoError(t, err)
		back, err := plan.ParseProblem(bytes.NewReader(again))
		require.NoError(t, err)
		last, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(again), string(last))
	})
}

func TestPeriodsAreWrittenAsPeopleReadThem(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 1500 * time.Millisecond: "1.5s", time.Minute: "1m", 26 * time.Hour: "1d2h", 8*day + time.Second: "8d1s",
		plan.MaxPeriod: "36600d", plan.MaxPeriod + time.Second: "for ever"} {
		require.Equal(t, want, plan.Period(d))
	}
}

func TestMoneyIsWrittenExactly(t *testing.T) {
	for micro, want := range map[int64]string{0: "0.00", 1: "0.000001", 12_500_000: "12.50", 1_000_010: "1.00001", 999_999: "0.999999"} {
		require.Equal(t, want, plan.Money(micro))
	}
}
