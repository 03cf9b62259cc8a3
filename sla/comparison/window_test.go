package comparison_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/metric"
)

// TestWindowsThatMakeUpOthers: what holds in each part holds in the whole, unless runs or slices go across its edges.
func TestWindowsThatMakeUpOthers(t *testing.T) {
	const stronger, incomparable, equal = comparison.Stronger, comparison.Incomparable, comparison.Equal
	rolling := func(h float64) metric.Window { return metric.Window{Rolling: hours(h)} }
	by := func(calendar string) metric.Window { return metric.Window{Calendar: calendar, Zone: "Europe/Berlin"} }
	slices := func(run int, size time.Duration) func(*metric.Objective) {
		return func(o *metric.Objective) { o.Method, o.Slice, o.Run = metric.Slices, metric.Duration(size), run }
	}
	requests := func(o *metric.Objective) { o.Method = metric.Requests }
	minute, quarter, hour := time.Minute, 15*time.Minute, time.Hour
	for _, c := range []struct {
		name string
		a, b metric.Window
		doA  func(*metric.Objective)
		doB  func(*metric.Objective)
		want comparison.Verdict
	}{
		{"day of week", by("week"), by("day"), nil, nil, stronger},
		{"day of month", by("month"), by("day"), nil, nil, stronger},
		{"day of quarter", by("quarter"), by("day"), nil, nil, stronger},
		{"day of year", by("year"), by("day"), nil, nil, stronger},
		{"month of quarter", by("quarter"), by("month"), nil, nil, stronger},
		{"month of year", by("year"), by("month"), nil, nil, stronger},
		{"quarter of year", by("year"), by("quarter"), nil, nil, stronger},
		{"week of month", by("month"), by("week"), nil, nil, incomparable},
		{"week of quarter", by("quarter"), by("week"), nil, nil, incomparable},
		{"week of year", by("year"), by("week"), nil, nil, incomparable},
		{"day of a month elsewhere", by("month"), metric.Window{Calendar: "day"}, nil, nil, incomparable},
		{"UTC is the default", metric.Window{Calendar: "month", Zone: "UTC"}, metric.Window{Calendar: "month"}, nil, nil, equal},
		{"half of a day", rolling(24), rolling(12), nil, nil, stronger},
		{"not a part of it", rolling(36), rolling(24), nil, nil, incomparable},
		{"rolling days", by("day"), rolling(24), nil, nil, incomparable},
		{"a day of those that roll", rolling(24), by("day"), nil, nil, incomparable},
		{"by requests", by("month"), by("day"), requests, requests, stronger},
		{"slices", by("month"), by("day"), slices(1, minute), slices(1, minute), stronger},
		{"slices that always fit", by("month"), by("day"), slices(1, quarter), slices(1, quarter), stronger},
		{"slices that a change of the clock shifts", by("month"), by("day"), slices(1, hour), slices(1, hour), incomparable},
		{"slices that fit, of hours that roll", rolling(24), rolling(12), slices(1, hour), slices(1, hour), stronger},
		{"slices that do not fit", rolling(1), rolling(0.5), slices(1, 20*minute), slices(1, 20*minute), incomparable},
		{"slices that are longer than the part", rolling(1), rolling(0.25), slices(1, 30*minute), slices(1, 30*minute), incomparable},
		{"slices of less than nothing", by("month"), by("day"), slices(1, -minute), slices(1, -minute), incomparable},
		{"runs across midnight", by("month"), by("day"), slices(2, minute), slices(2, minute), incomparable},
		{"runs across midnight, in the whole alone", by("month"), by("day"), slices(2, minute), slices(1, minute), stronger},
		{"runs across midnight, in the part alone", by("month"), by("day"), slices(1, minute), slices(2, minute), incomparable},
		{"longer slices of the same window", by("month"), by("month"), slices(2, hour), slices(2, hour), equal},
		{"nothing is asked of how", by("month"), by("day"), func(o *metric.Objective) { o.Method = "" }, nil, stronger},
		{"nothing is said of how", by("month"), by("day"), func(o *metric.Objective) { o.Method = "" }, func(o *metric.Objective) { o.Method = "" }, incomparable},
		{"no window is asked for", metric.Window{}, by("year"), nil, nil, stronger},
		{"windows that are none", metric.Window{Zone: "UTC"}, metric.Window{Zone: "UTC", Rolling: metric.Duration(hour)}, nil, nil, incomparable},
		{"windows of less than nothing", rolling(-2), rolling(-1), nil, nil, incomparable},
		{"a part of less than nothing", rolling(-2), rolling(1), nil, nil, incomparable},
		{"a window of less than nothing", rolling(24), rolling(-1), nil, nil, incomparable},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := metric.Objective{ID: "x", Target: of("99%"), Method: metric.Time, Window: c.a}
			b := metric.Objective{ID: "x", Target: of("99%"), Method: metric.Time, Window: c.b}
			for o, do := range map[*metric.Objective]func(*metric.Objective){&a: c.doA, &b: c.doB} {
				if do != nil {
					do(o)
				}
			}
			list := comparison.Compare(promise(a), promise(b))
			require.Equal(t, c.want, comparison.Overall(list), "%v", list)
			require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(promise(b), promise(a))))
		})
	}
}

// TestSlicesOfFewRequests: where empty slices are good it is stricter to count more of them; where they are unknown, or left
// out, other slices count, which may be better or worse.
func TestSlicesOfFewRequests(t *testing.T) {
	for _, c := range []struct {
		a    metric.Empty
		fewA uint64
		b    metric.Empty
		fewB uint64
		want comparison.Verdict
	}{
		{metric.EmptyGood, 10, metric.EmptyGood, 5, comparison.Stronger},
		{metric.EmptyGood, 0, metric.EmptyGood, 1, comparison.Equal},
		{metric.EmptyGood, 10, metric.EmptySkip, 10, comparison.Stronger},
		{metric.EmptyGood, 10, "", 10, comparison.Stronger},
		{metric.EmptyGood, 10, metric.EmptySkip, 5, comparison.Stronger},
		{metric.EmptyGood, 5, metric.EmptySkip, 10, comparison.Incomparable},
		{metric.EmptySkip, 10, metric.EmptySkip, 5, comparison.Incomparable},
		{metric.EmptyUnknown, 10, metric.EmptyUnknown, 5, comparison.Incomparable},
		{metric.EmptyUnknown, 5, metric.EmptySkip, 5, comparison.Incomparable},
		{metric.EmptyUnknown, 5, "", 5, comparison.Equal},
		{metric.EmptyGood, 5, "odd", 5, comparison.Incomparable},
		{"odd", 5, "odd", 5, comparison.Equal},
	} {
		objective := func(e metric.Empty, few uint64) metric.Objective {
			return metric.Objective{ID: "x", Target: of("99%"), Method: metric.MeanRate, Slice: metric.Duration(time.Minute), Empty: e, Least: few, Window: metric.Window{Calendar: "month"}}
		}
		list := comparison.Compare(promise(objective(c.a, c.fewA)), promise(objective(c.b, c.fewB)))
		require.Equal(t, c.want, comparison.Overall(list), "%+v %v", c, list)
		list = comparison.Compare(promise(objective(c.b, c.fewB)), promise(objective(c.a, c.fewA)))
		require.Equal(t, c.want.Reverse(), comparison.Overall(list), "%+v %v", c, list)
	}
}

// TestRulesStandForOneAnother: each rule needs one of its own that leaves out as much, whatever they are called.
func TestRulesStandForOneAnother(t *testing.T) {
	rule := func(id string, notice float64, services ...string) sla.ExclusionRule {
		return sla.ExclusionRule{ID: id, Category: sla.Maintenance, Text: "work", Notice: hours(notice), Services: services}
	}
	of := func(list ...sla.ExclusionRule) *sla.Agreement { return &sla.Agreement{Exclusions: list} }
	a := of(rule("x", 1), rule("y", 72, "s"))
	for _, c := range []struct {
		name string
		b    *sla.Agreement
		want comparison.Verdict
	}{
		{"by other names", of(rule("y", 1), rule("x", 72, "s")), comparison.Equal},
		{"both less, the other way round", of(rule("x", 80, "s"), rule("y", 2, "r")), comparison.Stronger},
		{"one for two", of(rule("x", 1), rule("y", 1)), comparison.Weaker},
		{"two for the wider one", of(rule("x", 2, "r"), rule("y", 3, "r")), comparison.Incomparable},
		{"one is enough", of(rule("z", 1)), comparison.Stronger},
		{"three", of(rule("x", 1), rule("y", 72, "s"), rule("z", 100, "s")), comparison.Weaker},
	} {
		list := comparison.Compare(a, c.b)
		require.Equal(t, c.want, comparison.Overall(list), "%s: %v", c.name, list)
		require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(c.b, a)), c.name)
	}
}
