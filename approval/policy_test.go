package approval_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

func TestPolicyOutOfBoundsIsRefused(t *testing.T) {
	ops := role("ops", 1)
	deep := ops
	for range approval.MaxDepth {
		deep = approval.Rule{All: []approval.Rule{deep}}
	}
	with := func(change func(*approval.Policy)) approval.Policy {
		p := plain(ops)
		change(&p)
		return p
	}
	tests := []struct {
		field  string
		policy approval.Policy
	}{
		{"stages", approval.Policy{}},
		{"stages", plain(slices.Repeat([]approval.Rule{ops}, approval.MaxStages+1)...)},
		{"valid", with(func(p *approval.Policy) { p.Valid = -1 })},
		{"use_within", with(func(p *approval.Policy) { p.UseWithin = 367 * 24 * time.Hour })},
		{"stages[0].rule: want one", plain(approval.Rule{})},
		{"stages[0].rule: want one", plain(approval.Rule{Role: "ops", Any: []approval.Rule{ops}})},
		{"stages[0].rule: want one", plain(approval.Rule{All: []approval.Rule{ops}, Any: []approval.Rule{ops}})},
		{"stages[1].rule[0]: want one", plain(ops, approval.Rule{All: []approval.Rule{{}}})},
		{"stages[0].rule[1]: want one", plain(approval.Rule{Any: []approval.Rule{ops, {Min: 3}}})},
		{"min and side", plain(approval.Rule{Min: 2, All: []approval.Rule{ops}})},
		{"min and side", plain(approval.Rule{Side: approval.OwnerSide, All: []approval.Rule{ops}})},
		{"side: unknown", plain(approval.Rule{Role: "ops", Side: "other"})},
		{"min is -1", plain(role("ops", -1))},
		{"min is 33", plain(role("ops", 33))},
		{"role", plain(role("\xff", 1))},
		{"role", plain(role(strings.Repeat("x", 129), 1))},
		{"deep", plain(deep)},
		{"13 rules", plain(approval.Rule{Any: slices.Repeat([]approval.Rule{ops}, approval.MaxRules+1)})},
		{"33 persons", plain(role("ops", 30), role("ops", 3))},
		{"33 rejections", with(func(p *approval.Policy) { p.Stages[0].Rejections = 33 })},
		{"-1 rejections", with(func(p *approval.Policy) { p.Stages[0].Rejections = -1 })},
		{"name", with(func(p *approval.Policy) { p.Stages[0].Name = "\xff" })},
	}
	require.NoError(t, plain(ops).Validate())
	require.NoError(t, plain(slices.Repeat([]approval.Rule{role("ops", 4)}, approval.MaxStages)...).Validate())
	require.NoError(t, plain(deep.All[0]).Validate())
	for i, test := range tests {
		t.Run(fmt.Sprint(i, " ", test.field), func(t *testing.T) {
			err := test.policy.Validate()
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorContains(t, err, test.field)
		})
	}
}

func TestPolicyIsReadStrictly(t *testing.T) {
	text := `{"stages":[{"name":"peers","rule":{"all":[{"role":"ops","min":2},{"any":[{"role":"a","side":"owner"},{"role":"b","side":"provider"}]}]},"rejections":2}],` +
		`"skip_signatures":true,"skip_reasons":true,"insecure_many_stages":true,"insecure_many_roles":true,"insecure_non_human":true,"valid":"4h0m0s","use_within":"10m0s"}`
	var p approval.Policy
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	require.Equal(t, approval.Policy{
		Stages: []approval.Stage{{Name: "peers", Rejections: 2, Rule: approval.Rule{All: []approval.Rule{
			role("ops", 2),
			{Any: []approval.Rule{{Role: "a", Side: approval.OwnerSide}, {Role: "b", Side: approval.ProviderSide}}},
		}}}},
		Valid: 4 * time.Hour, UseWithin: 10 * time.Minute, SkipSignatures: true, SkipReasons: true,
		InsecureManyStages: true, InsecureManyRoles: true, InsecureNonHuman: true,
	}, p)
	again, err := json.Marshal(p)
	require.NoError(t, err)
	require.Equal(t, text, string(again))
	for _, bad := range []string{
		`null`, `{}`, `[]`, `{"stages":[{"rule":{"role":"ops","mim":2}}]}`, `{"stages":[{"rule":{"role":"ops"}}],"valid":5}`,
		`{"stages":[{"rule":{"role":"ops"}}],"valid":"-1h"}`, `{"stages":[{"rule":{"role":"ops"}}],"insecure":true}`,
		`{"stages":[{"rule":{"role":"ops"}}]}` + strings.Repeat(" ", 64<<10),
	} {
		q := p
		require.ErrorIs(t, q.UnmarshalJSON([]byte(bad)), opsec.ErrInvalid, "%.80s", bad)
		require.Equal(t, p, q)
	}
}

func TestACaseKeepsItsPolicy(t *testing.T) {
	c := open(t, plain(role("ops", 1)))
	require.Equal(t, 24*time.Hour, c.Request.Policy.Valid)
	require.Equal(t, time.Hour, c.Request.Policy.UseWithin)
	c.Request.Policy.Valid = 0
	_, err := c.At(start)
	require.ErrorIs(t, err, opsec.ErrInvalid)
}
