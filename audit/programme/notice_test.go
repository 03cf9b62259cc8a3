package programme_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

func (o *office) keep(a programme.Audit) { o.cabinet.audits[a.ID] = text(o.t, a) }

func (o *office) sweep(now time.Time) []opsec.Message {
	o.t.Helper()
	o.sent, o.now = nil, now
	n, err := o.Sweep(o.ctx)
	require.NoError(o.t, err)
	require.Len(o.t, o.sent, n)
	for _, m := range o.sent {
		require.NoError(o.t, m.ID.Validate())
		require.Equal(o.t, opsec.Provider, m.Tenant)
	}
	return o.sent
}

func TestSweepTellsOnceAWeek(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	o.keep(staffed(t).audit)
	a := reported(t).audit
	o.keep(a)
	due := a.Actions[0].Due
	require.Empty(t, o.sweep(due.Add(-2*time.Second)))
	first := o.sweep(due)
	require.Len(t, first, 1)
	require.Equal(t, []string{"olaf"}, first[0].To)
	require.Equal(t, opsec.SeverityMedium, first[0].Severity)
	require.Equal(t, "Action a1 of audit 2026-1 is overdue", first[0].Subject)
	require.Equal(t, first, o.sweep(due.Add(6*day)), "the same message with the same id")
	second := o.sweep(due.Add(7 * day))
	require.NotEqual(t, first[0].ID, second[0].ID)
	require.Equal(t, []string{"olaf", "mia", "lea"}, second[0].To, "those above are told too")

	b := a
	b.ID = "2026-2"
	o.keep(b)
	both := o.sweep(due)
	require.Len(t, both, 2)
	require.NotEqual(t, both[0].ID, both[1].ID)
}

func TestSweepKnowsWhoIsToAct(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	h := reported(t)
	due := h.audit.Actions[0].Due
	o.keep(h.audit)
	late := o.sweep(due)
	h.take("olaf", programme.Complete{Action: "a1", Evidence: evidence("x", h.now)})
	o.keep(h.audit)
	waiting := o.sweep(due)
	require.NotEqual(t, late[0].ID, waiting[0].ID, "another matter")
	require.Equal(t, []string{"lea", "mia"}, o.sweep(due.Add(8 * day))[0].To, "each once")
	require.Equal(t, "Action a1 of audit 2026-1 is not verified", waiting[0].Subject)
	require.Equal(t, []string{"lea"}, waiting[0].To)
	h.take("tom", programme.Verify{Action: "a1", Reason: "no"})
	o.keep(h.audit)
	again := o.sweep(due)
	require.Equal(t, []string{"olaf"}, again[0].To)
	require.NotEqual(t, waiting[0].ID, again[0].ID)

	h.take("mia", programme.Accept{Finding: "f1", Acceptance: programme.Acceptance{Reason: "x", Until: h.now.Add(100 * day)}})
	o.keep(h.audit)
	require.Empty(t, o.sweep(due))
	lapsed := o.sweep(h.audit.Findings[0].Accepted.Until)
	require.Len(t, lapsed, 2)
	require.Equal(t, "The risk of finding f1 of audit 2026-1 is no longer accepted", lapsed[1].Subject)
	require.Equal(t, []string{"mia"}, lapsed[1].To)
}

func TestSweepTellsOfFindingsThatNobodyMinds(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	h := tested(t)
	o.keep(h.audit)
	require.Empty(t, o.sweep(h.now.Add(day)), "not yet reported")
	h.take("lea", programme.Issue{})
	o.keep(h.audit)
	list := o.sweep(h.now.Add(day))
	require.Len(t, list, 1)
	require.Equal(t, "Finding f1 of audit 2026-1 has no action, and its risk is not accepted", list[0].Subject)
	require.Equal(t, []string{"lea"}, list[0].To)
	h.take("lea", programme.Agree{Action: action(h)})
	o.keep(h.audit)
	require.Empty(t, o.sweep(h.now.Add(day)))

	h = tested(t)
	h.take("lea", programme.Issue{})
	h.audit.Team = h.audit.Team[:1] // nobody leads
	o.keep(h.audit)
	require.Equal(t, []string{"mia"}, o.sweep(h.now.Add(day))[0].To, "somebody is told")
}

func TestSweepGoesOnAfterAnError(t *testing.T) {
	o := newOffice(t, programme.Policy{})
	a := reported(t).audit
	o.keep(a)
	o.cabinet.audits["2025-9"] = "{"
	o.sent, o.now = nil, a.Actions[0].Due
	n, err := o.Sweep(o.ctx)
	require.ErrorContains(t, err, "audit 2025-9")
	require.Equal(t, 1, n)
	o.deaf = errors.New("no network")
	n, err = o.Sweep(o.ctx)
	require.ErrorContains(t, err, "no network")
	require.Zero(t, n)
}
