package programme_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/sample"
)

var stages = []programme.Stage{"planned", "approved", "frozen", "fieldwork", "reported", "closed", "cancelled"}

// draw picks any of a list, all of them as likely: rapid prefers what is small.
func draw[T any](t *rapid.T, list ...T) T {
	const golden = 0x9e3779b97f4a7c15
	n := (rapid.Uint64().Draw(t, "one") + 1) * golden
	return list[(n>>32)%uint64(len(list))]
}

// mostly is the first three times out of four.
func mostly[T any](t *rapid.T, right T, others ...T) T {
	return draw(t, append(slices.Repeat([]T{right}, 3*len(others)), others...)...)
}

func anybody(t *rapid.T) string { return draw(t, "mia", "max", "lea", "tom", "tim", "olaf", "") }

// anyStep is a step that may or may not be possible, and who may take it if anybody may.
func anyStep(t *rapid.T, h *house) (programme.Step, string) {
	reason := func() string { return mostly(t, "because", "") }
	soon := func() time.Time { return h.now.Add(mostly(t, 5*day, -day, 40*day, 400*day)) }
	item := func(procedure string, other string) string {
		if h.audit.Draw == nil {
			return other
		}
		return mostly(t, draw(t, h.audit.Draw.Items[procedure]...), other)
	}
	kinds := []func() (programme.Step, string){
		func() (programme.Step, string) {
			p := plan()
			p.Procedures[0].Person = mostly(t, "tom", anybody(t))
			p.Scope.Systems = mostly(t, p.Scope.Systems, []string{"mail"})
			return programme.Revise{Plan: p}, "lea"
		},
		func() (programme.Step, string) {
			m := draw(t, append(team(), member("max", programme.SeniorManagement), member(anybody(t), programme.Technical, "keys"))...)
			m.Lead = mostly(t, m.Lead, !m.Lead)
			s := h.assign(m)
			s.Records = mostly(t, s.Records, nil)
			return s, "lea"
		},
		func() (programme.Step, string) {
			return programme.Dismiss{Person: anybody(t), Reason: reason(), Successor: draw(t, "", "tom", "tim")}, "lea"
		},
		func() (programme.Step, string) { return programme.Guarantee{Resource: mostly(t, "A room", "x")}, "mia" },
		func() (programme.Step, string) {
			return programme.Waive{Category: draw(t, "virtualisation", "operation", "iam", "emergency", "keys"), Reason: reason()}, "mia"
		},
		func() (programme.Step, string) { return programme.Release{}, "mia" },
		func() (programme.Step, string) {
			return programme.Fix{Frames: commitments(h.t), Reason: reason()}, "lea"
		},
		func() (programme.Step, string) {
			if len(h.audit.Freezes) == 0 {
				return programme.Seed{}, "tom"
			}
			return h.seed(), "tom"
		},
		func() (programme.Step, string) {
			p := draw(t, "restore", "rotation")
			status := draw(t, programme.Passed, programme.Failed, programme.NotTested)
			r := programme.Result{
				Procedure: p, Item: item(p, "key-3"), Tenant: draw(t, "", opsec.TenantID("acme")), Status: status, Detail: reason(),
				Evidence: mostly(t, evidence("x", h.now), nil), Automated: mostly(t, false, true),
			}
			return programme.Perform{Results: []programme.Result{r}, Reason: draw(t, "", "wrong line")}, map[string]string{"restore": "tom", "rotation": "tim"}[p]
		},
		func() (programme.Step, string) {
			return programme.Raise{Finding: programme.Finding{
				ID: draw(t, "f1", "f2", "f3"), Procedure: "restore", Requirements: []string{"8.2-1"}, Items: draw(t, nil, []string{item("restore", "x")}),
				Criterion: "c", Condition: "c", Cause: "c", Effect: "e", Risk: draw(t, opsec.SeverityLow, opsec.SeverityHigh), Subject: draw(t, "s", "z"),
			}}, "tom"
		},
		func() (programme.Step, string) {
			return programme.Agree{Action: programme.Action{
				ID: draw(t, "a1", "a2", "a3"), Finding: mostly(t, "f1", "f2", "f3"), Text: "x", Owner: mostly(t, "olaf", "tom", "mia"), Due: soon(),
			}}, "lea"
		},
		func() (programme.Step, string) {
			return programme.Complete{Action: mostly(t, "a1", "a2"), Evidence: evidence("x", h.now)}, "olaf"
		},
		func() (programme.Step, string) {
			return programme.Verify{Action: mostly(t, "a1", "a2"), Done: mostly(t, true, false), Reason: reason()}, "tom"
		},
		func() (programme.Step, string) {
			return programme.Accept{Finding: mostly(t, "f1", "f2"), Acceptance: programme.Acceptance{Reason: reason(), Until: soon()}}, "mia"
		},
		func() (programme.Step, string) {
			g := grant(h)
			g.ID, g.Person, g.Uses, g.Until = draw(t, "g1", "g2"), mostly(t, "tom", anybody(t)), 2, soon()
			return programme.Lend{Grant: g}, "lea"
		},
		func() (programme.Step, string) {
			return programme.Use{Grant: mostly(t, "g1", "g2"), Target: volume, Writes: mostly(t, false, true), Procedure: draw(t, "", "restore")}, "tom"
		},
		func() (programme.Step, string) {
			return programme.Recall{Grant: draw(t, "g1", "g2"), Reason: reason()}, "lea"
		},
		func() (programme.Step, string) { return programme.Issue{}, "lea" },
		func() (programme.Step, string) { return programme.Close{}, "lea" },
		func() (programme.Step, string) { return programme.Cancel{Reason: draw(t, "", "", "", "stop")}, "mia" },
	}
	return draw(t, kinds...)()
}

// Whatever people try, in whatever order:
//
//   - an audit goes forward through its stages alone, and a step that fails changes nothing;
//   - the history has every step that was taken, once, in the order of time, and the event of each;
//   - no plan is released, no report issued, with a team or plan that is not complete, nor by the lead's own hand;
//   - a sample is drawn after the freeze that counts, once; results are of items drawn, one each, with their evidence;
//   - no grant is used beyond its uses, time or person, and nothing is completed, verified or accepted by the wrong one;
//   - nothing is reported without all results, or closed without every finding treated;
//   - it fits, and is the same after a journey through JSON.
func TestInvariants(t *testing.T) {
	starts := []func(testing.TB) *house{opened, staffed, approved, frozen, fieldwork, tested, reported, reported}
	taken := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		h := draw(rt, starts...)(t)
		for range 30 {
			before, was := h.audit, text(t, h.audit)
			s, right := anyStep(rt, h)
			by := h.by(mostly(rt, right, anybody(rt)))
			by.Time = by.Time.Add(mostly(rt, 0, time.Hour, day, -time.Hour))
			h.now = by.Time
			after, e, err := h.policy.Apply(before, s, by)
			require.Equal(rt, was, text(t, before))
			if err != nil {
				require.Equal(rt, was, text(t, after))
				require.True(rt, errors.Is(err, opsec.ErrDenied) || errors.Is(err, opsec.ErrInvalid) || errors.Is(err, programme.ErrStage) ||
					errors.Is(err, sample.ErrUnproven), "%v", err)
				require.Equal(rt, errors.Is(err, opsec.ErrDenied), e.Outcome == opsec.Denied)
				continue
			}
			taken[e.Action]++
			require.NoError(rt, e.Validate())
			h.audit = after
			if e.Action == programme.ActionFreeze {
				h.ledger.add(e)
			}
			checkStep(rt, before, after, s, by, e)
			checkAudit(rt, after)
		}
	})
	require.Greater(t, len(taken), 14, "of 20 kinds of steps: %v", taken)
}

func checkStep(t *rapid.T, before, after programme.Audit, s programme.Step, by programme.By, e opsec.Event) {
	from, to := slices.Index(stages, before.Stage), slices.Index(stages, after.Stage)
	require.True(t, to == from || to == from+1 || after.Stage == programme.Cancelled && before.Stage != programme.Closed)
	require.Len(t, after.History, len(before.History)+1)
	last := after.History[len(before.History)]
	require.Equal(t, []any{e.ID, e.Action, by.Actor.Person}, []any{last.Event, last.Action, last.Person})
	require.Equal(t, text2(before.History), text2(after.History[:len(before.History)]))
	lead := func(a programme.Audit) string {
		if m := find(a.Team, func(m programme.Member) bool { return m.Lead }); m != nil {
			return m.Person
		}
		return ""
	}
	switch s := s.(type) {
	case programme.Release:
		require.NotEqual(t, lead(before), by.Actor.Person)
		for _, p := range after.Plan.Procedures {
			m := find(after.Team, func(m programme.Member) bool { return m.Person == p.Person })
			require.NotNil(t, m)
			require.Contains(t, m.Categories, p.Category)
		}
	case programme.Use:
		g := find(after.Grants, func(g programme.Grant) bool { return g.ID == s.Grant })
		require.Equal(t, by.Actor.Person, g.Person)
		require.True(t, !last.Time.Before(g.From) && last.Time.Before(g.Until) && g.Revoked.IsZero() && !s.Writes)
	case programme.Verify:
		x := find(after.Actions, func(x programme.Action) bool { return x.ID == s.Action })
		require.NotEqual(t, x.Owner, by.Actor.Person)
	case programme.Complete:
		x := find(after.Actions, func(x programme.Action) bool { return x.ID == s.Action })
		require.Equal(t, x.Owner, by.Actor.Person)
	}
}

func text2(v any) string { return fmt.Sprintf("%+v", v) }

func checkAudit(t *rapid.T, a programme.Audit) {
	b, err := json.Marshal(a)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), programme.MaxAudit)
	var read programme.Audit
	require.NoError(t, json.Unmarshal(b, &read))
	require.Equal(t, a, read)

	events := map[opsec.ID]bool{}
	for i, e := range a.History {
		require.False(t, events[e.Event], "twice")
		events[e.Event] = true
		require.True(t, i == 0 || !e.Time.Before(a.History[i-1].Time))
	}
	leads := 0
	for i, m := range a.Team {
		require.NotEmpty(t, m.Person)
		require.False(t, slices.ContainsFunc(a.Team[:i], func(o programme.Member) bool { return o.Person == m.Person }))
		if m.Lead {
			leads++
		}
	}
	require.LessOrEqual(t, leads, 1)
	for i, f := range a.Freezes {
		require.Equal(t, i+1, f.Attempt)
		require.Len(t, f.Frames, len(a.Plan.Procedures))
		require.Equal(t, a.Plan.Digest(), f.Scope)
	}
	stage := slices.Index(stages, a.Stage)
	require.Equal(t, a.Draw != nil, stage >= 3 && stage < 6 || a.Stage == programme.Cancelled && a.Draw != nil)
	results := map[string]bool{}
	for _, r := range a.Results {
		require.False(t, results[r.Procedure+" "+r.Item])
		results[r.Procedure+" "+r.Item] = true
		require.Contains(t, a.Draw.Items[r.Procedure], r.Item)
		require.True(t, r.Status != programme.Passed || len(r.Evidence) > 0)
		require.True(t, r.Status == programme.Passed || r.Detail != "")
	}
	if a.Stage == programme.Reported || a.Stage == programme.Closed {
		for procedure, items := range a.Draw.Items {
			for _, item := range items {
				require.True(t, results[procedure+" "+item])
			}
		}
		for _, r := range a.Results {
			require.True(t, r.Status != programme.Failed || slices.ContainsFunc(a.Findings, func(f programme.Finding) bool {
				return f.Procedure == r.Procedure && slices.Contains(f.Items, r.Item)
			}))
		}
	}
	for _, g := range a.Grants {
		require.LessOrEqual(t, g.Used, g.Uses)
	}
	for _, x := range a.Actions {
		require.NotEqual(t, x.Owner, x.Verifier)
		require.True(t, x.Verified.IsZero() || !x.Completed.IsZero())
	}
	for _, f := range a.Findings {
		treated := f.Accepted != nil || slices.ContainsFunc(a.Actions, func(x programme.Action) bool { return x.Finding == f.ID && !x.Verified.IsZero() })
		require.True(t, a.Stage != programme.Closed || treated)
		for _, item := range f.Items {
			require.True(t, slices.ContainsFunc(a.Results, func(r programme.Result) bool {
				return r.Procedure == f.Procedure && r.Item == item && r.Status == programme.Failed
			}))
		}
	}
}
