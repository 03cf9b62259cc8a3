package programme_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme"
)

// What a store has spoilt is refused, and nobody falls over it.
func TestAnAuditThatNoStepsCouldMake(t *testing.T) {
	for why, spoil := range map[string]func(*programme.Audit){
		"fieldwork":    func(a *programme.Audit) { a.Draw = nil },
		"reported":     func(a *programme.Audit) { a.Stage, a.Draw = programme.Reported, nil },
		"frozen":       func(a *programme.Audit) { a.Stage, a.Freezes = programme.Frozen, nil },
		"stage \"oh\"": func(a *programme.Audit) { a.Stage = "oh" },
	} {
		h := tested(t)
		spoil(&h.audit)
		for person, s := range map[string]programme.Step{
			"tom": programme.Seed{}, "lea": programme.Issue{}, "tim": programme.Perform{Results: []programme.Result{{Procedure: "rotation", Item: "key-1"}}},
		} {
			h.refuses(opsec.ErrInvalid, person, s, why)
		}
		o := newOffice(t, programme.Policy{})
		o.keep(h.audit)
		_, err := o.Audit(o.ctx, actor("lea"), "2026-1")
		require.ErrorContains(t, err, why)
		_, err = o.Draw(o.ctx, actor("tom"), "2026-1", populations()...)
		require.ErrorContains(t, err, why)
		_, err = o.Run(o.ctx, actor("tom"), "2026-1", "restore", "g1", passes(), items(), minute)
		require.ErrorContains(t, err, why)
		_, err = o.Take(o.ctx, actor("lea"), "2026-1", programme.Issue{})
		require.ErrorContains(t, err, why)
	}
}
