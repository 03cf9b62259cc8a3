package programme_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

var volume = opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-1"}

func TestLendIsByTheLeadForATime(t *testing.T) {
	h := approved(t)
	for why, change := range map[string]func(*programme.Grant){
		"id":               func(g *programme.Grant) { g.ID = "" },
		"tool":             func(g *programme.Grant) { g.Tool = "" },
		"person":           func(g *programme.Grant) { g.Person = "" },
		"nobody":           func(g *programme.Grant) { g.Person = "olaf" },
		"no targets":       func(g *programme.Grant) { g.Targets = nil },
		"type/id":          func(g *programme.Grant) { g.Targets = []string{"volume"} },
		"both":             func(g *programme.Grant) { g.Targets = []string{"volume/*", "*/*"} },
		"want \"type":      func(g *programme.Grant) { g.Targets = []string{"/x"} },
		"not both":         func(g *programme.Grant) { g.Targets = []string{"x/"} },
		"from":             func(g *programme.Grant) { g.From = time.Time{} },
		"not after from":   func(g *programme.Grant) { g.Until = g.From },
		"at most 336h0m0s": func(g *programme.Grant) { g.Until = g.From.Add(14*day + 1) },
		"a time to come":   func(g *programme.Grant) { g.From, g.Until = g.From.Add(-2*day), g.From.Add(-day) },
		"0 uses":           func(g *programme.Grant) { g.Uses = 0 },
		"1048577 uses":     func(g *programme.Grant) { g.Uses = 1<<20 + 1 },
		"used":             func(g *programme.Grant) { g.Used = 1 },
		"revoked":          func(g *programme.Grant) { g.Revoked = noon },
	} {
		g := grant(h)
		change(&g)
		h.refuses(opsec.ErrInvalid, "lea", programme.Lend{Grant: g}, why)
	}
	h.refuses(opsec.ErrDenied, "mia", programme.Lend{Grant: grant(h)}, "lead")
	h.refuses(opsec.ErrDenied, "tom", programme.Lend{Grant: grant(h)}, "lead")
	g := grant(h)
	g.Until = g.From.Add(14 * day)
	h.take("lea", programme.Lend{Grant: g})
	h.refuses(opsec.ErrInvalid, "lea", programme.Lend{Grant: grant(h)}, "taken")
	g = grant(h)
	g.ID, g.Targets = "g2", []string{"*/vol-1"}
	h.take("lea", programme.Lend{Grant: g})

	own := grant(h)
	own.ID, own.Person = "g3", "lea"
	h.refuses(opsec.ErrDenied, "lea", programme.Lend{Grant: own}, "senior management")
	h.take("mia", programme.Lend{Grant: own})
	require.ErrorIs(t, staffed(t).try("lea", programme.Lend{Grant: grant(h)}), programme.ErrStage)
	h.policy.LongestGrant = 7
	g.ID, g.Until = "g4", g.From.Add(8*day)
	h.refuses(opsec.ErrInvalid, "lea", programme.Lend{Grant: g}, "168h")
}

func TestTheLeadOfSeniorManagementDoesNotLendToItself(t *testing.T) {
	h := staffed(t)
	h.take("lea", h.assign(member("lea", programme.Administrative)))
	mia := member("mia", programme.SeniorManagement)
	mia.Lead = true
	h.take("lea", h.assign(mia))
	h.take("lea", h.assign(member("max", programme.SeniorManagement)))
	h.take("max", programme.Release{})
	g := grant(h)
	g.Person = "mia"
	h.refuses(opsec.ErrDenied, "mia", programme.Lend{Grant: g}, "itself")
	h.take("max", programme.Lend{Grant: g})
}

// Each rule, with the use beside it that is let.
func TestUse(t *testing.T) {
	lent := func(change func(*programme.Grant)) *house {
		h := fieldwork(t)
		g := grant(h)
		change(&g)
		h.take("lea", programme.Lend{Grant: g})
		return h
	}
	use := programme.Use{Grant: "g1", Target: volume, Procedure: "restore"}
	same := func(*programme.Grant) {}
	for rule, test := range map[string]struct {
		grant  func(*programme.Grant)
		let    func(*house, *programme.Use) string
		refuse func(*house, *programme.Use) string
	}{
		"there is none": {same,
			func(*house, *programme.Use) string { return "tom" },
			func(_ *house, u *programme.Use) string { u.Grant = "g2"; return "tom" }},
		"it is another's": {same,
			func(*house, *programme.Use) string { return "tom" },
			func(*house, *programme.Use) string { return "tim" }},
		"it was recalled": {same,
			func(*house, *programme.Use) string { return "tom" },
			func(h *house, _ *programme.Use) string {
				h.take("lea", programme.Recall{Grant: "g1", Reason: "x"})
				return "tom"
			}},
		"its holder is no longer a member of the team": {same,
			func(*house, *programme.Use) string { return "tom" },
			func(h *house, _ *programme.Use) string {
				h.take("lea", h.assign(member("max", programme.Technical, "platform")))
				h.take("lea", programme.Dismiss{Person: "tom", Reason: "x", Successor: "max"})
				return "tom"
			}},
		"it has not begun": {func(g *programme.Grant) { g.From = g.From.Add(day) },
			func(h *house, _ *programme.Use) string { h.now = h.audit.Grants[0].From.Add(-minute); return "tom" },
			func(h *house, _ *programme.Use) string { h.now = h.audit.Grants[0].From.Add(-minute - 1); return "tom" }},
		"it has ended": {same,
			func(h *house, _ *programme.Use) string {
				h.now = h.audit.Grants[0].Until.Add(-minute - 1)
				return "tom"
			},
			func(h *house, _ *programme.Use) string { h.now = h.audit.Grants[0].Until.Add(-minute); return "tom" }},
		"it is for another tool": {same,
			func(_ *house, u *programme.Use) string { u.Procedure = ""; return "tom" },
			func(_ *house, u *programme.Use) string { u.Procedure = "rotation"; return "tom" }},
		"it is for other targets": {func(g *programme.Grant) { g.Targets = []string{"volume/vol-1", "*/vol-2", "disk/*"} },
			func(_ *house, u *programme.Use) string { u.Target.ID = "vol-2"; return "tom" },
			func(_ *house, u *programme.Use) string { u.Target.ID = "vol-3"; return "tom" }},
		"it does not let write": {same,
			func(*house, *programme.Use) string { return "tom" },
			func(_ *house, u *programme.Use) string { u.Writes = true; return "tom" }},
		"it is used up": {func(g *programme.Grant) { g.Uses = 2 },
			func(h *house, u *programme.Use) string { h.take("tom", *u); return "tom" },
			func(h *house, u *programme.Use) string { h.take("tom", *u); h.take("tom", *u); return "tom" }},
		"the audit is cancelled": {same,
			func(*house, *programme.Use) string { return "tom" },
			func(h *house, _ *programme.Use) string { h.take("mia", programme.Cancel{Reason: "x"}); return "tom" }},
	} {
		h, u := lent(test.grant), use
		person := test.let(h, &u)
		before := h.audit.Grants[0].Used
		e := h.take(person, u)
		require.Equal(t, before+1, h.audit.Grants[0].Used, rule)
		require.Equal(t, opsec.Critical, e.Class)
		require.Contains(t, e.Attrs, opsec.Attr{Key: "target", Value: u.Target.String(), Mark: opsec.Tenant})

		h, u = lent(test.grant), use
		person = test.refuse(h, &u)
		err := h.try(person, u)
		var refused *programme.GrantError
		require.ErrorAs(t, err, &refused, rule)
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Equal(t, rule, refused.Rule)
		e = h.events[len(h.events)-1]
		require.Equal(t, []any{programme.ActionUse, opsec.Denied, opsec.Critical}, []any{e.Action, e.Outcome, e.Class}, "a refusal is recorded")
	}
	h := lent(func(g *programme.Grant) { g.Writes = true; g.Targets = []string{"*/vol-1"} })
	h.take("tom", programme.Use{Grant: "g1", Target: volume, Writes: true})
	h.take("tom", programme.Use{Grant: "g1", Target: opsec.Resource{Type: "disk", ID: "vol-1"}})
	require.ErrorIs(t, h.try("tom", programme.Use{Grant: "g1", Target: opsec.Resource{ID: "vol-1"}}), opsec.ErrInvalid)
}

func TestRecall(t *testing.T) {
	for _, person := range []string{"lea", "mia", "tom"} {
		h := approved(t)
		h.take("lea", programme.Lend{Grant: grant(h)})
		h.refuses(opsec.ErrInvalid, "lea", programme.Recall{Grant: "g2", Reason: "x"}, "no such grant")
		h.refuses(opsec.ErrInvalid, "lea", programme.Recall{Grant: "g1"}, "reason")
		h.refuses(opsec.ErrDenied, "tim", programme.Recall{Grant: "g1", Reason: "x"}, "neither")
		h.take(person, programme.Recall{Grant: "g1", Reason: "No longer needed."})
		require.True(t, h.now.Equal(h.audit.Grants[0].Revoked))
		h.refuses(programme.ErrStage, "lea", programme.Recall{Grant: "g1", Reason: "x"}, "before")
	}
}
