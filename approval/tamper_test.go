package approval_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
)

// signedCase is a signed case that was used, and who may verify it.
func signedCase(t *testing.T) (approval.Case, approval.Authority) {
	a := keyed("alice", "bob", "carol", "dave")
	c := open(t, signing(), human("ben"))
	c = must(t)(c.Decide(sign(c, approve(0, human("bob")), "bob", start), a, start))
	c = must(t)(c.Decide(sign(c, approve(1, human("carol")), "carol", start.Add(time.Minute)), a, start.Add(time.Minute)))
	return must(t)(c.Use(destroy(), human("alice"), a, start.Add(2*time.Minute))), a
}

// What cannot have happened is refused when it is read, without any key.
func TestImpossibleHistoriesAreRefused(t *testing.T) {
	tests := map[string]func(*approval.Case){
		"the requester approves":     func(c *approval.Case) { c.History[0].By = sub("alice") },
		"a beneficiary approves":     func(c *approval.Case) { c.History[0].By = human("ben") },
		"one person twice":           func(c *approval.Case) { c.History[1].By = sub("bob") },
		"without a role":             func(c *approval.Case) { c.History[0].Roles = nil },
		"a role that does not count": func(c *approval.Case) { c.History[0].Roles = []string{"ops", "staff"} },
		"another stage":              func(c *approval.Case) { c.History[1].Stage = 0 },
		"a stage that is not":        func(c *approval.Case) { c.History[1].Stage = 2 },
		"an approval removed":        func(c *approval.Case) { c.History = c.History[1:] },
		"used unapproved":            func(c *approval.Case) { c.History = c.History[2:] },
		"used twice":                 func(c *approval.Case) { c.History = append(c.History, c.History[2]) },
		"after the end":              func(c *approval.Case) { c.History = append(c.History, c.History[0]) },
		"order":                      func(c *approval.Case) { c.History[0].Time = c.History[1].Time.Add(1) },
		"before the request":         func(c *approval.Case) { c.History[0].Time = start.Add(-1) },
		"too late":                   func(c *approval.Case) { c.History[2].Time = start.Add(25 * time.Hour) },
		"the signature removed":      func(c *approval.Case) { c.History[0].Signature, c.History[0].SignedAt = nil, time.Time{} },
		"no human":                   func(c *approval.Case) { c.History[0].By.Kind = opsec.Service },
		"an unknown verb":            func(c *approval.Case) { c.History[2].Verb = "bless" },
		"an unknown kind":            func(c *approval.Case) { c.History[2].By.Kind = "robot" },
		"a use with roles":           func(c *approval.Case) { c.History[2].Roles = []string{"ops"} },
		"a use with a stage":         func(c *approval.Case) { c.History[2].Stage = 1 },
		"a person let it expire": func(c *approval.Case) {
			c.History[2].Verb, c.History[2].Time = approval.Expire, start.Add(48*time.Hour)
		},
		"expired in time": func(c *approval.Case) {
			c.History[2].Verb, c.History[2].By = approval.Expire, opsec.Actor{Kind: opsec.System}
		},
		"no nonce":                    func(c *approval.Case) { c.Request.Nonce = "" },
		"no id":                       func(c *approval.Case) { c.Request.ID = "" },
		"no time":                     func(c *approval.Case) { c.Request.Time = time.Time{} },
		"a policy that asks for more": func(c *approval.Case) { c.Request.Policy.Stages[0].Rule.Min = 2 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c, a := signedCase(t)
			require.NoError(t, c.Verify(a.Keys))
			c = reread(t, c)
			change(&c)
			_, err := c.At(start)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.ErrorIs(t, c.Verify(a.Keys), opsec.ErrInvalid)
			b, err := json.Marshal(c)
			require.NoError(t, err)
			read := approval.Case{Request: approval.Request{Reason: "untouched"}}
			require.ErrorIs(t, json.Unmarshal(b, &read), opsec.ErrInvalid)
			require.Equal(t, "untouched", read.Request.Reason)
			got, e, err := c.Withdraw(human("alice"), "", start)
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Nil(t, e)
			require.Equal(t, c, got)
		})
	}
}

// What could have happened, but is not what people signed, is refused by their keys.
func TestForgedHistoriesAreRefused(t *testing.T) {
	tests := map[string]func(*approval.Case){
		"another requester":    func(c *approval.Case) { c.Request.By = human("zoe") },
		"another beneficiary":  func(c *approval.Case) { c.Request.For = nil },
		"another action":       func(c *approval.Case) { c.Request.Action = approval.NewAction("volume.destroy", volume) },
		"another resource":     func(c *approval.Case) { c.Request.Action.Resource.ID = "vol-8" },
		"another request time": func(c *approval.Case) { c.Request.Time = start.Add(-1) },
		"another reason":       func(c *approval.Case) { c.Request.Reason = "because" },
		"another id":           func(c *approval.Case) { c.Request.ID = opsec.NewID() },
		"another nonce":        func(c *approval.Case) { c.Request.Nonce = strings.Repeat("A", 26) },
		"another policy":       func(c *approval.Case) { c.Request.Policy.UseWithin *= 2 },
		"a weaker policy": func(c *approval.Case) {
			c.Request.Policy.SkipReasons = false
			c.History[0].Reason, c.History[1].Reason = "a", "b"
		},
		"another approver":     func(c *approval.Case) { c.History[0].By = human("dave") },
		"another account":      func(c *approval.Case) { c.History[0].By = sub("bob") },
		"another decision":     func(c *approval.Case) { c.History[0].Verb = approval.Reject; c.History = c.History[:1] },
		"another signing time": func(c *approval.Case) { c.History[0].SignedAt = start.Add(1) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c, a := signedCase(t)
			c = reread(t, c)
			change(&c)
			c = reread(t, c) // possible
			require.ErrorIs(t, c.Verify(a.Keys), approval.ErrSignature)
		})
	}
}

// What remains is for the log: its last event names the digest of the case.
func TestACutHistoryIsAnotherCase(t *testing.T) {
	c, a := signedCase(t)
	cut := c
	cut.History = c.History[:2]
	require.NoError(t, cut.Verify(a.Keys))
	require.NotEqual(t, c.Digest(), cut.Digest())
	require.Equal(t, c.Digest(), reread(t, c).Digest())
}

func TestACaseIsReadStrictly(t *testing.T) {
	c, _ := signedCase(t)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	good := string(b)
	for name, bad := range map[string]string{
		"null":             `null`,
		"empty":            `{}`,
		"unknown field":    strings.Replace(good, `{"request":{`, `{"status":"approved","request":{`, 1),
		"unknown in steps": strings.Replace(good, `"verb":"approve"`, `"verb":"approve","weight":2`, 1),
		"unknown in actor": strings.Replace(good, `"kind":"human"`, `"kind":"human","root":true`, 1),
		"too long":         good + strings.Repeat(" ", 4<<20),
	} {
		require.NotEqual(t, good, bad)
		read := c
		require.ErrorIs(t, read.UnmarshalJSON([]byte(bad)), opsec.ErrInvalid, name)
		require.Equal(t, c, read)
	}
	var read approval.Case
	require.NoError(t, read.UnmarshalJSON(b))
	require.Error(t, read.UnmarshalJSON(append(b, b...)))
}
