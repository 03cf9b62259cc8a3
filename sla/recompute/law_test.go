package recompute_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

const minute, hour = int64(60_000), int64(3_600_000)

func percent(text string) ratio.Ratio {
	r, err := ratio.Parse(text)
	if err != nil {
		panic(err)
	}
	return r
}

// mixed is an agreement with objectives of all methods, over services that share resources.
func mixed(t require.TestingT) *sla.Agreement {
	a := agreement(t, "iaas")
	window := metric.Window{Calendar: "month", Zone: "Europe/Berlin"}
	minutes, hours := metric.Duration(time.Minute), metric.Duration(time.Hour)
	a.Services[0].Resources = []string{"vm-*", "shared"}
	a.Services[1].Resources = []string{"storage", "vm-1", "s*e"}
	a.Services = append(a.Services, sla.Service{ID: "api", Resources: []string{"api-?", "shared"}, Objectives: []metric.Objective{
		{ID: "requests", Target: percent("99%"), Method: metric.Requests, Window: window, Scope: "account"},
		{ID: "rate", Target: percent("99%"), Method: metric.MeanRate, Window: window, Scope: "account", Slice: hours, Empty: metric.EmptyGood},
		{ID: "slices", Target: percent("90%"), Method: metric.Slices, Window: window, Scope: "instance", Slice: minutes, Good: percent("95%"), Run: 3, Empty: metric.EmptySkip},
	}})
	a.Exclusions = append(a.Exclusions, sla.ExclusionRule{ID: "any", Category: sla.ThirdParty, Text: "What nobody answers for"})
	return a
}

// pieces draws evidence of a month.
func pieces(t *rapid.T, most int) (all []meter.Evidence) {
	for i := range rapid.IntRange(0, most).Draw(t, "pieces") {
		start := march.Start + rapid.Int64Range(-48*60, 33*24*60).Draw(t, "start")*minute
		e := meter.Evidence{Source: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source"), Seq: uint64(i / 2),
			Resource: rapid.SampledFrom([]string{"vm-1", "vm-2", "shared", "storage", "api-1", "elsewhere"}).Draw(t, "resource"),
			Span:     timeline.Span{Start: start, End: start + rapid.Int64Range(1, 60*24*9).Draw(t, "minutes")*minute}}
		switch {
		case e.Resource[0] == 'a' || e.Resource == "shared" && i%2 == 0:
			e.Total = rapid.Uint64Range(1, 100).Draw(t, "total")
			e.Good = rapid.Uint64Range(0, e.Total).Draw(t, "good")
		default:
			e.State = meter.State(rapid.IntRange(0, 3).Draw(t, "state"))
			if rapid.IntRange(0, 5).Draw(t, "open") == 0 {
				e.Span.End = meter.Open
			}
		}
		all = append(all, e)
	}
	return all
}

func asked(t *rapid.T) (all []sla.Exclusion) {
	for i := range rapid.IntRange(0, 4).Draw(t, "exclusions") {
		start := march.Start + rapid.Int64Range(-24, 32*24).Draw(t, "from")*hour
		all = append(all, sla.Exclusion{ID: fmt.Sprint("x", i), Rule: rapid.SampledFrom([]string{"any", "maintenance"}).Draw(t, "rule"), Reason: "r",
			Start: time.UnixMilli(start).UTC(), End: time.UnixMilli(start + rapid.Int64Range(1, 100).Draw(t, "hours")*hour).UTC(),
			Noticed: time.UnixMilli(start - 200*hour).UTC(), Approved: "bob", Role: "change-manager",
			Services: rapid.SampledFrom([][]string{nil, {"compute"}, {"api", "storage"}}).Draw(t, "services")})
	}
	return all
}

func asOf(t *rapid.T) time.Time {
	return time.UnixMilli(march.Start + rapid.Int64Range(0, 33*24*60).Draw(t, "as of")*minute).UTC()
}

func happened(t *rapid.T) (all []response.Incident) {
	for i := range rapid.IntRange(0, 4).Draw(t, "incidents") {
		at := func(what string) time.Time {
			return time.UnixMilli(march.Start + rapid.Int64Range(0, 32*24*60).Draw(t, what)*minute).UTC()
		}
		one := response.Incident{ID: fmt.Sprint("i", i), Security: i%2 == 0, Severity: opsec.SeverityCritical, Occurred: at("occurred")}
		one.Reported = one.Occurred.Add(time.Hour)
		one.Accepted = one.Reported.Add(time.Minute * time.Duration(rapid.IntRange(0, 5000).Draw(t, "accepted")))
		one.Restored, one.Notified = one.Accepted.Add(time.Hour), one.Accepted
		one.Resolved = one.Accepted.Add(time.Minute * time.Duration(rapid.IntRange(0, 5000).Draw(t, "resolved")))
		all = append(all, one)
	}
	return all
}

func points(t *rapid.T) map[string][]metric.Point {
	all := map[string][]metric.Point{}
	for range rapid.IntRange(0, 5).Draw(t, "points") {
		taken := march.Start + rapid.Int64Range(-48, 32*24).Draw(t, "taken")*hour
		p := metric.Point{Taken: taken, Usable: taken + hour*rapid.Int64Range(0, 30).Draw(t, "copied")}
		if rapid.Bool().Draw(t, "ends") {
			p.Lost = p.Usable + hour*rapid.Int64Range(0, 200).Draw(t, "kept")
		}
		source := rapid.SampledFrom([]string{"vol-1", "vol-2"}).Draw(t, "volume")
		all[source] = append(all[source], p)
	}
	return all
}

func metered(t require.TestingT, all []meter.Evidence) *meter.Meter {
	m := meter.New()
	for _, e := range all {
		require.NoError(t, m.Add(e))
	}
	return m
}

func digestOf(t require.TestingT, r *recompute.Report) string {
	d, err := r.Digest()
	require.NoError(t, err)
	return d
}

// However evidence comes, and from however many meters, the report is the same, byte for byte.
func TestOrderAndSplitDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := pieces(t, 30)
		in := recompute.Input{Agreement: mixed(t), Period: "2026-03", AsOf: asOf(t), Exclusions: asked(t), Incidents: happened(t), Points: points(t)}
		in.States = metered(t, all)
		want := compute(t, in)

		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var meters []*meter.Meter
		for range 3 {
			meters = append(meters, meter.New())
		}
		for range 2 { // each piece once or twice
			for _, i := range r.Perm(len(all)) {
				require.NoError(t, meters[r.IntN(3)].Add(all[i]))
			}
		}
		for _, i := range r.Perm(len(all)) {
			require.NoError(t, meters[r.IntN(3)].Add(all[i]))
		}
		require.NoError(t, meters[1].Merge(meters[2]))
		require.NoError(t, meters[0].Merge(meters[1]))
		in.States = meters[0]
		in.Exclusions = append(slices.Clone(in.Exclusions), in.Exclusions...)
		for i := range in.Exclusions {
			in.Exclusions[i].Start = in.Exclusions[i].Start.In(time.FixedZone("", 3600))
		}
		shuffle(r, in.Exclusions)
		in.Incidents = append(slices.Clone(in.Incidents), in.Incidents...)
		shuffle(r, in.Incidents)
		twice := map[string][]metric.Point{}
		for s, list := range in.Points {
			twice[s] = append(slices.Clone(list), list...)
			shuffle(r, twice[s])
		}
		in.Points = twice
		got := compute(t, in)
		differences, err := recompute.Diff(want, got)
		require.NoError(t, err)
		require.Empty(t, differences)
		require.Equal(t, digestOf(t, want), digestOf(t, got))
	})
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// What began after as-of changes nothing, whatever it is.
func TestWhatIsLaterIsNotKnown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := recompute.Input{Agreement: mixed(t), Period: rapid.SampledFrom([]string{"2026-03", "2026-Q1", "2026-W11"}).Draw(t, "period"),
			AsOf: asOf(t), Exclusions: asked(t), Incidents: happened(t), Points: points(t)}
		all := pieces(t, 20)
		in.States = metered(t, all)
		want := compute(t, in)

		end := in.AsOf.UnixMilli()
		all = slices.DeleteFunc(all, func(e meter.Evidence) bool { return e.Span.Start >= end })
		in.States = metered(t, all)
		in.Incidents = slices.DeleteFunc(in.Incidents, func(i response.Incident) bool { return i.Occurred.After(in.AsOf) })
		for i := range in.Incidents {
			for _, m := range []*time.Time{&in.Incidents[i].Reported, &in.Incidents[i].Accepted, &in.Incidents[i].Notified, &in.Incidents[i].Restored, &in.Incidents[i].Resolved} {
				if m.After(in.AsOf) {
					*m = time.Time{}
				}
			}
		}
		in.Exclusions = slices.DeleteFunc(in.Exclusions, func(x sla.Exclusion) bool { return !x.Start.Before(in.AsOf) })
		for s, list := range in.Points {
			in.Points[s] = slices.DeleteFunc(list, func(p metric.Point) bool { return p.Usable >= end })
			for i := range in.Points[s] {
				if in.Points[s][i].Lost >= end {
					in.Points[s][i].Lost = 0
				}
			}
		}
		got := compute(t, in)
		differences, err := recompute.Diff(want, got)
		require.NoError(t, err)
		require.Empty(t, differences)
	})
}

// An exclusion, of whatever time, never lowers a figure.
func TestExclusionsOnlyEverHelp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := recompute.Input{Agreement: mixed(t), Period: "2026-03", AsOf: asOf(t), States: metered(t, pieces(t, 20))}
		for i := range in.Agreement.Exclusions { // bounds of time would let one take the place of another
			in.Agreement.Exclusions[i].Longest, in.Agreement.Exclusions[i].Yearly = 0, 0
		}
		none := compute(t, in)
		in.Exclusions = asked(t)
		figures(t, none, compute(t, in), func(id string, a, b metric.Figure) {
			if b.Availability.Low.Cmp(a.Availability.Low) < 0 || b.Availability.High.Cmp(a.Availability.High) < 0 || a.Raw != b.Raw ||
				a.Verdict == ratio.Met && b.Verdict != ratio.Met || b.Verdict == ratio.Breach && a.Verdict != ratio.Breach {
				t.Fatalf("%s: %v, and with exclusions %v", id, a, b)
			}
		})
	})
}

// What the bounds are in the middle of the month holds what they are later, and a verdict stays.
func TestTimeOnlyEverNarrowsTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := mixed(t)
		a.Services[0].Resources = []string{"vm-1", "vm-2", "shared"} // that of a pattern more may come is another matter
		a.Services[1].Resources = []string{"storage", "vm-1", "shared"}
		a.Services[2].Resources = []string{"api-1"}
		in := recompute.Input{Agreement: a, Period: "2026-03", AsOf: asOf(t), States: metered(t, pieces(t, 20)), Exclusions: asked(t)}
		early := compute(t, in)
		in.AsOf = in.AsOf.Add(time.Duration(rapid.IntRange(1, 33*24*60).Draw(t, "later")) * time.Minute)
		figures(t, early, compute(t, in), func(id string, a, b metric.Figure) {
			if b.Availability.Low.Cmp(a.Availability.Low) < 0 || b.Availability.High.Cmp(a.Availability.High) > 0 ||
				b.Raw.Low.Cmp(a.Raw.Low) < 0 || b.Raw.High.Cmp(a.Raw.High) > 0 || a.Verdict != ratio.Undecided && a.Verdict != b.Verdict {
				t.Fatalf("%s: %v, and later %v", id, a, b)
			}
		})
	})
}

func figures(t require.TestingT, a, b *recompute.Report, same func(id string, a, b metric.Figure)) {
	for i, s := range a.Services {
		require.Equal(t, len(s.Objectives), len(b.Services[i].Objectives))
		for k, o := range s.Objectives {
			same(o.ID, o.Figure, b.Services[i].Objectives[k].Figure)
		}
	}
}
