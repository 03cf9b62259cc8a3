package programme_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/competence"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

func TestOpenRefusesPlansOutOfForm(t *testing.T) {
	for why, change := range map[string]func(*programme.Plan){
		"title":                            func(p *programme.Plan) { p.Title = "" },
		"title of":                         func(p *programme.Plan) { p.Title = "a\x1b[31m" },
		"objectives":                       func(p *programme.Plan) { p.Objectives = []string{""} },
		"objectives: number 1":             func(p *programme.Plan) { p.Objectives = []string{"a", "a"} },
		"catalogue":                        func(p *programme.Plan) { p.Catalogue = "" },
		"scope":                            func(p *programme.Plan) { p.Scope = independence.Scope{} },
		"customers":                        func(p *programme.Plan) { p.Customers = []opsec.TenantID{opsec.Provider} },
		"customers: number 1":              func(p *programme.Plan) { p.Customers = []opsec.TenantID{"acme", "acme"} },
		"from":                             func(p *programme.Plan) { p.From = time.Time{} },
		"until: not after from":            func(p *programme.Plan) { p.Until = p.From },
		"resources":                        func(p *programme.Plan) { p.Resources = slices.Repeat(p.Resources, 2) },
		"guaranteed":                       func(p *programme.Plan) { p.Resources[0].Guaranteed = "mia" },
		"procedure: id":                    func(p *programme.Plan) { p.Procedures[0].ID = "../x" },
		"procedures: number 1":             func(p *programme.Plan) { p.Procedures[1].ID = "restore" },
		"procedure: category":              func(p *programme.Plan) { p.Procedures[0].Category = "" },
		"sample":                           func(p *programme.Plan) { p.Procedures[0].Sample = -1 },
		"procedure: steps":                 func(p *programme.Plan) { p.Procedures[0].Steps[0] = strings.Repeat("x", 4097) },
		"follows":                          func(p *programme.Plan) { p.Follows = "a b" },
		"the audit itself":                 func(p *programme.Plan) { p.Follows = "2026-1" },
		"turn":                             func(p *programme.Plan) { p.Turn = 1 },
		"196608":                           func(p *programme.Plan) { p.Procedures = many(p.Procedures[0], 100) },
		"procedures: 257, want at most 25": func(p *programme.Plan) { p.Procedures = many(p.Procedures[1], 257) },
	} {
		p := plan()
		change(&p)
		a, e, err := programme.Policy{}.Open("2026-1", p, programme.By{Actor: actor("lea"), Time: noon, Event: opsec.NewID()})
		require.ErrorIs(t, err, opsec.ErrInvalid, why)
		require.ErrorContains(t, err, why)
		require.Zero(t, a)
		require.Zero(t, e)
	}
}

// many are n procedures that are documented at length.
func many(p programme.Procedure, n int) (list []programme.Procedure) {
	for i := range n {
		p.ID = "p" + strings.Repeat("x", i%100) + strings.Repeat("y", i/100)
		p.Steps = []string{strings.Repeat("s", 2000)}
		list = append(list, p)
	}
	return list
}

func TestOpenWantsAnIDAndSomebodyOfTheProvider(t *testing.T) {
	by := programme.By{Actor: actor("lea"), Time: noon, Event: opsec.NewID()}
	for _, id := range []string{"", "-1", "a/b", "a b", strings.Repeat("x", 129), "é"} {
		_, _, err := programme.Policy{}.Open(id, plan(), by)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, _, err := programme.Policy{}.Open(strings.Repeat("x", 128), plan(), by)
	require.NoError(t, err)

	for _, who := range []opsec.Actor{
		{Tenant: opsec.Provider, Account: "batch"}, {Tenant: "acme", Account: "lea", Person: "lea"}, {Person: "lea"},
	} {
		a, e, err := programme.Policy{}.Open("a", plan(), programme.By{Actor: who, Time: noon, Event: by.Event})
		require.ErrorIs(t, err, opsec.ErrDenied)
		require.Equal(t, opsec.Denied, e.Outcome)
		require.Zero(t, a)
	}
	for _, long := range []func(*opsec.Actor, string){
		func(a *opsec.Actor, s string) { a.Account = s }, func(a *opsec.Actor, s string) { a.Person = s },
		func(a *opsec.Actor, s string) { a.Session = s }, func(a *opsec.Actor, s string) { a.Terminal = s },
	} {
		who := actor("lea")
		long(&who, strings.Repeat("x", 512))
		_, _, err = programme.Policy{}.Open("a", plan(), programme.By{Actor: who, Time: noon, Event: by.Event})
		require.NoError(t, err)
		long(&who, strings.Repeat("x", 513))
		_, _, err = programme.Policy{}.Open("a", plan(), programme.By{Actor: who, Time: noon, Event: by.Event})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, _, err = programme.Policy{}.Open("a", plan(), programme.By{Actor: actor("lea"), Time: noon})
	require.ErrorIs(t, err, opsec.ErrInvalid, "no event")
	_, _, err = programme.Policy{}.Open("a", plan(), programme.By{Actor: actor("lea"), Event: by.Event})
	require.ErrorIs(t, err, opsec.ErrInvalid, "no time")
}

func TestWhatIsGivenIsNotShared(t *testing.T) {
	p := plan()
	a, _, err := programme.Policy{}.Open("a", p, programme.By{Actor: actor("lea"), Time: noon, Event: opsec.NewID()})
	require.NoError(t, err)
	want := text(t, a)
	p.Objectives[0], p.Procedures[0].Steps[0], p.Scope.Systems[0], p.Customers[0] = "x", "x", "x", "x"
	require.Equal(t, want, text(t, a))
}

func TestRevise(t *testing.T) {
	h := staffed(t)
	p := plan()
	p.Title = "Backups, keys and networks"
	p.Resources = append(p.Resources, programme.Need{Name: "A laptop"})
	h.take("tom", programme.Revise{Plan: p})
	require.Equal(t, "mia", h.audit.Plan.Resources[0].Guaranteed, "what was guaranteed stays so")
	require.Empty(t, h.audit.Plan.Resources[1].Guaranteed)
	require.False(t, h.audit.Team[0].Cleared.IsZero())

	p.Resources[0].Guaranteed, p.Resources[1].Guaranteed = "mia", "mia"
	h.refuses(opsec.ErrInvalid, "tom", programme.Revise{Plan: p}, "guaranteed")
	p.Resources = p.Resources[:1]

	require.Len(t, h.audit.Waivers, 4)
	p.Procedures[1].Category = "iam"
	h.take("tom", programme.Revise{Plan: p})
	require.Len(t, h.audit.Waivers, 3, "the waiver of what is covered falls")

	p.Scope.Systems = append(p.Scope.Systems, "network")
	h.take("tom", programme.Revise{Plan: p})
	for _, m := range h.audit.Team {
		require.Zero(t, m.Cleared, "clearances are for a scope")
	}
	h.refuses(programme.ErrStage, "mia", programme.Release{}, "not cleared for this scope")

	h = approved(t)
	h.refuses(programme.ErrStage, "lea", programme.Revise{Plan: plan()}, "approved")
}

func TestGuaranteeAndWaive(t *testing.T) {
	h := opened(t)
	h.refuses(opsec.ErrInvalid, "mia", programme.Guarantee{Resource: "a room"}, "no such resource")
	h.take("mia", programme.Guarantee{Resource: "A room"})
	h.refuses(programme.ErrStage, "max", programme.Guarantee{Resource: "A room"}, "already")
	require.Equal(t, "mia", h.audit.Plan.Resources[0].Guaranteed)

	h.refuses(opsec.ErrDenied, "mia", programme.Waive{Category: "iam", Reason: "x"}, "senior management")
	for _, m := range team() {
		h.take("lea", h.assign(m))
	}
	h.refuses(opsec.ErrDenied, "lea", programme.Waive{Category: "iam", Reason: "x"}, "senior management")
	h.refuses(opsec.ErrInvalid, "mia", programme.Waive{Category: "iam"}, "reason")
	h.refuses(opsec.ErrInvalid, "mia", programme.Waive{Category: "platform", Reason: "x"}, "not covered")
	h.refuses(opsec.ErrInvalid, "mia", programme.Waive{Category: "gardening", Reason: "x"}, "category")
	h.take("mia", programme.Waive{Category: "iam", Reason: "x"})
	h.refuses(opsec.ErrInvalid, "mia", programme.Waive{Category: "iam", Reason: "x"}, "not waived")
	require.Equal(t, []programme.Waiver{{Category: "iam", Reason: "x", Person: "mia"}}, h.audit.Waivers)

	h = approved(t)
	h.refuses(programme.ErrStage, "mia", programme.Guarantee{Resource: "A room"}, "approved")
	h.refuses(programme.ErrStage, "mia", programme.Waive{Category: "keys", Reason: "x"}, "approved")
}

// Everything that is missing is said at once.
func TestReleaseListsAllThatIsMissing(t *testing.T) {
	h := opened(t)
	p := plan()
	p.Objectives, p.Procedures[0].Steps, p.Procedures[1].Requirements, p.Procedures[1].Person = nil, nil, nil, ""
	h.take("lea", programme.Revise{Plan: p})
	h.take("lea", h.assign(member("mia", programme.SeniorManagement)))
	h.take("lea", h.assign(member("tom", programme.Technical, "keys")))
	err := h.try("mia", programme.Release{})
	require.ErrorIs(t, err, programme.ErrStage)
	var lacks *programme.TeamError
	require.ErrorAs(t, err, &lacks)
	require.Equal(t, []string{
		"nobody of function administrative", "nobody leads",
		"procedure restore: who answers for it does not audit platform", "procedure rotation: nobody answers for it",
	}, lacks.Missing)
	var incomplete *programme.IncompleteError
	require.ErrorAs(t, err, &incomplete)
	require.Equal(t, []string{
		"no objectives", "resource A room: not guaranteed", "procedure restore: no steps documented",
		"procedure rotation: no requirements",
		"category virtualisation: neither covered nor waived", "category operation: neither covered nor waived",
		"category iam: neither covered nor waived", "category emergency: neither covered nor waived",
	}, incomplete.Missing)
}

func TestReleaseIsBySeniorManagementThatDoesNotLead(t *testing.T) {
	h := staffed(t)
	for _, person := range []string{"lea", "tom", "max"} {
		h.refuses(opsec.ErrDenied, person, programme.Release{}, "senior management")
	}
	require.NoError(t, h.try("mia", programme.Release{}))

	lea := member("lea", programme.Administrative)
	h.take("lea", h.assign(lea))
	mia := member("mia", programme.SeniorManagement)
	mia.Lead = true
	h.take("lea", h.assign(mia))
	h.refuses(opsec.ErrDenied, "mia", programme.Release{}, "own plan")
	h.take("lea", h.assign(member("max", programme.SeniorManagement)))
	h.take("max", programme.Release{})
	require.Equal(t, programme.Approved, h.audit.Stage)
	h.refuses(programme.ErrStage, "max", programme.Release{}, "approved")
}

func TestReleaseWantsFreshClearancesAndTimeToCome(t *testing.T) {
	h := staffed(t)
	oldest := h.audit.Team[0].Cleared
	h.policy.LongestClearance = 28
	h.now = oldest.Add(28*day - minute)
	require.NoError(t, h.try("mia", programme.Release{}))
	h.now = oldest.Add(28*day - minute + 1)
	h.refuses(programme.ErrStage, "mia", programme.Release{}, "cleared more than 672h0m0s ago")
	h.policy.LongestClearance = 0
	h.now = plan().Until.Add(-2 * minute)
	require.NoError(t, h.try("mia", programme.Release{}))
	h.refuses(programme.ErrStage, "mia", programme.Release{}, "the time of the plan is over")
}

func find[T any](list []T, ok func(T) bool) *T {
	if i := slices.IndexFunc(list, ok); i >= 0 {
		return &list[i]
	}
	return nil
}

func TestCancel(t *testing.T) {
	for _, stage := range []func(testing.TB) *house{staffed, approved, frozen, fieldwork, reported} {
		h := stage(t)
		h.refuses(opsec.ErrDenied, "lea", programme.Cancel{Reason: "x"}, "senior management")
		h.refuses(opsec.ErrInvalid, "mia", programme.Cancel{}, "reason")
		h.take("mia", programme.Cancel{Reason: "No money."})
		require.Equal(t, programme.Cancelled, h.audit.Stage)
		h.refuses(programme.ErrStage, "mia", programme.Cancel{Reason: "x"}, "cancelled")
	}
}

func TestPolicyIsChecked(t *testing.T) {
	require.NoError(t, programme.Policy{}.Validate())
	require.NoError(t, programme.Policy{
		Due: map[opsec.Severity]programme.Days{opsec.SeverityHigh: 3660}, LongestGrant: 3660, Categories: []string{"a"},
		Functions: []programme.Function{programme.Technical},
	}.Validate())
	for _, p := range []programme.Policy{
		{Independence: independence.Policy{LookBack: -1}},
		{Functions: []programme.Function{"tech"}},
		{Functions: []programme.Function{programme.Technical, programme.Technical}},
		{Categories: []string{"a b"}},
		{Categories: []string{"a", "a"}},
		{Competence: map[string][]competence.Need{"keys": {}}},
		{Competence: map[string][]competence.Need{"": {{Subject: "x"}}}},
		{Due: map[opsec.Severity]programme.Days{"awful": 1}},
		{Due: map[opsec.Severity]programme.Days{opsec.SeverityHigh: 0}},
		{Due: map[opsec.Severity]programme.Days{opsec.SeverityHigh: 3661}},
		{LongestGrant: -1}, {LongestRisk: 3661}, {LongestClearance: -1},
	} {
		require.ErrorIs(t, p.Validate(), opsec.ErrInvalid, "%+v", p)
		_, _, err := p.Open("a", plan(), programme.By{Actor: actor("lea"), Time: noon, Event: opsec.NewID()})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

// Nobody steps down from the lead to release a plan, and takes it back.
func TestWhoReleasedThePlanDoesNotLeadIt(t *testing.T) {
	h := staffed(t)
	lea, mia := team()[1], team()[0]
	lea.Lead, mia.Lead = false, true
	h.take("mia", h.assign(lea))
	h.take("mia", h.assign(mia))
	h.refuses(opsec.ErrDenied, "mia", programme.Release{}, "lead")
	lea.Lead, mia.Lead = true, false
	h.take("mia", h.assign(mia))
	h.take("mia", h.assign(lea))
	h.take("mia", programme.Release{})
	lea.Lead, mia.Lead = false, true
	h.take("mia", h.assign(lea))
	h.refuses(opsec.ErrDenied, "mia", h.assign(mia), "released")
	lea.Lead = true
	h.take("mia", h.assign(lea))
}
