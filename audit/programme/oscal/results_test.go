package oscal_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
)

// states are what results say of each requirement: state, reason and status, once for each finding.
func states(t testing.TB, text []byte) (all map[string][]string, excluded []string) {
	result := read(t, text).root["results"].([]any)[0].(object)
	all = map[string][]string{}
	list, _ := result["findings"].([]any)
	for _, v := range list {
		f := v.(object)
		target := f["target"].(object)
		s := target["status"].(object)
		status := ""
		for _, p := range f["props"].([]any) {
			if p := p.(object); p["name"] == "status" {
				status = p["value"].(string)
			}
		}
		id := strings.TrimSuffix(strings.TrimPrefix(target["target-id"].(string), "x1642-"), "_smt")
		all[id] = append(all[id], s["state"].(string)+" "+s["reason"].(string)+" "+status)
	}
	selection := result["reviewed-controls"].(object)["control-selections"].([]any)[0].(object)
	list, _ = selection["exclude-controls"].([]any)
	for _, v := range list {
		excluded = append(excluded, strings.TrimPrefix(v.(object)["control-id"].(string), "x1642-"))
	}
	return all, excluded
}

const (
	pass     = "satisfied pass passed"
	fail     = "not-satisfied fail failed"
	untested = "not-satisfied other not-tested"
)

func TestStateOfRequirements(t *testing.T) {
	text, err := oscal.Results(audited(t), options)
	require.NoError(t, err)
	have, excluded := states(t, text)
	require.Equal(t, map[string][]string{
		"8.10-5": {fail, fail}, "8.10-6": {fail, fail}, "8.2-4": {pass}, "8.11.2-1": {untested}, "8.9.2-1": {untested},
	}, have)
	require.Equal(t, []string{"8.4-2"}, excluded)
}

func TestWhatIsNotTestedIsNeverSatisfied(t *testing.T) {
	const p, f, n, x = programme.Passed, programme.Failed, programme.NotTested, programme.NotApplicable
	for name, c := range map[string]struct {
		drawn    int
		statuses []programme.Status
		want     []string
	}{
		"all passed":                    {2, []programme.Status{p, p}, []string{pass}},
		"passed, not applicable":        {2, []programme.Status{p, x}, []string{pass}},
		"one failed":                    {2, []programme.Status{p, f}, []string{fail}},
		"one failed, one not tested":    {2, []programme.Status{n, f}, []string{fail}},
		"one not tested":                {2, []programme.Status{p, n}, []string{untested}},
		"all not tested":                {2, []programme.Status{n, n}, []string{untested}},
		"not tested, not applicable":    {2, []programme.Status{n, x}, []string{untested}},
		"one without a result":          {3, []programme.Status{p, p}, []string{untested}},
		"not applicable, one missing":   {2, []programme.Status{x}, []string{untested}},
		"a status that nobody knows":    {1, []programme.Status{"fine"}, []string{untested}},
		"no status":                     {1, []programme.Status{""}, []string{untested}},
		"none drawn":                    {-1, []programme.Status{p}, []string{untested}},
		"nothing applicable":            {2, []programme.Status{x, x}, nil},
		"an empty population, a result": {0, []programme.Status{p}, []string{pass}},
	} {
		t.Run(name, func(t *testing.T) {
			a := audited(t)
			a.Findings, a.Actions = nil, nil
			kept := a.Results[:0:0]
			for _, r := range a.Results {
				if r.Procedure != "rotation" {
					kept = append(kept, r)
				}
			}
			a.Results = kept
			for i, s := range c.statuses {
				a.Results = append(a.Results, programme.Result{
					Procedure: "rotation", Item: "key-" + string(rune('1'+i)), Status: s, Person: "bob", Time: day(5),
				})
			}
			if a.Draw.Samples["rotation"] = make([]int, max(0, c.drawn)); c.drawn < 0 {
				delete(a.Draw.Samples, "rotation")
			}
			text, err := oscal.Results(a, options)
			require.NoError(t, err)
			have, excluded := states(t, text)
			require.Equal(t, c.want, have["8.2-4"])
			if c.want == nil {
				require.Contains(t, excluded, "8.2-4")
			}
		})
	}
}

func TestStatusThatNobodyKnowsIsNotTested(t *testing.T) {
	a := audited(t)
	a.Results[0].Status = "fine"
	text, err := oscal.Results(a, options)
	require.NoError(t, err)
	first := read(t, text).root["results"].([]any)[0].(object)["observations"].([]any)[0].(object)
	require.True(t, has(first, "status", "not-tested"))
}

func TestProviderIsNobodyElse(t *testing.T) {
	a := audited(t)
	for i := range a.Results {
		if a.Results[i].Tenant == "" {
			a.Results[i].Tenant = opsec.Provider
		}
	}
	a.Findings[2].Tenants = []opsec.TenantID{opsec.Provider}
	all := documents(t)
	for name, o := range map[string]oscal.Options{"": options, "acme-": acme} {
		text, err := oscal.Results(a, o)
		require.NoError(t, err)
		require.Equal(t, string(all[name+"assessment-results.json"]), string(text))
	}
}

func TestResultsEndWhenTheyAreIssued(t *testing.T) {
	end := func(a programme.Audit) any {
		text, err := oscal.Results(a, options)
		require.NoError(t, err)
		return read(t, text).root["results"].([]any)[0].(object)["end"]
	}
	a := audited(t)
	a.Stage = programme.Cancelled
	a.History = append(a.History, programme.Entry{Time: day(20), Person: "carol", Action: programme.ActionCancel})
	require.Equal(t, "2026-03-12T09:00:00Z", end(a))
	a.History = a.History[:6]
	require.Nil(t, end(a))
}

// A requirement that two procedures test is satisfied by both or not at all.
func TestRequirementOfTwoProcedures(t *testing.T) {
	a := audited(t)
	a.Plan.Procedures[2].Requirements = append(a.Plan.Procedures[2].Requirements, "8.2-4")
	text, err := oscal.Results(a, options)
	require.NoError(t, err)
	have, _ := states(t, text)
	require.Equal(t, []string{untested}, have["8.2-4"])
}

func TestTenantIsJudgedByItsOwnItemsAndTheProviders(t *testing.T) {
	text, err := oscal.Results(audited(t), acme)
	require.NoError(t, err)
	have, excluded := states(t, text)
	require.Equal(t, map[string][]string{
		"8.10-5":   {fail},     // F-2 names acme
		"8.10-6":   {fail},     // F-3 is about the provider alone
		"8.2-4":    {pass},     // the provider's key
		"8.11.2-1": {untested}, // the provider's host
	}, have)
	require.Equal(t, []string{"8.4-2", "8.9.2-1"}, excluded)

	a := audited(t)
	a.Findings = a.Findings[:1] // F-1, which names globex
	text, err = oscal.Results(a, acme)
	require.NoError(t, err)
	have, _ = states(t, text)
	require.Equal(t, []string{pass}, have["8.10-5"])
	text, err = oscal.Results(a, options)
	require.NoError(t, err)
	have, _ = states(t, text)
	require.Equal(t, []string{fail}, have["8.10-5"])
}

func TestTenantSeesNobodyElse(t *testing.T) {
	a := audited(t)
	a.Plan.Objectives = append(a.Plan.Objectives, "Globex is happy.")
	a.Findings[1].Cause = "The timetable names vol-2."
	for _, make := range []func(programme.Audit, oscal.Options) ([]byte, error){oscal.Plan, oscal.Results, oscal.POAM} {
		text, err := make(a, acme)
		require.NoError(t, err)
		for _, theirs := range []string{"globex", "vol-2", "carol", "ann", "bob", "dave", "erin", "grace", "host-1", "vol-6", "key-1", "backup-verify"} {
			require.NotRegexp(t, `(?i)\b`+theirs+`\b`, said(t, text))
		}
	}
}

// said is a document with its attachments in the clear.
func said(t testing.TB, text []byte) string {
	all := []string{string(text)}
	d := read(t, text)
	d.each(d.root, d.top, func(o object, in string) {
		if in == "base64" {
			content, err := base64.StdEncoding.DecodeString(o["value"].(string))
			require.NoError(t, err)
			all = append(all, string(content))
		}
	})
	return strings.Join(all, "\n")
}

func TestRiskFollowsItsActions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *programme.Audit)
		want   string // of F-1
		due    string
	}{
		"two actions":        {func(*programme.Audit) {}, "remediating", "2026-03-20T09:00:00Z"},
		"one verified":       {func(a *programme.Audit) { a.Actions[0].Verified = day(11) }, "remediating", "2026-03-11T09:00:00Z"},
		"both verified":      {func(a *programme.Audit) { a.Actions[0].Verified, a.Actions[1].Verified = day(11), day(11) }, "closed", ""},
		"both only done":     {func(a *programme.Audit) { a.Actions[1].Completed = day(11) }, "remediating", "2026-03-20T09:00:00Z"},
		"no action":          {func(a *programme.Audit) { a.Actions = a.Actions[2:] }, "open", ""},
		"accepted":           {func(a *programme.Audit) { accept(a, day(13)) }, "deviation-approved", "2026-03-13T09:00:00Z"},
		"accepted till then": {func(a *programme.Audit) { accept(a, day(12)) }, "remediating", "2026-03-20T09:00:00Z"},
		"mended all the same": {func(a *programme.Audit) {
			accept(a, day(13))
			a.Actions[0].Verified, a.Actions[1].Verified = day(11), day(11)
		}, "closed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := audited(t)
			c.change(&a)
			text, err := oscal.Results(a, options)
			require.NoError(t, err)
			risk := read(t, text).root["results"].([]any)[0].(object)["risks"].([]any)[0].(object)
			require.Equal(t, c.want, risk["status"])
			due, _ := risk["deadline"].(string)
			require.Equal(t, c.due, due)

			text, err = oscal.POAM(a, options)
			require.NoError(t, err)
			items := read(t, text).root["poam-items"].([]any)
			require.Equal(t, c.want != "closed", strings.HasPrefix(items[0].(object)["title"].(string), "F-1"))
		})
	}
}

func accept(a *programme.Audit, until time.Time) {
	a.Findings[0].Accepted = &programme.Acceptance{Person: "carol", Reason: "cheap", Until: until}
}

func TestActionIsCompletedWhenItIsVerified(t *testing.T) {
	text, err := oscal.Results(audited(t), options)
	require.NoError(t, err)
	have := map[string]string{}
	for _, r := range read(t, text).root["results"].([]any)[0].(object)["risks"].([]any) {
		for _, v := range r.(object)["remediations"].([]any) {
			a := v.(object)
			for _, p := range a["props"].([]any) {
				if p := p.(object); p["name"] == "status" {
					have[a["title"].(string)] = a["lifecycle"].(string) + " " + p["value"].(string)
				}
			}
		}
	}
	require.Equal(t, map[string]string{"A-1": "planned awaiting-verification", "A-2": "planned overdue", "A-3": "completed verified"}, have)
}

// What is the same thing has the same identifier: in all documents, and when the audit has gone on.
func TestIdentifiersStay(t *testing.T) {
	all := documents(t)
	for name := range read(t, all["plan-of-action-and-milestones.json"]).things {
		kind := read(t, all["plan-of-action-and-milestones.json"]).things[name]
		if kind == "findings" || kind == "risks" || kind == "observations" || kind == "remediations" || kind == "inventory-items" {
			require.Equal(t, kind, read(t, all["assessment-results.json"]).things[name])
		}
	}
	before := read(t, all["assessment-results.json"]).things
	a := audited(t)
	a.Actions[1].Completed = day(14)
	a.History = append(a.History, programme.Entry{Time: day(14), Person: "dave", Action: programme.ActionComplete, Event: event(99)})
	text, err := oscal.Results(a, options)
	require.NoError(t, err)
	after := read(t, text)
	for id, kind := range before {
		require.Equal(t, kind, after.things[id])
	}
	require.Equal(t, "2026-03-14T09:00:00Z", after.root["metadata"].(object)["last-modified"])

	// Another provider's audit of the same id is another one; so is a tenant's document.
	o := options
	o.Provider = "other.example"
	other, err := oscal.Results(audited(t), o)
	require.NoError(t, err)
	for id := range read(t, other).things {
		require.NotContains(t, before, id)
	}
	require.NotEqual(t, read(t, all["acme-assessment-results.json"]).root["uuid"], after.root["uuid"])
}

// The identifiers are those that Python's uuid module makes of the same names.
func TestIdentifiersAreOfVersionFive(t *testing.T) {
	text, err := oscal.Catalogue(house(), day(1))
	require.NoError(t, err)
	require.Equal(t, "f7eaf85d-4194-5426-8985-d6632daeae30", read(t, text).root["uuid"])
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(a *programme.Audit, o *oscal.Options)
		want   error
	}{
		"no provider":        {func(_ *programme.Audit, o *oscal.Options) { o.Provider = "" }, opsec.ErrInvalid},
		"provider of lines":  {func(_ *programme.Audit, o *oscal.Options) { o.Provider = "a\nb" }, opsec.ErrInvalid},
		"no reference":       {func(_ *programme.Audit, o *oscal.Options) { o.Plan = "a b" }, opsec.ErrInvalid},
		"a reference inside": {func(_ *programme.Audit, o *oscal.Options) { o.SystemPlan = "#x" }, opsec.ErrInvalid},
		"provider as tenant": {func(_ *programme.Audit, o *oscal.Options) { o.Tenant = opsec.Provider }, opsec.ErrInvalid},
		"unknown tenant":     {func(_ *programme.Audit, o *oscal.Options) { o.Tenant = "initech" }, opsec.ErrNotFound},
		"no id":              {func(a *programme.Audit, _ *oscal.Options) { a.ID = " " }, opsec.ErrInvalid},
		"no history":         {func(a *programme.Audit, _ *oscal.Options) { a.History = nil }, opsec.ErrInvalid},
		"no requirements": {func(a *programme.Audit, _ *oscal.Options) {
			for i := range a.Plan.Procedures {
				a.Plan.Procedures[i].Requirements = nil
			}
			a.Findings = nil
		}, opsec.ErrInvalid},
		"a time before time":      {func(a *programme.Audit, _ *oscal.Options) { a.Plan.From = time.Time{} }, opsec.ErrInvalid},
		"a finding without an id": {func(a *programme.Audit, _ *oscal.Options) { a.Findings[0].ID = "" }, opsec.ErrInvalid},
		"an action twice":         {func(a *programme.Audit, _ *oscal.Options) { a.Actions[1].ID = "A-1" }, opsec.ErrInvalid},
		"a procedure twice":       {func(a *programme.Audit, _ *oscal.Options) { a.Plan.Procedures[1].ID = "restore" }, opsec.ErrInvalid},
		"a result twice":          {func(a *programme.Audit, _ *oscal.Options) { a.Results = append(a.Results, a.Results[0]) }, opsec.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			a, o := audited(t), options
			c.change(&a, &o)
			text, err := oscal.Plan(a, o)
			require.ErrorIs(t, err, c.want)
			require.Nil(t, text)
		})
	}
}

func TestResultsThatAreNotThere(t *testing.T) {
	a := audited(t)
	a.Results = nil
	_, err := oscal.Results(a, options)
	require.ErrorIs(t, err, opsec.ErrInvalid)

	a = audited(t)
	a.Findings = a.Findings[2:] // F-3, which is mended
	_, err = oscal.POAM(a, options)
	require.ErrorIs(t, err, oscal.ErrNothingOpen)

	for stage, issued := range map[programme.Stage]bool{
		programme.Fieldwork: false, programme.Reported: true, programme.Closed: true, programme.Cancelled: true,
	} {
		a = audited(t)
		a.Stage = stage
		for _, make := range []func(programme.Audit, oscal.Options) ([]byte, error){oscal.Results, oscal.POAM} {
			_, err = make(a, acme)
			if issued {
				require.NoError(t, err, stage)
			} else {
				require.ErrorIs(t, err, opsec.ErrNotFound, stage)
			}
			_, err = make(a, options)
			require.NoError(t, err, stage)
		}
		_, err = oscal.Plan(a, acme)
		require.NoError(t, err, stage)
	}
	a = audited(t)
	a.Stage, a.History = programme.Cancelled, a.History[:6] // before it was issued
	_, err = oscal.Results(a, acme)
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

// An audit is not changed by being written.
func TestAuditStaysAsItIs(t *testing.T) {
	a := audited(t)
	before, err := json.Marshal(a)
	require.NoError(t, err)
	for _, o := range []oscal.Options{options, acme} {
		_, err = oscal.Plan(a, o)
		require.NoError(t, err)
		_, err = oscal.Results(a, o)
		require.NoError(t, err)
		_, err = oscal.POAM(a, o)
		require.NoError(t, err)
	}
	after, err := json.Marshal(a)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}
