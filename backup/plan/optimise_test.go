package plan_test

import (
	"maps"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/plan"
)

// drawn is a small problem.
func drawn(t *rapid.T) plan.Problem {
	dur := func(name string, unit time.Duration, list ...int) time.Duration {
		return time.Duration(rapid.SampledFrom(list).Draw(t, name)) * unit
	}
	p := plan.Problem{Strategy: plan.Strategy{
		Source: "s", RPO: dur("rpo", time.Hour, 1, 4, 12, 24), RTO: dur("rto", time.Hour, 1, 2, 4, 24), System: dur("system", time.Hour, 0, 24, 240),
		Points: rapid.IntRange(1, 5).Draw(t, "points"), Reach: dur("reach", time.Hour, 0, 0, 30), OnSite: rapid.IntRange(0, 2).Draw(t, "on"),
		VerifyEvery: day, TestEvery: dur("test", day, 1, 7, 30),
	}}
	s := &p.Strategy
	s.OffSite = rapid.IntRange(max(0, 1-s.OnSite), 2).Draw(t, "off")
	if rapid.Bool().Draw(t, "loose") {
		s.Loss = s.RPO * 3 / 2
	}
	if s.OffSite > 0 && rapid.Bool().Draw(t, "site") {
		s.SiteRPO, s.SiteRTO = s.RPO*2, s.RTO*3
	}
	s.InsecurePlain = rapid.Bool().Draw(t, "plain")
	if s.SkipRegions = rapid.Bool().Draw(t, "anywhere"); !s.SkipRegions {
		s.Regions = []string{"a"}
	}
	w := &p.Workload
	w.Files = plan.Data{Bytes: rapid.Int64Range(1, 100).Draw(t, "files") * gib, Daily: rapid.Int64Range(0, 50).Draw(t, "files daily") * gib}
	w.Image = plan.Data{Bytes: rapid.Int64Range(1, 200).Draw(t, "image") * gib, Daily: rapid.Int64Range(0, 50).Draw(t, "image daily") * gib}
	w.Image.Hot = w.Image.Bytes / rapid.Int64Range(1, 4).Draw(t, "hot")
	w.SingleFiles = rapid.Bool().Draw(t, "single")
	w.Detect, w.Rebuild = dur("detect", time.Minute, 0, 5), dur("rebuild", time.Minute, 0, 30, 90)
	for i := range rapid.IntRange(1, 3).Draw(t, "targets") {
		p.Targets = append(p.Targets, plan.Target{ID: string(rune('x' + i)), Site: rapid.SampledFrom([]plan.Site{plan.OnSite, plan.OffSite}).Draw(t, "site"),
			Region: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "region"), Encrypted: rapid.IntRange(0, 3).Draw(t, "encrypted") > 0})
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "options") {
		o := plan.Option{ID: string(rune('a' + i)), Level: rapid.SampledFrom([]plan.Level{plan.Files, plan.Image}).Draw(t, "level"),
			Target: rapid.SampledFrom(p.Targets).Draw(t, "target").ID, Chain: rapid.SampledFrom([]plan.Chain{plan.Incremental, plan.Differential, plan.Dedup}).Draw(t, "chain"),
			Browse: rapid.Bool().Draw(t, "browse"), Ratio: rapid.IntRange(300, 1200).Draw(t, "ratio"),
			Backup: rapid.Int64Range(10<<20, 200<<20).Draw(t, "backup"), Restore: rapid.Int64Range(10<<20, 200<<20).Draw(t, "restore"),
			Skew: dur("skew", time.Second, 0, 7), Lag: dur("lag", time.Minute, 0, 20),
			Price: plan.Price{Month: rapid.Int64Range(0, 3).Draw(t, "month") * 1_000_000, Run: rapid.Int64Range(0, 9999).Draw(t, "run"),
				Store: rapid.Int64Range(0, 9999).Draw(t, "store"), Write: rapid.Int64Range(0, 9999).Draw(t, "write"), Read: rapid.Int64Range(0, 9999).Draw(t, "read")}}
		for range rapid.IntRange(1, 3).Draw(t, "intervals") {
			o.Intervals = append(o.Intervals, dur("interval", time.Hour, 1, 2, 4, 12, 24, 72))
		}
		if o.Chain != plan.Dedup {
			for range rapid.IntRange(1, 2).Draw(t, "everys") {
				o.Every = append(o.Every, rapid.IntRange(1, 6).Draw(t, "every"))
			}
		}
		if rapid.Bool().Draw(t, "measured") {
			o.Tests = []plan.Test{{Bytes: 3 * gib, Took: dur("took", time.Second, 40, 101)}, {Bytes: 5 * gib, Took: dur("took", time.Second, 50, 151)}}
		}
		p.Options = append(p.Options, o)
	}
	if rapid.Bool().Draw(t, "limited") {
		p.Budget = rapid.Int64Range(1, 10).Draw(t, "budget") * 1_000_000
	}
	return p
}

func allWays(p plan.Problem) (ways [][]bruteWay) {
	for _, target := range p.Targets {
		ways = append(ways, bruteWays(p, target.ID))
	}
	return ways
}

func TestOptimumAndFrontierAreThoseOfASearchThroughEverything(t *testing.T) {
	seen := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		ways := allWays(p)
		ask := bruteAskOf(p)

		least := int64(-1)
		brutePlans(p, ways, ask, func(b brutePoint) {
			if least < 0 || b.cost < least {
				least = b.cost
			}
		})
		seen[least >= 0]++
		if least < 0 {
			require.Nil(t, s.Best)
			require.NotNil(t, s.Infeasible)
		} else {
			require.NotNil(t, s.Best)
			require.Nil(t, s.Infeasible)
			require.Equal(t, least, s.Best.Cost)
			require.True(t, s.Best.Meets)
		}

		ask.freePrimary, ask.budget = true, nil
		var front []brutePoint
		beats := func(a, b brutePoint) bool {
			return a.cost <= b.cost && a.span <= b.span && a.loss <= b.loss && a.time <= b.time
		}
		brutePlans(p, ways, ask, func(b brutePoint) {
			if slices.ContainsFunc(front, func(o brutePoint) bool { return beats(o, b) }) {
				return
			}
			front = append(slices.DeleteFunc(front, func(o brutePoint) bool { return beats(b, o) }), b)
		})
		var got []brutePoint
		for _, c := range s.Frontier {
			require.Equal(t, p.Strategy.OffSite > 0, c.Disaster != nil)
			got = append(got, brutePoint{c.Cost, c.Incident.Span, c.Incident.Loss, c.Incident.Time})
			require.Equal(t, c.Incident.Meets(p.Strategy.Incident()) && (p.Budget == 0 || c.Cost <= p.Budget), c.Meets)
		}
		require.ElementsMatch(t, front, got)
	})
	require.Positive(t, seen[true], "no problem had an answer")
	require.Positive(t, seen[false], "every problem had an answer")
}

func TestConflictsAreAllTheSmallestSetsThatCannotBeMet(t *testing.T) {
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		if len(p.Targets) > 2 {
			t.Skip("too slow to search through for every set")
		}
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		if s.Infeasible == nil {
			t.Skip("it has an answer")
		}
		seen++
		drops := bruteDrops(p)
		names := slices.Sorted(maps.Keys(drops))
		ways := allWays(p)
		var conflicts []uint
		var sets []uint
		for set := range uint(1) << len(names) {
			sets = append(sets, set)
		}
		slices.SortFunc(sets, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
		can := func(set uint) (ok bool) {
			a := bruteAskOf(p)
			for i, n := range names {
				if set&(1<<i) == 0 {
					drops[n](&a)
				}
			}
			brutePlans(p, ways, a, func(brutePoint) { ok = true })
			return ok
		}
		known := map[uint]bool{}
		for _, set := range sets {
			if slices.ContainsFunc(conflicts, func(c uint) bool { return c&set == c }) {
				continue
			}
			if known[set] = can(set); !known[set] {
				conflicts = append(conflicts, set)
			}
		}
		var want, got []string
		for _, c := range conflicts {
			var list []string
			for i, n := range names {
				if c&(1<<i) != 0 {
					list = append(list, n)
				}
			}
			if c != 0 {
				want = append(want, strings.Join(list, " "))
			}
		}
		for _, c := range s.Infeasible.Conflicts {
			var list []string
			for _, r := range c {
				list = append(list, r.Name)
				a := bruteAskOf(p)
				drops[r.Name](&a)
				enough := false
				brutePlans(p, ways, a, func(brutePoint) { enough = true })
				if enough && !r.Enough {
					require.False(t, relaxable(p, ways, r.Name), r.Name)
					continue
				}
				require.Equal(t, enough, r.Enough, r.Name)
			}
			slices.Sort(list)
			got = append(got, strings.Join(list, " "))
		}
		require.ElementsMatch(t, want, got)
		require.True(t, slices.IsSortedFunc(s.Infeasible.Conflicts, func(a, b plan.Conflict) int { return len(a) - len(b) }), "the smallest first")
	})
	require.Positive(t, seen, "every problem had an answer")
}

// said reads what [plan.Requirement] says of a duration.
func said(t require.TestingT, s string) time.Duration {
	text := s
	days := time.Duration(0)
	if n, rest, ok := strings.Cut(s, "d"); ok {
		d, err := time.ParseDuration(n + "h")
		require.NoError(t, err)
		days, text = d*24, rest
	}
	if text == "" {
		return days
	}
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return days + d
}

func TestWhatIsNearestIsEnoughAndNothingTighterIs(t *testing.T) {
	fields := map[string]func(*plan.Strategy) *time.Duration{
		"loss": func(s *plan.Strategy) *time.Duration { return &s.Loss }, "rto": func(s *plan.Strategy) *time.Duration { return &s.RTO },
		"system": func(s *plan.Strategy) *time.Duration { return &s.System },
	}
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := drawn(t)
		p.Budget = 0
		st := &p.Strategy // one limit is tight, all else is wide
		st.RPO, st.Loss, st.RTO, st.System = plan.MaxPeriod, plan.MaxPeriod, plan.MaxPeriod, plan.MaxPeriod
		st.SiteRPO, st.SiteLoss, st.SiteRTO = 0, 0, 0
		st.OnSite, st.OffSite, st.InsecurePlain, st.SkipRegions, st.Regions = 1, 0, true, true, nil
		p.Workload.SingleFiles, p.Targets[0].Site = false, plan.OnSite
		tight := rapid.SampledFrom([]string{"loss", "rto", "system"}).Draw(t, "tight")
		switch tight {
		case "loss":
			st.RPO = time.Hour
		case "system":
			p.Workload.Rebuild = 0
			for i := range p.Options {
				if p.Options[i].Target = p.Targets[0].ID; i > 0 {
					p.Options[i].Level = plan.Files
				}
			}
			st.RPO = time.Hour
		}
		*fields[tight](st) = time.Hour
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		if s.Infeasible == nil {
			t.Skip("it has an answer")
		}
		for _, c := range s.Infeasible.Conflicts {
			for _, r := range c {
				field := fields[r.Name]
				if field == nil || !r.Enough {
					continue
				}
				near := said(t, r.Nearest)
				for _, step := range []time.Duration{0, -time.Second} {
					again := p
					*field(&again.Strategy) = near + step
					if again.Validate() != nil {
						continue
					}
					seen[r.Name]++
					answer, err := plan.Optimise(again)
					require.NoError(t, err)
					require.Equal(t, step == 0, answer.Best != nil, "%s %s%v", r.Name, r.Nearest, step)
				}
			}
		}
	})
	for _, name := range []string{"loss", "rto"} { // an image's age is seldom all that is wrong
		require.Positive(t, seen[name], "%v", seen)
	}
}

func TestOptimumOfAShop(t *testing.T) {
	s, err := plan.Optimise(problem())
	require.NoError(t, err)
	require.Nil(t, s.Infeasible)
	best := s.Best
	require.Len(t, best.Ways, 2)
	require.Equal(t, "array", best.Ways[0].Target)
	require.Equal(t, "vault", best.Ways[1].Target)
	files := best.Ways[0].Streams[0]
	require.Equal(t, "array-files", files.Option)
	require.Equal(t, 4*time.Hour, files.Interval)
	require.Equal(t, 4*time.Hour+21*time.Minute+20*time.Second+time.Minute, files.Loss) // 100 GiB at 80 MiB/s, skew a minute
	require.False(t, files.Measured)
	require.Equal(t, 43, files.Points) // 7 days of 6 and one
	require.Equal(t, int64(60*gib), files.Largest)
	require.Equal(t, 4*time.Hour, best.Incident.Span)
	require.Equal(t, files.Loss, best.Incident.Loss)
	require.Equal(t, day, best.Disaster.Span)

	front := s.Frontier
	require.True(t, slices.ContainsFunc(front, func(c plan.Choice) bool { return c.Cost == best.Cost }))
	for _, c := range front {
		if c.Meets {
			require.GreaterOrEqual(t, c.Cost, best.Cost)
		}
	}
}

func TestOfTwoTargetsThatDifferInPriceAloneTheDearerIsNotInTheFrontier(t *testing.T) {
	p := problem()
	p.Targets = append(p.Targets, plan.Target{ID: "dear", Site: plan.OnSite, Region: "eu-1", Encrypted: true})
	for _, o := range p.Options[:2] {
		o.ID, o.Target, o.Price.Month = "dear-"+o.ID, "dear", 1
		p.Options = append(p.Options, o)
	}
	before, err := plan.Optimise(problem())
	require.NoError(t, err)
	after, err := plan.Optimise(p)
	require.NoError(t, err)
	require.Equal(t, before.Frontier, after.Frontier)
	require.Equal(t, before.Best, after.Best)
}

func TestARunMayTakeAsLongAsItsIntervalAndNoLonger(t *testing.T) {
	p := problem()
	p.Options = p.Options[:1]
	p.Options[0].Backup, p.Options[0].Intervals = 10<<20, []time.Duration{time.Hour}
	for bytes, barred := range map[int64]bool{3600 * (10 << 20): false, 3600*(10<<20) + 1: true} {
		p.Workload.Files.Bytes = bytes
		s, err := plan.Optimise(p)
		require.NoError(t, err)
		require.Equal(t, barred, len(s.Infeasible.Barred) == 1, "%d", bytes)
	}
}

// A mix is bought where it is what meets the limits: files often for the loss, an image seldom since nobody could rebuild the machine.
func TestFilesAreLaidOnAnImage(t *testing.T) {
	p := problem()
	p.Workload.Rebuild = 0
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	require.NotNil(t, s.Best)
	for _, w := range s.Best.Ways[:1] {
		require.Len(t, w.Streams, 2, w.Target)
		require.Equal(t, plan.Files, w.Streams[0].Level)
		require.Equal(t, plan.Image, w.Streams[1].Level)
		require.GreaterOrEqual(t, w.Streams[1].Interval, w.Streams[0].Interval)
	}
	require.Empty(t, s.Infeasible)

	p.Strategy.System = 0 // then the image may be no older than the files
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	if s.Best != nil {
		for _, w := range s.Best.Ways[0].Streams {
			require.Equal(t, plan.Image, w.Level)
		}
	}
}

func TestMeasuredRestoresCountMoreThanPromisedRates(t *testing.T) {
	p := problem()
	p.Options[0].Tests = []plan.Test{{Bytes: 10 * gib, Took: 10 * time.Minute}, {Bytes: 50 * gib, Took: 40 * time.Minute}}
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	var found bool
	for _, c := range s.Frontier {
		for _, w := range c.Ways {
			for _, st := range w.Streams {
				if st.Option == "array-files" {
					found = true
					require.True(t, st.Measured)
					require.GreaterOrEqual(t, st.Restore, 100*time.Minute) // 100 GiB at the slower rate, a minute a GiB
				}
			}
		}
	}
	require.True(t, found)
}

func TestWhyNothingMeetsAStrategy(t *testing.T) {
	p := problem()
	p.Strategy.RTO = 40 * time.Minute
	p.Strategy.OffSite = 2
	s, err := plan.Optimise(p)
	require.NoError(t, err)
	require.Nil(t, s.Best)
	require.Len(t, s.Infeasible.Conflicts, 2)
	require.Equal(t, "rto at most 40m (nearest: 53m13s)", s.Infeasible.Conflicts[0].String())
	require.Equal(t, `off_site 2 (nearest: 1) with regions eu-1, eu-2 (nearest: "us-1" too)`, s.Infeasible.Conflicts[1].String())

	p = problem()
	p.Strategy.SiteRTO = 0
	p.Workload.Rebuild = 0
	p.Options[3].Restore = 15 << 20
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	require.Nil(t, s.Best)
	require.Equal(t, []string{`option "abroad-files": rebuild is 0, and its target has no image that files could be laid on`}, s.Infeasible.Barred)
	require.Equal(t, "site_rto", s.Infeasible.Conflicts[0][0].Name)
	require.Equal(t, "at most 3h (it is left out)", s.Infeasible.Conflicts[0][0].Asked)
	require.True(t, s.Infeasible.Conflicts[0][0].Enough)
	p.Strategy.SiteRTO = said(t, s.Infeasible.Conflicts[0][0].Nearest)
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	require.NotNil(t, s.Best)
	require.Equal(t, p.Strategy.SiteRTO, s.Best.Disaster.Time)

	p = problem()
	p.Budget = 9_000_000
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	last := s.Infeasible.Conflicts[0]
	require.Equal(t, "budget", last[len(last)-1].Name)
	require.True(t, last[len(last)-1].Enough)
	require.Equal(t, "9.369001 a month", last[len(last)-1].Nearest)

	p = problem()
	for i := range p.Options {
		p.Options[i].Backup, p.Options[i].Chain, p.Options[i].Every = 1, plan.Incremental, []int{1}
	}
	s, err = plan.Optimise(p)
	require.NoError(t, err)
	require.Nil(t, s.Best)
	require.Empty(t, s.Infeasible.Conflicts)
	require.Len(t, s.Infeasible.Barred, len(p.Options))
	require.Contains(t, s.Infeasible.Barred[0], "longer than its longest interval")
}

func TestProblemsOutOfBoundsAreRefused(t *testing.T) {
	for name, change := range map[string]func(*plan.Problem){
		"strategy": func(p *plan.Problem) { p.Strategy.RPO = 0 },
		"budget":   func(p *plan.Problem) { p.Budget = -1 },
		"nothing":  func(p *plan.Problem) { p.Workload.Files, p.Workload.Image = plan.Data{}, plan.Data{} },
		"hot":      func(p *plan.Problem) { p.Workload.Files.Hot = p.Workload.Files.Bytes + 1 },
		"detect":   func(p *plan.Problem) { p.Workload.Detect = -1 },
		"twice":    func(p *plan.Problem) { p.Targets[1].ID = "array" },
		"site":     func(p *plan.Problem) { p.Targets[1].Site = "moon" },
		"level":    func(p *plan.Problem) { p.Options[0].Level = "tape" },
		"no data":  func(p *plan.Problem) { p.Workload.Files = plan.Data{} },
		"target":   func(p *plan.Problem) { p.Options[0].Target = "gone" },
		"chain":    func(p *plan.Problem) { p.Options[0].Chain = "" },
		"interval": func(p *plan.Problem) { p.Options[0].Intervals[0] = time.Millisecond },
		"every":    func(p *plan.Problem) { p.Options[0].Every[0] = 0 },
		"no every": func(p *plan.Problem) { p.Options[0].Every = nil },
		"dedup":    func(p *plan.Problem) { p.Options[2].Every = []int{1} },
		"ratio":    func(p *plan.Problem) { p.Options[0].Ratio = 0 },
		"rate":     func(p *plan.Problem) { p.Options[0].Restore = 0 },
		"lag":      func(p *plan.Problem) { p.Options[0].Lag = -1 },
		"price":    func(p *plan.Problem) { p.Options[0].Price.Run = -1 },
		"test":     func(p *plan.Problem) { p.Options[0].Tests = []plan.Test{{Bytes: 0, Took: 1}} },
		"same id":  func(p *plan.Problem) { p.Options[1].ID = p.Options[0].ID },
		"cost": func(p *plan.Problem) {
			p.Workload.Files = plan.Data{Bytes: plan.MaxBytes, Daily: plan.MaxBytes}
			p.Options[2].Backup, p.Options[2].Price.Store, p.Strategy.Points = plan.MaxBytes, plan.MaxPrice, plan.MaxPoints
		},
		"less cost": func(p *plan.Problem) {
			p.Workload.Files = plan.Data{Bytes: plan.MaxBytes, Daily: plan.MaxBytes}
			p.Options[2].Backup, p.Options[2].Price.Store, p.Strategy.Points = plan.MaxBytes, plan.MaxPrice, 100
		},
		"many ways": func(p *plan.Problem) {
			for i := range 64 {
				p.Options[0].Every = append(p.Options[0].Every[:min(i, 63)], i+1)
				p.Options[1].Every = p.Options[0].Every
			}
			for h := range 64 {
				p.Options[0].Intervals = append(p.Options[0].Intervals[:min(h, 63)], time.Duration(h+4)*time.Hour)
				p.Options[1].Intervals = p.Options[0].Intervals
			}
		},
	} {
		p := problem()
		change(&p)
		_, err := plan.Optimise(p)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func BenchmarkOptimise(b *testing.B) {
	p := problem()
	for b.Loop() {
		if _, err := plan.Optimise(p); err != nil {
			b.Fatal(err)
		}
	}
}

// Three targets with a choice of 20,000 ways each.
func BenchmarkOptimiseOf60000Ways(b *testing.B) {
	p := problem()
	for i := range p.Options {
		o := &p.Options[i]
		o.Intervals, o.Every, o.Chain = nil, nil, plan.Incremental
		for n := range 12 {
			o.Intervals, o.Every = append(o.Intervals, time.Duration(n+2)*time.Hour), append(o.Every, 2*n+1)
		}
	}
	for b.Loop() {
		s, err := plan.Optimise(p)
		if err != nil || s.Best == nil {
			b.Fatal(s.Infeasible, err)
		}
		b.ReportMetric(float64(s.Ways), "ways")
	}
}

func BenchmarkWhyInfeasible(b *testing.B) {
	p := problem()
	p.Strategy.RTO, p.Budget, p.Workload.SingleFiles = 40*time.Minute, 9_000_000, true
	for b.Loop() {
		if s, err := plan.Optimise(p); err != nil || s.Infeasible == nil {
			b.Fatal(err)
		}
	}
}
