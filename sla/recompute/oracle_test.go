package recompute_test

import (
	"math/big"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// minutes is what a resource was in each minute of a window: up, degraded (g), down, or not known (a space).
type minutes []byte

// lived reckons the minutes of a resource from evidence that is in whole minutes.
func lived(all []meter.Evidence, resource string, w timeline.Span, asOf int64) minutes {
	out := make(minutes, (w.End-w.Start)/minute)
	for i := range out {
		out[i] = ' '
	}
	rank := map[byte]int{' ': 0, 'u': 1, 'g': 2, 'd': 3}
	for _, e := range all {
		if e.Resource != resource || e.State == meter.Unknown {
			continue
		}
		word := " ugd"[e.State]
		for at := max(e.Span.Start, w.Start); at < min(e.Span.End, w.End, asOf); at += minute {
			if i := (at - w.Start) / minute; rank[word] > rank[out[i]] {
				out[i] = word
			}
		}
	}
	return out
}

// bounds is good minutes and all minutes, of the worst and of the best that may have been.
type bounds [2][2]int64

func (b bounds) figure() ratio.Range {
	var out [2]ratio.Ratio
	for end, x := range b {
		if x[1] == 0 {
			x = [2]int64{1, 1}
		}
		out[end], _ = ratio.New(uint64(x[0]), uint64(x[1]))
	}
	return ratio.Range{Low: out[0], High: out[1]}
}

// reckon judges minutes by an objective: each minute is good or bad, bad ones count in runs, and bad ones that are excluded are left out.
func reckon(o metric.Objective, m minutes, excluded []bool) (b bounds) {
	for end := range b {
		bad := make([]bool, len(m))
		for i, what := range m {
			bad[i] = what == 'd' || what == 'g' && o.Degraded != metric.DegradedUp || what == ' ' && end == 0
		}
		for i := 0; i < len(bad); {
			k := i
			for k < len(bad) && bad[k] == bad[i] {
				k++
			}
			for n := i; n < k; n++ {
				if !bad[i] || o.Method == metric.Slices && k-i < o.Run {
					b[end][0]++
				} else if excluded[n] {
					continue
				}
				b[end][1]++
			}
			i = k
		}
	}
	return b
}

// A report is what a plain reckoning says that goes through all minutes of all resources of all services.
func TestReportIsAsAPlainReckoningByMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := agreement(t, "iaas")
		names := []string{"vm-1", "vm-2", "vm[3]", "db"}
		patterns := []string{"vm-*", "vm-1", `vm\[3\]`, "*", "d?", "vm-[12]", "unseen"}
		windows := []metric.Window{{Calendar: "month", Zone: "Europe/Berlin"}, {Calendar: "week", Zone: "Europe/Berlin"}, {Rolling: metric.Duration(3 * 24 * hour * 1e6)}}
		for i := range a.Services {
			a.Services[i].Resources = rapid.SliceOfNDistinct(rapid.SampledFrom(patterns), 1, 4, rapid.ID).Draw(t, "resources")
			for k := range a.Services[i].Objectives {
				o := &a.Services[i].Objectives[k]
				o.Window = rapid.SampledFrom(windows).Draw(t, "window")
				o.Scope = rapid.SampledFrom([]string{"region", "instance"}).Draw(t, "scope")
				o.Target = percent(rapid.SampledFrom([]string{"100%", "99%", "90%", "50%"}).Draw(t, "target"))
				o.Degraded = rapid.SampledFrom([]metric.Degraded{metric.DegradedUp, ""}).Draw(t, "degraded")
				if o.Method == metric.Slices {
					o.Run, o.Partial = rapid.IntRange(2, 600).Draw(t, "run"), ""
				}
			}
		}
		a.Exclusions = []sla.ExclusionRule{{ID: "any", Category: sla.ThirdParty, Text: "What nobody answers for"},
			{ID: "maintenance", Category: sla.Maintenance, Text: "Work", Approver: "change-manager", Notice: metric.Duration(time.Hour)}}
		a.Credits = nil
		for _, s := range a.Services {
			for _, o := range s.Objectives {
				a.Credits = append(a.Credits, credit.Table{ID: o.ID, Objective: o.ID, Bands: []credit.Band{{Below: o.Target, Credit: percent("10%")}}})
			}
		}
		var all []meter.Evidence
		for i := range rapid.IntRange(0, 25).Draw(t, "pieces") {
			start := march.Start + rapid.Int64Range(-600, 31*24*60).Draw(t, "start")*minute
			all = append(all, meter.Evidence{Source: "p", Seq: uint64(i), Resource: rapid.SampledFrom(names).Draw(t, "resource"), State: meter.State(rapid.IntRange(0, 3).Draw(t, "state")),
				Span: timeline.Span{Start: start, End: start + rapid.Int64Range(1, 60*24*20).Draw(t, "minutes")*minute}})
		}
		in := recompute.Input{Agreement: a, Period: "2026-03", AsOf: asOf(t), States: metered(t, all), Exclusions: asked(t)}
		r := compute(t, in)
		for i, s := range a.Services {
			require.Len(t, r.Services[i].Objectives, len(s.Objectives))
			for k, o := range s.Objectives {
				same(t, in, all, s, o, r.Services[i].Objectives[k])
				due := slices.DeleteFunc(slices.Clone(r.Services[i].Credits), func(d credit.Due) bool { return d.Objective != o.ID })
				o := r.Services[i].Objectives[k]
				switch {
				case o.Scope == "instance":
					require.Len(t, due, o.Broken+o.Open)
				case o.Figure.Verdict == ratio.Met:
					require.Empty(t, due)
				default:
					require.Len(t, due, 1)
					require.Equal(t, o.Figure.Verdict == ratio.Breach, due[0].Credit.Low.Num() > 0)
				}
			}
		}
	})
}

// same compares an objective of a report with a plain reckoning.
func same(t *rapid.T, in recompute.Input, all []meter.Evidence, s sla.Service, o metric.Objective, got recompute.Objective) {
	window := march
	switch {
	case o.Window.Calendar == "week":
		window = span("2026-03-30T00:00:00+02:00", "2026-04-06T00:00:00+02:00") // in which the month ends
	case o.Window.Calendar == "":
		window.Start = march.End - 3*24*hour
	}
	require.Equal(t, window, got.Span)
	excluded := make([]bool, (window.End-window.Start)/minute)
	for _, x := range in.Exclusions {
		if len(x.Services) > 0 && !slices.Contains(x.Services, s.ID) || !x.Start.Before(in.AsOf) {
			continue
		}
		for at := max(window.Start, x.Start.UnixMilli()); at < min(window.End, x.End.UnixMilli()); at += minute {
			excluded[(at-window.Start)/minute] = true
		}
	}
	var sum bounds
	var broken, open, resources int
	var worst ratio.Range
	for _, name := range []string{"db", "unseen", "vm-1", "vm-2", "vm[3]"} {
		if !slices.ContainsFunc(s.Resources, func(p string) bool { ok, err := path.Match(p, name); return ok && err == nil }) {
			continue
		}
		spoken := slices.ContainsFunc(all, func(e meter.Evidence) bool {
			return e.Resource == name && max(e.Span.Start, window.Start) < min(e.Span.End, window.End, in.AsOf.UnixMilli())
		})
		known := false // that it is one at all: it is named, by this service or by another
		for _, other := range in.Agreement.Services {
			known = known || slices.Contains(other.Resources, name) || name == "vm[3]" && slices.Contains(other.Resources, `vm\[3\]`)
		}
		if !spoken && !known {
			continue
		}
		resources++
		b := reckon(o, lived(all, name, window, in.AsOf.UnixMilli()), excluded)
		for end := range sum {
			sum[end][0], sum[end][1] = sum[end][0]+b[end][0], sum[end][1]+b[end][1]
		}
		f := b.figure()
		switch f.AtLeast(o.Target) {
		case ratio.Breach:
			broken++
		case ratio.Undecided:
			open++
		default:
			continue
		}
		if c := f.High.Cmp(worst.High); broken+open == 1 || c < 0 || c == 0 && f.Low.Cmp(worst.Low) < 0 {
			worst = f
		}
	}
	require.Equal(t, resources, got.Resources, "%s %v", o.ID, s.Resources)
	want := sum.figure()
	if resources == 0 {
		want = ratio.Range{High: ratio.One()}
	}
	require.Zero(t, want.Low.Cmp(got.Figure.Availability.Low), "%s: low is %v, want %v", o.ID, got.Figure.Availability, want)
	require.Zero(t, want.High.Cmp(got.Figure.Availability.High), "%s: high is %v, want %v", o.ID, got.Figure.Availability, want)
	verdict := want.AtLeast(o.Target)
	if o.Scope == "instance" && resources > 0 {
		require.Equal(t, [2]int{broken, open}, [2]int{got.Broken, got.Open})
		require.Len(t, got.Worst, broken+open)
		verdict = ratio.Met
		if open > 0 {
			verdict = ratio.Undecided
		}
		if broken > 0 {
			verdict = ratio.Breach
		}
		if broken+open > 0 {
			require.Zero(t, worst.High.Cmp(got.Worst[0].Figure.Availability.High))
			require.Zero(t, worst.Low.Cmp(got.Worst[0].Figure.Availability.Low))
		}
	}
	require.Equal(t, verdict, got.Figure.Verdict, o.ID)
}

// The days of a strip add up to what the tally of the month has, also where a night has no midnight or a day has 25 hours.
func TestStripsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Berlin", "Asia/Beirut", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "UTC"}).Draw(t, "zone")
		a := mixed(t)
		a.Zone = zone
		for i := range a.Services {
			for k := range a.Services[i].Objectives {
				o := &a.Services[i].Objectives[k]
				o.Window.Zone, o.Degraded, o.Scope = zone, "", "region"
			}
		}
		for i := range a.Exclusions {
			a.Exclusions[i].Longest, a.Exclusions[i].Yearly = 0, 0
		}
		a.Services[2].Objectives = a.Services[2].Objectives[:1+2*rapid.IntRange(0, 1).Draw(t, "more")]
		in := recompute.Input{Agreement: a, Period: rapid.SampledFrom([]string{"2026-03", "2026-04", "2026-10"}).Draw(t, "month"), AsOf: at("2026-12-01T00:00:00Z"),
			States: metered(t, pieces(t, 25)), Exclusions: asked(t)}
		r := compute(t, in)
		location := in.AsOf.Location()
		_ = location
		for i, s := range r.Services {
			var sum timeline.Strip
			next := r.Period.Span.Start
			for _, d := range s.Strip {
				require.Equal(t, next, d.Start)
				next = d.End
				for to, n := range map[*uint64]uint64{&sum.Up: d.Up, &sum.Degraded: d.Degraded, &sum.Down: d.Down, &sum.Excluded: d.Excluded, &sum.Unknown: d.Unknown} {
					*to += n
				}
				if i < 2 {
					hours := new(big.Rat).SetFrac64(d.End-d.Start, hour)
					require.True(t, hours.Cmp(big.NewRat(23, 1)) >= 0 && hours.Cmp(big.NewRat(25, 1)) <= 0, "a day of %v hours", hours)
				}
			}
			require.Equal(t, r.Period.Span.End, next)
			c := s.Objectives[0].Tally.Counted
			require.Equal(t, c.Good, sum.Up)
			require.Equal(t, c.Bad, sum.Down+sum.Degraded)
			require.Equal(t, c.Excluded, sum.Excluded)
			if i < 2 {
				require.Equal(t, c.Unknown+c.ExcludedUnknown, sum.Unknown)
			}
		}
	})
}
