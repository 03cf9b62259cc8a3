package report_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/report"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

func add(a, b report.Counts) report.Counts {
	return report.Counts{
		Passed: a.Passed + b.Passed, Failed: a.Failed + b.Failed, NotTested: a.NotTested + b.NotTested,
		NotApplicable: a.NotApplicable + b.NotApplicable, Missing: a.Missing + b.Missing,
	}
}

// Every sum is the sum of its parts, in whatever state an audit is, for every audience.
func TestNumbersAddUp(t *testing.T) {
	c := catalogue.X1642()
	rapid.Check(t, func(t *rapid.T) {
		a := world(t, func(tenant, item int) string { return "tenant" + strconv.Itoa(tenant) + "-" + strconv.Itoa(item+1) })
		if rapid.Bool().Draw(t, "frozen") {
			f := programme.Freeze{Freeze: sample.Freeze{Attempt: 1}}
			for _, p := range a.Plan.Procedures {
				f.Frames = append(f.Frames, sample.Commitment{Procedure: p.ID, Size: rapid.IntRange(0, 20).Draw(t, "size")})
			}
			a.Freezes = []programme.Freeze{f}
		}
		a.Results = append(a.Results, programme.Result{Procedure: "unknown to the plan", Item: "x", Status: programme.Failed})
		for _, who := range []report.Audience{report.Management, report.Auditor, report.Tenant("tenant0-0"), report.Tenant("tenant3-0")} {
			d, err := report.View(report.Source{Audit: a, Catalogue: c, At: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)}, who)
			require.NoError(t, err)
			require.Equal(t, len(d.Audit.Results), d.Total.Items()-d.Total.Missing)
			var categories, procedures, customers report.Counts
			planned, open := 0, 0
			for _, k := range d.Categories {
				categories = add(categories, k.Counts)
				planned += k.Procedures
			}
			for _, p := range d.Procedures {
				procedures = add(procedures, p.Counts)
			}
			for _, k := range d.Customers {
				customers = add(customers, k.Counts)
			}
			require.Equal(t, d.Total, categories)
			require.Equal(t, d.Total, procedures)
			require.Equal(t, d.Total, customers)
			require.Equal(t, len(d.Procedures), planned)
			findings := 0
			for i, r := range d.Risks {
				require.Equal(t, r.Findings, r.Open+r.Accepted+r.Verified)
				require.LessOrEqual(t, r.Overdue, r.Open)
				require.True(t, i == 0 || d.Risks[i-1].Risk.Rank() > r.Risk.Rank(), "each risk once, the gravest first")
				findings += r.Findings
				open += r.Open
			}
			require.Equal(t, len(d.Findings), findings)
			require.Equal(t, len(d.Audit.Findings), findings)
			require.Equal(t, d.Total.Applicable(), d.Total.Passed+d.Total.Failed+d.Total.Open())
		}
	})
}

// The sums of the tables that are shown are the sums of the rows that are shown.
func TestShownNumbersAddUp(t *testing.T) {
	cell := regexp.MustCompile(`^\**(\d+)\**$`)
	tables := 0
	for _, who := range []report.Audience{report.Management, report.Auditor, report.Tenant("acme"), report.Tenant("initech")} {
		var sums []int
		for line := range strings.Lines(markdown(t, view(t, spring(t), who))) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			if len(cells) < 4 || strings.HasPrefix(cells[0], "---") {
				sums = make([]int, len(cells))
				continue
			}
			last := strings.TrimSpace(cells[0]) == "**All**"
			for i, c := range cells {
				m := cell.FindStringSubmatch(strings.TrimSpace(c))
				if m == nil || i == 0 {
					continue
				}
				n, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				if last {
					require.Equal(t, sums[i], n, "%s: column %d of %s", who, i, line)
				}
				sums[i] += n
			}
			if last {
				tables++
			}
		}
	}
	require.Greater(t, tables, 10)
}

func TestWhatHasNoResultIsNotPassed(t *testing.T) {
	src := spring(t)
	a := &src.Audit
	a.Results = a.Results[8:] // all of image-1
	a.Results[0].Status = "probably fine"
	d := view(t, src, report.Auditor)
	require.Equal(t, report.Counts{Missing: 8}, d.Procedures[0].Counts)
	require.Equal(t, 8, d.Total.Missing)
	require.Equal(t, 2, d.Procedures[1].NotTested, "what is no status is not tested")
	for _, text := range []string{page(t, d), markdown(t, d)} {
		require.Contains(t, text, "13 items not tested")
		require.Contains(t, text, "8 items without a result")
		require.NotContains(t, text, "probably fine")
	}
	a.Plan.Procedures = append(a.Plan.Procedures, programme.Procedure{ID: "new-1", Category: "emergency"})
	a.Waivers = nil
	require.Contains(t, page(t, view(t, src, report.Auditor)), "No results", "a procedure without any")
	a.Plan.Procedures = a.Plan.Procedures[:len(a.Plan.Procedures)-1]
	require.Contains(t, page(t, view(t, src, report.Management)), "1 category not covered")
}

// Frames of strata are of the procedure whose name they begin with; the last freeze counts.
func TestPopulations(t *testing.T) {
	src := spring(t)
	a := &src.Audit
	a.Plan.Procedures = []programme.Procedure{{ID: "a", Sample: 3}, {ID: "a/b", Sample: 1}, {ID: "c"}, {ID: "d", Sample: 2}}
	a.Results = []programme.Result{{Procedure: "a", Status: programme.Passed}}
	first := programme.Freeze{Freeze: sample.Freeze{Attempt: 1, Frames: []sample.Commitment{{Procedure: "a", Size: 1000}}}}
	last := programme.Freeze{Freeze: sample.Freeze{Attempt: 2, Frames: []sample.Commitment{
		{
			Procedure: "a/eu",
			Size:      10,
		}, {Procedure: "a/us/east", Size: 20}, {Procedure: "a/b", Size: 5}, {Procedure: "c", Size: 7},
		{Procedure: "nobody's", Size: 9},
	}}}
	a.Freezes = []programme.Freeze{first, last}
	a.Draw = &programme.Draw{Samples: map[string][]int{"a/eu": {1}, "a/us/east": {3, 4}, "a/b": {0}}}
	d := view(t, src, report.Auditor)
	type row struct{ population, drawn, missing int }
	var got []row
	for _, p := range d.Procedures {
		got = append(got, row{p.Population, p.Drawn, p.Missing})
	}
	require.Equal(t, []row{{30, 3, 2}, {5, 1, 1}, {7, 7, 7}, {0, 0, 0}}, got)
}

func TestStates(t *testing.T) {
	due := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	before, after := due.Add(-time.Hour), due.Add(time.Hour)
	open, late := programme.Action{Due: after}, programme.Action{Due: before}
	done := programme.Action{Due: after, Completed: before}
	verified := programme.Action{Due: before, Completed: before, Verified: due}
	bears := func(until time.Time) *programme.Acceptance { return &programme.Acceptance{Until: until} }
	for name, c := range map[string]struct {
		accepted *programme.Acceptance
		actions  []programme.Action
		want     report.State
	}{
		"nothing is done":                     {nil, nil, report.NoAction},
		"an action is open":                   {nil, []programme.Action{verified, open, done}, report.Open},
		"at the due date it is late":          {nil, []programme.Action{{Due: due}}, report.Overdue},
		"a nanosecond before it is not":       {nil, []programme.Action{{Due: due.Add(1)}}, report.Open},
		"one of them is late":                 {nil, []programme.Action{open, late, done}, report.Overdue},
		"done but not verified in time":       {nil, []programme.Action{{Due: before, Completed: before}}, report.Overdue},
		"all are done":                        {nil, []programme.Action{verified, done}, report.Waiting},
		"all are verified":                    {nil, []programme.Action{verified, verified}, report.Verified},
		"accepted":                            {bears(after), nil, report.Accepted},
		"accepted until now":                  {bears(due), nil, report.Lapsed},
		"accepted a nanosecond longer":        {bears(due.Add(1)), []programme.Action{late}, report.Accepted},
		"accepted, and mended all the same":   {bears(after), []programme.Action{verified}, report.Verified},
		"accepted no longer":                  {bears(before), nil, report.Lapsed},
		"accepted no longer, an action":       {bears(before), []programme.Action{open}, report.Lapsed},
		"accepted no longer, an action, late": {bears(before), []programme.Action{late}, report.Overdue},
	} {
		t.Run(name, func(t *testing.T) {
			src := spring(t)
			src.At = due
			src.Audit.Findings = []programme.Finding{{ID: "f", Risk: opsec.SeverityLow, Accepted: c.accepted}}
			src.Audit.Actions = c.actions
			for i := range src.Audit.Actions {
				src.Audit.Actions[i].Finding, src.Audit.Actions[i].ID = "f", strconv.Itoa(i)
			}
			require.Equal(t, c.want, view(t, src, report.Management).Findings[0].State)
			late := c.want == report.Overdue || c.want == report.Lapsed
			require.Equal(t, late, !strings.Contains(page(t, view(t, src, report.Management)), "Nothing is overdue."))
		})
	}
}

func TestFindingsAreInOrderOfRisk(t *testing.T) {
	src := spring(t)
	src.Audit.Findings = []programme.Finding{
		{ID: "1", Risk: opsec.SeverityLow}, {ID: "2", Risk: "unheard of"}, {ID: "3", Risk: opsec.SeverityCritical},
		{ID: "4", Risk: opsec.SeverityLow, Repeats: 2}, {ID: "5", Risk: opsec.SeverityCritical}, {ID: "6"},
	}
	d := view(t, src, report.Management)
	var ids []string
	for _, f := range d.Findings {
		ids = append(ids, f.ID)
	}
	require.Equal(t, []string{"3", "5", "4", "1", "2", "6"}, ids)
	require.Equal(t, []report.Risk{
		{
			Risk:     opsec.SeverityCritical,
			Findings: 2,
			Open:     2,
		}, {Risk: opsec.SeverityLow, Findings: 2, Open: 2, Repeated: 1}, {Findings: 2, Open: 2},
	}, d.Risks)
	require.Contains(t, markdown(t, d), "not rated")
}

func TestRequirementsThatNobodyTests(t *testing.T) {
	src := spring(t)
	src.Audit.Findings[0].Requirements = append(src.Audit.Findings[0].Requirements, "own-1")
	d := view(t, src, report.Auditor)
	tested, unknown := 0, 0
	for _, r := range d.Requirements {
		if len(r.Procedures) > 0 {
			tested++
			require.NotZero(t, r.Items())
		}
		if r.ID == "own-1" {
			unknown++
			require.Equal(t, []string{"F-1"}, r.Findings)
		}
	}
	require.Equal(t, 5, tested)
	require.Equal(t, 1, unknown)
	require.Greater(t, len(d.Requirements), tested+unknown, "those of audited categories")
	require.Contains(t, page(t, d), "of audited categories not tested by any procedure")
}

func TestCertificates(t *testing.T) {
	src := spring(t)
	d := view(t, src, report.Management)
	require.Equal(t, "in force", d.Certificates[0].State)
	require.Equal(t, []competence.Warning{src.Warnings[0]}, d.Certificates[0].Warnings)
	require.Equal(t, "expired", d.Certificates[2].State)
	src.Certificates[0].Withdrawn, src.Certificates[1].Issued = src.At, src.At.Add(1)
	src.Certificates[2].Expires = src.At
	src.Certificates[0].Scope = "all but what globex has"
	d = view(t, src, report.Tenant("acme"))
	require.Equal(t, []string{"withdrawn", "not yet in force", "expired"},
		[]string{d.Certificates[0].State, d.Certificates[1].State, d.Certificates[2].State})
	require.Empty(t, d.Certificates[0].Warnings, "what the provider has to do is not the customer's")
	require.Empty(t, d.Certificates[0].Evidence)
	require.Equal(t, report.Withheld, d.Certificates[0].Scope)
}

func TestSourcesThatAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*report.Source){
		"no audit":          func(s *report.Source) { s.Audit.ID = "" },
		"no catalogue":      func(s *report.Source) { s.Catalogue = nil },
		"another catalogue": func(s *report.Source) { s.Audit.Plan.Catalogue = "x1642/2" },
		"no time":           func(s *report.Source) { s.At = time.Time{} },
	} {
		src := spring(t)
		spoil(&src)
		_, err := report.View(src, report.Management)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	_, err := report.View(spring(t), "everybody")
	require.ErrorIs(t, err, opsec.ErrInvalid)
}

// What is told to a customer or written is no part of the audit that it comes from.
func TestViewsChangeNothing(t *testing.T) {
	src := spring(t)
	for _, who := range []report.Audience{report.Management, report.Auditor, report.Tenant("acme")} {
		d := view(t, src, who)
		page(t, d)
		markdown(t, d)
	}
	require.Equal(t, spring(t), src)
	shared := view(t, src, report.Tenant("acme"))
	shared.Audit.Plan.Objectives[0], shared.Audit.Results[1].Detail, shared.Audit.Findings[0].Items[0] = "x", "x", "x"
	require.Equal(t, spring(t), src)
}

// An audit at its very beginning, and one that is full of nonsense, can be read too.
func TestAnyAuditCanBeRead(t *testing.T) {
	for name, a := range map[string]programme.Audit{
		"empty": {ID: "1"},
		"nonsense": {
			ID: "\x00\xff<script>", Stage: "?", Team: []programme.Member{{}}, Waivers: []programme.Waiver{{}}, Freezes: []programme.Freeze{{}},
			Draw: &programme.Draw{}, Results: []programme.Result{{}, {Evidence: []programme.Evidence{{}}}}, Findings: []programme.Finding{{}, {Accepted: &programme.Acceptance{}}},
			Actions: []programme.Action{{}, {Due: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Verified: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}},
			Grants:  []programme.Grant{{}}, History: []programme.Entry{{}},
			Plan: programme.Plan{Procedures: []programme.Procedure{{}, {}}, Resources: []programme.Need{{}}},
		},
	} {
		a.Plan.Catalogue, a.Plan.Customers = "x1642/1", []opsec.TenantID{"acme"}
		for _, who := range []report.Audience{report.Management, report.Auditor, report.Tenant("acme")} {
			src := report.Source{
				Audit:        a,
				Catalogue:    catalogue.X1642(),
				Certificates: []competence.Certificate{{}},
				At:           time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC),
			}
			d := view(t, src, who)
			require.NotContains(t, page(t, d), "<script>", name)
			shown(t, page(t, d))
			markdown(t, d)
		}
	}
}

// The summary is the first section, and in it what was not tested stands as loud as what failed.
func TestNotTestedIsAsLoudAsFailed(t *testing.T) {
	src := spring(t)
	for _, who := range []report.Audience{report.Management, report.Auditor, report.Tenant("acme")} {
		html := page(t, view(t, src, who))
		_, summary, _ := strings.Cut(html, `<h2 id="summary">`)
		summary, _, _ = strings.Cut(summary, "<h2")
		require.Regexp(t, `class="callout bad"><p><strong>\d items failed\.`, summary)
		require.Regexp(t, `class="callout unknown"><p><strong>\d items not tested\.`, summary)
		require.Equal(t, strings.Count(html, `"mark bad">failed<`) > 0, strings.Count(html, `"mark unknown">not tested<`) > 0)
	}
}
