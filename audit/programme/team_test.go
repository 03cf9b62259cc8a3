package programme_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

func TestAssignWantsAClearanceForThis(t *testing.T) {
	h := opened(t)
	good := func() programme.Assign { return h.assign(member("tom", programme.Technical, "keys")) }
	for why, change := range map[string]func(*independence.Clearance){
		"of another scope":      func(c *independence.Clearance) { c.Scope = independence.Scope{Systems: []string{"x"}}.Digest() },
		"by another policy":     func(c *independence.Clearance) { c.Policy = independence.Policy{SkipUnattributed: true}.Digest() },
		"looks back less":       func(c *independence.Clearance) { c.From = c.From.Add(time.Nanosecond) },
		"24h0m0.000000001s old": func(c *independence.Clearance) { *c = back(*c, day+time.Nanosecond-minute) },
		"-5m0.000000001s old":   func(c *independence.Clearance) { *c = back(*c, -6*minute-time.Nanosecond) },
	} {
		s := good()
		change(&s.Clearance)
		h.refuses(opsec.ErrInvalid, "lea", s, why)
		h.now = h.now.Add(-minute)
	}
	for _, age := range []time.Duration{day - minute, -6 * minute} {
		s := good()
		s.Clearance = back(s.Clearance, age)
		require.NoError(t, h.try("lea", s))
		h.now = h.now.Add(-minute)
	}
	s := good()
	s.Clearance.Standings = nil
	h.refuses(opsec.ErrNotFound, "lea", s, "not looked at")
}

func back(c independence.Clearance, d time.Duration) independence.Clearance {
	c.From, c.To = c.From.Add(-d), c.To.Add(-d)
	return c
}

// There is no way past a conflict.
func TestNobodyInConflictGetsIn(t *testing.T) {
	h := opened(t)
	for _, kind := range []independence.Kind{independence.Operated, independence.Approved, independence.Owned, independence.InLine} {
		s := h.assign(member("olaf", programme.Technical, "keys"))
		s.Clearance.Standings[0].Conflicts = []independence.Conflict{{Kind: kind, Action: "backup.delete", Count: 1}}
		err := h.try("lea", s)
		var conflict *independence.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Equal(t, "olaf", conflict.Person)
		e := h.events[len(h.events)-1]
		require.Equal(t, "conflict of interest: "+string(kind), e.Reason, "without the person")
		require.Equal(t, opsec.Attr{Key: "what", Value: "olaf", Mark: opsec.Personal}, e.Attrs[0])
	}
	s := h.assign(member("tom", programme.Technical, "keys"))
	s.Clearance.Unattributed = independence.Unattributed{Acts: 1, Accounts: []string{"@provider/ghost"}}
	h.refuses(opsec.ErrDenied, "lea", s, "nobody")
	require.NotContains(t, h.events[len(h.events)-1].Reason, "ghost")
}

func TestAssignWantsCompetenceForEachCategory(t *testing.T) {
	h := opened(t)
	s := h.assign(member("tom", programme.Technical, "keys", "platform"))
	s.Records = records("tom")[:2] // of virtualisation and platform
	err := h.try("lea", s)
	var unqualified *competence.UnqualifiedError
	require.ErrorAs(t, err, &unqualified)
	require.ErrorContains(t, err, "category keys")
	require.NotContains(t, err.Error(), "category platform")

	s.Records = records("tim")
	h.refuses(opsec.ErrDenied, "lea", s, "category platform")

	s.Records = records("tom")
	s.Member.Clearance, s.Member.Qualifications, s.Member.Cleared = "x", []string{"x"}, noon
	h.take("lea", s)
	m := h.audit.Team[0]
	require.Equal(t, []string{records("tom")[4].Ref(), records("tom")[1].Ref()}, m.Qualifications, "those it rests on, as found")
	require.Equal(t, s.Clearance.Digest(), m.Clearance)
	require.True(t, s.Clearance.To.Equal(m.Cleared))

	s = h.assign(member("mia", programme.SeniorManagement))
	s.Records = nil
	h.take("lea", s) // who audits nothing needs to know nothing

	old := competence.Record{
		Person: "tim", Subject: "keys", Kind: competence.Experience, Issuer: "lea", Issued: h.now.Add(-3*365*day + time.Hour), Evidence: digest("x"),
	}
	s = h.assign(member("tim", programme.Technical, "keys"))
	s.Records = []competence.Record{old}
	require.NoError(t, h.try("lea", s), "three years are not over")
	s.Records[0].Issued = h.now.Add(-3*365*day - time.Hour)
	h.refuses(opsec.ErrDenied, "lea", s, "category keys")

	h.policy.Competence = map[string][]competence.Need{"keys": {{Subject: "cryptography", Kinds: []competence.Kind{competence.Certification}}}}
	s = h.assign(member("tim", programme.Technical, "keys"))
	h.refuses(opsec.ErrDenied, "lea", s, "category keys")
	s.Records = append(s.Records, competence.Record{
		Person: "tim", Subject: "cryptography", Kind: competence.Certification, Issuer: "x", Issued: noon.Add(-day), Expires: noon.Add(day), Evidence: digest("x"),
	})
	h.take("lea", s)
}

func TestAssignRefusesMembersOutOfForm(t *testing.T) {
	h := opened(t)
	h.refuses(opsec.ErrInvalid, "lea", h.assign(member("", programme.Technical)), "person")
	h.refuses(opsec.ErrInvalid, "lea", h.assign(member("tom", "technician")), "function")
	h.refuses(opsec.ErrInvalid, "lea", h.assign(member("tom", programme.Technical, "keys", "keys")), "categories")
	h.refuses(opsec.ErrInvalid, "lea", h.assign(member("tom", programme.Technical, "")), "categories")
	for _, m := range team() {
		h.take("lea", h.assign(m))
	}
	tom := member("tom", programme.Technical, "platform")
	tom.Lead = true
	h.refuses(opsec.ErrInvalid, "lea", h.assign(tom), "another one leads")
	require.NoError(t, h.try("lea", h.assign(team()[1])), "the lead itself again")
	h.take("lea", h.assign(member("tom", programme.Technical, "keys")))
	require.Len(t, h.audit.Team, 4, "renewed, not doubled")
}

func TestAssignUntilTheAuditIsOver(t *testing.T) {
	for _, stage := range []func(testing.TB) *house{approved, frozen, fieldwork, reported} {
		h := stage(t)
		require.NoError(t, h.try("lea", h.assign(member("max", programme.SeniorManagement))))
		h.take("mia", programme.Cancel{Reason: "x"})
		h.refuses(programme.ErrStage, "lea", h.assign(member("max", programme.SeniorManagement)), "cancelled")
	}
}

func TestDismissLeavesNoProcedureWithoutItsPerson(t *testing.T) {
	h := staffed(t)
	h.refuses(opsec.ErrInvalid, "lea", programme.Dismiss{Person: "tim"}, "reason")
	h.refuses(opsec.ErrInvalid, "lea", programme.Dismiss{Person: "olaf", Reason: "x"}, "no member")
	h.take("lea", programme.Dismiss{Person: "tim", Reason: "left"})
	require.Len(t, h.audit.Team, 3)
	h.refuses(programme.ErrStage, "mia", programme.Release{}, "procedure rotation: nobody answers for it")

	h = fieldwork(t)
	var lacks *programme.TeamError
	require.ErrorAs(t, h.try("lea", programme.Dismiss{Person: "tim", Reason: "left"}), &lacks)
	require.Equal(t, []string{"procedure rotation: nobody to take it over"}, lacks.Missing)
	h.refuses(opsec.ErrInvalid, "lea", programme.Dismiss{Person: "tim", Reason: "x", Successor: "tim"}, "successor")
	h.refuses(opsec.ErrInvalid, "lea", programme.Dismiss{Person: "tim", Reason: "x", Successor: "olaf"}, "successor")
	h.refuses(opsec.ErrInvalid, "lea", programme.Dismiss{Person: "tom", Reason: "x", Successor: "tim"}, "does not audit platform")
	frozen := h.audit.Freezes[0].Scope
	h.take("lea", programme.Dismiss{Person: "tim", Reason: "left", Successor: "tom"})
	require.Equal(t, "tom", h.audit.Plan.Procedures[1].Person)
	require.Equal(t, frozen, h.audit.Plan.Digest(), "persons are no part of what was frozen")
	h.refuses(opsec.ErrDenied, "tim", programme.Perform{Results: []programme.Result{h.result("rotation", 0, programme.Passed)}}, "another one")
	h.take("tom", programme.Perform{Results: []programme.Result{h.result("rotation", 0, programme.Passed)}})
	h.take("lea", programme.Dismiss{Person: "mia", Reason: "left"}) // who answers for nothing may go

	h = reported(t)
	h.refuses(programme.ErrStage, "lea", programme.Dismiss{Person: "mia", Reason: "x"}, "reported")
}

func TestIssueWantsACompleteTeam(t *testing.T) {
	h := tested(t)
	h.now = h.now.Add(100 * day)
	require.NoError(t, h.try("lea", programme.Issue{}), "clearances were fresh at the release")
	h.take("lea", h.assign(member("tim", programme.Technical))) // no longer audits keys
	h.take("lea", programme.Dismiss{Person: "mia", Reason: "left"})
	var lacks *programme.TeamError
	require.ErrorAs(t, h.try("lea", programme.Issue{}), &lacks)
	require.Equal(t, []string{
		"nobody of function senior management", "procedure rotation: who answers for it does not audit keys",
	}, lacks.Missing)
}
