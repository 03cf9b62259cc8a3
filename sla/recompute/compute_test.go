package recompute_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// seen is a meter.Reader of a test.
type seen map[string]metric.Input

func (s seen) Resources(p timeline.Span, yield func(string, metric.Input) bool) {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		in := s[n]
		in.States = metric.States{Up: in.States.Up.Within(p), Degraded: in.States.Degraded.Within(p), Down: in.States.Down.Within(p)}
		if !yield(n, in) {
			return
		}
	}
}

func (s seen) Digest(p timeline.Span) string { return fmt.Sprint("sha256:", len(s), p) }

func agreement(t require.TestingT, name string) *sla.Agreement {
	text, err := os.ReadFile("../../examples/slareport/" + name + ".yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)
	return a
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func span(from, to string) timeline.Span {
	return timeline.Span{Start: at(from).UnixMilli(), End: at(to).UnixMilli()}
}

// march is the month in Berlin, an hour short.
var march = span("2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00")

// up was up all month, but for what was down.
func up(down ...timeline.Span) metric.Input {
	return metric.Input{States: metric.States{Up: timeline.Line{march}.Without(timeline.Union(down)), Down: timeline.Union(down)}}
}

func input(t require.TestingT, s seen) recompute.Input {
	return recompute.Input{Agreement: agreement(t, "iaas"), Period: "2026-03", AsOf: at("2026-04-03T08:00:00Z"), States: s}
}

func compute(t require.TestingT, in recompute.Input) *recompute.Report {
	r, err := recompute.Compute(context.Background(), in)
	require.NoError(t, err)
	return r
}

func TestAMonthOfAnAgreement(t *testing.T) {
	day := "2026-03-09T"
	in := input(t, seen{
		"vm-1":    up(span(day+"10:00:00+01:00", day+"10:04:00+01:00")),
		"vm-2":    up(span(day+"00:00:00+01:00", day+"06:00:00+01:00")), // more than 0.5 % of a month
		"storage": up(),
		"other":   up(march), // of no service
	})
	in.Incidents = []response.Incident{{ID: "i1", Service: "compute", Severity: opsec.SeverityCritical, Occurred: at(day + "00:00:00+01:00"),
		Reported: at(day + "00:05:00+01:00"), Accepted: at(day + "00:15:00+01:00"), Restored: at(day + "06:00:00+01:00"), Resolved: at(day + "09:00:00+01:00")}}
	in.Fees = map[string]string{"compute": "1200.00 EUR"}
	r := compute(t, in)

	require.Equal(t, march, r.Period.Span)
	require.Len(t, r.Services, 2)
	region, instance, storage := r.Services[0].Objectives[0], r.Services[0].Objectives[1], r.Services[1].Objectives[0]
	month := uint64(march.End - march.Start)
	require.Equal(t, uint64(743*3600*1000), month, "an hour is missing")
	require.Equal(t, 2, region.Resources)
	require.Equal(t, uint64((4+360)*60_000), region.Tally.Counted.Bad)
	require.Equal(t, 2*month, region.Tally.Counted.Bad+region.Tally.Counted.Good)
	require.Equal(t, ratio.Breach, region.Figure.Verdict, region.Figure.Availability.High.Percent(4))
	require.Equal(t, ratio.Breach, instance.Figure.Verdict)
	require.Equal(t, 1, instance.Broken, "four bad minutes are no five")
	require.Equal(t, "vm-2", instance.Worst[0].Resource)
	require.Equal(t, ratio.Met, storage.Figure.Verdict)
	require.Equal(t, []ratio.Verdict{ratio.Breach, ratio.Met, ratio.Met, ratio.Met, ratio.Met, ratio.Met, ratio.Met}, verdicts(r.Responses),
		"six hours to recover, where four were promised on average")
	require.Empty(t, r.Findings)
	require.Len(t, r.Services[0].Credits, 1, "the table of the region; instances have none")
	require.Equal(t, "10%", r.Services[0].Credits[0].Credit.Low.String())
	require.Equal(t, [2]string{"120.00 EUR", "120.00 EUR"}, r.Services[0].Totals[0].Amount)
	require.Empty(t, r.Services[1].Credits)
	require.Len(t, r.Services[0].Strip, 31)
	require.Equal(t, uint64(364*60_000), r.Services[0].Strip[8].Down)
	require.Equal(t, uint64(2*23*3_600_000), r.Services[0].Strip[28].Up, "the day that is an hour short")
}

func verdicts(list []response.Summary) (all []ratio.Verdict) {
	for _, s := range list {
		all = append(all, s.Verdict)
	}
	return all
}

func TestWhatWasNotSeenIsUnknown(t *testing.T) {
	r := compute(t, input(t, seen{"vm-1": up()}))
	storage := r.Services[1].Objectives[0]
	require.Equal(t, ratio.Undecided, storage.Figure.Verdict)
	require.Equal(t, 1, storage.Resources, "it is named in the agreement")
	require.Equal(t, storage.Tally.Counted.Unknown, uint64(march.End-march.Start))

	in := input(t, seen{"storage": up()})
	r = compute(t, in)
	require.Zero(t, r.Services[0].Objectives[0].Resources)
	require.Equal(t, ratio.Undecided, r.Services[0].Objectives[0].Figure.Verdict)
	require.Len(t, r.Findings, 2, "no machine at all")

	in = input(t, seen{"vm-1": up(), "storage": up()})
	in.AsOf = at("2026-03-15T00:00:00+01:00")
	r = compute(t, in)
	require.Equal(t, ratio.Undecided, r.Services[1].Objectives[0].Figure.Verdict, "the month is not over")
	in.States = seen{"vm-1": up(), "storage": up(span("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"))}
	require.Equal(t, ratio.Breach, compute(t, in).Services[1].Objectives[0].Figure.Verdict, "nothing can mend it")
}

func TestExclusionsCountWhenTheyAreValid(t *testing.T) {
	down := span("2026-03-09T00:00:00+01:00", "2026-03-09T03:00:00+01:00")
	in := input(t, seen{"vm-1": up(), "storage": up(down)})
	require.Equal(t, ratio.Breach, compute(t, in).Services[1].Objectives[0].Figure.Verdict)
	work := sla.Exclusion{ID: "chg-1", Rule: "maintenance", Start: time.UnixMilli(down.Start), End: time.UnixMilli(down.End),
		Noticed: at("2026-03-01T00:00:00Z"), Approved: "bob", Role: "change-manager", Reason: "new controllers"}
	late := work
	late.ID, late.Noticed = "chg-2", at("2026-03-08T00:00:00Z")
	in.Exclusions = []sla.Exclusion{late}
	r := compute(t, in)
	require.Equal(t, ratio.Breach, r.Services[1].Objectives[0].Figure.Verdict)
	require.False(t, r.Exclusions[0].Valid())
	require.NotEmpty(t, r.Exclusions[0].Why)

	in.Exclusions = []sla.Exclusion{work, late}
	r = compute(t, in)
	o := r.Services[1].Objectives[0]
	require.Equal(t, ratio.Met, o.Figure.Verdict)
	require.Equal(t, -1, o.Figure.Raw.High.Cmp(o.Target), "both figures are shown")
	require.Equal(t, uint64(3*3_600_000), o.Tally.Counted.Excluded)
	require.Equal(t, uint64(3*3_600_000), r.Services[1].Strip[8].Excluded)
	require.Zero(t, r.Services[1].Strip[8].Down)
}

func TestEitherPartyGetsTheSameReport(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	in.Incidents = []response.Incident{{ID: "b", Occurred: at("2026-03-09T00:00:00Z")}, {ID: "a", Occurred: at("2026-03-08T00:00:00Z")}}
	a := compute(t, in)
	slices.Reverse(in.Incidents)
	b := compute(t, in)
	one, err := a.Digest()
	require.NoError(t, err)
	other, err := b.Digest()
	require.NoError(t, err)
	require.Equal(t, one, other)
	text, err := a.JSON()
	require.NoError(t, err)
	back, err := recompute.Read(text)
	require.NoError(t, err)
	again, err := back.Digest()
	require.NoError(t, err)
	require.Equal(t, one, again, "what is read is what was written")
	same, err := recompute.Diff(a, back)
	require.NoError(t, err)
	require.Empty(t, same)

	in.States = seen{"vm-1": up(), "storage": up(span("2026-03-02T00:00:00Z", "2026-03-02T00:00:01Z"))}
	differ, err := recompute.Diff(a, compute(t, in))
	require.NoError(t, err)
	var paths []string
	for _, d := range differ {
		paths = append(paths, d.Path)
	}
	require.Contains(t, paths, "services[1].objectives[0].tally.counted.bad")
}

func TestWhatIsNoInputIsRefused(t *testing.T) {
	good := input(t, seen{})
	for name, spoil := range map[string]func(*recompute.Input){
		"no agreement": func(in *recompute.Input) { in.Agreement = nil },
		"no evidence":  func(in *recompute.Input) { in.States = nil },
		"no as-of":     func(in *recompute.Input) { in.AsOf = time.Time{} },
		"no period":    func(in *recompute.Input) { in.Period = "" },
		"a period":     func(in *recompute.Input) { in.Period = "2026-13" },
		"why":          func(in *recompute.Input) { in.Why = "late evidence" },
		"invalid":      func(in *recompute.Input) { in.Agreement.Zone = "" },
		"an incident":  func(in *recompute.Input) { in.Incidents = []response.Incident{{ID: "x"}} },
	} {
		in := good
		in.Agreement = agreement(t, "iaas")
		spoil(&in)
		_, err := recompute.Compute(t.Context(), in)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good.States = seen{"vm-1": up()}
	_, err := recompute.Compute(ctx, good)
	require.ErrorIs(t, err, context.Canceled)
	for _, text := range []string{"", "{}", `{"schema": "opsec.sla.report/v2"}`, `{"schema": "opsec.sla.report/v1", "more": 1}`} {
		_, err := recompute.Read([]byte(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
	}
}

func TestWindowsOtherThanThePeriod(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	o := &in.Agreement.Services[1].Objectives[0]
	o.Window = metric.Window{Rolling: metric.Duration(7 * 24 * time.Hour)}
	r := compute(t, in)
	require.Equal(t, march.End, r.Services[1].Objectives[0].Span.End)
	require.Equal(t, ratio.Met, r.Services[1].Objectives[0].Figure.Verdict)
	o.Window = metric.Window{Calendar: "quarter", Zone: "Europe/Berlin"}
	r = compute(t, in)
	require.Equal(t, ratio.Undecided, r.Services[1].Objectives[0].Figure.Verdict, "nothing is known of January")
	require.Equal(t, r.Services[1].Objectives[0].Span.Start, r.Evidence.Span.Start)
	require.Len(t, r.Findings, 1)
	for period, days := range map[string]int{"2026-03-29": 1, "2026-W11": 7, "2026": 365, "2026-Q1": 90} {
		in.Period = period
		r = compute(t, in)
		require.Len(t, r.Services[0].Strip, days, period)
	}
}

// An exclusion that nobody asked for, or evidence that is taken away, never makes a figure better or worse than its bounds said.
func TestLessEvidenceWidensTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var down []timeline.Span
		for range rapid.IntRange(0, 4).Draw(t, "outages") {
			from := march.Start + rapid.Int64Range(0, march.End-march.Start-1).Draw(t, "from")
			down = append(down, timeline.Span{Start: from, End: min(march.End, from+rapid.Int64Range(1, 86_400_000).Draw(t, "ms"))})
		}
		gap := timeline.Line{{Start: march.Start + rapid.Int64Range(0, 1<<31).Draw(t, "gap"), End: march.End}}
		full := up(down...)
		part := metric.Input{States: metric.States{Up: full.States.Up.Without(gap), Down: full.States.Down.Without(gap)}}
		a := compute(t, input(t, seen{"vm-1": full, "storage": full}))
		b := compute(t, input(t, seen{"vm-1": part, "storage": part}))
		for i, s := range a.Services {
			for k, o := range s.Objectives {
				f, g := o.Figure.Availability, b.Services[i].Objectives[k].Figure.Availability
				if g.Low.Cmp(f.Low) > 0 || g.High.Cmp(f.High) < 0 {
					t.Fatalf("%s: %v of all evidence, %v of a part", o.ID, f, g)
				}
			}
		}
	})
}

func TestCreditsOfSingleMachines(t *testing.T) {
	day := "2026-03-09T"
	in := input(t, seen{"vm-1": up(), "vm-2": up(span(day+"00:00:00+01:00", day+"06:00:00+01:00")), "storage": up()})
	in.Agreement.Credits[0].Objective = "compute-instance"
	in.Agreement.Credits[0].Bands[0].Below = in.Agreement.Services[0].Objectives[1].Target
	in.Fees = map[string]string{"compute/vm-2": "30.00 EUR"}
	r := compute(t, in)
	require.Len(t, r.Services[0].Credits, 1)
	require.Equal(t, "compute/vm-2", r.Services[0].Credits[0].Service)
	require.Equal(t, "3.00 EUR", r.Services[0].Totals[0].Amount[0])
	require.Equal(t, at("2026-05-31T00:00:00+02:00").UnixMilli(), r.Services[0].Credits[0].ClaimBy.UnixMilli())

	in.Fees = map[string]string{"compute/vm-2": "30.00 USD"}
	_, err := recompute.Compute(t.Context(), in)
	require.ErrorIs(t, err, opsec.ErrInvalid, "the minimum is in another currency")
}

func TestExposureToLossIsBesideWhatWasPromised(t *testing.T) {
	in := input(t, seen{"vm-1": up(), "storage": up()})
	hour := int64(3_600_000)
	in.Points = map[string][]metric.Point{"vol-7": nil, "vol-1": nil}
	for night := int64(-1); night < 31; night++ {
		taken := march.Start + night*24*hour
		in.Points["vol-1"] = append(in.Points["vol-1"], metric.Point{Taken: taken, Usable: taken})
		if night < 10 {
			in.Points["vol-7"] = append(in.Points["vol-7"], metric.Point{Taken: taken, Usable: taken})
		}
	}
	r := compute(t, in)
	require.Len(t, r.Exposures, 2)
	require.Equal(t, "vol-1", r.Exposures[0].Source)
	require.Zero(t, r.Exposures[0].Kept.Bad)
	require.NotZero(t, r.Exposures[1].Kept.Bad)
	first := r.Evidence.Points
	slices.Reverse(in.Points["vol-7"])
	require.Equal(t, first, compute(t, in).Evidence.Points)
}
