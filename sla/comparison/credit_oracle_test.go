package comparison_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// TestStrongerListsOfTablesOweNoLess: whatever happened to some resources, tables that are stronger together owe no less, by
// packages metric and credit alone.
func TestStrongerListsOfTablesOweNoLess(t *testing.T) {
	seen := map[comparison.Verdict]int{}
	draw := func(t *rapid.T) credit.Table {
		x := drawTable(t)
		x.Objective, x.Minimum, x.Rounding, x.Claim, x.Months = one(t, "of", "all", "all", "each", "low"), "", "", 0, 0
		return x
	}
	rapid.Check(t, func(t *rapid.T) {
		a := some(t, "a", 3, draw)
		b := slices.Clone(a)
		if rapid.Bool().Draw(t, "far") {
			b = some(t, "b", 3, draw)
		}
		for range rapid.IntRange(0, 2).Draw(t, "changes") {
			x := draw(t)
			if len(b) == 0 || rapid.IntRange(0, 4).Draw(t, "more") == 0 {
				b = append(b, x)
				continue
			}
			switch y := &b[rapid.IntRange(0, len(b)-1).Draw(t, "which")]; rapid.IntRange(0, 3).Draw(t, "field") {
			case 0:
				y.Group = x.Group
			case 1:
				y.Cap = x.Cap
			case 2:
				y.Objective = x.Objective
			case 3:
				y.Bands = x.Bands
			}
		}
		agreement := func(list []credit.Table) *sla.Agreement {
			day := metric.Window{Calendar: "day"}
			return &sla.Agreement{Credits: list, Services: []sla.Service{{ID: "paid", Objectives: []metric.Objective{
				{ID: "all", Target: of("99%"), Method: metric.Time, Window: day},
				{ID: "each", Target: of("99%"), Method: metric.Time, Window: day, Scope: "instance"},
				{ID: "low", Target: of("95%"), Method: metric.Time, Window: day},
			}}}}
		}
		verdict := comparison.Overall(comparison.Compare(agreement(a), agreement(b)))
		seen[verdict]++
		if verdict == comparison.Incomparable {
			return
		}
		tuesday := monday.AddDate(0, 0, 1)
		for range 4 {
			h := comparison.History{From: monday, To: tuesday, Services: map[string][]metric.Input{}}
			for range rapid.IntRange(1, 3).Draw(t, "resources") {
				in := metric.Input{States: metric.States{Up: timeline.Line{span(monday, tuesday)}}}
				down := time.Duration(rapid.SampledFrom([]int{0, 0, 14, 15, 71, 73, 143, 145, 1440}).Draw(t, "down")) * time.Minute
				in.States.Down = timeline.Union([]timeline.Span{span(monday, monday.Add(down))})
				if rapid.IntRange(0, 5).Draw(t, "unknown") == 0 {
					in.States.Up = in.States.Up.Without(timeline.Line{span(monday.Add(20*time.Hour), tuesday)})
				}
				h.Services["paid"] = append(h.Services["paid"], in)
			}
			owed := func(list []credit.Table) (low, high float64) {
				all, err := h.Owed(agreement(list))
				require.NoError(t, err)
				if len(list) == 0 {
					return 0, 0
				}
				require.Len(t, all, 1)
				low, _ = all[0].Credit.Low.Rat().Float64()
				high, _ = all[0].Credit.High.Rat().Float64()
				return low, high
			}
			lowA, highA := owed(a)
			lowB, highB := owed(b)
			const little = 1e-12 // sums of three are rounded outward
			if verdict != comparison.Weaker {
				require.True(t, lowB >= lowA-little && highB >= highA-little, "%v %v to %v, %v to %v\n%+v\n%+v\n%+v", verdict, lowA, highA, lowB, highB, a, b, h)
			}
			if verdict != comparison.Stronger {
				require.True(t, lowA >= lowB-little && highA >= highB-little, "%v %v to %v, %v to %v\n%+v\n%+v\n%+v", verdict, lowA, highA, lowB, highB, a, b, h)
			}
		}
	})
	t.Log(seen)
}

// TestWhoIsJudgedAsOneDecidesCredits: of machines that are judged each by itself a fee is owed in parts, which may be less than
// what is owed of all together, or more.
func TestWhoIsJudgedAsOneDecidesCredits(t *testing.T) {
	scoped := func(scope string) *sla.Agreement {
		return offer(month, func(a *sla.Agreement) { a.Services[0].Objectives[0].Scope = scope })
	}
	for _, c := range []struct {
		a, b string
		want comparison.Verdict
	}{{"", "instance", comparison.Incomparable}, {"region", "zone", comparison.Incomparable}, {"instance", "instance", comparison.Equal}} {
		list := comparison.Compare(scoped(c.a), scoped(c.b))
		require.Equal(t, c.want, comparison.Overall(list), "%v", list)
		require.Equal(t, c.want, comparison.Overall(comparison.Compare(scoped(c.b), scoped(c.a))))
	}
	// What a customer asks for need not say how it is reckoned.
	asked, offered := scoped(""), scoped("instance")
	asked.Services[0].Objectives[0].Method = ""
	require.Equal(t, comparison.Stronger, comparison.Overall(comparison.Compare(asked, offered)))
	require.Equal(t, comparison.Weaker, comparison.Overall(comparison.Compare(offered, asked)))
	require.Empty(t, comparison.Meets(offered, asked))
}

// TestACapHoldsForItsGroup: a table that leaves a group takes the group's cap with it, or is capped by less.
func TestACapHoldsForItsGroup(t *testing.T) {
	tables := func(group string) *sla.Agreement {
		return offer(month, func(a *sla.Agreement) {
			band := func(share string) []credit.Band { return []credit.Band{{Below: of("99%"), Credit: of(share)}} }
			a.Credits = []credit.Table{
				{ID: "x", Objective: "o", Bands: band("10%"), Cap: of("10%"), Group: group},
				{ID: "y", Objective: "o", Bands: band("5%"), Cap: of("50%"), Group: "g"},
				{ID: "z", Objective: "o", Bands: band("10%"), Cap: of("10%")},
			}
		})
	}
	h := comparison.History{From: january, To: january.AddDate(0, 1, 0), Services: map[string][]metric.Input{"vm": {resource(january, 24*time.Hour)}}}
	for group, want := range map[string]string{"g": "20%", "": "15%"} {
		list, err := h.Owed(tables(group))
		require.NoError(t, err)
		require.Equal(t, want, list[0].Credit.Low.String())
	}
	require.Equal(t, comparison.Incomparable, comparison.Overall(comparison.Compare(tables("g"), tables(""))))
}

// TestTheCapOfMachinesIsOnTheirMean: what one of them is owed may be more than the cap, in tables that are not valid.
func TestTheCapOfMachinesIsOnTheirMean(t *testing.T) {
	capped := func(share string) *sla.Agreement {
		return offer(month, func(a *sla.Agreement) {
			a.Services[0].Objectives[0].Scope = "instance"
			a.Credits[0].Cap, a.Credits[0].Bands = of("20%"), []credit.Band{{Below: of("99%"), Credit: of(share)}}
		})
	}
	require.Equal(t, comparison.Stronger, comparison.Overall(comparison.Compare(capped("30%"), capped("60%"))))
	inGroup := func(share string) *sla.Agreement { // with another, whose cap holds for both
		a := capped("60%")
		a.Services[0].Objectives = append(a.Services[0].Objectives, metric.Objective{ID: "p", Target: of("99%"), Method: metric.Time, Window: month})
		other := a.Credits[0]
		other.ID, other.Objective, other.Bands, other.Cap, other.Group = "d", "p", []credit.Band{{Below: of("1%"), Credit: of("1%")}}, of("100%"), "g"
		a.Credits[0].Cap, a.Credits[0].Group = of(share), "g"
		a.Credits = append(a.Credits, other)
		return a
	}
	require.Equal(t, comparison.Stronger, comparison.Overall(comparison.Compare(inGroup("20%"), inGroup("30%"))))
}
