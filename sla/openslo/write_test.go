package openslo_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/openslo"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/timeline"
)

const minute = metric.Duration(time.Minute)

func TestWhatIsLostInWriting(t *testing.T) {
	base := metric.Objective{ID: "web", Target: of("99.9%"), Method: metric.MeanRate, Slice: 5 * minute, Window: metric.Window{Calendar: "month"}}
	for _, c := range []struct {
		name string
		do   func(*metric.Objective)
		want string // empty: nothing is lost
	}{
		{"nothing", func(o *metric.Objective) {}, ""},
		{"unknown is the default", func(o *metric.Objective) { o.Empty = metric.EmptyUnknown }, ""},
		{"a run of one", func(o *metric.Objective) { o.Method, o.Good, o.Run = metric.Slices, of("95%"), 1 }, ""},
		{"scope", func(o *metric.Objective) { o.Scope = "region" }, "SLO/web: its scope, region"},
		{"few requests", func(o *metric.Objective) { o.Least = 2 }, "SLO/web: that slices of less than 2 requests are empty"},
		{"runs", func(o *metric.Objective) { o.Method, o.Good, o.Run = metric.Slices, of("95%"), 2 }, "SLO/web: that bad slices count only in runs of 2"},
		{"empty", func(o *metric.Objective) { o.Empty = metric.EmptyGood }, "SLO/web: that what is empty is good"},
		{"counts", func(o *metric.Objective) { o.Method = metric.Requests }, "SLO/web: the time that its counts cover"},
		{"name", func(o *metric.Objective) { o.ID = "Web.1" }, "SLO/Web.1: not all tools take its name: 63 small letters, digits and dashes"},
		{"time", func(o *metric.Objective) { o.Method, o.Slice = metric.Time, 0 }, "SLO/web: that it is by states: its SLI must give the share of time"},
		{"states", func(o *metric.Objective) { o.Method = metric.Slices }, "SLO/web: that it is by states: its SLI must give the share of time"},
		{"slices of which all was bad", func(o *metric.Objective) { o.Method, o.Partial = metric.Slices, metric.PartialGood }, "SLO/web: not taken: no timeSliceTarget"},
		{"no method", func(o *metric.Objective) { o.Method, o.Slice = "", 0 }, "SLO/web: not taken: no method that OpenSLO has"},
		{"all", func(o *metric.Objective) { o.Target = ratio.One() }, "SLO/web: not taken: targets of OpenSLO are less than 100%"},
		{"thirds", func(o *metric.Objective) { o.Target = of("2/3") }, "SLO/web: not taken: its target of 2/3 is no decimal fraction"},
		{"more digits than are read", func(o *metric.Objective) { o.Target = of("999999999999999999/1000000000000000000") }, "SLO/web: not taken: its target of " + of("999999999999999999/1000000000000000000").String() + " is no decimal fraction of up to 17 digits"},
		{"good thirds", func(o *metric.Objective) { o.Method, o.Good = metric.Slices, of("2/3") }, "SLO/web: not taken: slices that are good from 2/3 on, which is no decimal fraction"},
		{"seconds", func(o *metric.Objective) { o.Slice = metric.Duration(time.Second) }, "SLO/web: not taken: slices of OpenSLO are whole minutes"},
		{"rolling seconds", func(o *metric.Objective) { o.Window = metric.Window{Rolling: metric.Duration(90 * time.Second)} }, "SLO/web: not taken: windows of OpenSLO are whole minutes"},
		{"no window", func(o *metric.Objective) { o.Window = metric.Window{} }, "SLO/web: not taken: windows of OpenSLO are whole minutes"},
		{"another calendar", func(o *metric.Objective) { o.Window.Calendar = "moon" }, "SLO/web: not taken: a window that OpenSLO has not"},
		{"another zone", func(o *metric.Objective) { o.Window.Zone = "Mars" }, "SLO/web: not taken: metric: window.zone: "},
		{"more than all, and its scope", func(o *metric.Objective) { o.Scope, o.Good = "region", of("95%") }, "SLO/web: not taken: metric: good: only method slices has it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := base
			c.do(&o)
			doc := openslo.Document{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{o}}},
				Sources: map[string]openslo.Source{o.ID: {Indicator: "good", Spec: "ratioMetric: {raw: x}"}}}
			text, lost, err := doc.YAML()
			require.NoError(t, err)
			require.Equal(t, !strings.Contains(c.want, "not taken"), strings.Contains(string(text), "kind: SLO"))
			if c.want == "" {
				require.Empty(t, lost)
				return
			}
			require.Len(t, lost, 1)
			require.True(t, strings.HasPrefix(lost[0].String(), c.want), lost)
		})
	}
	states := openslo.Document{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{
		{ID: "a", Target: of("99.9%"), Method: metric.Time, Degraded: metric.DegradedUp, Window: metric.Window{Calendar: "month"}},
		{ID: "b", Target: of("99.9%"), Method: metric.Slices, Slice: 5 * minute, Window: metric.Window{Calendar: "month"}}}}}}
	text, lost, err := states.YAML()
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines(lost), "\n"), "SLO/a: that degraded counts as up")
	require.Contains(t, string(text), "budgetingMethod: RatioTimeslices\n  objectives:\n  - target: 0.999\n    timeSliceWindow: 1m\n")
	require.Contains(t, string(text), "budgetingMethod: Timeslices\n  objectives:\n  - target: 0.999\n    timeSliceTarget: 1\n    timeSliceWindow: 5m\n")
	text, lost, err = openslo.Document{Services: []sla.Service{{ID: "shop", Resources: []string{"r"}, DependsOn: []string{"s"}, Objectives: []metric.Objective{base}}}}.YAML()
	require.NoError(t, err)
	require.Equal(t, []string{"Service/shop: its resources", "Service/shop: what it depends on", "SLO/web: where its figures come from is not known: define an SLI web"}, lines(lost))
	require.Contains(t, string(text), "indicatorRef: web")
	text, lost, err = openslo.Document{Services: []sla.Service{{ID: "shop"}}, Sources: map[string]openslo.Source{"web": {Indicator: "x"}, "app": {}, "shop": {}}}.YAML()
	require.NoError(t, err)
	require.Equal(t, []string{"Source/app: no objective has this id", "Source/shop: no objective has this id", "Source/web: no objective has this id"}, lines(lost))
	require.NotEmpty(t, text)
	text, lost, err = openslo.Document{}.YAML()
	require.NoError(t, err)
	require.Empty(t, text)
	require.Empty(t, lost)
}

func TestWhatCannotBeWritten(t *testing.T) {
	o := metric.Objective{ID: "web", Target: of("99.9%"), Method: metric.Requests, Window: metric.Window{Calendar: "month"}}
	doc := func(do func(*openslo.Document)) openslo.Document {
		d := openslo.Document{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{o}}}, Sources: map[string]openslo.Source{}}
		do(&d)
		return d
	}
	for _, c := range []struct {
		name string
		doc  openslo.Document
		want string
	}{
		{"no id", doc(func(d *openslo.Document) { d.Services[0].Objectives[0].ID = "" }), "SLO/: id: want"},
		{"no service id", doc(func(d *openslo.Document) { d.Services[0].ID = "a b" }), "Service/a b: id: want"},
		{"a service twice", doc(func(d *openslo.Document) { d.Services = append(d.Services, sla.Service{ID: "shop"}) }), "Service/shop: it stands twice"},
		{"an objective twice", doc(func(d *openslo.Document) {
			d.Services = append(d.Services, sla.Service{ID: "x", Objectives: d.Services[0].Objectives})
		}), "SLO/web: it stands twice"},
		{"a source of nothing", doc(func(d *openslo.Document) { d.Sources["web"] = openslo.Source{} }), "SLO/web: its source has neither"},
		{"a source that is no YAML", doc(func(d *openslo.Document) { d.Sources["web"] = openslo.Source{Spec: "a: ["} }), "SLO/web: its source: openslo: "},
		{"a source of two documents", doc(func(d *openslo.Document) { d.Sources["web"] = openslo.Source{Spec: "a: b\n---\nc: d"} }), "want the fields of a spec"},
		{"a source that is a text", doc(func(d *openslo.Document) { d.Sources["web"] = openslo.Source{Spec: "a"} }), "want the fields of a spec"},
		{"a title that is no UTF-8", doc(func(d *openslo.Document) { d.Services[0].Title = "\xff" }), "Service/shop: title: want up to"},
		{"an indicator that is no UTF-8", doc(func(d *openslo.Document) { d.Sources["web"] = openslo.Source{Indicator: "\xff"} }), "SLO/web: its source: want texts"},
		{"an operator that is no UTF-8", doc(func(d *openslo.Document) { d.Sources["web"] = openslo.Source{Indicator: "x", Op: "\xff"} }), "SLO/web: its source: want texts"},
		{"a long value", doc(func(d *openslo.Document) {
			d.Sources["web"] = openslo.Source{Indicator: "x", Value: strings.Repeat("1", 1051)}
		}), "SLO/web: its source: want texts"},
		{"a name of many lines", doc(func(d *openslo.Document) { d.Services[0].ID = "a\nb\x1b" }), "Service/a\uFFFDb\uFFFD: id: want"},
		{"a long title", doc(func(d *openslo.Document) { d.Services[0].Title = strings.Repeat("x", 1051) }), "title: want up to"},
		{"a long title of an objective", doc(func(d *openslo.Document) { d.Services[0].Objectives[0].Title = strings.Repeat("x", 1051) }), "title: want up to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, lost, err := c.doc.YAML()
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, text)
			require.Empty(t, lost)
		})
	}
}

// TestLongIDsAreDifferentOnes although the paths of losses are cut.
func TestLongIDsAreDifferentOnes(t *testing.T) {
	d := openslo.Document{Services: []sla.Service{{ID: strings.Repeat("s", 119)}}, Sources: map[string]openslo.Source{}}
	for _, end := range []string{"a", "b"} {
		o := metric.Objective{ID: strings.Repeat("o", 118) + end, Target: of("99.9%"), Method: metric.Requests, Window: metric.Window{Calendar: "month", Zone: "UTC"}}
		d.Services[0].Objectives = append(d.Services[0].Objectives, o)
		d.Sources[o.ID] = openslo.Source{Indicator: "x", Spec: "a: b"}
	}
	text, lost, err := d.YAML()
	require.NoError(t, err)
	require.Len(t, lost, 3, "three names that not all tools take: %v", lost)
	got, _, err := openslo.Parse(text)
	require.NoError(t, err)
	require.Equal(t, d.Services, got.Services)
}

// TestNumbersStayNumbers: other tools do not take a text for the value that a metric is compared with.
func TestNumbersStayNumbers(t *testing.T) {
	o := metric.Objective{ID: "web", Target: of("99.9%"), Method: metric.Requests, Window: metric.Window{Calendar: "month", Zone: "UTC"}}
	for value, want := range map[string]string{
		"500": "500", "0.50": "0.50", "-0.5": "-0.5", "-1": "-1", "+5": "+5", "1e3": "1e3", "1E-3": "1E-3", ".5": ".5", "99999999999999999999": "99999999999999999999",
		"x": "x", "true": "'true'", "1 s": "1 s", "null": "'null'", "'5'": "'''5'''", "5 # five": "'5 # five'", " 5": "' 5'", "5\n": "|\n      5", "&a 5": "'&a 5'", "!!int 5": "'!!int 5'",
	} {
		text, _, err := openslo.Document{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{o}}},
			Sources: map[string]openslo.Source{"web": {Indicator: "x", Spec: "a: b", Value: value}}}.YAML()
		require.NoError(t, err)
		_, line, _ := strings.Cut(string(text), "value: ")
		require.Equal(t, want, strings.TrimSpace(line), value)
		got, _, err := openslo.Parse(text)
		require.NoError(t, err)
		require.Equal(t, value, got.Sources["web"].Value)
	}
}

// TestEveryFieldIsWrittenOrReported changes each field by itself: another text is written, or it is reported.
func TestEveryFieldIsWrittenOrReported(t *testing.T) {
	type doc = openslo.Document
	objective := func(do func(*metric.Objective)) func(*doc) {
		return func(d *doc) { do(&d.Services[0].Objectives[0]) }
	}
	service := func(do func(*sla.Service)) func(*doc) { return func(d *doc) { do(&d.Services[0]) } }
	source := func(do func(*openslo.Source)) func(*doc) {
		return func(d *doc) {
			s := d.Sources["web"]
			do(&s)
			d.Sources["web"] = s
		}
	}
	states := func(o *metric.Objective) { o.Good = ratio.Ratio{} }
	changes := map[string]func(*doc){
		"Service.ID":         service(func(s *sla.Service) { s.ID = "x" }),
		"Service.Title":      service(func(s *sla.Service) { s.Title = "x" }),
		"Service.Resources":  service(func(s *sla.Service) { s.Resources = []string{"x"} }),
		"Service.Objectives": service(func(s *sla.Service) { s.Objectives = nil }),
		"Service.DependsOn":  service(func(s *sla.Service) { s.DependsOn = []string{"x"} }),
		"Objective.ID":       objective(func(o *metric.Objective) { o.ID = "x" }),
		"Objective.Title":    objective(func(o *metric.Objective) { o.Title = "x" }),
		"Objective.Target":   objective(func(o *metric.Objective) { o.Target = of("99.91%") }),
		"Objective.Method":   objective(func(o *metric.Objective) { o.Method, o.Good = metric.MeanRate, ratio.Ratio{} }),
		"Objective.Window":   objective(func(o *metric.Objective) { o.Window.Calendar = "day" }),
		"Objective.Scope":    objective(func(o *metric.Objective) { o.Scope = "x" }),
		"Objective.Slice":    objective(func(o *metric.Objective) { o.Slice = 2 * minute }),
		"Objective.Good":     objective(func(o *metric.Objective) { o.Good = of("95.1%") }),
		"Objective.Least":    objective(func(o *metric.Objective) { o.Least = 2 }),
		"Objective.Run":      objective(func(o *metric.Objective) { o.Run = 2 }),
		"Objective.Empty":    objective(func(o *metric.Objective) { o.Empty = metric.EmptySkip }),
		"Objective.Partial":  objective(func(o *metric.Objective) { states(o); o.Partial = metric.PartialGood }),
		"Objective.Degraded": objective(func(o *metric.Objective) { states(o); o.Degraded = metric.DegradedUp }),
		"Window.Calendar":    objective(func(o *metric.Objective) { o.Window.Calendar = "week" }),
		"Window.Zone":        objective(func(o *metric.Objective) { o.Window.Zone = "Europe/Berlin" }),
		"Window.Rolling":     objective(func(o *metric.Objective) { o.Window = metric.Window{Rolling: minute} }),
		"Source.Indicator":   source(func(s *openslo.Source) { s.Indicator = "x" }),
		"Source.Spec":        source(func(s *openslo.Source) { s.Spec = "a: c" }),
		"Source.Op":          source(func(s *openslo.Source) { s.Op = "gt" }),
		"Source.Value":       source(func(s *openslo.Source) { s.Value = "1" }),
	}
	base := func() doc {
		return doc{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{{ID: "web", Target: of("99.9%"), Method: metric.Slices, Good: of("95%"),
			Slice: minute, Window: metric.Window{Calendar: "month", Zone: "UTC"}}}}}, Sources: map[string]openslo.Source{"web": {Indicator: "good", Spec: "a: b"}}}
	}
	written, _, err := base().YAML()
	require.NoError(t, err)
	for _, of := range []reflect.Type{reflect.TypeFor[sla.Service](), reflect.TypeFor[metric.Objective](), reflect.TypeFor[metric.Window](), reflect.TypeFor[openslo.Source]()} {
		for f := range of.Fields() {
			name := of.Name() + "." + f.Name
			require.Contains(t, changes, name, "a field that this package does not know of")
			d := base()
			changes[name](&d)
			text, lost, err := d.YAML()
			require.NoError(t, err)
			require.True(t, string(text) != string(written) || len(lost) > 0, name)
		}
	}
}

// TestWhatIsNotReportedIsReadBackTheSame draws objectives of all sorts.
func TestWhatIsNotReportedIsReadBackTheSame(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		o := metric.Objective{
			ID: "web", Method: rapid.SampledFrom([]metric.Method{metric.Requests, metric.Slices, metric.Slices, metric.MeanRate, metric.Time}).Draw(t, "method"),
			Target: of(rapid.SampledFrom([]string{"99.9%", "100%", "1/3", "0.00000000000000001", "0.5"}).Draw(t, "target")),
			Scope:  rapid.SampledFrom([]string{"", "", "", "zone"}).Draw(t, "scope"),
			Slice:  rapid.SampledFrom([]metric.Duration{0, minute, 5 * minute, minute / 2}).Draw(t, "slice"),
			Run:    rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "run"),
			Least:  rapid.SampledFrom([]uint64{0, 0, 1, 2}).Draw(t, "least"),
			Empty:  rapid.SampledFrom([]metric.Empty{"", "", metric.EmptyUnknown, metric.EmptyGood, metric.EmptySkip}).Draw(t, "empty"),
			Window: rapid.SampledFrom([]metric.Window{{Calendar: "month"}, {Calendar: "week", Zone: "Asia/Tokyo"}, {Rolling: 90 * minute}, {Rolling: minute / 2}}).Draw(t, "window"),
		}
		if rapid.Bool().Draw(t, "good") {
			o.Good = of(rapid.SampledFrom([]string{"100%", "95%", "2/3"}).Draw(t, "rate"))
		}
		if o.Validate() != nil {
			t.Skip("not valid")
		}
		text, lost, err := openslo.Document{Services: []sla.Service{{ID: "shop", Objectives: []metric.Objective{o}}},
			Sources: map[string]openslo.Source{"web": {Indicator: "good", Spec: "a: b"}}}.YAML()
		require.NoError(t, err)
		got, unread, err := openslo.Parse(text)
		require.NoError(t, err)
		require.Empty(t, unread, "%s", text)
		switch {
		case len(lost) == 0:
			seen["the same"]++
			back := got.Services[0].Objectives[0]
			if o.Window.Calendar != "" && o.Window.Zone == "" {
				o.Window.Zone = "UTC"
			}
			o.Run, back.Run, o.Least, back.Least = max(o.Run, 1), max(back.Run, 1), max(o.Least, 1), max(back.Least, 1)
			if o.Empty == metric.EmptyUnknown {
				o.Empty = ""
			}
			require.Equal(t, asJSON(t, o), asJSON(t, back))
		case lost[0].Whole:
			seen["not taken"]++
			require.Len(t, lost, 1)
			require.Empty(t, got.Services[0].Objectives)
		default:
			seen["reported"]++
			require.Len(t, got.Services[0].Objectives, 1)
		}
	})
	t.Log(seen)
}

func asJSON(t require.TestingT, v any) string {
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func drawDocument(t *rapid.T) openslo.Document {
	one := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	word := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?`)
	title := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"null", "1", "yes", "a: b", "# x", "- a", "'", "\"", "é\t\u2028", " a ", "2026-03-01", "{a}", "|", "a\nb"}), rapid.StringMatching(`[ -~äß€]{0,12}`))
	d := openslo.Document{Sources: map[string]openslo.Source{}}
	for _, id := range rapid.SliceOfNDistinct(word, 1, 3, rapid.ID[string]).Draw(t, "services") {
		d.Services = append(d.Services, sla.Service{ID: id, Title: title.Draw(t, "title")})
	}
	for _, id := range rapid.SliceOfNDistinct(word, 0, 4, rapid.ID[string]).Draw(t, "objectives") {
		s := &d.Services[rapid.IntRange(0, len(d.Services)-1).Draw(t, "service")]
		target, err := ratio.New(rapid.Uint64Range(1, 99_999).Draw(t, "target"), 100_000)
		if err != nil {
			t.Fatal(err)
		}
		o := metric.Objective{ID: id, Title: title.Draw(t, "title"), Target: target}
		switch one("method", "requests", "slices", "mean") {
		case "requests":
			o.Method = metric.Requests
		case "slices":
			o.Method, o.Good, o.Slice = metric.Slices, of(one("good", "100%", "95%", "0.5")), 5*minute
		case "mean":
			o.Method, o.Slice = metric.MeanRate, metric.Duration(24*time.Hour)
		}
		o.Window.Calendar = one("calendar", "", "day", "week", "month", "quarter", "year")
		if o.Window.Calendar == "" {
			o.Window.Rolling = minute * metric.Duration(rapid.Int64Range(1, 5_000_000).Draw(t, "rolling"))
		} else {
			o.Window.Zone = one("zone", "UTC", "America/New_York")
		}
		s.Objectives = append(s.Objectives, o)
		d.Sources[id] = openslo.Source{
			Indicator: title.Filter(func(s string) bool { return s != "" }).Draw(t, "indicator"),
			Spec:      one("spec", "", "ratioMetric:\n  raw: x\n", "thresholdMetric:\n  a:\n  - 1\n  - 0.50\n  - null\n  - 2026-03-01\n  - 'yes'\n  - |-\n    b\n    c\n"),
			Op:        one("op", "", "lte", "gt"),
			Value:     one("value", "", "500", "0.5", "1e3", "-1", "x: y", "0x10", ".5"),
		}
	}
	return d
}

// What is written is read back the same, and written again the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDocument(t)
		text, lost, err := d.YAML()
		require.NoError(t, err)
		require.Empty(t, lost)
		got, lost, err := openslo.Parse(text)
		require.NoError(t, err, "%s", text)
		lost = slices.DeleteFunc(lost, func(l openslo.Loss) bool { return strings.HasSuffix(l.Path, ".indicatorRef") })
		require.Empty(t, lost, "%s", text)
		// Specs are equal as YAML: they are compared as they are written.
		want, err := json.Marshal(d.Services)
		require.NoError(t, err)
		have, err := json.Marshal(got.Services)
		require.NoError(t, err)
		require.Equal(t, string(want), string(have), "%s", text)
		for id, s := range d.Sources {
			g := got.Sources[id]
			require.Equal(t, [3]string{s.Indicator, s.Op, s.Value}, [3]string{g.Indicator, g.Op, g.Value}, "%s", text)
		}
		again, _, err := got.YAML()
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	})
}

// budget measures an SLO over a window of slices of which some are bad.
func budget(t *testing.T, o metric.Objective, all, bad int, good, attacked [2]uint64) ratio.Verdict {
	t.Helper()
	end := time.Date(2026, 3, 16, 0, 0, 0, 0, time.UTC)
	span, err := o.Window.Period(end.Format(time.RFC3339))
	if o.Window.Calendar != "" {
		_, span, err = o.Window.At(end)
	}
	require.NoError(t, err)
	in := metric.Input{States: metric.States{Up: timeline.Line{span}}}
	for i := range all {
		c := metric.Count{Start: span.Start + int64(i)*60_000, Good: good[0], Total: good[1]}
		if i < bad {
			c.Good, c.Total = attacked[0], attacked[1]
		}
		in.Counts = append(in.Counts, c)
	}
	_, f, err := o.Judge(slices.Values([]metric.Input{in}), span)
	require.NoError(t, err)
	return f.Verdict
}

// The examples that the specification reckons: an attack on a service that otherwise serves 99 % of its requests, with a
// target of 95 % over two weeks of 24,000 requests a day, and during which 1 % are served (examples/budgeting-method);
// and a week in which five bad minutes are in the budget of 5 minutes and 2.4 seconds (examples/treat-low-traffic-...).
func TestBudgetsOfTheSpecification(t *testing.T) {
	read := func(change ...string) metric.Objective {
		doc, _, err := openslo.Parse([]byte(shop(append([]string{"4w", "2w", "target: 0.9995", "target: 0.95"}, change...)...)))
		require.NoError(t, err)
		return doc.Services[0].Objectives[0]
	}
	const slices = 14 * 24 * 60 // 20,160

	// Occurrences: 5 % of 336,000 requests are 16,800; the attack that uses them up has 1 % served, so 16,632 of 16,800 failed.
	o := read(method, "budgetingMethod: Occurrences")
	require.Equal(t, ratio.Met, budget(t, o, 1, 1, [2]uint64{}, [2]uint64{336_000 - 16_800, 336_000}))
	require.Equal(t, ratio.Breach, budget(t, o, 1, 1, [2]uint64{}, [2]uint64{336_000 - 16_801, 336_000}))

	// Timeslices: 1,008 minutes, which are 16 hours and 48 minutes.
	o = read("timeSliceTarget: 0.95", "timeSliceTarget: 0.99")
	require.Equal(t, ratio.Met, budget(t, o, slices, 16*60+48, [2]uint64{99, 100}, [2]uint64{1, 100}))
	require.Equal(t, ratio.Breach, budget(t, o, slices, 16*60+49, [2]uint64{99, 100}, [2]uint64{1, 100}))

	// RatioTimeslices: 822 minutes, which the specification rounds to about 13 hours and 45 minutes: (99 - 95) / (99 - 1) of all.
	o = read(method, "budgetingMethod: RatioTimeslices")
	require.Equal(t, ratio.Met, budget(t, o, slices, 822, [2]uint64{99, 100}, [2]uint64{1, 100}))
	require.Equal(t, ratio.Breach, budget(t, o, slices, 823, [2]uint64{99, 100}, [2]uint64{1, 100}))

	// Low traffic: 10,080 minutes, of which 0.05 % may be bad; 5 of 100 requests may fail in a good one.
	week := func(change ...string) metric.Objective {
		doc, _, err := openslo.Parse([]byte(shop(append(calendar("1w", "2026-03-02 00:00:00"), change...)...)))
		require.NoError(t, err)
		return doc.Services[0].Objectives[0]
	}
	o = week("America/New_York", "UTC")
	require.Equal(t, ratio.Met, budget(t, o, 10_080, 5, [2]uint64{95, 100}, [2]uint64{94, 100}))
	require.Equal(t, ratio.Breach, budget(t, o, 10_080, 6, [2]uint64{95, 100}, [2]uint64{94, 100}))
	require.Equal(t, ratio.Met, budget(t, o, 10_080, 6, [2]uint64{95, 100}, [2]uint64{95, 100}))
}
