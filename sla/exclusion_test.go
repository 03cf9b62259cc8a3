package sla_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/responsibility"
	"github.com/cloudopsec/opsec/sla/timeline"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// planned is maintenance of the sample that holds: of two hours, told four days before.
func planned(change func(e *sla.Exclusion)) sla.Exclusion {
	e := sla.Exclusion{ID: "m1", Rule: "planned", Start: at("2026-03-10T01:00:00Z"), End: at("2026-03-10T03:00:00Z"), Noticed: at("2026-03-06T00:00:00Z"),
		Approved: "Kim", Role: "change-board", Reason: "firmware"}
	if change != nil {
		change(&e)
	}
	return e
}

func span(from, to string) timeline.Span {
	return timeline.Span{Start: at(from).UnixMilli(), End: at(to).UnixMilli()}
}

func TestAnExclusionHoldsAsFarAsItsRuleGoes(t *testing.T) {
	two := timeline.Line{span("2026-03-10T01:00:00Z", "2026-03-10T03:00:00Z")}
	for name, c := range map[string]struct {
		change func(e *sla.Exclusion)
		within timeline.Line
		why    string
	}{
		"as agreed":              {nil, two, ""},
		"told just in time":      {func(e *sla.Exclusion) { e.Noticed = e.Start.Add(-72 * time.Hour) }, two, ""},
		"told a nanosecond late": {func(e *sla.Exclusion) { e.Noticed = e.Start.Add(-72*time.Hour + 1) }, nil, "the customer was told 2 d 23 h 59 min 59 s 999 ms 999999 ns before, and 3 d are agreed"},
		"not told":               {func(e *sla.Exclusion) { e.Noticed = time.Time{} }, nil, "when the customer was told is not said; 3 d before are agreed"},
		"told after":             {func(e *sla.Exclusion) { e.Noticed = e.End }, nil, "the customer was told when it had begun; 3 d before are agreed"},
		"told as it begins":      {func(e *sla.Exclusion) { e.Noticed = e.Start }, nil, "the customer was told as it began; 3 d before are agreed"},
		"told in no calendar":    {func(e *sla.Exclusion) { e.Noticed = time.Unix(math.MaxInt64-62135596801, 0) }, nil, "the customer was told when it had begun; 3 d before are agreed"},
		"nobody approved":        {func(e *sla.Exclusion) { e.Approved = " " }, nil, "it was not approved by the role of change-board"},
		"another role approved":  {func(e *sla.Exclusion) { e.Role = "customer" }, nil, "it was not approved by the role of change-board"},
		"no rule":                {func(e *sla.Exclusion) { e.Rule = "x" }, nil, "no rule of the agreement covers it"},
		"no id":                  {func(e *sla.Exclusion) { e.ID = "" }, nil, "it has no id"},
		"no reason":              {func(e *sla.Exclusion) { e.Reason = "" }, nil, "it gives no reason"},
		"open":                   {func(e *sla.Exclusion) { e.End = time.Time{} }, nil, "it has no start, or no end"},
		"reversed":               {func(e *sla.Exclusion) { e.End = e.Start.Add(-1) }, nil, "it ends before it starts"},
		"empty":                  {func(e *sla.Exclusion) { e.End = e.Start }, nil, "it ends before it starts"},
		"below a millisecond":    {func(e *sla.Exclusion) { e.End = e.Start.Add(999_999) }, nil, "it is shorter than a millisecond"},
		"a millisecond":          {func(e *sla.Exclusion) { e.End = e.Start.Add(1_999_999) }, timeline.Line{{Start: two[0].Start, End: two[0].Start + 1}}, ""},
		"at the bound":           {func(e *sla.Exclusion) { e.End = e.Start.Add(4 * time.Hour) }, timeline.Line{{Start: two[0].Start, End: two[0].Start + 4*3_600_000}}, ""},
		"longer":                 {func(e *sla.Exclusion) { e.End = e.Start.Add(4*time.Hour + time.Millisecond) }, timeline.Line{{Start: two[0].Start, End: two[0].Start + 4*3_600_000}}, "it goes on for longer than 4 h"},
		"before the agreement": {func(e *sla.Exclusion) {
			e.Start, e.End = at("2026-02-28T20:00:00Z"), at("2026-02-28T23:00:00Z")
			e.Noticed = at("2026-02-01T00:00:00Z")
		}, nil, "the agreement was not in force all of the time"},
		"as the agreement begins": {func(e *sla.Exclusion) {
			e.Start, e.End = at("2026-02-28T22:00:00Z"), at("2026-03-01T00:00:00Z")
			e.Noticed = at("2026-02-01T00:00:00Z")
		}, timeline.Line{span("2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z")}, "the agreement was not in force all of the time"},
		"as the agreement expires": {func(e *sla.Exclusion) { e.Start, e.End = at("2027-02-28T22:00:00Z"), at("2027-03-01T00:00:00Z") }, timeline.Line{span("2027-02-28T22:00:00Z", "2027-02-28T23:00:00Z")}, "the agreement was not in force all of the time"},
		"before all calendars":     {func(e *sla.Exclusion) { e.Start = time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC) }, nil, "its start or its end is no time of a calendar"},
		"far future":               {func(e *sla.Exclusion) { e.Start, e.End = time.Unix(1<<55, 0), time.Unix(1<<55+1, 0) }, nil, "its start or its end is no time of a calendar"},
		"for no service":           {func(e *sla.Exclusion) { e.Services = []string{"x"} }, nil, "it is for no service that the rule covers"},
		"for a service twice":      {func(e *sla.Exclusion) { e.Services = []string{"storage", "storage"} }, two, ""},
		"for a service and none":   {func(e *sla.Exclusion) { e.Services = []string{"storage", "x"} }, two, "not for all services that it names: the rule does not cover them"},
	} {
		e := planned(c.change)
		got, err := sample(t, "iaas").Judge([]sla.Exclusion{e})
		require.NoError(t, err)
		require.Equal(t, c.why, got[0].Why, name)
		require.Equal(t, len(c.within) > 0, got[0].Valid(), name)
		if got[0].Valid() {
			require.Equal(t, c.within, got[0].Within, name)
			require.Equal(t, c.within, got.Of("storage"), name)
		} else {
			require.Empty(t, got.Of("storage"), name)
		}
		require.Empty(t, got.Of("x"))
	}
	require.Equal(t, []string{"compute", "storage"}, must(sample(t, "iaas").Judge([]sla.Exclusion{planned(nil)}))[0].Services)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAFaultIsTheCustomersOnlyInTheCustomersLayer(t *testing.T) {
	for layer, ok := range map[responsibility.Layer]bool{
		responsibility.Application: true, responsibility.Terminal: true, responsibility.GuestOS: false /* shared */, responsibility.Network: false, "": false, "x": false,
	} {
		got, err := sample(t, "iaas").Judge([]sla.Exclusion{{ID: "c", Rule: "customer", Start: at("2026-03-10T00:00:00Z"), End: at("2026-03-10T01:00:00Z"), Reason: "full disk", Layer: layer}})
		require.NoError(t, err)
		require.Equal(t, ok, got[0].Valid(), layer)
	}
	a := sample(t, "iaas")
	a.Responsibilities.Assignments = append(a.Responsibilities.Assignments, responsibility.Assignment{Layer: responsibility.Application, Party: opsec.CSC})
	got, err := a.Judge([]sla.Exclusion{{ID: "c", Rule: "customer", Start: at("2026-03-10T00:00:00Z"), End: at("2026-03-10T01:00:00Z"), Reason: "full disk", Layer: responsibility.Application}})
	require.NoError(t, err)
	require.False(t, got[0].Valid(), "two masters")
}

func TestOneTimeIsNotCutIntoMany(t *testing.T) {
	var list []sla.Exclusion
	for i := range 6 { // six hours without a gap
		list = append(list, planned(func(e *sla.Exclusion) {
			e.ID, e.Start = fmt.Sprint(i), e.Start.Add(time.Duration(i)*time.Hour)
			e.End = e.Start.Add(time.Hour)
		}))
	}
	got, err := sample(t, "iaas").Judge(list)
	require.NoError(t, err)
	require.Equal(t, timeline.Line{span("2026-03-10T01:00:00Z", "2026-03-10T05:00:00Z")}, got.Of("compute"))
	require.Equal(t, "it goes on for longer than 4 h", got[4].Why)
	for of, without := range map[string]string{"storage": "compute", "compute": "storage"} {
		list[3].Services = []string{of} // a gap for the other, and none for this one: the others are for both
		got, err = sample(t, "iaas").Judge(list)
		require.NoError(t, err)
		require.Equal(t, timeline.Line{span("2026-03-10T01:00:00Z", "2026-03-10T05:00:00Z")}, got.Of(of))
		require.Equal(t, timeline.Line{span("2026-03-10T01:00:00Z", "2026-03-10T04:00:00Z")}, got.Of(without))
	}
}

func TestTheYearIsThatOfTheZone(t *testing.T) {
	a := sample(t, "iaas")
	a.Exclusions[0].Yearly = 2 * hour
	list := []sla.Exclusion{
		planned(func(e *sla.Exclusion) {
			e.ID, e.Start, e.End = "1", at("2026-12-01T00:00:00Z"), at("2026-12-01T01:30:00Z")
		}),
		planned(func(e *sla.Exclusion) {
			e.ID, e.Start, e.End = "2", at("2026-12-31T22:00:00Z"), at("2026-12-31T23:59:00Z")
		}), // Berlin: 2027 from 23:00 on
	}
	got, err := a.Judge(list)
	require.NoError(t, err)
	require.Equal(t, timeline.Line{span("2026-12-31T22:00:00Z", "2026-12-31T22:30:00Z"), span("2026-12-31T23:00:00Z", "2026-12-31T23:59:00Z")}, got[1].Within)
	require.Equal(t, "the 2 h of a calendar year are used up", got[1].Why)
	a.Zone = "nowhere"
	_, err = a.Judge(list)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// Where the clock was set at the end of a year there was no midnight: in Bissau 1974 ended at 24:00, and 1975 began at 01:00.
func TestAYearThatBeginsWithoutMidnight(t *testing.T) {
	a := sample(t, "iaas")
	a.Zone, a.Effective, a.Exclusions[0].Yearly, a.Exclusions[0].Longest = "Africa/Bissau", at("1970-01-01T00:00:00Z"), 2*hour, 0
	e := planned(func(e *sla.Exclusion) {
		e.Start, e.End, e.Noticed = at("1974-12-31T20:00:00Z"), at("1976-01-01T05:00:00Z"), at("1974-01-01T00:00:00Z")
	})
	got, err := a.Judge([]sla.Exclusion{e})
	require.NoError(t, err)
	require.Equal(t, timeline.Line{span("1974-12-31T20:00:00Z", "1974-12-31T22:00:00Z"), span("1975-01-01T01:00:00Z", "1975-01-01T03:00:00Z"), span("1976-01-01T00:00:00Z", "1976-01-01T02:00:00Z")}, got[0].Within)
}

func TestOneIdIsOneExclusion(t *testing.T) {
	a := sample(t, "iaas")
	e := planned(nil)
	again := e
	again.Start = e.Start.In(time.FixedZone("", 3600)) // the same moment
	got, err := a.Judge([]sla.Exclusion{e, again})
	require.NoError(t, err)
	require.Equal(t, got[0], got[1])
	require.True(t, got[0].Valid())
	again.Reason = "something else"
	got, err = a.Judge([]sla.Exclusion{e, again, e})
	require.NoError(t, err)
	for _, r := range got {
		require.False(t, r.Valid())
		require.Equal(t, "several exclusions that differ have this id", r.Why)
	}
	again = e
	again.Noticed = e.Noticed.Add(-time.Hour)
	got, err = a.Judge([]sla.Exclusion{e, again})
	require.NoError(t, err)
	require.False(t, got[0].Valid() || got[1].Valid())
	again = e
	again.Services = []string{"storage"}
	got, err = a.Judge([]sla.Exclusion{e, again})
	require.NoError(t, err)
	require.False(t, got[0].Valid() || got[1].Valid())
	again = e
	again.End = e.End.Add(1)
	got, err = a.Judge([]sla.Exclusion{e, again})
	require.NoError(t, err)
	require.False(t, got[0].Valid() || got[1].Valid())
	got, err = a.Judge(nil)
	require.NoError(t, err)
	require.Empty(t, got)
	a.Exclusions[0].Yearly = -hour // which is no bound
	_, err = a.Judge([]sla.Exclusion{e})
	require.Equal(t, []string{"exclusions[0].yearly invalid"}, list(err))
}

// drawn makes an agreement with odd rules around the end of a year, which some places began by setting their clocks, and
// exclusions in whole minutes from a day on.
func drawn(t *rapid.T) (*sla.Agreement, []sla.Exclusion, time.Time) {
	a := sample(t, "iaas")
	ends := map[string]string{"UTC": "2026", "Europe/Berlin": "2026", "Pacific/Auckland": "2026", "America/St_Johns": "2026",
		"Africa/Bissau": "1974", "America/Aruba": "1964", "Pacific/Kiritimati": "1994", "Asia/Pyongyang": "2027"}
	a.Zone = rapid.SampledFrom(slices.Sorted(maps.Keys(ends))).Draw(t, "zone")
	base := at(ends[a.Zone] + "-12-31T00:00:00Z")
	minutes := func(name string, least, most int) time.Duration {
		return time.Duration(rapid.IntRange(least, most).Draw(t, name)) * time.Minute
	}
	a.Effective = base.Add(-minutes("effective", -100, 2000))
	a.Expires = time.Time{}
	if rapid.Bool().Draw(t, "expires") {
		a.Expires = a.Effective.Add(minutes("expires after", 1, 3000))
	}
	a.Exclusions = nil
	for i := range 2 {
		r := sla.ExclusionRule{ID: fmt.Sprint("r", i), Category: sla.ForceMajeure, Text: "x"}
		r.Longest = metric.Duration(minutes("longest", 0, 300))
		r.Yearly = metric.Duration(minutes("yearly", 0, 900))
		if rapid.Bool().Draw(t, "of one") {
			r.Services = []string{"compute"}
		}
		a.Exclusions = append(a.Exclusions, r)
	}
	var list []sla.Exclusion
	for i := range rapid.IntRange(0, 12).Draw(t, "n") {
		e := sla.Exclusion{ID: fmt.Sprint(i), Rule: fmt.Sprint("r", rapid.IntRange(0, 1).Draw(t, "rule")), Reason: "x"}
		e.Start = base.Add(minutes("start", 0, 1440))
		e.End = e.Start.Add(minutes("length", 1, 400))
		e.Services = [][]string{nil, {"compute"}, {"storage"}, {"storage", "compute"}}[rapid.IntRange(0, 3).Draw(t, "services")]
		list = append(list, e)
	}
	return a, list, base
}

// The rulings are those of minutes that are looked at one by one.
func TestRulingsAreAsMinuteByMinute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, list, base := drawn(t)
		base = base.AddDate(0, 0, -1)
		zone, err := time.LoadLocation(a.Zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Judge(list)
		if err != nil {
			t.Fatal(err)
		}
		const day = 24 * 60
		minute := func(t time.Time) int { return int(t.Sub(base) / time.Minute) }
		of := func(e sla.Exclusion, rule sla.ExclusionRule) (services []string) {
			for _, s := range []string{"compute", "storage"} {
				if (e.Services == nil || slices.Contains(e.Services, s)) && (rule.Services == nil || s == "compute") {
					services = append(services, s)
				}
			}
			return services
		}
		allowed := make([]map[int]bool, len(list))
		for _, rule := range a.Exclusions {
			asked := map[string][]bool{"compute": make([]bool, 5*day), "storage": make([]bool, 5*day)}
			for _, e := range list {
				if e.Rule == rule.ID {
					for _, s := range of(e, rule) {
						for m := minute(e.Start); m < minute(e.End); m++ {
							asked[s][m] = true
						}
					}
				}
			}
			var union [5 * day]bool
			for i, e := range list {
				if e.Rule != rule.ID {
					continue
				}
				allowed[i] = map[int]bool{}
				begin := minute(e.Start)
				for _, s := range of(e, rule) {
					m := minute(e.Start)
					for m > 0 && asked[s][m-1] {
						m--
					}
					begin = min(begin, m)
				}
				for m := minute(e.Start); m < minute(e.End) && len(of(e, rule)) > 0; m++ {
					if rule.Longest == 0 || m < begin+int(time.Duration(rule.Longest)/time.Minute) {
						allowed[i][m], union[m] = true, true
					}
				}
			}
			used := map[int]int{}
			for m := range union {
				if !union[m] || rule.Yearly == 0 {
					continue
				}
				y := base.Add(time.Duration(m) * time.Minute).In(zone).Year()
				if used[y] >= int(time.Duration(rule.Yearly)/time.Minute) {
					for i, e := range list {
						if e.Rule == rule.ID {
							delete(allowed[i], m)
						}
					}
					continue
				}
				used[y]++
			}
		}
		for i := range list {
			for m := range 5 * day {
				now := base.Add(time.Duration(m) * time.Minute)
				want := allowed[i][m] && !now.Before(a.Effective) && (a.Expires.IsZero() || now.Before(a.Expires))
				if got[i].Within.Has(now.UnixMilli()) != want {
					t.Fatalf("%s at %v: want %v, %+v", list[i].ID, now, want, got[i])
				}
			}
			if got[i].Valid() && got[i].Why == "" && got[i].Within.Length() != uint64(list[i].End.Sub(list[i].Start).Milliseconds()) {
				t.Fatalf("a part is missing without a reason: %+v", got[i])
			}
		}
	})
}

func TestTheOrderOfExclusionsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, list, _ := drawn(t)
		if len(list) > 1 && rapid.Bool().Draw(t, "twice") {
			list = append(list, list[0])
		}
		want, err := a.Judge(list)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Judge(rapid.Permutation(list).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]string{}
		for _, r := range want {
			by[r.ID] = fmt.Sprint(r)
		}
		for _, r := range got {
			if by[r.ID] != fmt.Sprint(r) {
				t.Fatalf("%v\n%v", r, by[r.ID])
			}
		}
	})
}

// What is excluded is within what was asked for, and never more than the rule's year.
func TestNothingIsExcludedBeyondTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, list, _ := drawn(t)
		got, err := a.Judge(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range a.Exclusions {
			var all []timeline.Span
			for _, r := range got {
				if r.Rule != rule.ID {
					continue
				}
				all = append(all, r.Within...)
				if len(r.Within.Without(timeline.Line{{Start: r.Start.UnixMilli(), End: r.End.UnixMilli()}})) > 0 {
					t.Fatalf("more than was asked for: %+v", r)
				}
			}
			if y := time.Duration(rule.Yearly); y > 0 && timeline.Union(all).Length() > uint64(2*y.Milliseconds()) { // two years are touched
				t.Fatalf("%v", rule)
			}
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	a := sample(b, "iaas")
	list := make([]sla.Exclusion, 1000)
	for i := range list {
		list[i] = planned(func(e *sla.Exclusion) {
			e.ID, e.Start = fmt.Sprint(i), e.Start.Add(time.Duration(i)*5*time.Hour)
			e.End = e.Start.Add(time.Hour)
		})
	}
	for b.Loop() {
		if _, err := a.Judge(list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/exclusion")
}
