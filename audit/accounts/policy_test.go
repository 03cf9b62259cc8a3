package accounts_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
)

func TestPolicyIsJSON(t *testing.T) {
	p := accounts.Policy{
		DormantAfter: 30 * day, ReviewAfter: time.Hour, UnusedAfter: 1, Rare: []string{"a"}, MaxSession: time.Minute, Places: 2,
		Denials: 3, InventedNames: 4, InventedTries: 5, Origins: 6, Naming: "[a-z]+", Roles: rolesOfWorld(), Listed: 7,
		Skip: []accounts.Kind{accounts.Shared},
	}
	text, err := json.Marshal(p)
	require.NoError(t, err)
	var again accounts.Policy
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, p, again)

	text, err = json.Marshal(accounts.Policy{})
	require.NoError(t, err)
	require.JSONEq(t, "{}", string(text))
}

func TestPolicyIsStrict(t *testing.T) {
	for text, field := range map[string]string{
		`{"places": -1}`:                                  "Places",
		`{"denials": -1}`:                                 "Denials",
		`{"invented_names": 65}`:                          "InventedNames",
		`{"invented_tries": -3}`:                          "InventedTries",
		`{"origins": 65537}`:                              "Origins",
		`{"listed": 1025}`:                                "Listed",
		`{"dormant_after": "-1h"}`:                        "duration",
		`{"review_after": "-1h"}`:                         "duration",
		`{"unused_after": "-1h"}`:                         "duration",
		`{"max_session": "-1h"}`:                          "duration",
		`{"naming": "("}`:                                 "Naming",
		`{"naming": "a)(b"}`:                              "Naming",
		`{"naming": "` + strings.Repeat("a", 1025) + `"}`: "Naming",
		`{"roles": {"": ["a"]}}`:                          "Roles",
		`{"roles": {"r": [""]}}`:                          "Roles",
		`{"rare": [""]}`:                                  "Rare",
		`{"skip": ["nothing"]}`:                           "Skip",
		`{"skip": ["unjudged"]}`:                          "Skip",
		`{"dormant": "1h"}`:                               "unknown field",
		`{"dormant_after": 45}`:                           "",
		`{} {}`:                                           "",
		``:                                                "",
	} {
		p := accounts.Policy{Places: 9}
		err := p.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
		require.ErrorContains(t, err, field, text)
		require.Equal(t, accounts.Policy{Places: 9}, p, "as it was")
	}
}

func TestPresets(t *testing.T) {
	p := accounts.PCIDSS()
	require.NoError(t, p.Validate())
	w := newWorld()
	w.policy = p
	w.policy.Roles = rolesOfWorld()
	w.idle("bob", ago(90*day))
	w.account("bob").Reviewed = ago(184 * day)
	found, _ := w.audit(t)
	require.Empty(t, found)
	w.idle("bob", ago(90*day+1))
	w.account("bob").Reviewed = ago(184*day + 1)
	found, _ = w.audit(t)
	require.Len(t, found, 2)
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"dormant_after":"1080h","naming":"[a-z]{2,}","roles":{"r":["p"]},"skip":["shared"]}`))
	f.Add([]byte(`{"places":2,"origins":1,"rare":["x"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		var p accounts.Policy
		if p.UnmarshalJSON(text) != nil {
			require.Equal(t, accounts.Policy{}, p)
			return
		}
		require.NoError(t, p.Validate())
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var q accounts.Policy
		require.NoError(t, q.UnmarshalJSON(again))
	})
}
