package document_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
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

// states was up all month, but for what was down and what nobody saw.
func states(down, unknown []timeline.Span) metric.Input {
	d := timeline.Union(down)
	return metric.Input{States: metric.States{Up: timeline.Line{march}.Without(d).Without(timeline.Union(unknown)), Down: d}}
}

// input is a month with an outage, maintenance, a gap in the evidence, and incidents.
func input(t require.TestingT) recompute.Input {
	day := func(d, from, to string) timeline.Span {
		return span("2026-03-"+d+"T"+from+"+01:00", "2026-03-"+d+"T"+to+"+01:00")
	}
	machines := seen{"storage": states([]timeline.Span{day("17", "01:00:00", "02:10:00"), day("04", "01:00:00", "03:00:00")}, nil)}
	for i := range 24 {
		name := fmt.Sprintf("vm-%02d", i)
		machines[name] = states(nil, nil)
	}
	machines["vm-07"] = states([]timeline.Span{day("09", "10:00:00", "16:20:00")}, nil)
	machines["vm-08"] = states([]timeline.Span{day("09", "10:00:00", "14:00:00")}, []timeline.Span{day("12", "00:00:00", "09:00:00")})
	machines["vm-globex"] = states([]timeline.Span{day("09", "10:00:00", "18:00:00"), day("21", "03:00:00", "07:00:00")}, nil)
	machines["vm-20"] = states(nil, []timeline.Span{day("20", "00:00:00", "23:00:00")})
	incidents := []response.Incident{
		{ID: "INC-1041", Service: "storage", Severity: opsec.SeverityHigh, Occurred: at("2026-03-17T01:00:00+01:00"), Reported: at("2026-03-17T01:03:00+01:00"),
			Accepted: at("2026-03-17T01:09:00+01:00"), Restored: at("2026-03-17T02:10:00+01:00"), Resolved: at("2026-03-18T12:00:00+01:00")},
		{ID: "INC-1033", Service: "compute", Severity: opsec.SeverityCritical, Occurred: at("2026-03-09T10:00:00+01:00"), Reported: at("2026-03-09T10:02:00+01:00"),
			Accepted: at("2026-03-09T10:30:00+01:00"), Restored: at("2026-03-09T18:00:00+01:00"), Resolved: at("2026-03-10T09:00:00+01:00")},
		{ID: "SEC-7", Service: "compute", Severity: opsec.SeverityMedium, Security: true, Occurred: at("2026-03-26T08:00:00+01:00"), Reported: at("2026-03-26T08:00:00+01:00"),
			Accepted: at("2026-03-26T08:05:00+01:00"), Notified: at("2026-03-26T09:10:00+01:00")},
	}
	exclusions := []sla.Exclusion{
		{ID: "CHG-88", Rule: "maintenance", Services: []string{"storage"}, Start: at("2026-03-04T01:00:00+01:00"), End: at("2026-03-04T03:00:00+01:00"),
			Noticed: at("2026-02-20T12:00:00+01:00"), Approved: "Dana Reyes", Role: "change-manager", Reason: "Firmware of the controllers"},
		{ID: "CHG-91", Rule: "maintenance", Start: at("2026-03-21T03:00:00+01:00"), End: at("2026-03-21T07:00:00+01:00"),
			Noticed: at("2026-03-20T12:00:00+01:00"), Approved: "Dana Reyes", Role: "change-manager", Reason: "Host of globex is replaced"},
	}
	return recompute.Input{Agreement: agreement(t, "iaas"), Period: "2026-03", AsOf: at("2026-04-03T08:00:00Z"), States: machines,
		Incidents: incidents, Exclusions: exclusions, Fees: map[string]string{"compute": "4800.00 EUR", "storage": "1200.00 EUR"}}
}

func compute(t require.TestingT, in recompute.Input) document.Report {
	r, err := recompute.Compute(context.Background(), in)
	require.NoError(t, err)
	return document.Report{Report: r, Agreement: in.Agreement, Incidents: in.Incidents}
}
