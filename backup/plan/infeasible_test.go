package plan_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/plan"
)

// limitOf returns the duration of a strategy that a requirement is named after, or nil.
func limitOf(s *plan.Strategy, name string) *time.Duration {
	return map[string]*time.Duration{"rpo": &s.RPO, "loss": &s.Loss, "rto": &s.RTO, "system": &s.System,
		"site_rpo": &s.SiteRPO, "site_loss": &s.SiteLoss, "site_rto": &s.SiteRTO}[name]
}

// relaxable says whether some value of one field makes a strategy valid and feasible, by a search through all values and plans.
func relaxable(p plan.Problem, ways [][]bruteWay, name string) (ok bool) {
	try := func(q plan.Problem) {
		if q.Validate() == nil {
			brutePlans(q, ways, bruteAskOf(q), func(brutePoint) { ok = true })
		}
	}
	for n := range max(p.Strategy.OnSite, p.Strategy.OffSite) {
		q := p
		if name == "on_site" && n < p.Strategy.OnSite {
			q.Strategy.OnSite = n
			try(q)
		}
		if name == "off_site" && n < p.Strategy.OffSite {
			q.Strategy.OffSite = n
			try(q)
		}
	}
	q := p
	if limit := limitOf(&q.Strategy, name); limit != nil {
		for _, target := range ways {
			for _, w := range target {
				for _, *limit = range []time.Duration{w.span, w.loss, w.time, w.system} {
					try(q)
				}
			}
		}
	}
	return ok || limitOf(&q.Strategy, name) == nil && name != "on_site" && name != "off_site"
}

// A copy must be somewhere: that none on the site would do is no way out when none is asked for off it.
func TestNoCopyAtAllIsNotEnough(t *testing.T) {
	p := problem()
	p.Targets, p.Options = p.Targets[1:], p.Options[2:]
	p.Strategy.OffSite, p.Strategy.SiteRPO, p.Strategy.SiteLoss, p.Strategy.SiteRTO = 0, 0, 0, 0
	p.Strategy.RPO, p.Strategy.Loss, p.Strategy.RTO = day, 3*day, day
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	require.Len(t, s.Infeasible.Conflicts, 1)
	require.Equal(t, "on_site 1 (nearest: 0)", s.Infeasible.Conflicts[0].String())
	p.Strategy.OnSite, p.Strategy.OffSite = 0, 1
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	require.NotNil(t, s.Best)

	p.Strategy.OnSite, p.Strategy.OffSite = 1, 0 // nor is none off the site, as long as limits of copies there stand in the strategy
	p.Targets[0].Site, p.Targets[1].Site = plan.OnSite, plan.OnSite
	p.Strategy.OffSite, p.Strategy.SiteRTO = 1, day
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	require.Equal(t, "off_site 1 (nearest: 0)", s.Infeasible.Conflicts[0].String())
	p.Strategy.SiteRTO = 0
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	require.Equal(t, "off_site 1 (nearest: 0, which is enough)", s.Infeasible.Conflicts[0].String())
}

// Who reads the JSON of a solution finds a list, be it empty.
func TestListsOfASolutionAreLists(t *testing.T) {
	p := problem()
	p.Options = nil
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"infeasible": {"conflicts": []}, "frontier": [], "ways": 3}`, string(text))
}

// Whatever is said to be enough is a strategy that can be met, and a little less is not.
func TestWhateverIsEnoughIsEnough(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		if s.Infeasible == nil {
			return
		}
		for _, r := range slices.Concat(s.Infeasible.Conflicts...) {
			if !r.Enough {
				continue
			}
			seen[r.Name]++
			p := p
			st := &p.Strategy
			less := func() { st.RPO = -1 } // where there is nothing between
			switch r.Name {
			case "on_site", "off_site":
				n := map[string]*int{"on_site": &st.OnSite, "off_site": &st.OffSite}[r.Name]
				*n, err = strconv.Atoi(r.Nearest)
				require.NoError(t, err)
				less = func() { *n++ }
			case "budget":
				p.Budget = micros(t, strings.TrimSuffix(r.Nearest, " a month"))
				less = func() { p.Budget-- }
			case "single_files":
				p.Workload.SingleFiles = false
			case "encryption":
				st.InsecurePlain = true
			case "regions":
				st.Regions = nil
				if text, one := strings.CutSuffix(r.Nearest, " too"); one {
					more, err := strconv.Unquote(text)
					require.NoError(t, err)
					st.Regions = []string{"a", more}
				}
				st.SkipRegions = st.Regions == nil
			default:
				limit := limitOf(st, r.Name)
				*limit = said(t, r.Nearest)
				less = func() { *limit -= time.Second }
			}
			found, err := plan.Optimise(p)
			require.NoError(t, err, "%s %s", r.Name, r.Nearest)
			require.NotNil(t, found.Best, "%s %s", r.Name, r.Nearest)
			if less(); p.Validate() == nil {
				found, err = plan.Optimise(p)
				require.NoError(t, err)
				require.Nil(t, found.Best, "%s tighter than %s", r.Name, r.Nearest)
			}
		}
	})
	require.NotEmpty(t, seen)
}

// micros reads what [plan.Money] writes.
func micros(t require.TestingT, text string) int64 {
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", 6-len(part)), 10, 64)
	require.NoError(t, err)
	return n
}
