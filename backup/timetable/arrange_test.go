package timetable_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/timetable"
	"github.com/cloudopsec/opsec/internal/race"
)

var evening = time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)

const hour = timetable.Duration(time.Hour)

// some is any problem of a few jobs.
func some(t *rapid.T) *timetable.Problem {
	n := func(low, high int, what string) int64 { return int64(rapid.IntRange(low, high).Draw(t, what)) }
	p := &timetable.Problem{
		Goal:  rapid.SampledFrom([]timetable.Goal{"", timetable.Peak, timetable.Finish}).Draw(t, "goal"),
		Start: evening, Slot: timetable.Duration(time.Duration(n(1, 3, "seconds")) * time.Second), Slots: int(n(1, 8, "slots")),
	}
	length := time.Duration(p.Slot)
	for l := range n(1, 2, "links") {
		link := timetable.Link{ID: fmt.Sprint("l", l), Rate: n(1, 20, "link")}
		for range n(0, p.Slots, "traffic") {
			link.Traffic = append(link.Traffic, n(0, int(link.Rate), "sent"))
		}
		p.Links = append(p.Links, link)
	}
	for i := range n(0, 7, "jobs") {
		j := timetable.Job{
			ID: fmt.Sprint("j", i), Bytes: n(1, 60, "bytes"), Rate: n(1, 20, "rate"), Divisible: rapid.Bool().Draw(t, "divisible"),
			Tenant: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "tenant"), Host: rapid.SampledFrom([]string{"", "h"}).Draw(t, "host"),
		}
		for _, l := range p.Links {
			if len(j.Links) == 0 || rapid.Bool().Draw(t, "through") {
				j.Links = append(j.Links, l.ID)
			}
		}
		for range n(0, 2, "windows") {
			from := evening.Add(time.Duration(n(-2, 2*p.Slots, "from")) * length / 2)
			j.Windows = append(j.Windows, timetable.Window{From: from, Until: from.Add(time.Duration(n(1, 2*p.Slots, "long")) * length / 2)})
		}
		p.Jobs = append(p.Jobs, j)
	}
	for range n(0, 2, "caps") {
		p.Caps = append(p.Caps, timetable.Cap{
			Kind: rapid.SampledFrom([]timetable.Kind{timetable.Tenant, timetable.Host}).Draw(t, "kind"), ID: rapid.SampledFrom([]string{"", "a"}).Draw(t, "of"),
			Jobs: int(n(1, 2, "at once")), Rate: n(0, 30, "in all"),
		})
	}
	return p
}

func TestNothingIsMoreThanAllowedOrBetterThanItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := some(t)
		table, err := timetable.Arrange(p)
		require.NoError(t, err)
		require.NoError(t, table.Check(p))
		if len(table.Unplaced) == 0 {
			require.GreaterOrEqual(t, table.Peak.Compare(table.PeakBound), 0, "peak %v, bound %v", table.Peak, table.PeakBound)
			require.False(t, table.FinishBound.IsZero())
			require.False(t, table.Finish.Before(table.FinishBound), "end %v, bound %v", table.Finish, table.FinishBound)
			for _, l := range table.Loads {
				require.GreaterOrEqual(t, l.Peak.Compare(l.Bound), 0, l.Link)
			}
		}
		again, err := timetable.Arrange(p)
		require.NoError(t, err)
		require.Equal(t, table, again)
	})
}

// search returns the least peak, and the earliest end in slots, of all arrangements of jobs that cannot be divided; false when there is none.
func search(p *timetable.Problem) (peak timetable.Ratio, end int, found bool) {
	seconds := int64(time.Duration(p.Slot) / time.Second)
	length := time.Duration(p.Slot)
	load := make([][]int64, len(p.Links))
	for l, link := range p.Links {
		load[l] = make([]int64, p.Slots)
		for s := range load[l] {
			if n := len(link.Traffic); n > 0 {
				load[l][s] = link.Traffic[s%n] * seconds
			}
		}
	}
	running, sent := map[string]int64{}, map[string]int64{}
	end = p.Slots + 1
	var try func(i, last int)
	try = func(i, last int) {
		if i == len(p.Jobs) {
			worst := timetable.Ratio{Num: 0, Den: 1}
			for l := range load {
				for _, n := range load[l] {
					if r := (timetable.Ratio{Num: n, Den: p.Links[l].Rate * seconds}); r.Compare(worst) > 0 {
						worst = r
					}
				}
			}
			if !found || worst.Compare(peak) < 0 {
				peak = worst
			}
			end, found = min(end, last), true
			return
		}
		j := p.Jobs[i]
		need := int((j.Bytes + j.Rate*seconds - 1) / (j.Rate * seconds))
	starts:
		for s := 0; s+need <= p.Slots; s++ {
			for k := s; k < s+need; k++ {
				from, inside := evening.Add(time.Duration(k)*length), len(j.Windows) == 0
				for _, w := range j.Windows {
					inside = inside || !from.Before(w.From) && !from.Add(length).After(w.Until)
				}
				if !inside {
					continue starts
				}
			}
			change := func(sign int64) (fits bool) {
				left := j.Bytes
				fits = true
				for k := s; k < s+need; k++ {
					n := min(left, j.Rate*seconds)
					left -= n
					for l, link := range p.Links {
						for _, id := range j.Links {
							if id == link.ID {
								load[l][k] += sign * n
								fits = fits && load[l][k] <= link.Rate*seconds
							}
						}
					}
					for c, cap := range p.Caps {
						id := j.Tenant
						if cap.Kind == timetable.Host {
							id = j.Host
						}
						if id != "" && (cap.ID == "" || cap.ID == id) {
							key := fmt.Sprint(c, id, k)
							running[key] += sign
							sent[key] += sign * n
							fits = fits && (cap.Jobs == 0 || running[key] <= int64(cap.Jobs)) && (cap.Rate == 0 || sent[key] <= cap.Rate*seconds)
						}
					}
				}
				return fits
			}
			if change(1) {
				try(i+1, max(last, s+need))
			}
			change(-1)
		}
	}
	try(0, 0)
	return peak, end, found
}

// whole makes of any problem one of four jobs at most that cannot be divided: what search can look through.
func whole(p *timetable.Problem) *timetable.Problem {
	p.Goal = timetable.Peak
	p.Jobs = p.Jobs[:min(len(p.Jobs), 4)]
	for i := range p.Jobs {
		p.Jobs[i].Divisible = false
	}
	return p
}

func TestBoundIsBelowWhatAnySearchFinds(t *testing.T) {
	worse, later, all := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		p := whole(some(t))
		peak, end, found := search(p)
		table, err := timetable.Arrange(p)
		require.NoError(t, err)
		if !found {
			require.NotEmpty(t, table.Unplaced)
			return
		}
		require.GreaterOrEqual(t, peak.Compare(table.PeakBound), 0, "a search finds %v, and the bound is %v", peak, table.PeakBound)
		require.False(t, evening.Add(time.Duration(end)*time.Duration(p.Slot)).Before(table.FinishBound))
		p.Goal = timetable.Finish
		early, err := timetable.Arrange(p)
		require.NoError(t, err)
		require.NoError(t, early.Check(p))
		all++
		if len(early.Unplaced) > 0 || early.Finish.After(evening.Add(time.Duration(end)*time.Duration(p.Slot))) {
			later++
		}
		if len(table.Unplaced) > 0 || table.Peak.Compare(peak) > 0 {
			worse++
		}
	})
	t.Logf("of %d, %d have a higher peak than the best, %d a later end", all, worse, later)
	require.LessOrEqual(t, 3*worse, all, "the search is good for something")
	require.LessOrEqual(t, 3*later, all)
}

// Jobs that can be divided, on one link and under no cap, are arranged as well as they can be, but for rounding.
func TestDivisibleJobsAreArrangedAsWellAsCanBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		p := night(rnd, 30, 24, true, 30)
		p.Links, p.Caps = p.Links[:1], nil
		for i := range p.Jobs {
			p.Jobs[i].Links = []string{p.Links[0].ID}
		}
		table, err := timetable.Arrange(p)
		require.NoError(t, err)
		require.NoError(t, table.Check(p))
		if len(table.Unplaced) == 0 {
			require.Less(t, gap(t, table, p), 1e-6, "peak %v, bound %v", table.Peak, table.PeakBound)
		}
	})
}

// night is the backups of a provider: hosts that write through two of a few links to arrays, in windows of the night. The links carry so many
// tenths of what the jobs need on average.
func night(rnd *rand.Rand, jobs, slots int, divisible bool, tenths int64) *timetable.Problem {
	p := &timetable.Problem{Start: evening, Slot: timetable.Duration(15 * time.Minute), Slots: slots}
	const links = 4
	total := int64(0)
	for i := range jobs {
		size := int64(1<<30) << rnd.IntN(6)
		size += rnd.Int64N(size)
		from := rnd.IntN(slots * 3 / 4)
		j := timetable.Job{
			ID: fmt.Sprint("vm-", i), Tenant: fmt.Sprint("t-", i%50), Host: fmt.Sprint("h-", i%200), Array: fmt.Sprint("a-", i%links),
			Bytes: size, Rate: 50_000_000 + rnd.Int64N(100_000_000), Links: []string{fmt.Sprint("port-", i%links), "wan"}, Divisible: divisible,
		}
		if rnd.IntN(3) > 0 {
			begin := evening.Add(time.Duration(from) * 15 * time.Minute)
			j.Windows = []timetable.Window{{From: begin, Until: begin.Add(time.Duration(slots/4) * 15 * time.Minute)}}
		}
		total += size
		p.Jobs = append(p.Jobs, j)
	}
	rate := total/(int64(slots)*900)*tenths/10 + 1
	link := func(id string, share int64) {
		l := timetable.Link{ID: id, Rate: rate * share / links}
		for range slots {
			l.Traffic = append(l.Traffic, rnd.Int64N(l.Rate/4+1))
		}
		p.Links = append(p.Links, l)
	}
	link("wan", links)
	for i := range links {
		link(fmt.Sprint("port-", i), 2)
	}
	p.Caps = []timetable.Cap{{Kind: timetable.Tenant, Jobs: max(jobs/200, 4)}, {Kind: timetable.Host, Jobs: max(jobs/1000, 2)}}
	return p
}

func TestNightsOfAProviderAreWithinATenthOfTheBound(t *testing.T) {
	for seed := range uint64(3) {
		for _, divisible := range []bool{false, true} {
			p := night(rand.New(rand.NewPCG(seed, 7)), 400, 48, divisible, []int64{16, 20, 30}[seed])
			table, err := timetable.Arrange(p)
			require.NoError(t, err)
			require.NoError(t, table.Check(p))
			require.Empty(t, table.Unplaced)
			t.Logf("seed %d, divisible %t: peak %v, bound %v, gap %.1f %%", seed, divisible, table.Peak, table.PeakBound, 100*gap(t, table, p))
			require.LessOrEqual(t, gap(t, table, p), 0.1)
			p.Goal = timetable.Finish
			for i := range p.Jobs { // which would say by themselves when the end is
				p.Jobs[i].Windows = nil
			}
			table, err = timetable.Arrange(p)
			require.NoError(t, err)
			require.NoError(t, table.Check(p))
			t.Logf("  end %v, bound %v", table.Finish, table.FinishBound)
			require.LessOrEqual(t, gap(t, table, p), 0.1)
		}
	}
}

// great is a night of 10,000 jobs in quarters of an hour.
func great(goal timetable.Goal, divisible bool) *timetable.Problem {
	p := night(rand.New(rand.NewPCG(11, 7)), 10_000, 96, divisible, 16)
	p.Goal = goal
	return p
}

func TestTenThousandJobsAreWithinATenthOfTheBound(t *testing.T) {
	if testing.Short() || race.Enabled {
		t.Skip("some seconds")
	}
	for _, divisible := range []bool{false, true} {
		for _, goal := range []timetable.Goal{timetable.Peak, timetable.Finish} {
			p := great(goal, divisible)
			table, err := timetable.Arrange(p)
			require.NoError(t, err)
			require.NoError(t, table.Check(p))
			require.LessOrEqual(t, gap(t, table, p), 0.1)
		}
	}
}

func gap(t require.TestingT, table *timetable.Timetable, p *timetable.Problem) float64 {
	g, ok := table.Gap(p)
	require.True(t, ok, "%v", table.Unplaced)
	return g
}

func TestJobsThatAreAlikeDoNotAllBeginAtOnce(t *testing.T) {
	p := &timetable.Problem{Start: evening, Slot: hour, Slots: 12, Links: []timetable.Link{{ID: "wan", Rate: 1000}}}
	for i := range 12 {
		p.Links = append(p.Links, timetable.Link{ID: fmt.Sprint("l", i), Rate: 10}) // each its own, so that no slot is better than another
		p.Jobs = append(p.Jobs, timetable.Job{ID: fmt.Sprint("vm-", i), Bytes: 3600, Rate: 1, Links: []string{fmt.Sprint("l", i)}})
	}
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	begins := map[time.Time]int{}
	for _, r := range table.Runs {
		begins[r.From]++
	}
	require.Greater(t, len(begins), 4)
}

func TestTrafficOfOthersIsAvoided(t *testing.T) {
	p := &timetable.Problem{
		Start: evening, Slot: hour, Slots: 6, Links: []timetable.Link{{ID: "wan", Rate: 100, Traffic: []int64{80, 80, 10, 0, 10, 80}}},
		Jobs: []timetable.Job{{ID: "a", Bytes: 30 * 3600, Rate: 10, Links: []string{"wan"}}, {ID: "b", Bytes: 60 * 3600, Rate: 60, Links: []string{"wan"}, Divisible: true}},
	}
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	require.NoError(t, table.Check(p))
	require.Equal(t, 0, table.Peak.Compare(timetable.Ratio{Num: 80, Den: 100}), "others alone take that")
	require.Equal(t, table.Peak.Compare(table.PeakBound), 0)
	for _, r := range table.Runs {
		for _, s := range r.Shares {
			require.Contains(t, []int{2, 3, 4}, s.Slot, "%v", r)
		}
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	p := night(rand.New(rand.NewPCG(1, 1)), 60, 24, false, 30)
	good, err := timetable.Arrange(p)
	require.NoError(t, err)
	require.NoError(t, good.Check(p))
	for name, spoil := range map[string]func(*timetable.Timetable){
		"jobs of":               func(t *timetable.Timetable) { t.Runs = t.Runs[1:] },
		"twice":                 func(t *timetable.Timetable) { t.Runs = append(t.Runs, t.Runs[0]) },
		"bytes of":              func(t *timetable.Timetable) { t.Runs[0].Shares[0].Bytes-- },
		"at a rate of":          func(t *timetable.Timetable) { t.Runs[0].Shares[0].Bytes = 1 << 50 },
		"not a slot":            func(t *timetable.Timetable) { t.Runs[0].Shares[0].Slot = -1 },
		"not when its":          func(t *timetable.Timetable) { t.Runs[0].From = t.Runs[0].From.Add(1) },
		"it says that its peak": func(t *timetable.Timetable) { t.Peak.Num-- },
		"cannot be divided": func(t *timetable.Timetable) {
			r := long(t)
			for k := 1; k < len(r.Shares); k++ {
				r.Shares[k].Slot++
			}
		},
		"does not run at its": func(t *timetable.Timetable) { r := long(t); r.Shares[0].Bytes--; r.Shares[len(r.Shares)-1].Bytes++ },
		"outside of its": func(t *timetable.Timetable) {
			r := windowed(p, t)
			for k := range r.Shares {
				r.Shares[k].Slot = k
			}
		},
		"the reason for its": func(t *timetable.Timetable) { t.PeakBound.Num++ },
		"shows 0 bytes":      func(t *timetable.Timetable) { t.Why.Link = "none" },
		"without a reason":   func(t *timetable.Timetable) { t.Unplaced = append(t.Unplaced, timetable.Unplaced{Job: "x"}) },
	} {
		text, err := json.Marshal(good)
		require.NoError(t, err)
		var bad timetable.Timetable
		require.NoError(t, json.Unmarshal(text, &bad))
		spoil(&bad)
		require.ErrorContains(t, bad.Check(p), name)
	}
}

// long returns a run of several slots.
func long(t *timetable.Timetable) *timetable.Run {
	for i := range t.Runs {
		if len(t.Runs[i].Shares) > 1 {
			return &t.Runs[i]
		}
	}
	panic("all runs are short")
}

// windowed returns a run whose window does not begin at once.
func windowed(p *timetable.Problem, t *timetable.Timetable) *timetable.Run {
	for i := range t.Runs {
		for _, j := range p.Jobs {
			if j.ID == t.Runs[i].Job && len(j.Windows) > 0 && j.Windows[0].From.After(p.Start) {
				return &t.Runs[i]
			}
		}
	}
	panic("no windows")
}

func TestCheckFindsWhatIsBeyondACap(t *testing.T) {
	p := night(rand.New(rand.NewPCG(1, 1)), 60, 24, false, 30)
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	p.Caps = []timetable.Cap{{Kind: timetable.Array, ID: "a-1", Rate: 1}}
	require.ErrorContains(t, table.Check(p), `array "a-1": slot `)
	p.Caps = []timetable.Cap{{Kind: timetable.Tenant, Jobs: 1}, {Kind: timetable.Array, Jobs: 1}}
	require.ErrorContains(t, table.Check(p), "more than its cap")
}

func TestWindowsThatOverlapCostNoMoreThanTheirNumber(t *testing.T) {
	p := &timetable.Problem{
		Start: evening, Slot: timetable.Duration(time.Second), Slots: timetable.MaxSlots, Links: []timetable.Link{{ID: "wan", Rate: 10}},
		Jobs: []timetable.Job{{ID: "a", Bytes: 10, Rate: 10, Links: []string{"wan"}}},
	}
	for range 100_000 {
		p.Jobs[0].Windows = append(p.Jobs[0].Windows, timetable.Window{From: evening, Until: evening.Add(timetable.MaxSlots * time.Second)})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	table, err := timetable.Arrange(p)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Len(t, table.Runs, 1)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
}

func TestProblemsThatAreNoneAreRefused(t *testing.T) {
	good := func() *timetable.Problem {
		return &timetable.Problem{Start: evening, Slot: hour, Slots: 4, Links: []timetable.Link{{ID: "wan", Rate: 100}},
			Jobs: []timetable.Job{{ID: "a", Bytes: 1, Rate: 1, Links: []string{"wan"}}}, Caps: []timetable.Cap{{Kind: timetable.Host, Jobs: 1}}}
	}
	require.NoError(t, good().Validate())
	for want, spoil := range map[string]func(*timetable.Problem){
		"goal": func(p *timetable.Problem) { p.Goal = "fast" }, "start": func(p *timetable.Problem) { p.Start = time.Time{} },
		"slot:": func(p *timetable.Problem) { p.Slot = 1 }, "slots": func(p *timetable.Problem) { p.Slots = 0 },
		"links[1]: id":            func(p *timetable.Problem) { p.Links = append(p.Links, p.Links[0]) },
		"links[0]: rate":          func(p *timetable.Problem) { p.Links[0].Rate = 1 << 60 },
		"links[0]: traffic[0]":    func(p *timetable.Problem) { p.Links[0].Traffic = []int64{101} },
		"links[0]: traffic: more": func(p *timetable.Problem) { p.Links[0].Traffic = make([]int64, 5) },
		"jobs[1]: id":             func(p *timetable.Problem) { p.Jobs = append(p.Jobs, p.Jobs[0]) },
		"jobs[0]: bytes":          func(p *timetable.Problem) { p.Jobs[0].Bytes = 0 },
		"jobs[1]: bytes": func(p *timetable.Problem) {
			p.Jobs = append(p.Jobs, timetable.Job{ID: "b", Bytes: timetable.MaxBytes, Rate: 1, Links: []string{"wan"}})
		},
		"jobs[0]: rate":           func(p *timetable.Problem) { p.Jobs[0].Rate = 0 },
		"jobs[0]: links: want":    func(p *timetable.Problem) { p.Jobs[0].Links = nil },
		"jobs[0]: links: \"lan\"": func(p *timetable.Problem) { p.Jobs[0].Links = []string{"lan"} },
		"jobs[0]: windows[0]":     func(p *timetable.Problem) { p.Jobs[0].Windows = []timetable.Window{{From: evening, Until: evening}} },
		"caps[0]":                 func(p *timetable.Problem) { p.Caps[0].Jobs = 0 },
		"caps[1]": func(p *timetable.Problem) {
			p.Caps = append(p.Caps, timetable.Cap{Kind: timetable.Host, Jobs: 1, Rate: -1})
		},
		"jobs[0]: links: \"wan\"": func(p *timetable.Problem) { p.Jobs[0].Links = []string{"wan", "wan"} },
		"want 1 to 16":            func(p *timetable.Problem) { p.Jobs[0].Links = make([]string, 17) },
		"take longer slots": func(p *timetable.Problem) {
			p.Slots = timetable.MaxSlots
			for i := range 5000 {
				p.Jobs = append(p.Jobs, timetable.Job{ID: fmt.Sprint(i), Bytes: 1, Rate: 1, Links: []string{"wan"}})
			}
		},
	} {
		p := good()
		spoil(p)
		_, err := timetable.Arrange(p)
		require.ErrorIs(t, err, opsec.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

func TestTheGreatestNumbersDoNotOverflow(t *testing.T) {
	p := &timetable.Problem{
		Start: evening, Slot: timetable.Duration(time.Second), Slots: 2, Links: []timetable.Link{{ID: "wan", Rate: timetable.MaxBytes / 2}},
		Jobs: []timetable.Job{
			{ID: "a", Bytes: timetable.MaxBytes - 10, Rate: timetable.MaxBytes, Links: []string{"wan"}, Divisible: true},
			{ID: "b", Bytes: 10, Rate: timetable.MaxBytes, Links: []string{"wan"}, Divisible: true},
		},
	}
	table, err := timetable.Arrange(p)
	require.NoError(t, err)
	require.NoError(t, table.Check(p))
	require.Empty(t, table.Unplaced)
	require.Equal(t, 0, table.Peak.Compare(timetable.Ratio{Num: 1, Den: 1}))
}

func BenchmarkArrange10000(b *testing.B) {
	for _, divisible := range []bool{false, true} {
		for _, goal := range []timetable.Goal{timetable.Peak, timetable.Finish} {
			b.Run(fmt.Sprintf("%s/divisible=%t", goal, divisible), func(b *testing.B) {
				p := great(goal, divisible)
				for b.Loop() {
					table, err := timetable.Arrange(p)
					if err != nil || table.Check(p) != nil {
						b.Fatal(err, table.Check(p))
					}
					b.ReportMetric(100*gap(b, table, p), "%gap")
				}
			})
		}
	}
}
