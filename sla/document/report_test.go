package document_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

func provider(t require.TestingT, r document.Report) *document.Document {
	d, err := r.Provider()
	require.NoError(t, err)
	return d
}

func TestProviderSeesAll(t *testing.T) {
	r := compute(t, input(t))
	d := provider(t, r)
	digest, err := r.Report.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, d.Digest())
	back, err := recompute.Read([]byte(data(t, d)))
	require.NoError(t, err)
	again, err := back.Digest()
	require.NoError(t, err)
	require.Equal(t, digest, again, "the JSON is the report")

	md := markdown(t, d)
	for _, want := range []string{
		"# Service report 2026-03: Northwind Cloud, virtual machines for Acme GmbH\n\nFor the provider\n", digest,
		"**3 of 3 objectives missed.**", "**4 of 7 targets of response missed.**",
		"**Credits are due.** `compute` 10 % of the fee, 480.00 EUR; `storage` 10 % of the fee, 120.00 EUR.",
		"| Virtual machines: Each machine, in minutes of which five in a row are bad | 99\\.5 % | 3 of 25 in breach; together 99.7074 to 99.8797 % |",
		"| Block storage: storage-region | 99\\.9 % | 99\\.8425 % | 99\\.5737 % | **breach** |",
		"- Block storage: up 30 d 19 h 50 min · excluded 2 h · down 1 h 10 min\n",
		"| Day | Unknown | Down |\n|---|---|---|\n| 2026-03-09 |  | 18 h 20 min |\n",
		"- Of 9 h 17 min 15 s: used 9 h 17 min 15 s · beyond it 13 h 2 min 45 s · may turn out to be used: 1 d 8 h more\n",
		"- Of 5 572 × 1 min: used 1 340 × 1 min · may turn out to be used 1 920 × 1 min · left 2 312 × 1 min\n",
		"Used: 22 h 20 min of 9 h 17 min 15 s (the red line); 1 d 8 h more may turn out to be used (hatched).",
		"| `vm-globex` | 98\\.3849 % | 98\\.3849 % | **breach** |\n| `vm-07` |", "| `vm-20` | 96\\.9044 to 100.0000 % | 96\\.9044 to 100.0000 % | **undecided** |",
		"| `compute` | `compute` | `compute-region` | **breach** | 10 % of the fee, 480.00 EUR | 2026-05-31 00:00 |  |", "| no claim is needed |",
		"| Recovery, from occurrence `mttr` | mean 4 h | 3 | 1 | 2 d 19 h 23 min or more | 8 h | 8 d 1 h or more |  | **breach** |",
		"- INC-1033 critical: 2026-03-09 10:00, compute, accepted after 28 min, restored after 8 h, resolved after 23 h\n",
		"- SEC-7 medium: 2026-03-26 08:00, compute, security event, accepted after 5 min, customer told after 1 h 10 min, not restored yet\n",
		"| `CHG-88` | `maintenance` | 2026-03-04 01:00 to 03:00 | holds 2 h for storage | Firmware of the controllers | told 2026-02-20 12:00, approved by Dana Reyes as change-manager |  |",
		"| **does not hold** | Host of globex is replaced |", r.Report.Evidence.Incidents, r.Report.Evidence.Exclusions, r.Report.Agreement.Digest, "## Findings\n\nThere are none.",
	} {
		require.Contains(t, md, want)
	}
	require.Equal(t, html(t, d), html(t, provider(t, compute(t, input(t)))), "the same bytes")
	page := html(t, d)
	require.NotContains(t, page, "<script")
	require.Equal(t, 62, strings.Count(page, "<g><title>"), "a cell for each day of two services")
	require.Contains(t, spaced(page), "<title>2026-03-12: up 24 d 15 h, unknown 9 h</title>", "of the days in its zone")
	require.Equal(t, 1, strings.Count(page, `fill-opacity="0.3"`), "what is open of one budget")
}

// machines are those that the sample's reports name.
var machines = []string{"vm-globex", "vm-07", "vm-08", "vm-20"}

// Whatever a customer owns, nothing of its document, the JSON included, names a resource of another, or a person.
func TestCustomersSeeWhatIsTheirs(t *testing.T) {
	in := input(t)
	in.Agreement.Credits = append(in.Agreement.Credits, credit.Table{ID: "machines", Objective: "compute-instance", Bands: []credit.Band{{Below: in.Agreement.Services[0].Objectives[1].Target, Credit: ratio.One()}}})
	r := compute(t, in)
	require.NotEmpty(t, r.Report.Services[0].Totals)
	whole, err := r.Report.Digest()
	require.NoError(t, err)
	require.Contains(t, data(t, provider(t, r)), `"compute/vm-globex"`)
	rapid.Check(t, func(rt *rapid.T) {
		owned := map[string]bool{}
		for _, m := range machines {
			owned[m] = rapid.Bool().Draw(rt, m)
		}
		c := document.Customer{Tenant: "acme", Owns: func(r string) bool { return owned[r] }, Withhold: func(s string) bool { return strings.Contains(s, "globex") }}
		if rapid.Bool().Draw(rt, "none") {
			c.Owns, owned = nil, nil
		}
		d, err := r.Customer(c)
		require.NoError(rt, err)
		require.Equal(rt, whole, d.Digest())
		for kind, text := range map[string]string{"html": texts(rt, html(rt, d)), "md": markdown(rt, d), "json": data(rt, d)} {
			for _, m := range machines {
				require.Equal(rt, owned[m], strings.Contains(text, m), "%s in %s", m, kind)
			}
			require.NotContains(rt, text, "Dana", kind)
			require.NotContains(rt, text, "Host of globex", kind)
			for _, want := range []string{"CHG-91", "INC-1033", "SEC-7", "change-manager", "480.00 EUR", whole} {
				require.Contains(rt, text, want, kind)
			}
		}
		var v document.View
		require.NoError(rt, json.Unmarshal([]byte(data(rt, d)), &v))
		require.Equal(rt, document.ViewSchema, v.Schema)
		require.Equal(rt, 1, v.Withheld)
		shown := 0
		for _, m := range machines {
			if owned[m] {
				shown += strings.Count(data(rt, d), `"`+m+`"`) + strings.Count(data(rt, d), `/`+m+`"`)/2 // a credit, and its total
			}
		}
		require.Equal(rt, len(r.Report.Services[0].Objectives[1].Worst)+len(r.Report.Services[0].Credits)-1, v.Unnamed+shown)
		again, err := r.Report.Digest()
		require.NoError(rt, err)
		require.Equal(rt, whole, again, "the report is as it was")
	})
}

func TestTextsAreWithheld(t *testing.T) {
	in := input(t)
	in.Exclusions[0].ID, in.Exclusions[1].ID, in.Incidents[0].ID = "globex-1", "globex-2", "globex-3"
	in.Supersedes, in.Why = "sha256:0", "evidence of globex came late"
	r := compute(t, in)
	r.Report.Findings = []recompute.Finding{{Path: "x", Rule: "other", Severity: opsec.SeverityHigh, Text: "secret"}, {Path: "agreement", Rule: "expired", Severity: opsec.SeverityHigh, Text: "it ended"}}
	d, err := r.Customer(document.Customer{Tenant: "acme", Withhold: func(s string) bool { return strings.Contains(s, "globex") }})
	require.NoError(t, err)
	for _, text := range []string{markdown(t, d), data(t, d)} {
		require.NotContains(t, text, "globex")
		require.NotContains(t, text, "secret")
		require.Contains(t, text, "it ended")
		for _, want := range []string{"withheld-", "INC-1033"} {
			require.Contains(t, text, want)
		}
	}
	require.Contains(t, markdown(t, d), "5 texts are withheld.")
	require.Contains(t, markdown(t, d), "3 incidents", "ids that are withheld differ")
	require.Contains(t, markdown(t, provider(t, r)), "secret")
}

// What was claimed for an exclusion that does not hold may be anything, the name of a person as well.
func TestClaimsAreNotPassedOn(t *testing.T) {
	in := input(t)
	in.Exclusions[0].Role, in.Exclusions[0].Layer, in.Exclusions[1].Rule, in.Exclusions[1].Evidence, in.Incidents[0].Service = "Dana Reyes", "rack of globex", "globex", "for globex", "globex-db"
	r := compute(t, in)
	require.False(t, r.Report.Exclusions[0].Valid())
	d, err := r.Customer(document.Customer{Tenant: "acme", Withhold: func(s string) bool { return strings.Contains(s, "globex") }})
	require.NoError(t, err)
	for _, text := range []string{markdown(t, d), data(t, d)} {
		require.NotContains(t, text, "globex")
		require.NotContains(t, text, "Dana")
	}
	require.Contains(t, markdown(t, d), "6 texts are withheld.")
	require.Contains(t, markdown(t, d), "| told 2026-03-20 12:00, approved by change-manager evidence `[withheld]` |")
}

func TestWhatDoesNotBelongTogetherIsRefused(t *testing.T) {
	good := compute(t, input(t))
	for name, spoil := range map[string]func(*document.Report){
		"no report":         func(r *document.Report) { r.Report = nil },
		"no agreement":      func(r *document.Report) { r.Agreement = nil },
		"another agreement": func(r *document.Report) { r.Agreement = agreement(t, "saas") },
		"changed agreement": func(r *document.Report) { a := *r.Agreement; a.Grade = "x"; r.Agreement = &a },
		"an incident less":  func(r *document.Report) { r.Incidents = r.Incidents[1:] },
		"no incident":       func(r *document.Report) { r.Incidents = []response.Incident{} },
		"another incident":  func(r *document.Report) { r.Incidents = append(r.Incidents[:2:2], response.Incident{ID: "x"}) },
		"an incident too old": func(r *document.Report) {
			r.Incidents = []response.Incident{{Occurred: time.Date(-1e6, 1, 1, 0, 0, 0, 0, time.UTC)}}
		},
		"no period": func(r *document.Report) { o := *r.Report; o.Period.Span = timeline.Span{}; r.Report = &o },
		"no zone":   func(r *document.Report) { o := *r.Report; o.Period.Zone = "Mars/Olympus"; r.Report = &o },
	} {
		r := good
		spoil(&r)
		_, err := r.Provider()
		require.Error(t, err, name)
		if name != "an incident too old" {
			require.ErrorIs(t, err, opsec.ErrInvalid, name)
		}
		_, err = r.Customer(document.Customer{Tenant: "acme"})
		require.Error(t, err, name)
	}
	good.Incidents = nil
	require.NotContains(t, markdown(t, provider(t, good)), "INC-1033", "they need not be given")
	for _, who := range []opsec.TenantID{"", "globex", "@provider"} {
		_, err := good.Customer(document.Customer{Tenant: who})
		require.ErrorIs(t, err, opsec.ErrNotFound, who)
	}
}

func TestAMonthWithoutTrouble(t *testing.T) {
	in := input(t)
	in.States, in.Incidents, in.Exclusions, in.Fees = seen{"vm-1": states(nil, nil), "storage": states(nil, nil)}, []response.Incident{}, nil, nil
	md := markdown(t, provider(t, compute(t, in)))
	for _, want := range []string{"**All of 3 objectives met.**", "**All of 7 targets of response met.**", "All of it was up on each day.", "No incident was reported for the period.",
		"Nothing is due.", "Nothing was asked to be left out.", "100.0000 %", "left 22 min 17 s 400 ms"} {
		require.Contains(t, md, want)
	}
	require.NotContains(t, md, "missed")
}

// Before a month is over its rest is unknown: that is no use of the budget.
func TestAMonthThatIsNotOver(t *testing.T) {
	in := input(t)
	in.AsOf = at("2026-03-10T00:00:00+01:00")
	r := compute(t, in)
	md := markdown(t, provider(t, r))
	require.Contains(t, md, "undecided.** What is not known decides")
	require.Contains(t, md, "INC-1033 critical: 2026-03-09 10:00, compute, accepted after 28 min, restored after 8 h\n", "it was resolved later")
	require.NotContains(t, md, "INC-1041", "it had not come yet")
	require.Contains(t, md, "**1 incident**")
}

func TestRequests(t *testing.T) {
	a := agreement(t, "saas")
	month := span("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z")
	var counts []metric.Count
	for at := month.Start; at < month.End; at += 5 * 60_000 {
		counts = append(counts, metric.Count{Start: at, Good: 999, Total: 1000})
	}
	a.Services[0].Objectives = a.Services[0].Objectives[:1]
	a.Services[0].Objectives = append(a.Services[0].Objectives, metric.Objective{ID: "all", Target: a.Services[0].Objectives[0].Target, Method: metric.Requests, Window: metric.Window{Calendar: "month"}, Scope: "account"})
	r, err := recompute.Compute(t.Context(), recompute.Input{Agreement: a, Period: "2026-03", AsOf: at("2026-04-03T08:00:00Z"), States: seen{"web": {Counts: counts}}})
	require.NoError(t, err)
	md := markdown(t, provider(t, document.Report{Report: r, Agreement: a}))
	for _, want := range []string{"up 8 919 072 requests · down 8 928 requests", "- **Target:** 99\\.9 %\n- **Figure:** 99\\.9000 %", "**Good:** 8 919 072 requests", "8 919.07 × 5 min",
		"Used: 8 928 requests of 8 928 requests (the red line).", "- Of 8 928 requests: used 8 928 requests\n"} {
		require.Contains(t, md, want)
	}
}

func TestLongListsEndAndSaySo(t *testing.T) {
	in := input(t)
	in.Exclusions, in.Incidents = nil, nil
	for i := range 120 {
		in.Exclusions = append(in.Exclusions, sla.Exclusion{ID: fmt.Sprintf("CHG-%03d", i), Rule: "none", Start: at("2026-03-04T01:00:00Z"), End: at("2026-03-04T02:00:00Z"), Reason: "r"})
		i := response.Incident{ID: fmt.Sprintf("INC-%03d", i), Severity: opsec.SeverityLow, Occurred: at("2026-03-02T00:00:00Z").Add(time.Duration(i) * time.Hour)}
		if len(in.Incidents) == 100 {
			i.Severity = opsec.SeverityCritical
		}
		in.Incidents = append(in.Incidents, i)
	}
	r := compute(t, in)
	for range 150 {
		r.Report.Findings = append(r.Report.Findings, recompute.Finding{Path: "p", Rule: "r", Severity: opsec.SeverityLow, Text: "t"})
	}
	d := provider(t, r)
	md := markdown(t, d)
	require.Equal(t, 100, strings.Count(md, "| `CHG-"))
	require.Contains(t, md, "20 more are left out here")
	require.Equal(t, 50, strings.Count(md, "- INC-"))
	require.Contains(t, md, "- INC-100 critical:", "the gravest are shown")
	require.Contains(t, md, "70 more are left out here")
	require.Contains(t, md, "50 more are left out here")
	require.Equal(t, 120, strings.Count(data(t, d), `"CHG-`), "the JSON has all of them")
}

// Texts of others are texts.
func TestHostileTexts(t *testing.T) {
	in := input(t)
	const evil = "</td><script>alert(1)</script>\u202e | x"
	in.Exclusions[0].Reason, in.Exclusions[0].Approved, in.Incidents[0].ID, in.Incidents[1].Service = evil, evil, evil, evil
	d := provider(t, compute(t, in))
	require.NotContains(t, html(t, d), "<script")
	require.NotContains(t, html(t, d), "\u202e")
	require.Contains(t, markdown(t, d), "\\</td\\>\\<script\\>alert(1)")
	require.NotContains(t, markdown(t, d), "\u202e")
	require.Contains(t, texts(t, html(t, d)), "</td><script>alert(1)</script>")
}

// The curve of a budget is shown where the days add up to what was counted, and not elsewhere.
func TestUseOfTheBudget(t *testing.T) {
	in := input(t)
	slow := span("2026-03-05T00:00:00+01:00", "2026-03-05T01:00:00+01:00")
	worn := states(nil, nil)
	worn.States.Up, worn.States.Degraded = worn.States.Up.Without(timeline.Line{slow}), timeline.Line{slow}
	in.States = seen{"vm-1": worn, "storage": worn}
	r := compute(t, in)
	md := markdown(t, provider(t, r))
	require.Contains(t, md, "Used: 1 h of 22 min 17 s 400 ms (the red line).", "degraded counts as down")
	require.Contains(t, md, "Used: 0 s of 44 min 34 s 800 ms (the red line).", "and here as up")
	require.Equal(t, 2, strings.Count(md, "**Use of the budget**"))
	require.Contains(t, md, "degraded 1 h")

	for name, change := range map[string]func(*recompute.Objective){
		"more was used":    func(o *recompute.Objective) { o.Budget.Used++ },
		"more is open":     func(o *recompute.Objective) { o.Budget.Open++ },
		"another window":   func(o *recompute.Objective) { o.Span.Start-- },
		"judged alone":     func(o *recompute.Objective) { o.Scope = "instance" },
		"another way":      func(o *recompute.Objective) { o.Method = metric.MeanRate },
		"no budget at all": func(o *recompute.Objective) { o.Budget = nil },
	} {
		r := compute(t, in)
		change(&r.Report.Services[0].Objectives[0])
		require.Equal(t, 1, strings.Count(markdown(t, provider(t, r)), "**Use of the budget**"), name)
	}
	in.AsOf = at("2026-03-11T00:00:00+01:00")
	page := html(t, provider(t, compute(t, in)))
	require.NotContains(t, page, `fill-opacity="0.3"`, "what is to come is no use of the budget")
	require.Contains(t, page, "<span>2026-03-01</span> – <span>2026-03-11</span>")
}

func TestTheProviderIsNoCustomer(t *testing.T) {
	r := compute(t, input(t))
	a := *r.Agreement
	a.Parties = append(a.Parties[:1:1], a.Parties...)
	a.Parties[0].Tenant = "northwind"
	r.Agreement = &a
	var err error
	r.Report.Agreement.Digest, err = a.Digest()
	require.NoError(t, err)
	_, err = r.Customer(document.Customer{Tenant: "northwind"})
	require.ErrorIs(t, err, opsec.ErrNotFound)
	_, err = r.Customer(document.Customer{Tenant: "acme"})
	require.NoError(t, err)
}

func TestIncidentsAndExclusionsAtTheEdges(t *testing.T) {
	in := input(t)
	early := in.Incidents[0]
	early.ID, early.Occurred = "EARLY", at("2026-02-20T00:00:00+01:00")
	over := early
	over.ID, over.Restored, over.Reported, over.Accepted = "OVER", at("2026-02-21T00:00:00+01:00"), early.Occurred, early.Occurred
	late := response.Incident{ID: "LATE", Occurred: at("2026-04-01T00:00:00+02:00")}
	in.Incidents = append(in.Incidents, in.Incidents[0], early, over, late)
	in.Exclusions[0].End = at("2026-03-04T06:00:00+01:00") // four hours at once are agreed
	r := compute(t, in)
	d := provider(t, r)
	md := markdown(t, d)
	require.Contains(t, md, "**4 incidents**", "one that is there twice is one; those before and after the month are none of it")
	require.Contains(t, md, "- EARLY high: 2026-02-20 00:00")
	require.NotContains(t, md, "- OVER")
	require.NotContains(t, md, "- LATE")
	require.NotContains(t, html(t, d), "<span>2026-02-20</span>", "the chart is of the month")
	require.Contains(t, md, "| 2026-03-04 01:00 to 06:00 | in part 4 h for storage |")
}

// A year, months of which were alike; and nothing at all.
func TestDaysThatWereAlike(t *testing.T) {
	in := input(t)
	year := span("2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00")
	spring := span("2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00")
	line := func(s ...timeline.Span) timeline.Line { return timeline.Union(s) }
	in.Period, in.AsOf, in.Incidents, in.Exclusions, in.Fees = "2026", at("2027-02-01T00:00:00Z"), nil, nil, nil
	in.States = seen{
		"storage": {States: metric.States{Down: line(spring), Up: line(year).Without(line(spring))}},
		"vm-1":    {Deployed: line(spring), States: metric.States{Up: line(spring)}},
	}
	md := markdown(t, provider(t, compute(t, in)))
	require.Contains(t, md, "| Day | Down |\n|---|---|\n| 2026-02-01 to 2026-02-28 | 1 d each |\n\n")
	require.Contains(t, md, "## Virtual machines\n\n**Days on which not all was up**\n\n| Day |\n|---|\n| 2026-01-01 to 2026-01-31: nothing was seen |\n")

	in.States = seen{"storage": states(nil, nil)}
	in.Period, in.AsOf = "2026-03", at("2026-04-02T00:00:00Z")
	r := compute(t, in)
	md = markdown(t, provider(t, r))
	require.Contains(t, md, "## Virtual machines\n\nNothing of it was seen on any day.\n")
	require.Contains(t, md, "- Virtual machines: nothing was seen\n")
	require.NotContains(t, md, "0 of 0 in breach")
	require.Contains(t, md, "**Credits may be due.** `compute` 0 % to 100 % of the fee.", "it is not known whether they are")
	require.NotContains(t, md, "Credits are due")
	r.Report.Services[1].Strip[3] = timeline.Strip{Start: r.Report.Services[1].Strip[3].Start, End: r.Report.Services[1].Strip[3].End}
	r.Report.Services[1].Strip[5].Unknown = 1
	require.Contains(t, markdown(t, provider(t, r)), "| Day | Unknown |\n|---|---|\n| 2026-03-04: nothing was seen |  |\n| 2026-03-06 | 1 ms |\n")
}

func TestACreditForSureIsDue(t *testing.T) {
	in := input(t)
	in.Agreement.Services[1].Objectives = in.Agreement.Services[1].Objectives[:1]
	in.States = seen{"storage": states([]timeline.Span{march}, nil)}
	require.Contains(t, markdown(t, provider(t, compute(t, in))), "**Credits are due.** `compute` 0 % to 100 % of the fee, 0.00 EUR to 4800.00 EUR; `storage` 30 % of the fee, 360.00 EUR.")
}

// Places on a chart are of the whole month: incidents that began before it, ended with it, or not at all.
func TestTimelineOfTheMonth(t *testing.T) {
	in := input(t)
	begin, end, day := time.UnixMilli(march.Start), time.UnixMilli(march.End), 24*time.Hour
	before := response.Incident{ID: "before", Severity: opsec.SeverityHigh, Occurred: begin.Add(-day), Reported: begin.Add(-day), Accepted: begin, Restored: begin, Resolved: begin.Add(day)}
	first := response.Incident{ID: "first", Severity: opsec.SeverityHigh, Occurred: begin, Restored: begin, Resolved: begin.Add(3 * day)}
	into := response.Incident{ID: "into", Severity: opsec.SeverityHigh, Occurred: begin.Add(-day), Reported: begin, Accepted: begin, Resolved: begin.Add(day)}
	beyond := response.Incident{ID: "beyond", Severity: opsec.SeverityHigh, Occurred: end.Add(-time.Hour), Restored: end.Add(day)}
	in.Incidents = []response.Incident{before, first, into, beyond}
	d := provider(t, compute(t, in))
	md, page := markdown(t, d), html(t, d)
	require.NotContains(t, md, "- before high", "it was over when the month began")
	for _, id := range []string{"first", "into", "beyond"} {
		require.Contains(t, md, "- "+id+" high: ")
	}
	at := func(id string) string {
		_, rest, _ := strings.Cut(page, `<p class="label">`+id+` high</p>`)
		_, rest, _ = strings.Cut(rest, `<rect class="bad" x="`)
		place, _, _ := strings.Cut(rest, `"/>`)
		return place
	}
	require.Equal(t, `0.000%" y="3" width="1.500%" height="10`, at("first"), "of no length: restored at once, whenever it was resolved")
	require.Equal(t, `0.000%" y="3" width="3.230%" height="10`, at("into"), "a day of a month that is an hour short")
	require.Equal(t, `98.500%" y="3" width="1.500%" height="10`, at("beyond"))
	require.Contains(t, page, "<span>2026-03-01</span><span>2026-03-31</span></p>\n</figure>\n</section>")

	in.Incidents = []response.Incident{}
	r := compute(t, in)
	customer, err := r.Customer(document.Customer{Tenant: "acme"})
	require.NoError(t, err)
	require.Contains(t, markdown(t, customer), "No incident was reported for the period.", "that there were none is said to customers as well")
}

func TestCreditsOfManyAreSummedUpInALine(t *testing.T) {
	in := input(t)
	r := compute(t, in)
	total := r.Report.Services[0].Totals[0]
	for _, n := range []int{20, 21} {
		r.Report.Services[0].Totals, r.Report.Services[1].Totals = nil, nil
		for i := range n {
			total.Service = fmt.Sprintf("compute/vm-%02d", i)
			r.Report.Services[0].Totals = append(r.Report.Services[0].Totals, total)
		}
		md := markdown(t, provider(t, r))
		require.Contains(t, md, "`compute/vm-19` 10 % of the fee, 480.00 EUR"+map[int]string{20: ".\n", 21: "; and 1 more.\n"}[n])
	}
}
