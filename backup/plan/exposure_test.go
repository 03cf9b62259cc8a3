package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/backup/plan"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func at(h float64) time.Time { return start.Add(time.Duration(h * float64(time.Hour))) }

func copyAt(target string, site plan.Site, durable time.Time) plan.ObservedCopy {
	return plan.ObservedCopy{Target: target, Site: site, Region: "eu-1", Durable: durable, Encrypted: true, Verified: durable}
}

func TestExposureIsTimeSinceTheNewestPointThatIsDurable(t *testing.T) {
	o := plan.Observed{At: at(10), Points: []plan.ObservedPoint{
		{ID: "1", Level: plan.Files, Taken: at(0), Copies: []plan.ObservedCopy{copyAt("a", plan.OnSite, at(1)), copyAt("v", plan.OffSite, at(3))}},
		{ID: "2", Level: plan.Files, Taken: at(4), Copies: []plan.ObservedCopy{copyAt("a", plan.OnSite, at(5))}},
		{ID: "3", Level: plan.Files, Taken: at(8), Copies: []plan.ObservedCopy{copyAt("a", plan.OnSite, time.Time{})}},
	}}
	e := o.Exposure("")
	require.Equal(t, []plan.Step{{At: at(1), Newest: at(0)}, {At: at(5), Newest: at(4)}}, e.Steps)
	worst, when, ok := e.Worst()
	require.True(t, ok)
	require.Equal(t, 6*time.Hour, worst, "the third is not durable")
	require.Equal(t, at(10), when)
	d, ok := e.At(at(4.5))
	require.True(t, ok)
	require.Equal(t, 4*time.Hour+30*time.Minute, d)
	_, ok = e.At(at(0.5))
	require.False(t, ok)
	_, ok = e.At(at(11))
	require.False(t, ok)

	require.Equal(t, []plan.Breach{
		{From: at(4), Until: at(5), Worst: 5 * time.Hour}, {From: at(8), Until: at(10), Worst: 6 * time.Hour, Open: true},
	}, e.Over(4*time.Hour))
	require.Empty(t, e.Over(6*time.Hour), "a limit that is met is not passed")
	require.Equal(t, []plan.Breach{{From: at(1), Until: at(10), Worst: 6 * time.Hour, Open: true}}, e.Over(time.Minute))

	off := o.Exposure(plan.OffSite)
	require.Equal(t, []plan.Step{{At: at(3), Newest: at(0)}}, off.Steps)

	o.Since = at(0)
	require.Equal(t, []plan.Breach{{From: at(0), Until: at(1), Worst: time.Hour, None: true}}, o.Exposure("").Over(9*time.Hour))
	_, _, ok = o.Exposure("").Worst()
	require.False(t, ok)
	none := plan.Observed{At: at(1)}.Exposure("")
	require.Empty(t, none.Steps)
	_, _, ok = none.Worst()
	require.False(t, ok)
}

func TestAPointIsOfNoUseBeforeWhatItNeeds(t *testing.T) {
	points := func(change func(p []plan.ObservedPoint)) plan.Exposure {
		list := []plan.ObservedPoint{
			{ID: "full", Level: plan.Image, Taken: at(0), Copies: []plan.ObservedCopy{copyAt("a", plan.OnSite, at(6)), copyAt("b", plan.OnSite, at(7))}},
			{ID: "next", Level: plan.Image, Taken: at(2), Parents: []string{"full"}, Copies: []plan.ObservedCopy{copyAt("a", plan.OnSite, at(3))}},
		}
		change(list)
		return plan.Observed{At: at(10), Points: list}.Exposure("")
	}
	for name, c := range map[string]struct {
		change func(p []plan.ObservedPoint)
		want   []plan.Step
	}{
		"late":      {func([]plan.ObservedPoint) {}, []plan.Step{{at(6), at(2)}}},
		"elsewhere": {func(p []plan.ObservedPoint) { p[0].Copies = p[0].Copies[1:] }, []plan.Step{{at(7), at(0)}}},
		"deleted":   {func(p []plan.ObservedPoint) { p[0].Deleted = at(8) }, []plan.Step{{at(6), at(2)}, {at(8), time.Time{}}}},
		"broken":    {func(p []plan.ObservedPoint) { p[0].Copies[0].Broken = true }, []plan.Step{{at(7), at(0)}}},
		"unknown":   {func(p []plan.ObservedPoint) { p[1].Parents = append(p[1].Parents, "gone") }, []plan.Step{{at(6), at(0)}}},
		"loop":      {func(p []plan.ObservedPoint) { p[0].Parents = []string{"next"} }, nil},
		"itself":    {func(p []plan.ObservedPoint) { p[1].Parents = []string{"next"} }, []plan.Step{{at(6), at(0)}}},
		"to come":   {func(p []plan.ObservedPoint) { p[0].Copies[0].Durable = at(11) }, []plan.Step{{at(7), at(0)}}},
	} {
		require.Equal(t, c.want, points(c.change).Steps, name)
	}
}

// usable says by the definition whether a target can restore a point at a moment.
func usable(o plan.Observed, id, target string, t time.Time, deep int) bool {
	if deep > len(o.Points) {
		return false
	}
	for _, p := range o.Points {
		if p.ID != id {
			continue
		}
		if !p.Deleted.IsZero() && !p.Deleted.After(t) {
			return false
		}
		ok := false
		for _, c := range p.Copies {
			ok = ok || c.Target == target && !c.Durable.IsZero() && !c.Durable.After(t) && !c.Broken
		}
		for _, parent := range p.Parents {
			ok = ok && usable(o, parent, target, t, deep+1)
		}
		return ok
	}
	return false
}

func TestExposureAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 8).Draw(t, "points")
		o := plan.Observed{At: at(30)}
		for i := range n {
			p := plan.ObservedPoint{ID: fmt.Sprint(i), Level: plan.Files, Taken: at(float64(rapid.IntRange(0, 20).Draw(t, "taken")))}
			if rapid.IntRange(0, 3).Draw(t, "deleted") == 0 {
				p.Deleted = at(float64(rapid.IntRange(1, 30).Draw(t, "when")))
			}
			for range rapid.IntRange(0, 2).Draw(t, "parents") {
				p.Parents = append(p.Parents, fmt.Sprint(rapid.IntRange(0, n).Draw(t, "parent")))
			}
			for _, target := range []string{"a", "v"} {
				if rapid.IntRange(0, 3).Draw(t, "copy") > 0 {
					site := plan.OnSite
					if target == "v" {
						site = plan.OffSite
					}
					c := copyAt(target, site, at(float64(rapid.IntRange(0, 30).Draw(t, "durable"))))
					c.Broken = rapid.IntRange(0, 6).Draw(t, "broken") == 0
					p.Copies = append(p.Copies, c)
				}
			}
			o.Points = append(o.Points, p)
		}
		limit := time.Duration(rapid.IntRange(0, 20).Draw(t, "limit")) * time.Hour
		for side, targets := range map[plan.Site][]string{"": {"a", "v"}, plan.OffSite: {"v"}} {
			e := o.Exposure(side)
			breaches := e.Over(limit)
			for h := 0.25; h < 30; h += 0.5 {
				var newest time.Time
				for _, p := range o.Points {
					for _, target := range targets {
						if p.Taken.After(newest) && usable(o, p.ID, target, at(h), 0) {
							newest = p.Taken
						}
					}
				}
				got, ok := e.At(at(h))
				require.Equal(t, !newest.IsZero(), ok, "%v h", h)
				over := len(e.Steps) > 0 && !at(h).Before(e.Steps[0].At)
				if ok {
					require.Equal(t, at(h).Sub(newest), got)
					over = got > limit
				}
				in := false
				for _, b := range breaches {
					in = in || at(h).After(b.From) && at(h).Before(b.Until)
				}
				require.Equal(t, over, in, "%v h", h)
			}
			for i, b := range breaches {
				require.True(t, b.From.Before(b.Until))
				require.True(t, i == 0 || breaches[i-1].Until.Before(b.From))
			}
		}
	})
}

func BenchmarkExposureOf100000Points(b *testing.B) {
	o := plan.Observed{At: at(200_000)}
	for i := range 100_000 {
		p := plan.ObservedPoint{ID: fmt.Sprint(i), Level: plan.Files, Taken: at(float64(i)), Copies: []plan.ObservedCopy{copyAt("a", plan.OnSite, at(float64(i)+0.5))}}
		if i%24 != 0 {
			p.Parents = []string{fmt.Sprint(i - 1)}
		}
		o.Points = append(o.Points, p)
	}
	b.ReportAllocs()
	for b.Loop() {
		if e := o.Exposure(""); len(e.Steps) != 100_000 {
			b.Fatal(len(e.Steps))
		}
	}
}
