package programme_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

func TestRaiseWantsAFailureOrACondition(t *testing.T) {
	h := fieldwork(t)
	h.take("tom", programme.Perform{Results: []programme.Result{
		h.result("restore", 0, programme.Failed), h.result("restore", 1, programme.Passed), h.result("restore", 2, programme.NotTested),
	}})
	drawn := h.audit.Draw.Items["restore"]
	for why, change := range map[string]func(*programme.Finding){
		"id":                   func(f *programme.Finding) { f.ID = "" },
		"of no procedure":      func(f *programme.Finding) { f.Procedure = "x" },
		"no requirement":       func(f *programme.Finding) { f.Requirements = nil },
		"is not about":         func(f *programme.Finding) { f.Requirements = []string{"8.3-1"} },
		"has not failed":       func(f *programme.Finding) { f.Items = drawn[1:2] },
		"f1: an item":          func(f *programme.Finding) { f.Items = drawn[:3] },
		"an item that has not": func(f *programme.Finding) { f.Items = []string{"vol-99"} },
		"items: number 1":      func(f *programme.Finding) { f.Items = []string{drawn[0], drawn[0]} },
		"tenants":              func(f *programme.Finding) { f.Tenants = []opsec.TenantID{""} },
		"criterion":            func(f *programme.Finding) { f.Criterion = "" },
		"condition":            func(f *programme.Finding) { f.Items, f.Condition = nil, "" },
		"cause":                func(f *programme.Finding) { f.Cause = "" },
		"effect":               func(f *programme.Finding) { f.Effect = "" },
		"subject":              func(f *programme.Finding) { f.Subject = "" },
		"risk":                 func(f *programme.Finding) { f.Risk = "awful" },
	} {
		f := finding(h)
		change(&f)
		h.refuses(opsec.ErrInvalid, "tom", programme.Raise{Finding: f}, why)
		h.now = h.now.Add(-minute)
	}
	f := finding(h)
	f.Condition = ""
	require.NoError(t, h.try("tom", programme.Raise{Finding: f}), "what has failed says it")
	f = finding(h)
	f.Items = nil
	require.NoError(t, h.try("tom", programme.Raise{Finding: f}), "a condition says it")

	for _, person := range []string{"tim", "mia", "olaf"} {
		h.refuses(opsec.ErrDenied, person, programme.Raise{Finding: finding(h)}, "another one answers")
	}
	require.NoError(t, h.try("lea", programme.Raise{Finding: finding(h)}), "the lead may")

	f = finding(h)
	f.Tenants, f.Repeats, f.Raised = []opsec.TenantID{"zeta"}, 7, noon
	f.Accepted = &programme.Acceptance{Person: "olaf", Until: noon.Add(1000 * day)}
	h.take("tom", programme.Raise{Finding: f})
	got := h.audit.Findings[0]
	require.Equal(t, []opsec.TenantID{"acme", "zeta"}, got.Tenants, "no customer that it concerns is left out")
	require.Zero(t, got.Repeats)
	require.Nil(t, got.Accepted)
	require.True(t, h.now.Equal(got.Raised))
	require.Equal(t, opsec.SeverityMedium, got.Risk)

	f.ID = "f2"
	h.refuses(opsec.ErrInvalid, "tom", programme.Raise{Finding: f}, "its subject")
	f.ID, f.Subject = "f1", "another"
	h.refuses(opsec.ErrInvalid, "tom", programme.Raise{Finding: f}, "its id")
	require.ErrorIs(t, frozen(t).try("tom", programme.Raise{Finding: f}), programme.ErrStage)
	require.ErrorIs(t, reported(t).try("tom", programme.Raise{Finding: f}), programme.ErrStage)
}

func TestWhatIsFoundAgainWeighsMore(t *testing.T) {
	h := fieldwork(t)
	h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 0, programme.Failed)}})
	previous := finding(h)
	previous.Subject = "another"
	h.refuses(opsec.ErrInvalid, "tom", programme.Raise{Finding: finding(h), Previous: &previous}, "another subject")
	previous.Subject, previous.Repeats = finding(h).Subject, 1
	h.take("tom", programme.Raise{Finding: finding(h), Previous: &previous})
	require.Equal(t, 2, h.audit.Findings[0].Repeats)
	require.Equal(t, opsec.SeverityCritical, h.audit.Findings[0].Risk)
}

func TestEscalate(t *testing.T) {
	for _, test := range []struct {
		risk    opsec.Severity
		repeats int
		want    opsec.Severity
	}{
		{opsec.SeverityInfo, 0, opsec.SeverityInfo}, {opsec.SeverityInfo, 1, opsec.SeverityLow},
		{opsec.SeverityLow, 2, opsec.SeverityHigh}, {opsec.SeverityLow, 3, opsec.SeverityCritical},
		{opsec.SeverityCritical, 1, opsec.SeverityCritical}, {opsec.SeverityMedium, 1 << 62, opsec.SeverityCritical},
		{opsec.SeverityHigh, -1, opsec.SeverityHigh}, {"", 3, ""}, {"awful", 1, "awful"},
	} {
		require.Equal(t, test.want, programme.Escalate(test.risk, test.repeats), "%+v", test)
	}
}

func TestAgreeIsWithinTheTimeOfTheRisk(t *testing.T) {
	longest := map[opsec.Severity]time.Duration{
		opsec.SeverityInfo: 365 * day, opsec.SeverityLow: 180 * day, opsec.SeverityMedium: 90 * day, opsec.SeverityHigh: 30 * day,
		opsec.SeverityCritical: 7 * day,
	}
	for risk, most := range longest {
		h := fieldwork(t)
		h.take("tom", programme.Perform{Results: []programme.Result{h.result("restore", 0, programme.Failed)}})
		f := finding(h)
		f.Risk = risk
		h.take("tom", programme.Raise{Finding: f})
		a := action(h)
		a.Due = h.now.Add(minute + most + time.Nanosecond)
		h.refuses(opsec.ErrInvalid, "lea", programme.Agree{Action: a}, "due")
		a.Due = h.now.Add(minute + most)
		require.NoError(t, h.try("lea", programme.Agree{Action: a}), risk)
		a.Due = h.now.Add(minute)
		h.refuses(opsec.ErrInvalid, "lea", programme.Agree{Action: a}, "due")
		a.Due = h.now.Add(10 * day)
		h.policy.Due = map[opsec.Severity]programme.Days{risk: 9}
		h.refuses(opsec.ErrInvalid, "lea", programme.Agree{Action: a}, "216h0m0s")
	}
	h := tested(t)
	for why, change := range map[string]func(*programme.Action){
		"id":       func(a *programme.Action) { a.ID = "" },
		"text":     func(a *programme.Action) { a.Text = "" },
		"owner":    func(a *programme.Action) { a.Owner = "" },
		"due":      func(a *programme.Action) { a.Due = time.Time{} },
		"about no": func(a *programme.Action) { a.Finding = "f2" },
	} {
		a := action(h)
		change(&a)
		h.refuses(opsec.ErrInvalid, "lea", programme.Agree{Action: a}, why)
	}
	h.refuses(opsec.ErrDenied, "olaf", programme.Agree{Action: action(h)}, "member")
	a := action(h)
	a.Completed, a.Verified, a.Verifier = h.now, h.now, "tom"
	h.take("tim", programme.Agree{Action: a})
	require.Zero(t, h.audit.Actions[0].Completed)
	require.Zero(t, h.audit.Actions[0].Verified)
	h.refuses(opsec.ErrInvalid, "tim", programme.Agree{Action: a}, "taken")
	require.ErrorIs(t, fieldwork(t).try("tim", programme.Agree{Action: a}), opsec.ErrInvalid)
}

func TestAnActionIsCompletedByItsOwnerAndVerifiedByAnother(t *testing.T) {
	h := reported(t)
	done := programme.Complete{Action: "a1", Evidence: evidence("invoice", h.now)}
	for _, person := range []string{"lea", "mia", "tom"} {
		h.refuses(opsec.ErrDenied, person, done, "another one owns it")
	}
	h.refuses(opsec.ErrInvalid, "olaf", programme.Complete{Action: "a2", Evidence: done.Evidence}, "no such action")
	h.refuses(opsec.ErrInvalid, "olaf", programme.Complete{Action: "a1"}, "want evidence")
	bad := evidence("x", h.now)
	bad[0].Digest = "md5:1"
	h.refuses(opsec.ErrInvalid, "olaf", programme.Complete{Action: "a1", Evidence: bad}, "digest")
	h.refuses(programme.ErrStage, "tom", programme.Verify{Action: "a1", Done: true}, "not completed")
	h.take("olaf", done)
	h.refuses(programme.ErrStage, "olaf", done, "already")

	h.refuses(opsec.ErrDenied, "olaf", programme.Verify{Action: "a1", Done: true}, "member")
	h.refuses(opsec.ErrInvalid, "tom", programme.Verify{Action: "a2", Done: true}, "no such action")
	h.refuses(opsec.ErrInvalid, "tom", programme.Verify{Action: "a1"}, "reason")
	h.take("tom", programme.Verify{Action: "a1", Reason: "The disk is as small as before."})
	require.Equal(t, 1, h.audit.Actions[0].Rejected)
	require.Zero(t, h.audit.Actions[0].Completed)
	require.Len(t, h.audit.Actions[0].Evidence, 1, "what was shown stays")
	h.refuses(programme.ErrStage, "tom", programme.Verify{Action: "a1", Done: true}, "not completed")
	h.take("olaf", done)
	h.take("tim", programme.Verify{Action: "a1", Done: true})
	require.Equal(t, "tim", h.audit.Actions[0].Verifier)
	require.True(t, h.now.Equal(h.audit.Actions[0].Verified))
	h.refuses(programme.ErrStage, "tom", programme.Verify{Action: "a1", Reason: "x"}, "verified already")
	h.refuses(programme.ErrStage, "olaf", done, "already")
	h.take("lea", programme.Close{})
}

// A person is who it is, whatever the account.
func TestNobodyVerifiesTheirOwn(t *testing.T) {
	h := tested(t)
	a := action(h)
	a.Owner = "tom"
	h.take("lea", programme.Agree{Action: a})
	h.take("tom", programme.Complete{Action: "a1", Evidence: evidence("x", h.now)})
	by := h.by("tom")
	by.Actor.Account = "tom-admin"
	_, e, err := h.policy.Apply(h.audit, programme.Verify{Action: "a1", Done: true}, by)
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorContains(t, err, "their own")
	require.Equal(t, opsec.Denied, e.Outcome)
	require.NoError(t, h.try("lea", programme.Verify{Action: "a1", Done: true}))
}

func TestAcceptIsBySeniorManagementForATime(t *testing.T) {
	h := reported(t)
	accept := func(until time.Time) programme.Accept {
		return programme.Accept{Finding: "f1", Acceptance: programme.Acceptance{Reason: "The service ends in May.", Until: until}}
	}
	h.refuses(opsec.ErrDenied, "lea", accept(h.now.Add(day)), "senior management")
	h.refuses(opsec.ErrDenied, "max", accept(h.now.Add(day)), "senior management")
	h.refuses(opsec.ErrInvalid, "mia", accept(h.now.Add(minute)), "until")
	h.refuses(opsec.ErrInvalid, "mia", accept(h.now.Add(minute+365*day+1)), "until")
	require.NoError(t, h.try("mia", accept(h.now.Add(minute+365*day))))
	h.policy.LongestRisk = 10
	h.refuses(opsec.ErrInvalid, "mia", accept(h.now.Add(11*day)), "240h")
	s := accept(h.now.Add(day))
	s.Finding = "f2"
	h.refuses(opsec.ErrInvalid, "mia", s, "no such finding")
	s = accept(h.now.Add(day))
	s.Acceptance.Reason = ""
	h.refuses(opsec.ErrInvalid, "mia", s, "reason")
	s.Acceptance.Reason, s.Person = "x", "max"
	h.refuses(opsec.ErrInvalid, "mia", s, "somebody else's name")

	own := action(h)
	own.ID, own.Owner = "a2", "mia"
	a, _, err := h.policy.Apply(h.audit, programme.Agree{Action: own}, h.by("lea"))
	require.NoError(t, err)
	_, _, err = h.policy.Apply(a, accept(h.now.Add(day)), h.by("mia"))
	require.ErrorIs(t, err, opsec.ErrDenied)
	require.ErrorContains(t, err, "owns an action")

	h.take("mia", accept(h.now.Add(9*day)))
	require.Equal(t, "mia", h.audit.Findings[0].Accepted.Person)
	h.now = h.now.Add(8 * day)
	require.NoError(t, h.try("lea", programme.Close{}))
	h.now = h.audit.Findings[0].Accepted.Until.Add(-minute)
	h.refuses(programme.ErrStage, "lea", programme.Close{}, "finding f1")
}

func TestCloseWantsEveryFindingTreated(t *testing.T) {
	h := reported(t)
	h.refuses(opsec.ErrDenied, "mia", programme.Close{}, "lead")
	var incomplete *programme.IncompleteError
	require.ErrorAs(t, h.try("lea", programme.Close{}), &incomplete)
	require.Len(t, incomplete.Missing, 1)
	second := action(h)
	second.ID = "a2"
	h.take("lea", programme.Agree{Action: second})
	h.take("olaf", programme.Complete{Action: "a1", Evidence: evidence("x", h.now)})
	h.take("tom", programme.Verify{Action: "a1", Done: true})
	require.ErrorIs(t, h.try("lea", programme.Close{}), programme.ErrStage, "one of two")
	h.take("olaf", programme.Complete{Action: "a2", Evidence: evidence("x", h.now)})
	h.take("tom", programme.Verify{Action: "a2", Done: true})
	h.take("lea", programme.Close{})
	h.refuses(programme.ErrStage, "lea", programme.Close{}, "closed")
	h.refuses(programme.ErrStage, "mia", programme.Cancel{Reason: "x"}, "closed")

	h = tested(t)
	h.refuses(programme.ErrStage, "lea", programme.Close{}, "fieldwork")
	h.take("lea", programme.Issue{})
	h.refuses(programme.ErrStage, "lea", programme.Close{}, "f1") // no action at all
}

func TestOverdue(t *testing.T) {
	h := reported(t)
	a := h.audit.Actions[0]
	require.Empty(t, h.audit.Overdue(a.Due.Add(-time.Nanosecond)))
	require.Equal(t, []programme.Action{a}, h.audit.Overdue(a.Due))

	h.take("olaf", programme.Complete{Action: "a1", Evidence: evidence("x", h.now)})
	require.Len(t, h.audit.Overdue(a.Due), 1, "completed, and not verified")
	accepted := *h
	accepted.take("mia", programme.Accept{Finding: "f1", Acceptance: programme.Acceptance{Reason: "x", Until: h.now.Add(100 * day)}})
	until := accepted.audit.Findings[0].Accepted.Until
	require.Empty(t, accepted.audit.Overdue(until.Add(-1)), "borne")
	list := accepted.audit.Overdue(until)
	require.Len(t, list, 2)
	require.Equal(t, "a1", list[0].ID)
	require.Empty(t, list[1].ID)
	require.Equal(t, []any{"f1", "mia", until}, []any{list[1].Finding, list[1].Owner, list[1].Due})

	h.take("tom", programme.Verify{Action: "a1", Done: true})
	require.Empty(t, h.audit.Overdue(a.Due.Add(1000*day)))
	h.audit.Findings[0].Accepted = &programme.Acceptance{Person: "mia", Until: noon}
	require.Empty(t, h.audit.Overdue(a.Due.Add(1000*day)), "mended before it ran out")

	cancelled := reported(t)
	cancelled.take("mia", programme.Cancel{Reason: "x"})
	require.Empty(t, cancelled.audit.Overdue(a.Due.Add(1000*day)))
}

// An acceptance that runs out after the audit was closed is not the end: it is renewed, or the finding mended.
func TestARiskThatWasAcceptedIsFollowedUpAfterTheEnd(t *testing.T) {
	h := reported(t)
	other := action(h)
	other.ID = "a2"
	accept := programme.Accept{Finding: "f1", Acceptance: programme.Acceptance{Reason: "x", Until: h.now.Add(20 * day)}}
	h.take("mia", accept)
	h.take("lea", programme.Close{})
	h.now = h.now.Add(30 * day)
	require.NotEmpty(t, h.audit.Overdue(h.now))
	accept.Until = h.now.Add(20 * day)
	h.take("mia", accept)
	require.Empty(t, h.audit.Overdue(h.now))
	h.now = h.now.Add(40 * day)
	other.Due = h.now.Add(day)
	h.take("lea", programme.Agree{Action: other})
	for _, id := range []string{"a1", "a2"} {
		h.take("olaf", programme.Complete{Action: id, Evidence: evidence("x", h.now)})
		h.refuses(opsec.ErrDenied, "olaf", programme.Verify{Action: id, Done: true}, "member")
		h.take("tom", programme.Verify{Action: id, Done: true})
	}
	require.Equal(t, programme.Closed, h.audit.Stage)
	require.Empty(t, h.audit.Overdue(h.now.Add(1000*day)))
	accept.Until, other.ID, other.Due = h.now.Add(day), "a3", h.now.Add(day)
	h.refuses(programme.ErrStage, "mia", accept, "closed")
	h.refuses(programme.ErrStage, "lea", programme.Agree{Action: other}, "closed")
}

// Who bears a risk is not given an action about it afterwards, either.
func TestWhoBearsARiskOwnsNoActionAboutIt(t *testing.T) {
	h := reported(t)
	own := action(h)
	own.ID, own.Owner = "a2", "mia"
	h.take("mia", programme.Accept{Finding: "f1", Acceptance: programme.Acceptance{Reason: "x", Until: h.now.Add(20 * day)}})
	h.refuses(opsec.ErrInvalid, "lea", programme.Agree{Action: own}, "bears its risk")
	h.now = h.now.Add(20 * day)
	own.Due = h.now.Add(day)
	h.take("lea", programme.Agree{Action: own})
}
