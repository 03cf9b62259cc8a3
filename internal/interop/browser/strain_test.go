package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// each has the same of each resource.
type each map[string]metric.Input

func (e each) Resources(_ timeline.Span, yield func(string, metric.Input) bool) {
	for name, in := range e {
		if !yield(name, in) {
			return
		}
	}
}

func (e each) Digest(timeline.Span) string { return "sha256:" + strings.Repeat("5f", 32) }

// strained are documents of agreements with too much of everything, or next to nothing.
func strained(t *testing.T) map[string]*document.Document {
	t.Helper()
	read := func() *sla.Agreement {
		text, err := os.ReadFile("../../../examples/slareport/iaas.yaml")
		require.NoError(t, err)
		a, err := sla.Parse(text)
		require.NoError(t, err)
		return a
	}
	out := map[string]*document.Document{}
	add := func(name string, d *document.Document, err error) {
		require.NoError(t, err, name)
		out[name] = d
	}
	show := func(name string, in recompute.Input) {
		r, err := recompute.Compute(context.Background(), in)
		require.NoError(t, err, name)
		d, err := document.Report{Report: r, Agreement: in.Agreement, Incidents: in.Incidents}.Provider()
		add(name, d, err)
	}
	line := func(name string) timeline.Span {
		s, err := recompute.Span(name, "Europe/Berlin")
		require.NoError(t, err)
		return s
	}
	down := func(s timeline.Span) metric.Input { return metric.Input{States: metric.States{Down: timeline.Line{s}}} }
	up := func(s timeline.Span) metric.Input { return metric.Input{States: metric.States{Up: timeline.Line{s}}} }

	// a hundred services, with names that nothing divides
	a, long := read(), strings.Repeat("W", 180)
	const arabic = "خدمة التخزين السحابي الآمنة"
	a.Title, a.Grade, a.Parties[0].Name, a.Parties[1].Name = long, long, long, arabic
	seen, fees := each{}, map[string]string{}
	one := a.Services[1]
	for i := range 98 {
		s := one
		s.ID, s.Title, s.DependsOn, s.Resources = fmt.Sprintf("service-%02d-%s", i, strings.Repeat("m", 40)), long, nil, nil
		o := one.Objectives[0]
		o.ID, o.Title = fmt.Sprintf("objective-%02d-%s", i, strings.Repeat("m", 40)), long
		if i%2 == 1 {
			s.Title, o.Title = arabic, arabic
		}
		s.Objectives = []metric.Objective{o}
		a.Services = append(a.Services, s)
		c := a.Credits[1]
		c.ID, c.Objective = fmt.Sprintf("credit-%02d-%s", i, strings.Repeat("m", 40)), o.ID
		c.Bands = append([]credit.Band{}, c.Bands...)
		a.Credits = append(a.Credits, c)
		seen[s.ID], fees[s.ID] = down(line("2026-03")), "123456789012345.67 EUR"
	}
	var incidents []response.Incident
	for i := range 60 {
		at := time.Date(2026, 3, 1+i%28, 1, 0, 0, 0, time.UTC)
		incidents = append(incidents, response.Incident{ID: fmt.Sprintf("%d-%s", i, strings.Repeat("I", 150)), Service: arabic, Severity: opsec.SeverityHigh, Occurred: at, Reported: at, Accepted: at.Add(time.Minute), Restored: at.Add(time.Hour)})
	}
	seen[strings.Replace("vm-x", "x", long, 1)] = down(line("2026-03"))
	d, err := document.Agreement{Agreement: a}.Document()
	add("crowd-agreement", d, err)
	start := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	show("crowd", recompute.Input{Agreement: a, Period: "2026-03", AsOf: start.AddDate(0, 2, 0), States: seen, Incidents: incidents, Fees: fees,
		Points:     map[string][]metric.Point{long: nil, arabic: nil},
		Exclusions: []sla.Exclusion{{ID: long, Rule: "maintenance", Start: start, End: start.Add(time.Hour), Noticed: start.AddDate(0, -1, 0), Approved: long, Role: "change-manager", Reason: long, Evidence: long}, {ID: arabic, Rule: long, Start: start, End: start.Add(time.Hour), Approved: arabic, Role: arabic, Reason: arabic}},
	})
	c := document.Comparison{A: document.Side{Name: long, ID: long, Digest: long}, B: document.Side{Name: arabic, ID: arabic, Version: 3}}
	for i := range 30 {
		c.Rows = append(c.Rows, document.Row{Path: long, Clause: []string{"7.2.1", "7.2.2.2", long}[i%3], Verdict: []string{"weaker", "stronger", "incomparable", "equal"}[i%4], A: long, B: arabic, Reason: long + " " + arabic})
	}
	d, err = c.Document()
	add("crowd-comparison", d, err)

	// nothing was seen of a month; all was down in a day, with incidents of a night; a year, half of it up
	a = read()
	show("nothing", recompute.Input{Agreement: a, Period: "2026-03", AsOf: start, States: each{}, Incidents: []response.Incident{}})
	night := start.Add(23 * time.Hour)
	show("night", recompute.Input{Agreement: a, Period: "2026-03-04", AsOf: start.AddDate(0, 0, 9), States: each{"vm-1": down(line("2026-03-04")), "storage": down(line("2026-03-04"))}, Incidents: []response.Incident{
		{ID: "i-1", Service: "compute", Severity: opsec.SeverityCritical, Occurred: night.Add(-3 * time.Hour), Reported: night.Add(-3 * time.Hour), Accepted: night.Add(-2 * time.Hour), Restored: night},
		{ID: "i-2", Service: "storage", Severity: opsec.SeverityLow, Occurred: night.Add(-time.Hour), Reported: night.Add(-time.Hour)},
	}})
	show("year", recompute.Input{Agreement: a, Period: "2026", AsOf: start.AddDate(2, 0, 0), States: each{"vm-1": up(line("2026-Q1")), "storage": down(line("2026"))}, Incidents: []response.Incident{}})
	return out
}

// Whatever is in them, documents stay in their window, and on their paper.
func TestDocumentsOfTooMuch(t *testing.T) {
	parent := start(t)
	for name, d := range strained(t) {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { require.NoError(t, d.HTML(w)) }))
			t.Cleanup(srv.Close)
			p := visit(t, parent, srv.URL+"/")
			for _, width := range []int64{400, 961, 1280} { // a telephone, the narrowest window in which tables are tables, a desk
				p.look(width, "light", "screen")
				p.picture(fmt.Sprintf("strained-%s-%d", name, width))
				p.fits(width)
			}
			p.look(1280, "dark", "screen")
			p.picture(fmt.Sprintf("strained-%s-dark", name))
			readable(t, p, "dark")
			if name == "crowd-comparison" {
				require.True(t, eval[bool](p, `(() => {
					const side = document.querySelectorAll("header dd")[1], name = document.createRange()
					name.selectNode(side.firstChild)
					return name.getBoundingClientRect().right <= side.querySelector("code").getBoundingClientRect().left + 1
				})()`), "a name from right to left draws no id that comes after it before itself")
			}
			p.look(680, "light", "print")
			p.fits(680)
			said, asked := p.heard()
			require.Empty(t, said)
			require.Len(t, asked, 1)
		})
	}
}
