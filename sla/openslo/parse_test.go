package openslo_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/openslo"
	"github.com/cloudopsec/opsec/sla/ratio"
)

func of(s string) ratio.Ratio {
	r, err := ratio.Parse(s)
	if err != nil {
		panic(err)
	}
	return r
}

// shop is an SLO whose spec has other lines instead of some of its own.
func shop(change ...string) string {
	text := `apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout
  displayName: Checkout
spec:
  service: shop
  indicator:
    metadata: {name: checkout-good}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(ok[1m]))'}}}
        total: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(all[1m]))'}}}
  timeWindow:
  - {duration: 4w, isRolling: true}
  budgetingMethod: Timeslices
  objectives:
  - {target: 0.9995, timeSliceTarget: 0.95, timeSliceWindow: 1m}
`
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			panic(change[i])
		}
		text = strings.Replace(text, change[i], change[i+1], 1)
	}
	return text
}

const window, method, objective = "  - {duration: 4w, isRolling: true}\n", "budgetingMethod: Timeslices",
	"  - {target: 0.9995, timeSliceTarget: 0.95, timeSliceWindow: 1m}\n"

func calendar(duration, start string) []string {
	return []string{window, fmt.Sprintf("  - duration: %s\n    calendar: {startTime: %s, timeZone: America/New_York}\n", duration, start)}
}

func lines(lost []openslo.Loss) (out []string) {
	for _, l := range lost {
		out = append(out, l.String())
	}
	return out
}

func TestWhatIsRead(t *testing.T) {
	base := metric.Objective{ID: "checkout", Title: "Checkout", Target: of("99.95%"), Method: metric.Slices, Good: of("95%"),
		Slice: metric.Duration(time.Minute), Window: metric.Window{Rolling: metric.Duration(28 * 24 * time.Hour)}}
	with := func(do func(*metric.Objective)) metric.Objective {
		o := base
		do(&o)
		return o
	}
	month := func(o *metric.Objective) { o.Window = metric.Window{Calendar: "month", Zone: "America/New_York"} }
	for _, c := range []struct {
		name   string
		change []string
		want   metric.Objective
		lost   []string
	}{
		{"time slices", nil, base, nil},
		{"occurrences", []string{method, "budgetingMethod: Occurrences", ", timeSliceTarget: 0.95, timeSliceWindow: 1m", ""},
			with(func(o *metric.Objective) { o.Method, o.Good, o.Slice = metric.Requests, ratio.Ratio{}, 0 }), nil},
		{"what does not belong to occurrences", []string{method, "budgetingMethod: Occurrences"},
			with(func(o *metric.Objective) { o.Method, o.Good, o.Slice = metric.Requests, ratio.Ratio{}, 0 }), []string{
				"SLO/checkout.spec.objectives[0].timeSliceTarget: only Timeslices has one",
				"SLO/checkout.spec.objectives[0].timeSliceWindow: only Timeslices and RatioTimeslices have one"}},
		{"ratios of time slices", []string{method, "budgetingMethod: RatioTimeslices", "timeSliceTarget: 0.95, ", ""},
			with(func(o *metric.Objective) { o.Method, o.Good = metric.MeanRate, ratio.Ratio{} }), nil},
		{"minutes without a unit", []string{"timeSliceWindow: 1m", "timeSliceWindow: 5"},
			with(func(o *metric.Objective) { o.Slice = metric.Duration(5 * time.Minute) }), nil},
		{"per cent", []string{"target: 0.9995", "targetPercent: 99.95"}, base, nil},
		{"per cent as a text", []string{"target: 0.9995", "targetPercent: '99.950'"}, base, nil},
		{"no digit before the dot", []string{"target: 0.9995", "target: .9995"}, base, nil},
		{"a fraction that no float has", []string{"target: 0.9995", "target: 0.99999999999999999"},
			with(func(o *metric.Objective) { o.Target = of("99999999999999999/100000000000000000") }), nil},
		{"a month", calendar("1M", "2026-03-01 00:00:00"), with(month), nil},
		{"a month, as a text", calendar("1M", "'2026-03-01T00:00:00'"), with(month), nil},
		{"a month, as a date", calendar("1M", "2026-03-01"), with(month), nil},
		{"a week", calendar("1w", "2026-03-02 00:00:00"), with(func(o *metric.Objective) { o.Window = metric.Window{Calendar: "week", Zone: "America/New_York"} }), nil},
		{"a quarter", calendar("1Q", "2026-04-01 00:00:00"), with(func(o *metric.Objective) { o.Window = metric.Window{Calendar: "quarter", Zone: "America/New_York"} }), nil},
		{"a year", calendar("1Y", "2026-01-01 00:00:00"), with(func(o *metric.Objective) { o.Window = metric.Window{Calendar: "year", Zone: "America/New_York"} }), nil},
		{"a day", calendar("1d", "2026-03-17 00:00:00"), with(func(o *metric.Objective) { o.Window = metric.Window{Calendar: "day", Zone: "America/New_York"} }), nil},
		{"no zone", []string{window, "  - {duration: 1M, isRolling: false}\n"}, with(func(o *metric.Objective) { o.Window = metric.Window{Calendar: "month", Zone: "UTC"} }), []string{
			"SLO/checkout.spec.timeWindow[0].calendar.timeZone: none is said: UTC is taken"}},
		{"no window", []string{"  timeWindow:\n" + window, ""}, with(func(o *metric.Objective) { o.Window = metric.Window{} }), []string{
			"SLO/checkout.spec.timeWindow: none is said: set one, or it cannot be measured"}},
		{"no method", []string{"  " + method + "\n", "", ", timeSliceTarget: 0.95, timeSliceWindow: 1m", ""},
			with(func(o *metric.Objective) { o.Method, o.Good, o.Slice = "", ratio.Ratio{}, 0 }), []string{
				"SLO/checkout.spec.budgetingMethod: none is said: set a method, or it cannot be measured"}},
		{"titles", []string{"{target: 0.9995", "{displayName: Gold, target: 0.9995"}, with(func(o *metric.Objective) { o.Title = "Checkout: Gold" }), nil},
		{"its own title", []string{"  displayName: Checkout\n", "", "{target: 0.9995", "{displayName: Gold, target: 0.9995"}, with(func(o *metric.Objective) { o.Title = "Gold" }), nil},
		{"what there is no place for", []string{"  displayName: Checkout\n", "  displayName: Checkout\n  labels: {team: [a, b]}\n", "  service: shop\n", "  service: shop\n  description: x\n  alertPolicies: [{alertPolicyRef: y}]\n  owner: z\n",
			"{target: 0.9995", "{weight: 2, target: 0.9995", "{name: checkout-good}", "{name: checkout-good, displayName: Good}"}, base, []string{
			"SLO/checkout.metadata.labels: there is no place for it",
			"SLO/checkout.spec.indicator.metadata.displayName: there is no place for it",
			"SLO/checkout.spec.alertPolicies: there is no place for them",
			"SLO/checkout.spec.description: there is no place for it",
			"SLO/checkout.spec.owner: there is no place for it",
			"SLO/checkout.spec.objectives[0].weight: there is no place for it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, lost, err := openslo.Parse([]byte(shop(c.change...)))
			require.NoError(t, err)
			require.Equal(t, c.lost, lines(lost))
			require.Len(t, doc.Services, 1)
			require.Equal(t, "shop", doc.Services[0].ID)
			require.Equal(t, []metric.Objective{c.want}, doc.Services[0].Objectives)
			require.Equal(t, "checkout-good", doc.Sources["checkout"].Indicator)
			require.Contains(t, doc.Sources["checkout"].Spec, "query: sum(rate(all[1m]))")
		})
	}
}

func TestWhatHasAnotherMeaningHereIsNotTaken(t *testing.T) {
	for _, c := range []struct {
		name   string
		change []string
		why    string
	}{
		{"a rolling month", []string{"4w", "1M"}, "SLO/checkout: not taken: its timeWindow: months, quarters and years have no length"},
		{"a window that 64 bits do not hold", []string{"4w", "122000000w"}, "SLO/checkout: not taken: its timeWindow: longer than 292 years"},
		{"slices that 64 bits do not hold", []string{"timeSliceWindow: 1m", "timeSliceWindow: 999999999d"}, "not taken: its timeSliceWindow: longer than 292 years"},
		{"two months", calendar("2M", "2026-03-01 00:00:00"), "SLO/checkout: not taken: its timeWindow: windows of the calendar are"},
		{"a calendar of minutes", calendar("1m", "2026-03-01 00:00:00"), "m is minutes, and M is months"},
		{"hours by the calendar", calendar("1h", "2026-03-01 00:00:00"), "windows of the calendar are"},
		{"a zone that is not there", []string{window, "  - {duration: 1M, calendar: {startTime: 2026-03-01 00:00:00, timeZone: Mars/Olympus}}\n"}, "window.zone"},
		{"a zone that is not there, and no method", []string{window, "  - {duration: 1M, calendar: {timeZone: Mars/Olympus}}\n", "  " + method + "\n", ""}, "SLO/checkout: not taken: its timeWindow: metric: window.zone"},
		{"the zone of the machine", []string{window, "  - {duration: 1M, calendar: {timeZone: Local}}\n"}, "window.zone"},
		{"a month that begins at noon", calendar("1M", "2026-03-01 12:00:00"), "SLO/checkout: not taken: its timeWindow: with that startTime it is another month"},
		{"a month from its second day", calendar("1M", "2026-03-02 00:00:00"), "another month"},
		{"a week from Sunday", calendar("1w", "2026-03-01 00:00:00"), "another week"},
		{"a quarter from March", calendar("1Q", "2026-03-01 00:00:00"), "another quarter"},
		{"a year from April", calendar("1Y", "2026-04-01 00:00:00"), "another year"},
		{"a year from its first second on", calendar("1Y", "2026-01-01 00:00:01"), "another year"},
		{"a day from noon", calendar("1d", "2026-03-01 12:00:00"), "another day"},
		{"a window of 20 years", []string{"4w", "1200w"}, "window.rolling"},
		{"slices of a month", []string{"timeSliceWindow: 1m", "timeSliceWindow: 1M"}, "SLO/checkout.spec.objectives[0]: not taken: its timeSliceWindow: months"},
		{"slices that do not divide a day", []string{"timeSliceWindow: 1m", "timeSliceWindow: 7m"}, "whole milliseconds that divide a day"},
		{"slices that are always good", []string{"timeSliceTarget: 0.95", "timeSliceTarget: 0.0"}, "every slice is good"},
		{"a target of nothing", []string{"target: 0.9995", "target: 0"}, "want more than 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, lost, err := openslo.Parse([]byte(shop(c.change...)))
			require.NoError(t, err)
			require.Contains(t, strings.Join(lines(lost), "\n"), c.why)
			require.Contains(t, strings.Join(lines(lost), "\n"), "not taken")
			require.Empty(t, doc.Services)
			require.Empty(t, doc.Sources)
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"another version", shop("openslo/v1", "openslo/v1alpha"), `document at line 1: apiVersion: "openslo/v1alpha", want openslo/v1`},
		{"another kind", shop("kind: SLO", "kind: SLA"), `SLA/checkout: line 1: kind: "SLA" is unknown`},
		{"no name", shop("  name: checkout\n", ""), "metadata.name"},
		{"a name with a space", shop("name: checkout\n", "name: check out\n"), "metadata.name"},
		{"a title that is too long", shop("displayName: Checkout", "displayName: "+strings.Repeat("x", 1051)), "SLO/checkout.metadata.displayName: line 5: want a text of up to 1050 bytes"},
		{"a title that is a list", shop("displayName: Checkout", "displayName: [x]"), "SLO/checkout.metadata.displayName: line 5: want a text"},
		{"a name with a line", shop("name: checkout\n", "name: \"check\\nout\"\n"), "metadata.name"},
		{"no service", shop("  service: shop\n", ""), "spec.service: want the name"},
		{"no indicator", shop(shop()[strings.Index(shop(), "  indicator"):strings.Index(shop(), "  timeWindow")], ""), "no indicator"},
		{"two indicators", shop("  service: shop\n", "  service: shop\n  indicatorRef: x\n"), "an indicator and an indicatorRef"},
		{"an indicator of the SLO and one of its own", shop("{target", "{indicatorRef: x, target"), "an indicator of its own"},
		{"an indicator that is a text", shop("{name: checkout-good}", "{name: checkout-good}\n    x: &a b"), "an anchor"},
		{"a spec that is a text", "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: checkout-good}\nspec: text\n---\n" +
			shop(shop()[strings.Index(shop(), "  indicator"):strings.Index(shop(), "  timeWindow")], "  indicatorRef: checkout-good\n"), "SLI/checkout-good.spec: want fields"},
		{"an SLI without a spec", "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: checkout-good}\n---\n" +
			shop(shop()[strings.Index(shop(), "  indicator"):strings.Index(shop(), "  timeWindow")], "  indicatorRef: checkout-good\n"), "SLI/checkout-good.spec: want fields"},
		{"an indicator without a spec", shop(shop()[strings.Index(shop(), "    spec:"):strings.Index(shop(), "  timeWindow")], ""), "SLO/checkout.spec.indicator.spec: want fields"},
		{"an indicator of nothing", shop(shop()[strings.Index(shop(), "  indicator:"):strings.Index(shop(), "  timeWindow")], "  indicator: {}\n"), "SLO/checkout.spec.indicator.spec: want fields"},
		{"an SLI whose title is no text", "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: x, displayName: {a: b}}\nspec: {a: b}\n", "SLI/x.metadata.displayName"},
		{"no objectives", shop(objective, ""), "objectives: none"},
		{"no target", shop("target: 0.9995, ", ""), "want target or targetPercent"},
		{"both targets", shop("target: 0.9995", "target: 0.9995, targetPercent: 99.95"), "want target or targetPercent"},
		{"more than all", shop("target: 0.9995", "target: 99.95"), "more than all"},
		{"a negative target", shop("target: 0.9995", "target: -0.5"), "not a decimal number"},
		{"an exponent", shop("target: 0.9995", "target: 1e-999999999"), "not a decimal number"},
		{"not a number", shop("target: 0.9995", "target: .nan"), "not a decimal number"},
		{"too many digits", shop("target: 0.9995", "target: 0.9999999999999999999"), "not a decimal number"},
		{"a fraction", shop("target: 0.9995", "target: 1/2"), "not a decimal number"},
		{"no timeSliceWindow", shop(", timeSliceWindow: 1m", ""), "timeSliceWindow"},
		{"no timeSliceTarget", shop("timeSliceTarget: 0.95, ", ""), "timeSliceTarget"},
		{"another method", shop(method, "budgetingMethod: Guess"), `"Guess" is none of`},
		{"two windows", shop(window, window+window), "2 windows, want one"},
		{"no duration", shop("{duration: 4w, isRolling: true}", "{isRolling: true}"), "duration"},
		{"a duration of two units", shop("4w", "1h30m"), "is not a duration"},
		{"a duration of nothing", shop("4w", "0w"), "is not a duration"},
		{"a duration beyond all", shop("4w", "9999999999w"), "is not a duration"},
		{"rolling or not", shop(", isRolling: true", ""), "want isRolling, or a calendar"},
		{"rolling by the calendar", shop("isRolling: true", "isRolling: true, calendar: {timeZone: UTC}"), "it rolls, and follows a calendar"},
		{"rolling maybe", shop("isRolling: true", "isRolling: maybe"), "want true or false"},
		{"a time of another form", shop(calendar("1M", "01.03.2026")...), "is not a time"},
		{"objectives that are no list", shop(objective, "    x: y\n"), "want a list"},
		{"an objective that is a text", shop(objective, "  - x\n"), "want fields"},
		{"a name twice", shop("target: 0.9995", "target: 0.9995, target: 0.5"), "twice"},
		{"a tag", shop("target: 0.9995", "target: !!str 0.9995"), "a tag"},
		{"the same twice", shop() + "---\n" + shop(), "SLO/checkout: it stands twice"},
		{"ids that meet", shop(objective, objective+objective) + "---\n" + shop("name: checkout\n", "name: checkout-2\n"), `has the id "checkout-2"`},
		{"a list of documents", "- " + strings.ReplaceAll(shop(), "\n", "\n  "), "want fields"},
		{"no YAML", "a: [", "openslo: "},
		{"depth", "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "openslo: "},
		{"marks", strings.Repeat("[],", 40_000), "commas and brackets"},
		{"size", strings.Repeat("#", openslo.MaxSize+1), "want up to 1048576"},
		{"documents", strings.Repeat("---\na: b\n", openslo.MaxDocuments+1), "1001 documents"},
		{"documents of nothing", strings.Repeat("---\n", 20_000), "up to 1000 documents"},
		{"documents that end", strings.Repeat("a\n...\n", 20_000), "up to 1000 documents"},
		{"items of nothing", strings.Repeat("-\n", openslo.MaxSize/2), "dashes and colons"},
		{"questions", strings.Repeat("?\n", openslo.MaxSize/2), "dashes and colons"},
		{"fields of nothing", strings.Repeat("a:\n", openslo.MaxSize/3), "dashes and colons"},
		{"items within items", strings.Repeat("- - - -\n", openslo.MaxSize/8), "dashes and colons"},
		{"marks of 16 bits", "\xff\xfe" + strings.Repeat("-\x00\n\x00", openslo.MaxSize/4-1), "dashes and colons"},
		{"aliases of aliases", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", "an anchor"},
		{"an alias of itself", "a: &a [*a]\n", "openslo: "},
		{"a name that is joined in", "<<: {apiVersion: openslo/v1}\n", "no text"},
		{"a name that is a list", "? [a]\n: b\n", "no text"},
		{"a name in quotes and without", "kind: SLO\n\"kind\": SLI\n", "twice"},
		{"bytes that are no text", "a: \xff\n", "openslo: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, lost, err := openslo.Parse([]byte(c.text))
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, 1, strings.Count(err.Error(), "openslo: "), err)
			require.Empty(t, doc)
			require.Empty(t, lost)
		})
	}
}

// A stream: what is referred to may stand anywhere, and what this package does not know of is reported.
func TestAStreamOfDocuments(t *testing.T) {
	ref := shop(shop()[strings.Index(shop(), "  indicator"):strings.Index(shop(), "  timeWindow")], "  indicatorRef: good\n")
	text := strings.Join([]string{
		"# nothing but a comment\n",
		ref,
		strings.ReplaceAll(strings.ReplaceAll(ref, "name: checkout", "name: search"), "indicatorRef: good", "indicatorRef: elsewhere"),
		shop("name: checkout\n", "name: many\n", objective, objective+strings.Replace(objective, "0.9995", "0.99", 1)),
		"apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: good, displayName: G}\nspec: {ratioMetric: {raw: x}}\n",
		"apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: unused}\nspec: {ratioMetric: {raw: x}}\n",
		"apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop, displayName: The shop}\nspec: {description: d}\n",
		"apiVersion: openslo/v1\nkind: Service\nmetadata: {name: empty}\nspec:\n",
		"apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: prom}\nspec: {type: x, connectionDetails: {password: secret}}\n",
		"apiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {name: page}\nspec: {}\n",
		"",
	}, "---\n")
	doc, lost, err := openslo.Parse([]byte(text))
	require.NoError(t, err)
	require.Equal(t, []string{
		"SLI/good.metadata.displayName: there is no place for it",
		"Service/shop.spec.description: there is no place for it",
		"DataSource/prom: not taken: there is no place for it",
		"AlertPolicy/page: not taken: there is no place for it",
		"SLO/search.spec.indicatorRef: it is not in this text",
		"SLI/unused: not taken: nothing refers to it",
	}, lines(lost))
	require.Len(t, doc.Services, 2)
	require.Equal(t, "The shop", doc.Services[0].Title)
	require.Equal(t, "empty", doc.Services[1].ID)
	var ids []string
	for _, o := range doc.Services[0].Objectives {
		ids = append(ids, o.ID+" "+o.Target.String())
	}
	require.Equal(t, []string{"checkout 99.95%", "search 99.95%", "many-1 99.95%", "many-2 99%"}, ids)
	require.Equal(t, openslo.Source{Indicator: "good", Spec: "ratioMetric:\n  raw: x\n"}, doc.Sources["checkout"])
	require.Equal(t, openslo.Source{Indicator: "elsewhere"}, doc.Sources["search"])
	require.NotContains(t, fmt.Sprint(doc), "secret")
}

func TestPartsOfACompositeAreJudgedByThemselves(t *testing.T) {
	text := shop(shop()[strings.Index(shop(), "  indicator"):strings.Index(shop(), "  timeWindow")], "",
		objective, "  - {indicatorRef: a, op: lt, value: 0.5, compositeWeight: 2, target: 0.9, timeSliceTarget: 0.95, timeSliceWindow: 1m}\n"+
			"  - {indicator: {spec: {thresholdMetric: {x: y}}}, target: 0.8, timeSliceTarget: 0.95, timeSliceWindow: 1m}\n")
	doc, lost, err := openslo.Parse([]byte(text))
	require.NoError(t, err)
	require.Equal(t, []string{
		"SLO/checkout.spec.objectives[0].indicatorRef: it is not in this text",
		"SLO/checkout.spec.objectives[0]: part of a composite SLO: it is judged by itself here",
		"SLO/checkout.spec.objectives[0].compositeWeight: there is no place for it",
		"SLO/checkout.spec.objectives[1]: part of a composite SLO: it is judged by itself here",
	}, lines(lost))
	require.Equal(t, map[string]openslo.Source{
		"checkout-1": {Indicator: "a", Op: "lt", Value: "0.5"},
		"checkout-2": {Spec: "thresholdMetric:\n  x: y\n"},
	}, doc.Sources)
}

// A few bytes that refer to a large indicator do not make a large document.
func TestIndicatorsThatAreSharedAreBounded(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: good}\nspec: {x: %s}\n", strings.Repeat("y", 500_000))
	for i := range 20 {
		ref := shop(shop()[strings.Index(shop(), "  indicator"):strings.Index(shop(), "  timeWindow")], "  indicatorRef: good\n")
		fmt.Fprintf(&text, "---\n%s", strings.Replace(ref, "name: checkout", fmt.Sprintf("name: c%d", i), 1))
	}
	_, _, err := openslo.Parse([]byte(text.String()))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "indicators of all objectives")
}

func TestMoreObjectivesThanCanBe(t *testing.T) {
	text := shop(objective, strings.Repeat("  -\n    target: .9\n    timeSliceTarget: .9\n    timeSliceWindow: 1\n", openslo.MaxObjectives+1))
	_, _, err := openslo.Parse([]byte(text))
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, "more than 10000 objectives")
}
