package report_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/independence"
	"github.com/cloudopsec/opsec/audit/programme/report"
)

// shown returns what a reader of HTML can come to see: every text and every value of an attribute, a line each, but not
// the style sheet. That the page is well-formed XML is a promise of internal/htmlreport.
func shown(t require.TestingT, html string) string {
	var b strings.Builder
	dec := xml.NewDecoder(strings.NewReader(html))
	dec.Entity = map[string]string{"nbsp": "\u00a0"}
	style := false
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			style = token.Name.Local == "style"
			for _, a := range token.Attr {
				b.WriteString(a.Value + "\n")
			}
		case xml.CharData:
			if !style {
				b.Write(token)
				b.WriteString("\n")
			}
		case xml.EndElement:
			style = false
		}
	}
}

// plain returns what a reader of Markdown sees: without the backslashes of escapes, which are text in code spans.
func plain(markdown string) string {
	return escapes.ReplaceAllStringFunc(markdown, func(s string) string {
		if s[0] == '\\' {
			return s[1:]
		}
		return strings.Trim(s, "`")
	})
}

var escapes = regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]|````[^\n]*?````|```[^\n`][^\n]*?```|``[^\n`][^\n]*?``|`[^`\n]+`")

func TestCustomerSeesItsOwn(t *testing.T) {
	src := spring(t)
	for _, tenant := range src.Audit.Plan.Customers {
		d := view(t, src, report.Tenant(tenant))
		for _, r := range d.Audit.Results {
			require.True(t, r.Tenant == tenant || r.Tenant == "" && r.Item == "" && r.Detail == "" && r.Evidence == nil, "%+v", r)
		}
		for _, f := range d.Audit.Findings {
			require.Equal(t, []opsec.TenantID{tenant}, f.Tenants)
		}
		whole, own := 0, 0
		for _, r := range src.Audit.Results {
			if r.Tenant == tenant || r.Tenant == "" {
				whole++
			}
			if r.Tenant == tenant {
				own++
				require.Contains(t, shown(t, page(t, d)), r.Item)
				require.Contains(t, plain(markdown(t, d)), r.Item)
			}
		}
		require.Equal(t, whole, d.Total.Items())
		require.Equal(t, own, d.Customers[1].Items())
		b, err := json.Marshal(d)
		require.NoError(t, err)
		texts := string(b) + shown(t, page(t, d)) + plain(markdown(t, d))
		for _, person := range []string{"p-abel", "p-berg", "p-diaz", "p-hahn", "p-kim", "p-lund", "p-ito"} {
			require.NotContains(t, texts, person)
		}
		for _, other := range src.Audit.Plan.Customers {
			if other != tenant {
				require.NotContains(t, texts, string(other))
			}
		}
	}
}

func TestCustomerSeesNoResultsBeforeTheyAreIssued(t *testing.T) {
	issue := programme.Entry{Action: programme.ActionIssue}
	for _, c := range []struct {
		stage   programme.Stage
		history []programme.Entry
		issued  bool
	}{
		{programme.Planned, nil, false},
		{programme.Approved, nil, false},
		{programme.Frozen, nil, false},
		{programme.Fieldwork, nil, false},
		{programme.Reported, nil, true},
		{programme.Closed, nil, true},
		{programme.Cancelled, nil, false},
		{programme.Cancelled, []programme.Entry{issue}, true},
		{"", nil, false},
	} {
		src := spring(t)
		src.Audit.Stage, src.Audit.History = c.stage, c.history
		d := view(t, src, report.Tenant("acme"))
		require.Equal(t, c.issued, d.Issued, c.stage)
		require.Equal(t, c.issued, len(d.Audit.Results) > 0 && len(d.Audit.Findings) > 0 && len(d.Provider) > 0, c.stage)
		require.Equal(t, c.issued, strings.Contains(page(t, d), "vol-10"), c.stage)
		require.NotEmpty(t, d.Procedures, "the plan is shown at any time")
	}
}

func TestOnlyCustomersConcernedGetAReport(t *testing.T) {
	src := spring(t)
	for _, who := range []opsec.TenantID{"umbrella", "", opsec.Provider, "Acme"} {
		_, err := report.View(src, report.Tenant(who))
		require.ErrorIs(t, err, opsec.ErrNotFound)
		_, _, err = report.Share(src.Audit, who)
		require.ErrorIs(t, err, opsec.ErrNotFound)
	}
}

// The rule of the package, case by case: acme reads a condition that may mention globex or eu.
func TestMentions(t *testing.T) {
	for _, c := range []struct {
		own, other, item, mine string // whose report; another customer, an item of it; an item of one's own
		text                   string
		withheld               bool
	}{
		{"acme", "globex", "", "", "as globex's did", true},
		{"acme", "globex", "", "", "as GloBex did", true},
		{"acme", "globex", "", "", "onglobexed", true},
		{"acme", "globex", "", "", "as gl\u200bobex did", true},
		{"acme", "globex", "", "", "as glo\u0301bex did", true},
		{"acme", "globex", "", "", "as &#103;lobex did", true},
		{"acme", "globex", "", "", "as &amp;#103;lobex did", true},
		{"acme", "globex", "", "", "as globe x did", false},
		{"acme", "globex", "", "", "nobody else", false},
		{"acme", "eu", "", "", "in the eu region", true},
		{"acme", "eu", "", "", "the EU.", true},
		{"acme", "eu", "", "", "in the queue", false},
		{"acme", "eu", "", "", "eu_1", true},
		{"acme", "eu", "", "", "eu1", false},
		{"acme-eu", "acme", "", "", "the disk of acme-eu", false},
		{"acme-eu", "acme", "", "", "the disk of acme", true},
		{"acme-eu", "acme", "", "", "acme-eu, unlike acme", true},
		{"acme-eu", "acme", "", "", "ACME-eu", true}, // not its id: ids have case
		{"acme", "acme-eu", "", "", "the disk of acme", false},
		{"acme", "acme-eu", "", "", "the disk of acme-eu", true},
		{"acme", "ACME", "", "", "the disk of acme", false},
		{"acme", "ACME", "", "", "the disk of ACME", true},
		{"acme", "globex", "vol-1", "vol-10", "vol-10 is broken", false},
		{"acme", "globex", "vol-1", "vol-10", "vol-1 is broken", true},
		{"acme", "globex", "vol-1", "vol-10", "vol-11 is broken", true}, // nobody's: it may be a slip
		{"acme", "globex", "vol-1", "vol-1", "vol-1 is broken", false},
		{"acme", "globex", "vol 1", "", "vol\n 1 is broken", true},
		{"acme", "globex", "é-1x", "", "e\u0301-1x", false}, // what the package says it does not find
		{"acme", "globex", "", "acme-globex", "acme-globex is broken", true},
		{"acme", "globex", "*", "", "2 * 3", false},
		{"acme", "backup", "", "", "a backup is broken", true},
		{"a", "acme", "", "", "the disk of acme", true},
		{"a", "acme", "", "", "a disk", false},
	} {
		a := programme.Audit{ID: "1", Stage: programme.Reported}
		a.Plan.Customers = []opsec.TenantID{opsec.TenantID(c.own), opsec.TenantID(c.other)}
		a.Results = []programme.Result{
			{
				Procedure: "p",
				Item:      c.item,
				Tenant:    opsec.TenantID(c.other),
			}, {Procedure: "p", Item: c.mine, Tenant: opsec.TenantID(c.own)},
		}
		a.Findings = []programme.Finding{{ID: "f", Tenants: []opsec.TenantID{opsec.TenantID(c.own)}, Condition: c.text}}
		shared, n, err := report.Share(a, opsec.TenantID(c.own))
		require.NoError(t, err)
		require.Equal(t, c.withheld, shared.Findings[0].Condition == report.Withheld, "%+v", c)
		require.Equal(t, c.withheld, n > 0, "%+v", c)
		if !c.withheld {
			require.Equal(t, c.text, shared.Findings[0].Condition)
		}
	}
}

// Ids that mention another are replaced, and still say what belongs together.
func TestIDsThatAreWithheldStillLink(t *testing.T) {
	src := spring(t)
	a := &src.Audit
	rename := func(s *string) { *s = "globex." + *s }
	for i := range a.Plan.Procedures {
		rename(&a.Plan.Procedures[i].ID)
	}
	for i := range a.Results {
		rename(&a.Results[i].Procedure)
	}
	for i := range a.Findings {
		rename(&a.Findings[i].ID)
		rename(&a.Findings[i].Procedure)
	}
	for i := range a.Actions {
		rename(&a.Actions[i].ID)
		rename(&a.Actions[i].Finding)
	}
	got, want := view(t, src, report.Tenant("acme")), view(t, spring(t), report.Tenant("acme"))
	require.NotContains(t, page(t, got), "globex")
	require.Equal(t, want.Total, got.Total)
	require.Len(t, got.Procedures, len(want.Procedures))
	for i := range want.Procedures {
		require.Equal(t, want.Procedures[i].Counts, got.Procedures[i].Counts)
	}
	for i := range want.Findings {
		require.Len(t, got.Findings[i].Actions, len(want.Findings[i].Actions))
		require.Equal(t, got.Procedures[1].ID == got.Findings[i].Procedure, want.Procedures[1].ID == want.Findings[i].Procedure)
	}
	require.Greater(t, got.Withheld, len(a.Plan.Procedures))
}

// An item that stands in the scope is known to be somebody's, whether or not it was looked at.
func TestItemsOfTheScopeHaveOwners(t *testing.T) {
	a := programme.Audit{ID: "1"}
	a.Plan.Customers, a.Plan.Title = []opsec.TenantID{"acme", "globex"}, "Of vol-10"
	a.Plan.Scope.Resources = []opsec.Resource{{Tenant: "globex", ID: "vol-1"}, {Tenant: "umbrella", ID: "*"}}
	shared, _, err := report.Share(a, "acme")
	require.NoError(t, err)
	require.Equal(t, report.Withheld, shared.Plan.Title)
	require.Equal(t, []opsec.TenantID{"acme"}, shared.Plan.Scope.Tenants)
	require.Empty(t, shared.Plan.Scope.Resources)
	a.Plan.Scope.Resources = append(a.Plan.Scope.Resources, opsec.Resource{Tenant: "acme", ID: "vol-10"})
	shared, _, err = report.Share(a, "acme")
	require.NoError(t, err)
	require.Equal(t, "Of vol-10", shared.Plan.Title)
	a.Plan.Title = "As umbrella asked"
	shared, _, err = report.Share(a, "acme")
	require.NoError(t, err)
	require.Equal(t, report.Withheld, shared.Plan.Title)
}

// Items of a finding that no result has are nobody's that is known, unless the finding is the customer's alone.
func TestItemsOfFindingsAreShownToTheirOwner(t *testing.T) {
	a := programme.Audit{ID: "1", Stage: programme.Reported}
	a.Plan.Customers = []opsec.TenantID{"acme", "globex"}
	a.Results = []programme.Result{{Item: "known-a", Tenant: "acme"}, {Item: "known-g", Tenant: "globex"}, {Item: "known-p"}}
	items := []string{"known-a", "known-g", "known-p", "other"}
	both, own := []opsec.TenantID{"globex", "acme"}, []opsec.TenantID{"acme"}
	a.Findings = []programme.Finding{
		{ID: "1", Tenants: both, Items: items, Condition: "other is broken"},
		{ID: "2", Tenants: own, Items: []string{"known-a", "known-g", "mine"}, Condition: "mine is broken"},
		{ID: "3", Tenants: []opsec.TenantID{"globex"}, Items: []string{"known-g"}},
		{ID: "4", Items: []string{"known-p"}},
	}
	shared, _, err := report.Share(a, "acme")
	require.NoError(t, err)
	require.Len(t, shared.Findings, 2)
	require.Equal(t, []string{"known-a"}, shared.Findings[0].Items)
	require.Equal(t, report.Withheld, shared.Findings[0].Condition)
	require.Equal(t, []string{"known-a", "mine"}, shared.Findings[1].Items)
	require.Equal(t, "mine is broken", shared.Findings[1].Condition)
}

// hostile draws customers' ids and items that are parts of each other, of HTML, of Markdown, and of English words.
var hostile = rapid.Custom(func(t *rapid.T) string {
	pieces := []string{
		"zq",
		"Zq",
		"zqx",
		"Ω",
		"ω",
		"ж",
		"&amp;",
		"&",
		"<b>",
		"&lt;",
		"*zq*",
		"_",
		"\\",
		"`",
		"|",
		"#39;",
		"&#39;",
		"7j",
		"j",
		"\u200b",
		"zq\u0301",
		"\"",
		"'",
		"--",
		"..",
		"\u202e",
		"日本",
		"🦊",
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 3).Draw(t, "pieces"), "")
})

// world draws an audit of customers whose names and items are given by name; everything else hangs on the draws alone.
func world(t *rapid.T, name func(tenant, item int) string) programme.Audit {
	const tenants = 4
	tenant := func(label string) int { return rapid.IntRange(-1, tenants-1).Draw(t, label) } // -1: the provider
	id := func(i int) opsec.TenantID {
		if i < 0 {
			return ""
		}
		return opsec.TenantID(name(i, -1))
	}
	item := func(i, n int) string {
		if i < 0 {
			return fmt.Sprintf("provider-%d", n)
		}
		return name(i, n)
	}
	text := func(label string) string {
		words := rapid.SliceOfN(
			rapid.SampledFrom([]string{"Disk", "of", "was lost", "vol", "&", "<i>", "at\nnight"}),
			0,
			4,
		).Draw(
			t,
			label,
		)
		for range rapid.IntRange(0, 2).Draw(t, label+" names") {
			who := tenant(label + " who")
			word := item(who, rapid.IntRange(0, 2).Draw(t, label+" item"))
			if who >= 0 && rapid.Bool().Draw(t, label+" by id") {
				word = string(id(who))
			}
			words = append(words, word)
		}
		return strings.Join(words, " ")
	}
	a := programme.Audit{ID: text("id"), Stage: programme.Reported}
	if a.ID == "" {
		a.ID = "audit"
	}
	a.Plan = programme.Plan{
		Title:      text("title"),
		Objectives: []string{text("objective")},
		Follows:    text("follows"),
		Catalogue:  "x1642/1",
		Scope: independence.Scope{
			Systems:   []string{text("system")},
			Resources: []opsec.Resource{{Tenant: id(1), ID: item(1, 2)}},
		},
	}
	for i := range tenants {
		a.Plan.Customers = append(a.Plan.Customers, id(i))
	}
	a.Team = []programme.Member{
		{
			Person:     text("person"),
			Function:   programme.Function(text("function")),
			Lead:       true,
			Categories: []string{text("audits")},
		},
	}
	a.Waivers = []programme.Waiver{{Category: text("waived"), Reason: text("reason"), Person: text("waiver")}}
	for i := range rapid.IntRange(1, 3).Draw(t, "procedures") {
		a.Plan.Procedures = append(a.Plan.Procedures, programme.Procedure{
			ID: fmt.Sprint(
				i,
				" ",
				text("procedure"),
			), Title: text("procedure title"), Category: rapid.SampledFrom([]string{"iam", "keys", "own"}).Draw(t, "category"),
			Requirements: []string{text("requirement"), "8.11.2-4"}, Steps: []string{text("step")},
		})
	}
	status := rapid.SampledFrom(
		[]programme.Status{programme.Passed, programme.Failed, programme.NotTested, programme.NotApplicable, "?"},
	)
	for i := range 3 * (tenants + 1) { // every item has a result, so that it is known whose it is
		who := i%(tenants+1) - 1
		a.Results = append(a.Results, programme.Result{
			Procedure: a.Plan.Procedures[i%len(a.Plan.Procedures)].ID, Item: item(who, i/(tenants+1)), Tenant: id(who), Status: status.Draw(t, "status"), Detail: text("detail"),
			Evidence: []programme.Evidence{
				{
					Name:    text("evidence"),
					Digest:  text("digest"),
					Proof:   text("proof"),
					Person:  text("collector"),
					Custody: []string{text("custody")},
				},
			},
		})
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "findings") {
		f := programme.Finding{
			ID: fmt.Sprint(
				"F",
				i,
			), Procedure: a.Plan.Procedures[0].ID, Requirements: []string{text("criterion id")}, Criterion: text("criterion"),
			Condition: text(
				"condition",
			), Cause: text("cause"), Effect: text("effect"), Subject: text("subject"), Risk: opsec.Severity(rapid.SampledFrom([]string{"high", "low", text("risk")}).Draw(t, "risk level")),
			Accepted: &programme.Acceptance{Reason: text("acceptance"), Person: text("acceptor")},
		}
		for range rapid.IntRange(0, 3).Draw(t, "concerned") {
			if who := tenant("concerns"); who >= 0 && !slices.Contains(f.Tenants, id(who)) {
				f.Tenants = append(f.Tenants, id(who))
			}
			f.Items = append(f.Items, item(tenant("item of"), rapid.IntRange(0, 2).Draw(t, "finding item")))
		}
		a.Findings = append(a.Findings, f)
		a.Actions = append(
			a.Actions,
			programme.Action{
				ID:      text("action"),
				Finding: f.ID,
				Text:    text("action text"),
				Owner:   text("owner"),
				Due:     time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
			},
		)
	}
	return a
}

// Whatever customers are called, no report of one mentions another: what it shows is taken apart and looked through, by a
// matcher of the test's own.
func TestCustomersReportNamesNobodyElse(t *testing.T) {
	catalogue := spring(t).Catalogue
	rapid.Check(t, func(t *rapid.T) {
		names := map[[2]int]string{}
		used := map[string]bool{}
		for i := range 4 {
			for n := -1; n < 3; n++ {
				s := hostile.Filter(func(s string) bool { return !used[s] }).Draw(t, "name")
				names[[2]int{i, n}], used[s] = s, true
			}
		}
		a := world(t, func(tenant, item int) string { return names[[2]int{tenant, item}] })
		for reader := range 4 {
			who := opsec.TenantID(names[[2]int{reader, -1}])
			d, err := report.View(
				report.Source{Audit: a, Catalogue: catalogue, At: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)},
				report.Tenant(who),
			)
			require.NoError(t, err)
			var md, html strings.Builder
			require.NoError(t, report.Markdown(&md, d))
			require.NoError(t, report.HTML(&html, d))
			own := []string{string(who)}
			for n := range 3 {
				own = append(own, names[[2]int{reader, n}])
			}
			// What is the reader's own may contain another's term. It is taken out, the longest first.
			slices.SortFunc(own, func(a, b string) int { return len(b) - len(a) })
			b, err := json.Marshal(d)
			require.NoError(t, err)
			var value any
			require.NoError(t, json.Unmarshal(b, &value))
			texts := shown(t, html.String()) + plain(md.String()) + strings.Join(stringsIn(value), "\n")
			for _, s := range own {
				texts = strings.ReplaceAll(texts, s, "\n")
			}
			for key, term := range names {
				if key[0] == reader || len([]rune(term)) < 4 ||
					slices.ContainsFunc(own, func(s string) bool { return strings.Contains(s, term) }) {
					continue // short terms are for the test below; what is part of one's own is taken out
				}
				require.NotContains(t, texts, term, "%q of customer %d in the report of %q", term, key[0], who)
			}
		}
	})
}

// stringsIn returns all that a program reads out of a value of JSON, without the escapes.
func stringsIn(value any) (list []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, v := range v {
			list = append(list, stringsIn(v)...)
		}
	case map[string]any:
		for k, v := range v {
			list = append(append(list, k), stringsIn(v)...)
		}
	}
	return list
}

// What a customer reads does not hang on what others are called, or on what their items are: with other names everywhere,
// in every text too, it is the same to the byte. So names that are English words, or of one letter, need no rule here.
func TestCustomersReportDoesNotHangOnOthersNames(t *testing.T) {
	catalogue := spring(t).Catalogue
	rapid.Check(t, func(t *rapid.T) {
		reader := rapid.IntRange(0, 3).Draw(t, "reader")
		// Names of one world do not occur in the other, nor in the words that texts are made of.
		name := func(world string) func(tenant, item int) string {
			return func(tenant, item int) string {
				if tenant == reader {
					return fmt.Sprintf("me%d", item+1)
				}
				return fmt.Sprintf("%s%d%d", world, tenant, item+1)
			}
		}
		seed := rapid.Int().Draw(t, "seed")
		one := rapid.Custom(func(t *rapid.T) programme.Audit { return world(t, name("Ж")) }).Example(seed)
		two := rapid.Custom(func(t *rapid.T) programme.Audit { return world(t, name("Щщщщ")) }).Example(seed)
		read := func(a programme.Audit) string {
			d, err := report.View(
				report.Source{Audit: a, Catalogue: catalogue, At: time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)},
				report.Tenant("me0"),
			)
			require.NoError(t, err)
			var md, html strings.Builder
			require.NoError(t, report.Markdown(&md, d))
			require.NoError(t, report.HTML(&html, d))
			return md.String() + html.String()
		}
		require.Equal(t, read(one), read(two))
	})
}
