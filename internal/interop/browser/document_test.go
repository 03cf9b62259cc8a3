package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// names are the documents that the tests look at.
var names = []string{"agreement", "draft", "provider", "customer", "quiet", "comparison"}

// portal serves them.
func portal(t *testing.T) *httptest.Server {
	t.Helper()
	var shelf document.Memory
	put := func(name string, d *document.Document, err error) {
		require.NoError(t, err)
		require.NoError(t, shelf.Put("acme", name, d))
	}
	text, err := os.ReadFile("../../../examples/slareport/iaas.yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)
	d, err := document.Agreement{Agreement: a}.Document()
	put("agreement", d, err)
	d, err = document.Agreement{Agreement: &sla.Agreement{ID: "draft", Clause: sla.Clause{Data: &sla.Data{}, Measures: &sla.Measures{}}}}.Document()
	put("draft", d, err)

	month := aMonth(t, a, true)
	d, err = month.Provider()
	put("provider", d, err)
	d, err = month.Customer(document.Customer{Tenant: "acme", Owns: func(r string) bool { return strings.HasPrefix(r, "vm-0") }})
	put("customer", d, err)
	d, err = aMonth(t, a, false).Provider()
	put("quiet", d, err)
	d, err = document.Comparison{
		A: document.Side{Name: "What Acme requires", ID: "acme-needs", Version: 1}, B: document.Side{Name: "Offer of Northwind", ID: "acme-iaas", Version: 1},
		Rows: []document.Row{
			{Path: "services[id=compute].objectives[id=compute-region].target", Clause: "7.2.2.1", Verdict: "weaker", A: "99.99 %", B: "99.95 %", Reason: "the target is lower"},
			{Path: "clause.data.backup.rpo", Clause: "7.2.2.2", Verdict: "stronger", A: "1 d", B: "4 h", Reason: "less is lost"},
			{Path: "clause.data.compliance[law=EU].handling", Clause: "7.2.2.2", Verdict: "incomparable", A: "In the EEA", B: "On documented instruction", Reason: "texts differ: people have to read them"},
			{Path: "clause.monitoring.modes", Clause: "7.2.2.6", Verdict: "equal", A: "e-mail, telephone", B: "e-mail, telephone"},
			{Path: "liabilities[party=CSP].text", Clause: "7.2.1", Verdict: "weaker", A: "All direct damage", Reason: "nothing is promised"},
		},
	}.Document()
	put("comparison", d, err)

	h, err := document.Portal{Shelf: &shelf, Authorizer: opsec.CallerAuthorized{}, Who: func(*http.Request) (opsec.Actor, error) { return opsec.Actor{Tenant: "acme"}, nil }}.Handler()
	require.NoError(t, err)
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

// seen is a meter.Reader: the same of each machine, but for those that are named.
type seen map[string]metric.Input

func (s seen) Resources(p timeline.Span, yield func(string, metric.Input) bool) {
	for i := range 24 {
		name := fmt.Sprintf("vm-%02d", i)
		in, ok := s[name]
		if !ok {
			in = metric.Input{States: metric.States{Up: timeline.Line{p}}}
		}
		if !yield(name, in) {
			return
		}
	}
	yield("storage", s["storage"])
}

func (s seen) Digest(timeline.Span) string {
	return "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
}

// aMonth is one with outages, maintenance, gaps in the evidence and incidents; or one in which nothing was.
func aMonth(t *testing.T, a *sla.Agreement, troubled bool) document.Report {
	t.Helper()
	at := func(day, clock string) time.Time {
		v, err := time.Parse(time.RFC3339, "2026-03-"+day+"T"+clock+"+01:00")
		require.NoError(t, err)
		return v
	}
	span := func(day, from, to string) timeline.Span {
		return timeline.Span{Start: at(day, from).UnixMilli(), End: at(day, to).UnixMilli()}
	}
	month, err := recompute.Span("2026-03", a.Zone)
	require.NoError(t, err)
	states := func(down, unknown []timeline.Span) metric.Input {
		d := timeline.Union(down)
		return metric.Input{States: metric.States{Up: timeline.Line{month}.Without(d).Without(timeline.Union(unknown)), Down: d}}
	}
	in := recompute.Input{Agreement: a, Period: "2026-03", AsOf: at("31", "23:00:00").AddDate(0, 0, 3), States: seen{"storage": states(nil, nil)}, Incidents: []response.Incident{}}
	if troubled {
		in.States = seen{
			"storage": states([]timeline.Span{span("17", "01:00:00", "02:10:00"), span("04", "01:00:00", "03:00:00")}, nil),
			"vm-07":   states([]timeline.Span{span("09", "10:00:00", "16:20:00")}, nil),
			"vm-08":   states([]timeline.Span{span("09", "10:00:00", "14:00:00")}, []timeline.Span{span("12", "00:00:00", "09:00:00")}),
			"vm-20":   states(nil, []timeline.Span{span("20", "00:00:00", "23:00:00")}),
			"vm-23":   states([]timeline.Span{span("09", "10:00:00", "18:00:00"), span("21", "03:00:00", "07:00:00")}, nil),
		}
		in.Fees = map[string]string{"compute": "4800.00 EUR", "storage": "1200.00 EUR"}
		in.Incidents = []response.Incident{
			{ID: "INC-1033", Service: "compute", Severity: opsec.SeverityCritical, Occurred: at("09", "10:00:00"), Reported: at("09", "10:02:00"), Accepted: at("09", "10:30:00"), Restored: at("09", "18:00:00"), Resolved: at("10", "09:00:00")},
			{ID: "INC-1041", Service: "storage", Severity: opsec.SeverityHigh, Occurred: at("17", "01:00:00"), Reported: at("17", "01:03:00"), Accepted: at("17", "01:09:00"), Restored: at("17", "02:10:00"), Resolved: at("18", "12:00:00")},
			{ID: "SEC-7", Service: "compute", Severity: opsec.SeverityMedium, Security: true, Occurred: at("26", "08:00:00"), Reported: at("26", "08:00:00"), Accepted: at("26", "08:05:00"), Notified: at("26", "09:10:00")},
		}
		in.Exclusions = []sla.Exclusion{
			{ID: "CHG-88", Rule: "maintenance", Services: []string{"storage"}, Start: at("04", "01:00:00"), End: at("04", "03:00:00"), Noticed: at("04", "01:00:00").AddDate(0, 0, -12), Approved: "Dana Reyes", Role: "change-manager", Reason: "Firmware of the controllers"},
			{ID: "CHG-91", Rule: "maintenance", Start: at("21", "03:00:00"), End: at("21", "07:00:00"), Noticed: at("20", "12:00:00"), Approved: "Dana Reyes", Role: "change-manager", Reason: "A host is replaced",
				Evidence: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
		}
	}
	r, err := recompute.Compute(t.Context(), in)
	require.NoError(t, err)
	return document.Report{Report: r, Agreement: a, Incidents: in.Incidents}
}

// Chromium has nothing to complain of, nothing scrolls sideways, and axe-core finds nothing: at each width and in both schemes.
func TestDocumentsAreReadable(t *testing.T) {
	parent := start(t)
	script := axe(t)
	srv := portal(t)
	for _, name := range append([]string{""}, names...) {
		path := "/acme/"
		if name != "" {
			path += name + ".html"
		}
		t.Run("page "+name, func(t *testing.T) {
			p := visit(t, parent, srv.URL+path)
			for _, width := range []int64{400, 1280} {
				for _, scheme := range []string{"light", "dark"} {
					p.look(width, scheme, "screen")
					p.picture(fmt.Sprintf("document-%s-%d-%s", name, width, scheme))
					p.fits(width)
					if (width == 400) == (scheme == "dark") { // it takes its time
						found, passed := p.violations(script)
						require.Empty(t, found)
						require.Greater(t, passed, 10)
					}
				}
			}
			said, asked := p.heard()
			require.Empty(t, said)
			require.Equal(t, []string{srv.URL + path}, asked)
		})
	}
}

func TestDocumentsArePrinted(t *testing.T) {
	parent := start(t)
	srv := portal(t)
	for name, want := range map[string][]string{
		"agreement":  {"Parties", "AES-256-GCM", "99.95 %", "Negotiation"},
		"provider":   {"Summary", "vm-23", "480.00 EUR", "INC-1033", "CHG-91", "Dana Reyes"},
		"customer":   {"Summary", "vm-07", "480.00 EUR", "INC-1033", "CHG-91", "manager"},
		"comparison": {"weaker", "incomparable"},
	} {
		t.Run(name, func(t *testing.T) {
			p := visit(t, parent, srv.URL+"/acme/"+name+".html")
			sheets := p.paper(chromedp.PaperA4, "document-"+name)
			all := strings.Join(sheets, "\n")
			for _, text := range want {
				require.Contains(t, all, text)
			}
			if name == "customer" {
				require.NotContains(t, all, "vm-23")
				require.NotContains(t, all, "Dana Reyes")
			}
			for i, s := range sheets {
				require.Greater(t, len(strings.Fields(s)), 5, "sheet %d is as good as empty", i+1)
			}
			p.look(680, "dark", "print")
			p.fits(680)
			require.Equal(t, "rgb(255, 255, 255)", eval[string](p, "getComputedStyle(document.documentElement).backgroundColor"))
		})
	}
}
