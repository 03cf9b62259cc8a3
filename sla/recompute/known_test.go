package recompute_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// counted is a meter in which each resource had a hundred good requests an hour, over a span.
func counted(t require.TestingT, s timeline.Span, resources ...string) *meter.Meter {
	m := meter.New()
	for _, r := range resources {
		for at := s.Start; at < s.End; at += hour {
			require.NoError(t, m.Add(meter.Evidence{Source: "lb", Seq: uint64(at), Resource: r, Span: timeline.Span{Start: at, End: at + hour}, Good: 100, Total: 100}))
		}
	}
	return m
}

// One resource, and one objective of each method that counts requests, with a word on what slices without requests are.
func requests(t require.TestingT, empty metric.Empty) recompute.Input {
	a := agreement(t, "iaas")
	window := metric.Window{Calendar: "month", Zone: "Europe/Berlin"}
	a.Services = []sla.Service{{ID: "api", Resources: []string{"api-1", "api-2"}, Objectives: []metric.Objective{
		{ID: "requests", Target: percent("99%"), Method: metric.Requests, Window: window, Scope: "account"},
		{ID: "rate", Target: percent("99%"), Method: metric.MeanRate, Window: window, Scope: "account", Slice: metric.Duration(time.Hour), Empty: empty},
		{ID: "slices", Target: percent("99%"), Method: metric.Slices, Window: window, Scope: "instance", Slice: metric.Duration(time.Hour), Good: percent("95%"), Empty: empty},
	}}}
	a.Credits = nil
	return recompute.Input{Agreement: a, Period: "2026-03", AsOf: at("2026-04-03T00:00:00Z"), States: counted(t, march, "api-1", "api-2")}
}

func TestRequestsThatNobodyCountedMayHaveFailed(t *testing.T) {
	for _, empty := range []metric.Empty{metric.EmptyUnknown, metric.EmptyGood, metric.EmptySkip} {
		in := requests(t, empty)
		for _, o := range compute(t, in).Services[0].Objectives {
			require.Equal(t, ratio.Met, o.Figure.Verdict, "%s %s", o.ID, empty)
		}
		for name, spoil := range map[string]func(*recompute.Input){
			"the month is not over":         func(in *recompute.Input) { in.AsOf = at("2026-03-10T00:00:00Z") },
			"a resource was not seen":       func(in *recompute.Input) { in.States = counted(t, march, "api-1") },
			"nothing was seen":              func(in *recompute.Input) { in.States = meter.New() },
			"a resource was seen otherwise": func(in *recompute.Input) { in.States = probedToo(t, counted(t, march, "api-1")) },
		} {
			in := in
			spoil(&in)
			for _, o := range compute(t, in).Services[0].Objectives {
				require.Equal(t, ratio.Undecided, o.Figure.Verdict, "%s %s: %s", o.ID, empty, name)
				require.Zero(t, o.Figure.Availability.High.Cmp(ratio.One()), "%s %s: %s", o.ID, empty, name)
			}
		}
	}
}

func probedToo(t require.TestingT, m *meter.Meter) *meter.Meter {
	require.NoError(t, m.Add(meter.Evidence{Source: "probe", Resource: "api-2", Span: march, State: meter.Up}))
	return m
}

func TestWindowOfTheSameNameInAnotherZone(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.Agreement.Services[1].Objectives[0].Window.Zone = "Asia/Tokyo" // there it was April before the month in Berlin was over
	require.Equal(t, span("2026-03-01T00:00:00+09:00", "2026-04-01T00:00:00+09:00"), compute(t, in).Services[1].Objectives[0].Span)
	in.Agreement.Services[1].Objectives[0].Window.Zone = "America/New_York"
	require.Equal(t, span("2026-03-01T00:00:00-05:00", "2026-04-01T00:00:00-04:00"), compute(t, in).Services[1].Objectives[0].Span)
	in.Period = "2026-Q1"
	require.Equal(t, "2026-03-01T05:00:00Z", time.UnixMilli(compute(t, in).Services[1].Objectives[0].Span.Start).UTC().Format(time.RFC3339))
}

func TestFeesAreOfServicesAndOfTheirResources(t *testing.T) {
	in := input(t, seen{"vm-1": up(march), "storage": up(march)})
	for i := range in.Agreement.Credits {
		o := in.Agreement.Objective(in.Agreement.Credits[i].Objective)
		o.Scope = "instance"
	}
	in.Fees = map[string]string{"storage": "1000.00 EUR", "storage/storage": "7.00 EUR", "compute/vm-1": "30.00 EUR"}
	r := compute(t, in)
	require.Equal(t, "30.00 EUR", r.Services[0].Credits[0].Fee)
	require.Equal(t, "7.00 EUR", r.Services[1].Credits[0].Fee, "the fee of the resource, not that of the service of the same name")
	in.Agreement.Services[1].ID, in.Agreement.Services[0].DependsOn = "eu/storage", nil
	in.Agreement.Services[1].Resources = []string{"storage"}
	in.Fees = map[string]string{"eu/storage/storage": "7.00 EUR", "eu/storage": "1000.00 EUR"}
	require.Equal(t, "7.00 EUR", compute(t, in).Services[1].Credits[0].Fee, "an id may have a slash")
	in.Fees = map[string]string{"compte": "1200.00 EUR"}
	_, err := recompute.Compute(t.Context(), in)
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.ErrorContains(t, err, `"compte" is no service`)
}

func TestCreditsAreCountedForTheWholeReport(t *testing.T) {
	s := seen{}
	for i := range 6000 {
		s["vm-"+time.UnixMilli(int64(i)).UTC().Format("150405.000")] = up(march)
	}
	in := input(t, s)
	in.Agreement.Services[1].Resources = []string{"vm-*"}
	for i := range in.Agreement.Credits {
		in.Agreement.Objective(in.Agreement.Credits[i].Objective).Scope = "instance"
	}
	r := compute(t, in)
	require.Equal(t, 10_000, len(r.Services[0].Credits)+len(r.Services[1].Credits))
	require.Len(t, r.Findings, 1)
	require.Equal(t, "credits", r.Findings[0].Rule)
}

func TestExclusionsAreListedInOneOrder(t *testing.T) {
	one := sla.Exclusion{ID: "x", Rule: "maintenance", Start: at("2026-03-09T00:00:00+01:00"), End: at("2026-03-09T03:00:00+01:00"),
		Noticed: at("2026-03-01T00:00:00Z"), Approved: "bob", Role: "change-manager", Reason: "new controllers"}
	other := one
	other.Reason = "none of these two holds, for they have one id"
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.Exclusions = []sla.Exclusion{one, other, one}
	a := compute(t, in)
	in.Exclusions = []sla.Exclusion{other, one}
	b := compute(t, in)
	require.Equal(t, a, b)
	require.Len(t, a.Exclusions, 2)

	in.Exclusions[0].ID, in.Exclusions[0].Start, in.Exclusions[0].End = "y", at("2026-01-09T00:00:00+01:00"), at("2026-01-09T03:00:00+01:00")
	in.Exclusions[0].Noticed = at("2026-01-01T00:00:00Z")
	require.Len(t, compute(t, in).Exclusions, 1, "January is not reported on")
	in.Agreement.Services[1].Objectives[0].Window.Calendar = "quarter"
	require.Len(t, compute(t, in).Exclusions, 2, "now it is, for one objective")
}

func TestAnEscapedNameIsNamed(t *testing.T) {
	in := input(t, seen{"vm-1": up()})
	in.Agreement.Services[1].Resources = []string{`vol\[1\]`, "vol-?"}
	o := compute(t, in).Services[1].Objectives[0]
	require.Equal(t, 1, o.Resources, "nobody has seen it, and it counts")
	require.Equal(t, ratio.Undecided, o.Figure.Verdict)
	in.States = seen{"vm-1": up(), "vol[1]": up(), "vol1": up(march), "vol-2": up()}
	o = compute(t, in).Services[1].Objectives[0]
	require.Equal(t, 2, o.Resources)
	require.Equal(t, ratio.Met, o.Figure.Verdict)
}

func TestStripsOfNightsWithoutMidnight(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.Agreement.Zone = "Asia/Beirut" // the clock went from 00:00 to 01:00 on 29 March
	s := compute(t, in).Services[0].Strip
	require.Len(t, s, 31)
	require.Equal(t, span("2026-03-28T00:00:00+02:00", "2026-03-29T00:00:00+02:00"), timeline.Span{Start: s[27].Start, End: s[27].End})
	require.Equal(t, span("2026-03-29T01:00:00+03:00", "2026-03-30T00:00:00+03:00"), timeline.Span{Start: s[28].Start, End: s[28].End})
}

func TestStripsAreOfOneUnit(t *testing.T) {
	in := requests(t, "")
	in.States = probedToo(t, counted(t, march, "api-1", "api-2"))
	r := compute(t, in)
	require.Equal(t, timeline.Strip{Start: march.Start, End: march.Start + 24*hour, Up: 4800}, r.Services[0].Strip[0], "requests")
	in.Agreement.Services[0].Objectives[0] = metric.Objective{ID: "time", Target: percent("99%"), Method: metric.Time, Window: metric.Window{Calendar: "month", Zone: "Europe/Berlin"}, Scope: "account"}
	r = compute(t, in)
	require.Equal(t, timeline.Strip{Start: march.Start, End: march.Start + 24*hour, Up: 86_400_000, Unknown: 86_400_000}, r.Services[0].Strip[0], "time, of which there is none of api-1")
}

func TestAsOfBoundsWhatIsKnown(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.AsOf = at("2026-03-15T00:00:00Z")
	in.Points = map[string][]metric.Point{"vol-1": {{Taken: march.Start, Usable: march.Start}}}
	a := compute(t, in)
	require.Equal(t, uint64(in.AsOf.UnixMilli()-march.Start), a.Exposures[0].Kept.Good+a.Exposures[0].Kept.Bad)
	later := in.AsOf.UnixMilli()
	in.Points["vol-1"][0].Lost = later
	in.Points["vol-1"] = append(in.Points["vol-1"], metric.Point{Taken: later, Usable: later})
	in.Exclusions = []sla.Exclusion{{ID: "later", Start: in.AsOf, End: in.AsOf.Add(time.Hour)}, {ID: "without end of time", Start: at("2026-03-20T00:00:00Z"), End: at("2026-03-20T00:00:00Z").AddDate(9000, 0, 0)}}
	require.Equal(t, a, compute(t, in))
}

// Thirds of requests are no binary fractions, and are exactly a third.
func TestRatesThatAreExactlyAtTheTarget(t *testing.T) {
	for _, scope := range []string{"account", "instance"} {
		in := requests(t, "")
		o := &in.Agreement.Services[0].Objectives[1]
		o.Target, o.Scope = percent("1/3"), scope
		m := meter.New()
		for at := march.Start; at < march.End; at += hour {
			for _, r := range []string{"api-1", "api-2"} {
				require.NoError(t, m.Add(meter.Evidence{Source: "lb", Seq: uint64(at), Resource: r, Span: timeline.Span{Start: at, End: at + hour}, Good: 1, Total: 3}))
			}
		}
		in.States = m
		require.Equal(t, ratio.Met, compute(t, in).Services[0].Objectives[1].Figure.Verdict, scope)
	}
}

func TestRequestsOfEachResource(t *testing.T) {
	in := requests(t, "")
	in.Agreement.Services[0].Objectives[0].Scope = "instance"
	in.AsOf = at("2026-03-10T00:00:00Z")
	o := compute(t, in).Services[0].Objectives[0]
	require.Equal(t, 2, o.Open)
	require.Equal(t, "api-1", o.Worst[0].Resource, "equals are in order of their names")
	require.Zero(t, o.Worst[0].Figure.Availability.Low.Num())
}

// What a resource was not there for is neither judged nor shown.
func TestResourcesThatWereNotThereAllTheTime(t *testing.T) {
	first := timeline.Span{Start: march.Start, End: march.Start + 24*hour}
	in := requests(t, metric.EmptyGood)
	in.AsOf = at("2026-03-10T00:00:00Z")
	one := metric.Input{Counts: []metric.Count{{Start: march.Start, Good: 9, Total: 9}}, Deployed: timeline.Line{first}}
	in.States = seen{"api-1": one, "api-2": {Deployed: timeline.Line{}}}
	for _, o := range compute(t, in).Services[0].Objectives {
		require.Equal(t, ratio.Met, o.Figure.Verdict, o.ID)
	}
	in = input(t, seen{"vm-1": up(), "storage": {States: metric.States{Up: timeline.Line{first}}, Deployed: timeline.Line{first}}})
	s := compute(t, in).Services[1]
	require.Equal(t, ratio.Met, s.Objectives[0].Figure.Verdict)
	require.Equal(t, timeline.Strip{Start: first.Start, End: first.End, Up: 86_400_000}, s.Strip[0])
	require.Zero(t, s.Strip[1].Unknown)
}

func TestTargetsOfTheHotlineAreOfItsHours(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.Incidents = []response.Incident{{ID: "i", Occurred: at("2026-03-14T10:00:00+01:00"), Reported: at("2026-03-14T10:00:00+01:00"), Accepted: at("2026-03-14T20:00:00+01:00")}}
	acceptance := func() ratio.Verdict { return compute(t, in).Responses[2].Verdict }
	require.Equal(t, ratio.Breach, acceptance())
	in.Agreement.Clause.Emergency.Hours.Hours[0].Days = calendar.WeekdaysOf(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	require.Equal(t, ratio.Met, acceptance(), "it was a Saturday")
}

// changed calls f with a copy of a value for each of its fields in turn, in which that field is another.
func changed[T any](t *testing.T, v T, f func(field string, other T)) {
	for i := range reflect.TypeFor[T]().NumField() {
		other := v
		field := reflect.ValueOf(&other).Elem().Field(i)
		switch x := field.Addr().Interface().(type) {
		case *string:
			*x += "x"
		case *opsec.Severity:
			*x = opsec.SeverityLow
		case *responsibility.Layer:
			*x = responsibility.Facility
		case *bool:
			*x = !*x
		case *[]string:
			*x = append(slices.Clone(*x), "storage")
		case *time.Time:
			*x = x.Add(time.Millisecond)
		case *int64:
			*x++
		default:
			t.Fatalf("%s: of type %s", reflect.TypeFor[T]().Field(i).Name, field.Type())
		}
		f(reflect.TypeFor[T]().Field(i).Name, other)
	}
}

// Nothing of the evidence can be another without another digest.
func TestEachFieldOfTheEvidenceIsCited(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	moment := func(minute int) time.Time { return at("2026-03-09T00:00:00Z").Add(time.Duration(minute) * time.Minute) }
	incident := response.Incident{ID: "i", Service: "compute", Severity: opsec.SeverityHigh, Occurred: moment(1), Reported: moment(2), Accepted: moment(3), Notified: moment(4), Restored: moment(5), Resolved: moment(6)}
	exclusion := sla.Exclusion{ID: "x", Rule: "maintenance", Services: []string{"compute"}, Start: moment(1), End: moment(2), Noticed: moment(0), Approved: "Ina", Role: "change-manager", Layer: responsibility.Hardware, Reason: "r", Evidence: "e"}
	point := metric.Point{Taken: march.Start, Usable: march.Start + 1, Lost: march.Start + 9}
	in.Incidents, in.Exclusions, in.Points = []response.Incident{incident}, []sla.Exclusion{exclusion}, map[string][]metric.Point{"vol-1": {point}}
	want := compute(t, in).Evidence
	found := map[string]bool{want.Incidents: true, want.Exclusions: true, want.Points: true}
	differs := func(field string, got string) {
		require.Regexp(t, "^sha256:[0-9a-f]{64}$", got)
		require.False(t, found[got], field)
		found[got] = true
	}
	changed(t, incident, func(field string, other response.Incident) {
		in := in
		in.Incidents = []response.Incident{other}
		differs(field, compute(t, in).Evidence.Incidents)
	})
	changed(t, exclusion, func(field string, other sla.Exclusion) {
		in := in
		in.Exclusions = []sla.Exclusion{other}
		differs(field, compute(t, in).Evidence.Exclusions)
	})
	changed(t, point, func(field string, other metric.Point) {
		in := in
		in.Points = map[string][]metric.Point{"vol-1": {other}}
		differs(field, compute(t, in).Evidence.Points)
	})
	in.Points = map[string][]metric.Point{"vol-2": {point}}
	differs("source", compute(t, in).Evidence.Points)
	in.Incidents, in.Exclusions, in.Points = nil, nil, nil
	got := compute(t, in).Evidence
	require.Equal(t, recompute.Evidence{Span: want.Span, States: want.States}, got, "nothing is cited by no digest")
}

func TestIncidentsAsTheReportKnewThem(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.AsOf = at("2026-03-20T00:00:00Z")
	berlin := time.FixedZone("", 3600)
	incident := func(id, occurred string) response.Incident { return response.Incident{ID: id, Occurred: at(occurred)} }
	open := incident("open", "2026-03-19T00:00:00Z")
	open.Occurred, open.Reported, open.Accepted, open.Restored = open.Occurred.In(berlin), in.AsOf, in.AsOf.Add(1), in.AsOf.Add(time.Hour)
	old := incident("old", "2026-02-01T00:00:00Z")
	taken := incident("taken up", "2026-02-02T00:00:00Z")
	taken.Reported, taken.Accepted = taken.Occurred, at("2026-03-02T00:00:00Z")
	now, later := incident("now", "2026-03-20T00:00:00Z"), incident("later", "2026-03-20T00:00:00.000000001Z")
	in.Incidents = []response.Incident{later, open, old, now, taken, open}
	r := compute(t, in)

	known, err := r.Known(in.Incidents)
	require.NoError(t, err)
	open.Occurred, open.Accepted, open.Restored = open.Occurred.UTC(), time.Time{}, time.Time{}
	require.Equal(t, []response.Incident{now, open, taken}, known, "in one order, in UTC, each once")
	again, err := r.Known(known)
	require.NoError(t, err)
	require.Equal(t, known, again)
	in.Incidents = known
	require.Equal(t, digestOf(t, r), digestOf(t, compute(t, in)), "they make the same report")

	open.Service = "compute"
	for name, list := range map[string][]response.Incident{"one less": known[1:], "none": nil, "another": append(slices.Clone(known), incident("x", "2026-03-01T00:00:00Z")), "changed": {now, open, taken}, "not valid": append(slices.Clone(known), response.Incident{})} {
		got, err := r.Known(list)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Nil(t, got, name)
	}
	in.Incidents = nil
	known, err = compute(t, in).Known(nil)
	require.NoError(t, err)
	require.Empty(t, known)
}

// At the edges of a period: an agreement that was in force for all of it, an exclusion that was over, and as many findings as are listed.
func TestTheEdgesOfAPeriod(t *testing.T) {
	for ms, want := range map[int64][]string{0: nil, 1: {"effective", "expired"}} {
		in := input(t, seen{"vm-1": up(), "storage": up()})
		in.Agreement.Effective, in.Agreement.Expires = time.UnixMilli(march.Start+ms), time.UnixMilli(march.End-ms)
		x := sla.Exclusion{ID: "before", Rule: "maintenance", Start: time.UnixMilli(march.Start - hour), End: time.UnixMilli(march.Start + ms), Reason: "r"}
		after := sla.Exclusion{ID: "after", Rule: "maintenance", Start: time.UnixMilli(march.End - ms), End: time.UnixMilli(march.End + hour), Reason: "r"}
		in.Exclusions, in.AsOf = []sla.Exclusion{x, after}, time.UnixMilli(march.End+2*hour)
		r := compute(t, in)
		var rules []string
		for _, f := range r.Findings {
			rules = append(rules, f.Rule)
		}
		require.Equal(t, want, rules)
		require.Len(t, r.Exclusions, 2*int(ms))
		_, err := r.Known([]response.Incident{{ID: "i", Occurred: time.UnixMilli(march.Start)}})
		require.ErrorIs(t, err, opsec.ErrInvalid, "it cites none")
	}
	in := input(t, seen{"vm-1": up(), "storage": up()})
	o := in.Agreement.Services[1].Objectives[0]
	o.Window.Calendar = "day"
	for i := range 1001 {
		o.ID = fmt.Sprint("o", i)
		in.Agreement.Services[1].Objectives = append(in.Agreement.Services[1].Objectives, o)
	}
	require.Len(t, compute(t, in).Findings, 1000)
}
