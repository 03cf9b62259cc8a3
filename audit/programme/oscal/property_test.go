package oscal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

// awkward are texts that some datatype of OSCAL does not take as they are.
var awkward = rapid.OneOf(
	rapid.SampledFrom([]string{
		"", " ", "\n", "a\nb", "\u00a0x\u2028", "\ufeff", "\x00", "\xff", "1", "-", "# a", "1. a", "- a", "a_b*c*", "<b>", "{{ insert: param, p }}",
		`\`, `"q"`, "é", "٣", "x\u0301", "\U0001f512", "a b", "~", "^", "|", "[a](b)", "&amp;", "globex", "for GLOBEX alone",
	}),
	rapid.String(),
)

// drawAudit draws an audit: valid in nothing but that ids are there, and each once.
func drawAudit(t *rapid.T) programme.Audit {
	text := func(what string) string { return awkward.Draw(t, what) }
	texts := func(what string) []string { return rapid.SliceOfN(awkward, 0, 3).Draw(t, what) }
	at := func(what string) time.Time {
		zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone"))
		return time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, what), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zone)
	}
	maybe := func(what string) (when time.Time) {
		if rapid.Bool().Draw(t, what) {
			when = at(what)
		}
		return when
	}
	ids := func(what string, most int) []string {
		return rapid.SliceOfNDistinct(rapid.OneOf(rapid.StringN(1, 8, -1), rapid.SampledFrom([]string{"a", "b_", "c/d", "1", "globex-7"})), 1, most, rapid.ID[string]).
			Draw(t, what)
	}
	evidence := func() (list []programme.Evidence) {
		for range rapid.IntRange(0, 2).Draw(t, "evidence") {
			list = append(list, programme.Evidence{
				Name: text("name"), Digest: rapid.OneOf(awkward, rapid.SampledFrom([]string{digest("x"), "sha256:00", "sha256:"})).Draw(t, "digest"), Proof: text("proof"), Collected: at("collected"),
				Person: text("person"), Custody: texts("custody"),
			})
		}
		return list
	}
	tenants := rapid.SampledFrom([]opsec.TenantID{"", opsec.Provider, "acme", "globex"})
	status := rapid.SampledFrom([]programme.Status{programme.Passed, programme.Failed, programme.NotTested, programme.NotApplicable, "odd"})
	a := programme.Audit{
		ID:    "a" + text("id"),
		Stage: rapid.SampledFrom([]programme.Stage{programme.Planned, programme.Reported, programme.Closed, programme.Cancelled}).Draw(t, "stage"),
		Plan: programme.Plan{
			Title: text("title"), Objectives: texts("objectives"), Catalogue: rapid.OneOf(awkward, rapid.Just("x1642/1")).Draw(t, "catalogue"),
			Customers: []opsec.TenantID{"acme", "globex"}, From: at("from"), Until: at("until"), Follows: text("follows"),
		},
		Waivers: []programme.Waiver{{Category: text("category"), Reason: text("reason")}},
	}
	a.Plan.Scope.Systems, a.Plan.Scope.Actions = texts("systems"), texts("actions")
	for _, f := range []programme.Function{programme.SeniorManagement, programme.Technical, programme.Function(text("function"))} {
		a.Team = append(a.Team, programme.Member{
			Person: text("member"), Function: f, Lead: rapid.Bool().Draw(t, "lead"), Categories: texts("categories"),
		})
	}
	a.Draw = &programme.Draw{Samples: map[string][]int{}, Checkpoint: text("checkpoint")}
	freeze := programme.Freeze{Freeze: sample.Freeze{Audit: a.ID, NotBefore: time.Unix(1<<30, 0)}}
	for _, id := range ids("procedures", 3) {
		p := programme.Procedure{
			ID: id, Title: text("title"), Category: text("category"), Requirements: append(texts("requirements"), "8.2-4"), Steps: texts("steps"),
			Person: text("person"), Check: text("check"), Sample: rapid.IntRange(0, 3).Draw(t, "sample"),
		}
		a.Plan.Procedures = append(a.Plan.Procedures, p)
		freeze.Frames = append(freeze.Frames, sample.Commitment{Procedure: id, Size: 3})
		a.Draw.Samples[id] = make([]int, rapid.IntRange(0, 3).Draw(t, "drawn"))
		for _, item := range ids("items", 3) {
			a.Results = append(a.Results, programme.Result{
				Procedure: id, Item: item, Tenant: tenants.Draw(t, "tenant"), Status: status.Draw(t, "status"), Detail: text("detail"),
				Evidence: evidence(), Person: text("person"), Time: at("time"), Automated: rapid.Bool().Draw(t, "automated"),
			})
		}
	}
	a.Freezes = []programme.Freeze{freeze}
	for _, id := range ids("findings", 3) {
		f := programme.Finding{
			ID: id, Procedure: rapid.SampledFrom(a.Plan.Procedures).Draw(t, "of").ID, Requirements: append(texts("requirements"), "8.2-4"),
			Items: []string{rapid.SampledFrom(a.Results).Draw(t, "item").Item}, Criterion: text("criterion"), Condition: text("condition"),
			Cause: text("cause"), Effect: text("effect"), Subject: text("subject"), Repeats: rapid.IntRange(0, 2).Draw(t, "repeats"), Raised: maybe("raised"),
			Risk: rapid.SampledFrom([]opsec.Severity{"", opsec.SeverityInfo, opsec.SeverityCritical, "odd"}).Draw(t, "risk"),
		}
		if rapid.Bool().Draw(t, "accepted") {
			f.Accepted = &programme.Acceptance{Person: text("person"), Reason: text("reason"), Until: at("until")}
		}
		f.Tenants = rapid.SliceOfNDistinct(tenants, 0, 2, rapid.ID[opsec.TenantID]).Draw(t, "tenants")
		a.Findings = append(a.Findings, f)
	}
	for _, id := range ids("actions", 3) {
		a.Actions = append(a.Actions, programme.Action{
			ID: id, Finding: rapid.SampledFrom(a.Findings).Draw(t, "finding").ID, Text: text("text"), Owner: text("owner"), Due: at("due"),
			Completed: maybe("completed"), Evidence: evidence(), Verified: maybe("verified"), Verifier: text("verifier"),
		})
	}
	a.History = []programme.Entry{
		{Time: at("opened"), Action: programme.ActionOpen, Person: text("person"), What: text("what"), Reason: text("reason"), Event: event(1)},
		{Time: at("issued"), Action: programme.ActionIssue, Replaced: a.Results[:1]},
	}
	return a
}

// Whatever an audit says, its documents have the shapes of the schema, their references resolve, and a tenant's does not
// name another.
func TestDocumentsOfAnyAuditAreValid(t *testing.T) {
	s := readShapes(t)
	rapid.Check(t, func(r *rapid.T) {
		a := drawAudit(r)
		for _, o := range []oscal.Options{options, acme} {
			plan, err := oscal.Plan(a, o)
			require.NoError(r, err)
			results, err := oscal.Results(a, o)
			if o.Tenant != "" && errors.Is(err, opsec.ErrNotFound) {
				results, err = nil, nil
			}
			require.NoError(r, err)
			poam, err := oscal.POAM(a, o)
			if errors.Is(err, oscal.ErrNothingOpen) || o.Tenant != "" && errors.Is(err, opsec.ErrNotFound) {
				poam, err = nil, nil
			}
			require.NoError(r, err)
			p := read(t, plan)
			require.Empty(r, p.check(nil))
			for _, text := range [][]byte{plan, results, poam} {
				if text != nil {
					require.Empty(r, s.document(t, text))
					if o.Tenant == "acme" {
						require.NotContains(r, strings.ToLower(said(t, text)), "globex")
					}
					if d := read(t, text); d.top == "assessment-results" {
						require.Empty(r, d.check(p))
					} else {
						require.Empty(r, d.check(nil))
					}
				}
			}
		}
	})
}

// Two ids of a catalogue are never one control, and each is a token.
func TestControlsOfAnyCatalogueAreDistinct(t *testing.T) {
	s := readShapes(t)
	id := rapid.OneOf(rapid.StringMatching(`[ -~]{1,6}`), rapid.SampledFrom([]string{"_", "__", "_2f_", "/", "_2f", "a_smt", "a", "é", "٣", "1_clause", "c1"})).
		Filter(func(s string) bool {
			return (&catalogue.Catalogue{ID: "a", Title: "t", Version: "1", Requirements: []catalogue.Requirement{{ID: s, Title: "t", Text: "t"}}}).Validate() == nil
		})
	rapid.Check(t, func(r *rapid.T) {
		c := &catalogue.Catalogue{ID: rapid.StringMatching(`[a-z0-9._-]{1,4}`).Draw(r, "catalogue"), Title: "t", Version: "1"}
		for _, id := range rapid.SliceOfNDistinct(id, 1, 6, rapid.ID[string]).Draw(r, "ids") {
			c.Requirements = append(c.Requirements, catalogue.Requirement{
				ID: id, Title: "t", Text: "t", Clause: rapid.SampledFrom([]string{"", "1", "a", "a_smt"}).Draw(r, "clause"),
				Refs: []catalogue.Ref{{Framework: "f", ID: id}},
			})
		}
		if c.Validate() != nil {
			r.Skip()
		}
		text, err := oscal.Catalogue(c, day(1))
		require.NoError(r, err)
		require.Empty(r, read(t, text).check(nil))
		require.Empty(r, s.document(t, text))
	})
}
