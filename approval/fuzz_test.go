package approval_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// FuzzPolicyJSON: what is accepted is valid, and reads back as it is written.
func FuzzPolicyJSON(f *testing.F) {
	for _, text := range []string{
		`{"stages":[{"rule":{"role":"ops","min":2}}],"valid":"4h"}`,
		`{"stages":[{"name":"a","rule":{"all":[{"role":"ops"},{"any":[{"role":"x","side":"owner"},{"role":"y"}]}]},"rejections":2}],"skip_reasons":true}`,
		`{}`, `null`, `{"stages":[{}]}`, `{"stages":[{"rule":{"min":1}}]}`, `{"valid":5}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var p approval.Policy
		if err := p.UnmarshalJSON(text); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Equal(t, approval.Policy{}, p, "a refused policy changed something")
			return
		}
		require.NoError(t, p.Validate())
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var q approval.Policy
		require.NoError(t, json.Unmarshal(again, &q))
		third, err := json.Marshal(q)
		require.NoError(t, err)
		require.Equal(t, string(again), string(third))
	})
}

// FuzzCaseJSON: what is accepted could have happened, keeps its digest, and never counts a requester.
func FuzzCaseJSON(f *testing.F) {
	c := open(f, plain(role("ops", 1)), human("ben"))
	for _, step := range []func(approval.Case) (approval.Case, *opsec.Event, error){
		func(c approval.Case) (approval.Case, *opsec.Event, error) { return c, nil, nil },
		func(c approval.Case) (approval.Case, *opsec.Event, error) {
			return c.Decide(sign(c, approve(0, human("bob")), "bob", start), keyed("bob"), start)
		},
		func(c approval.Case) (approval.Case, *opsec.Event, error) {
			return c.Use(destroy(), human("alice"), keyed("bob"), start)
		},
	} {
		var err error
		c, _, err = step(c)
		require.NoError(f, err)
		b, err := json.Marshal(c)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var c approval.Case
		if err := c.UnmarshalJSON(text); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Equal(t, approval.Case{}, c, "a refused case changed something")
			return
		}
		_, err := c.At(start)
		require.NoError(t, err)
		require.Equal(t, c.Digest(), reread(t, c).Digest())
		for _, step := range c.History {
			if step.Verb == approval.Approve {
				require.True(t, step.By.DistinctFrom(c.Request.By))
			}
		}
		if next, e, err := c.Withdraw(c.Request.By, "", start); err == nil {
			require.NoError(t, e.Validate())
			require.Equal(t, next.Digest(), reread(t, next).Digest())
		}
	})
}
