package comparison_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// quarter is the time of these tests: January to March, of 31, 28 and 31 days.
var (
	january = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	april   = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
)

func span(from, to time.Time) timeline.Span {
	return timeline.Span{Start: from.UnixMilli(), End: to.UnixMilli()}
}

// resource was up in the quarter but for a time from a moment on.
func resource(at time.Time, down time.Duration) metric.Input {
	return metric.Input{States: metric.States{Up: timeline.Line{span(january, april)}, Down: timeline.Union([]timeline.Span{span(at, at.Add(down))})}}
}

// offer owes 10 % below 99 % and 50 % below 90 %, in windows of its own.
func offer(w metric.Window, do ...func(*sla.Agreement)) *sla.Agreement {
	a := &sla.Agreement{
		Services: []sla.Service{{ID: "vm", Objectives: []metric.Objective{{ID: "o", Target: of("99%"), Method: metric.Time, Window: w}}}},
		Credits:  []credit.Table{{ID: "c", Objective: "o", Bands: []credit.Band{{Below: of("99%"), Credit: of("10%")}, {Below: of("90%"), Credit: of("50%")}}}},
	}
	for _, f := range do {
		f(a)
	}
	return a
}

var month, quarterly = metric.Window{Calendar: "month"}, metric.Window{Calendar: "quarter"}

func TestWhatIsOwedForAHistory(t *testing.T) {
	// February has 672 hours: 1 % is 6.72 hours, and 10 % are 67.2.
	at := time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)
	h := func(down ...time.Duration) comparison.History {
		out := comparison.History{From: january, To: april, Services: map[string][]metric.Input{"other": nil}}
		for _, d := range down {
			out.Services["vm"] = append(out.Services["vm"], resource(at, d))
		}
		return out
	}
	hour := func(n float64) time.Duration { return time.Duration(n * float64(time.Hour)) }
	scoped := func(a *sla.Agreement) { a.Services[0].Objectives[0].Scope = "instance" }
	for _, c := range []struct {
		name  string
		offer *sla.Agreement
		h     comparison.History
		want  []string // credits of the periods
	}{
		{"exactly at target", offer(month), h(hour(6.72)), []string{"0%", "0%", "0%"}},
		{"a millisecond below", offer(month), h(hour(6.72) + time.Millisecond), []string{"0%", "10%", "0%"}},
		{"exactly at a band", offer(month), h(hour(67.2)), []string{"0%", "10%", "0%"}},
		{"below a band", offer(month), h(hour(67.2) + time.Millisecond), []string{"0%", "50%", "0%"}},
		{"of a quarter", offer(quarterly), h(hour(67.2)), []string{"10%"}},
		{"together", offer(month), h(hour(67.2), 0), []string{"0%", "10%", "0%"}},
		{"each by itself", offer(month, scoped), h(hour(67.3), 0), []string{"0%", "25%", "0%"}},
		{"rolling", offer(metric.Window{Rolling: metric.Duration(hour(720))}), h(hour(67.2)), []string{"0%", "10%", "0%"}},
		{"rolling for longer than the history", offer(metric.Window{Rolling: metric.Duration(hour(3000))}), h(hour(67.2)), nil},
		{"capped", offer(month, func(a *sla.Agreement) { a.Credits[0].Cap = of("20%") }), h(hour(100)), []string{"0%", "20%", "0%"}},
		{"two tables", offer(month, func(a *sla.Agreement) { a.Credits = append(a.Credits, a.Credits[0]) }), h(hour(10)), []string{"0%", "20%", "0%"}},
		{"no evidence of it", offer(month, func(a *sla.Agreement) { a.Services[0].ID = "x" }), h(hour(10)), nil},
		{"no tables", offer(month, func(a *sla.Agreement) { a.Credits = nil }), h(hour(10)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := c.h.Owed(c.offer)
			require.NoError(t, err)
			var got []string
			for _, o := range list {
				require.Equal(t, "vm", o.Service)
				require.Equal(t, 0, o.Credit.Low.Cmp(o.Credit.High))
				got = append(got, o.Credit.Low.String())
			}
			require.Equal(t, c.want, got)
		})
	}
	list, err := h(hour(10)).Owed(offer(month))
	require.NoError(t, err)
	require.Equal(t, span(january, january.AddDate(0, 1, 0)), list[0].Period)
	list, err = comparison.History{From: january.Add(1), To: april, Services: h(0).Services}.Owed(offer(month))
	require.NoError(t, err)
	require.Len(t, list, 3, "less than a millisecond is none")
	list, err = comparison.History{From: january.Add(time.Millisecond), To: april.Add(-time.Millisecond), Services: h(0).Services}.Owed(offer(month))
	require.NoError(t, err)
	require.Len(t, list, 1, "only February lies in it as a whole")
}

func TestCreditsForTheSameHistory(t *testing.T) {
	at := time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)
	h := comparison.History{From: january, To: april, Services: map[string][]metric.Input{"vm": {resource(at, 10*time.Hour)}}}
	more := offer(month, func(a *sla.Agreement) { a.Credits[0].Bands[0].Credit = of("20%") })
	lower := offer(month, func(a *sla.Agreement) { a.Credits[0].Bands[0].Below = of("98%") })
	runs := func(n int) *sla.Agreement { // bad minutes count in runs of so many hours
		return offer(month, func(a *sla.Agreement) {
			o := &a.Services[0].Objectives[0]
			o.Method, o.Slice, o.Run = metric.Slices, hours(1), n
		})
	}
	for _, c := range []struct {
		name string
		a, b *sla.Agreement
		want string
	}{
		{"the same", offer(month), offer(month), ""},
		{"another name", offer(month), offer(month, func(a *sla.Agreement) { a.Credits[0].ID = "x" }), ""},
		{"more", offer(month), more, "stronger 3.111% 6.222%"}, // 28 of 90 days
		{"a band that was not reached", offer(month), lower, "weaker 3.111% 0.000%"},
		{"runs that were long enough", runs(1), runs(10), ""},
		{"runs that were too short", runs(1), runs(11), "weaker 3.111% 0.000%"},
		{"of a quarter", offer(month), offer(quarterly), "weaker 3.111% 0.000%"}, // 10 of 2,160 hours
		{"none", offer(month), nil, "weaker 3.111% 0.000%"},
		{"another service", offer(month), offer(month, func(a *sla.Agreement) { a.Services[0].ID = "x" }), "weaker 3.111% 0.000%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, side := range [][2]*sla.Agreement{{c.a, c.b}, {c.b, c.a}} {
				list, err := comparison.Credits(side[0], side[1], h)
				require.NoError(t, err)
				if c.want == "" {
					require.Empty(t, list)
					continue
				}
				require.Len(t, list, 1)
				d := list[0]
				require.Equal(t, "credits[service=vm]", d.Path)
				if i == 1 {
					d.Verdict, d.A, d.B = d.Verdict.Reverse(), d.B, d.A
				}
				require.Equal(t, c.want, string(d.Verdict)+" "+d.A+" "+d.B)
			}
		})
	}
}

func TestWhatIsNotKnownDecidesOnlyWhereItMust(t *testing.T) {
	h := comparison.History{From: january, To: april, Services: map[string][]metric.Input{"vm": {
		{States: metric.States{Up: timeline.Line{span(january, april.AddDate(0, 0, -10))}}}}}} // nothing is known of ten days in March
	more := offer(month, func(a *sla.Agreement) { a.Credits[0].Bands[1].Credit = of("60%") })
	other := offer(month, func(a *sla.Agreement) {
		a.Credits[0].Bands = []credit.Band{{Below: of("99%"), Credit: of("5%")}, {Below: of("90%"), Credit: of("60%")}}
	})
	list, err := comparison.Credits(offer(month), offer(month), h)
	require.NoError(t, err)
	require.Empty(t, list, "whatever it was, both owe the same")
	list, err = comparison.Credits(offer(month), more, h)
	require.NoError(t, err)
	require.Equal(t, []comparison.Difference{{Path: "credits[service=vm]", Clause: "7.2.1", Verdict: comparison.Stronger,
		A: "0.000% to 17.222%", B: "0.000% to 20.667%", Reason: "more is owed for the same history"}}, list)
	claimed := func(a *sla.Agreement) {
		c := &a.Credits[0]
		c.Claim, c.Minimum, c.Rounding = hours(720), "1.00 EUR", credit.Down
	}
	list, err = comparison.Credits(offer(month), offer(month, claimed), h)
	require.NoError(t, err)
	require.Empty(t, list, "how long a claim may be made is no share of a fee")
	claimed(more)
	list, err = comparison.Credits(offer(month), more, h)
	require.NoError(t, err)
	require.Equal(t, comparison.Stronger, list[0].Verdict)
	require.NotEmpty(t, more.Credits[0].Claim, "what is compared stays as it is")
	list, err = comparison.Credits(offer(month), other, h)
	require.NoError(t, err)
	require.Equal(t, comparison.Incomparable, list[0].Verdict)
	require.Equal(t, "it hangs on what is not known of the history", list[0].Reason)
}

func TestHistoriesThatAreRefused(t *testing.T) {
	in := map[string][]metric.Input{"vm": {resource(january, 0)}}
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		name     string
		from, to time.Time
		w        metric.Window
		do       func(*sla.Agreement)
		want     string
	}{
		{"reversed", april, january, month, nil, "it ends before it begins"},
		{"empty", april, april, month, nil, "it ends before it begins"},
		{"before all time", year(0), january, month, nil, "the years 1 to 9998"},
		{"after all time", january, year(9999), month, nil, "the years 1 to 9998"},
		{"too many periods", january, april, metric.Window{Rolling: metric.Duration(time.Millisecond)}, nil, "more than 10000 periods"},
		{"no window", january, april, metric.Window{}, nil, "window"},
		{"another calendar", january, april, metric.Window{Calendar: "moon"}, nil, "window"},
		{"too many periods of all tables", january, april, metric.Window{Rolling: hours(1)}, func(a *sla.Agreement) {
			for range 47 { // 2,160 hours each
				a.Credits = append(a.Credits, a.Credits[0])
			}
		}, "more than 100000 periods of a window in all"},
		{"no method", january, april, month, func(a *sla.Agreement) { a.Services[0].Objectives[0].Method = "" }, `credits "c"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := offer(c.w)
			if c.do != nil {
				c.do(a)
			}
			h := comparison.History{From: c.from, To: c.to, Services: in}
			_, err := h.Owed(a)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			_, err = comparison.Credits(a, nil, h)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			_, err = comparison.Credits(nil, a, h)
			require.ErrorIs(t, err, opsec.ErrInvalid)
		})
	}
	last := time.Date(9998, 12, 1, 0, 0, 0, 0, time.UTC)
	list, err := comparison.History{From: last, To: last.AddDate(0, 0, 30), Services: in}.Owed(offer(metric.Window{Rolling: hours(31 * 24)}))
	require.NoError(t, err)
	require.Empty(t, list, "a window that ends after the history, and after all time")
	list, err = comparison.History{From: last.AddDate(0, 0, -1), To: last.AddDate(0, 0, 30), Services: in}.Owed(offer(metric.Window{Rolling: hours(31 * 24)}))
	require.NoError(t, err)
	require.Len(t, list, 1, "one that ends with the history")
	list, err = comparison.History{From: january, To: january.Add(1), Services: in}.Owed(offer(month))
	require.NoError(t, err)
	require.Empty(t, list)
	diff, err := comparison.Credits(offer(month), nil, comparison.History{From: january, To: january.Add(1), Services: in})
	require.NoError(t, err)
	require.Empty(t, diff)
}

// TestOnlyWhatIsOwedInEffectCounts: a credit beyond the cap, and one for a figure that reaches the target, are owed by nobody.
func TestOnlyWhatIsOwedInEffectCounts(t *testing.T) {
	capped := func(credit string) *sla.Agreement {
		return offer(month, func(a *sla.Agreement) { a.Credits[0].Cap, a.Credits[0].Bands[1].Credit = of("20%"), of(credit) })
	}
	require.Empty(t, comparison.Compare(capped("50%"), capped("60%")))
	require.Empty(t, comparison.Compare(capped("20%"), capped("60%")))
	require.Equal(t, comparison.Weaker, comparison.Overall(comparison.Compare(capped("50%"), capped("19%"))))
	below := func(figure string) *sla.Agreement {
		return offer(month, func(a *sla.Agreement) {
			a.Services[0].Objectives[0].Target, a.Credits[0].Bands[0].Below = of("95%"), of(figure)
		})
	}
	require.Empty(t, comparison.Compare(below("95%"), below("99%")))
	require.Equal(t, comparison.Weaker, comparison.Overall(comparison.Compare(below("95%"), below("94%"))))
}
