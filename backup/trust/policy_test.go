package trust_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/backup/trust"
)

func TestPolicyThatNobodyCanMeetIsInvalid(t *testing.T) {
	a, b := newHolder(t, 1), newHolder(t, 2)
	ak, bk := a.key("alice", "p-17", "operator"), b.key("bob", "p-4", "supervisor")
	valid := func(k trust.Key, from, to time.Time) trust.Key {
		k.NotBefore, k.NotAfter = from, to
		return k
	}
	for name, tt := range map[string]struct {
		policy trust.Policy
		want   string // part of the error; empty for none
	}{
		"the zero policy":               {trust.Policy{}, ""},
		"two of two":                    {trust.Policy{Threshold: 2, Keys: []trust.Key{ak, bk}, Roles: []string{"operator", "supervisor"}}, ""},
		"threshold 0 is 1":              {trust.Policy{Keys: []trust.Key{ak}}, ""},
		"valid for a moment":            {trust.Policy{Keys: []trust.Key{valid(ak, noon, noon)}}, ""},
		"three of two":                  {trust.Policy{Threshold: 3, Keys: []trust.Key{ak, bk}}, "threshold 3 with keys of 2 persons"},
		"two of one person":             {trust.Policy{Threshold: 2, Keys: []trust.Key{ak, b.key("alice2", "p-17", "")}}, "threshold 2 with keys of 1 persons"},
		"two of nobody known":           {trust.Policy{Threshold: 2, Keys: []trust.Key{a.key("", "", ""), b.key("", "", "")}}, "threshold 2 with keys of 1 persons"},
		"alice and perhaps alice":       {trust.Policy{Threshold: 2, Keys: []trust.Key{ak, b.key("", "", "")}}, "threshold 2 with keys of 1 persons"},
		"a negative threshold":          {trust.Policy{Threshold: -1, Keys: []trust.Key{ak}}, "threshold -1"},
		"a negative threshold, no keys": {trust.Policy{Threshold: -1}, "threshold -1"},
		"the same key twice":            {trust.Policy{Keys: []trust.Key{ak, bk, a.key("mallory", "p-1", "")}}, "keys[2]: " + a.public.ID() + " stands there twice"},
		"a row without a key":           {trust.Policy{Keys: []trust.Key{ak, {Operator: "bob"}}}, "keys[1]: no key"},
		"a role that nobody holds":      {trust.Policy{Keys: []trust.Key{ak}, Roles: []string{"supervisor"}}, `role "supervisor" is held by no key`},
		"a role without keys":           {trust.Policy{Roles: []string{"operator"}}, `role "operator" is held by no key`},
		"an empty role":                 {trust.Policy{Keys: []trust.Key{a.key("", "", "")}, Roles: []string{""}}, `role "" is held by no key`},
		"validity that ends first":      {trust.Policy{Keys: []trust.Key{valid(ak, noon, noon.Add(-1))}}, "keys[0]: notAfter is before notBefore"},
	} {
		err := tt.policy.Validate()
		if tt.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorContains(t, err, "trust: policy: ", name)
		require.ErrorContains(t, err, tt.want, name)
		_, err = (&trust.Verifier{Policy: tt.policy}).Judge(signed(t, a, b), noon)
		require.ErrorIs(t, err, opsec.ErrInvalid, "%s: Judge asks too", name)
	}
}

func TestPolicyIsItselfAfterJSON(t *testing.T) {
	k := newHolder(t, 1).key("alice", "p-17", "operator")
	k.NotBefore, k.NotAfter, k.Revoked = noon, noon.Add(time.Hour), noon.Add(time.Minute)
	for name, p := range map[string]trust.Policy{
		"full":  {Threshold: 2, Roles: []string{"operator"}, Keys: []trust.Key{k, newHolder(t, 2).key("", "p-4", "")}},
		"plain": {Keys: []trust.Key{{Key: newHolder(t, 3).public}}},
	} {
		b, err := json.Marshal(p)
		require.NoError(t, err)
		back, err := trust.ParsePolicy(bytes.NewReader(b))
		require.NoError(t, err, name)
		require.Equal(t, &p, back, name)
	}
	b, err := json.Marshal(trust.Policy{Keys: []trust.Key{{Key: newHolder(t, 3).public}}})
	require.NoError(t, err)
	require.NotContains(t, string(b), "0001-01-01", "what is not set is not written")
}

func TestParsePolicyIsStrict(t *testing.T) {
	text, err := newHolder(t, 1).public.MarshalText()
	require.NoError(t, err)
	key := `{"key":"` + string(text) + `"}`
	good := `{"threshold":1,"keys":[` + key + `]}`
	p, err := trust.ParsePolicy(strings.NewReader(" " + good + "\n"))
	require.NoError(t, err)
	require.Equal(t, newHolder(t, 1).public, p.Keys[0].Key)

	for name, in := range map[string]string{
		"nothing":                   "",
		"no JSON":                   "threshold: 1",
		"cut":                       good[:len(good)-1],
		"data after it":             good + "{}",
		"a bracket after it":        good + "}",
		"text after it":             good + " x",
		"an unknown field":          `{"treshold":2,"keys":[` + key + `]}`,
		"an unknown field of a key": `{"keys":[{"revokd":"2026-01-01T00:00:00Z",` + key[1:] + `]}`,
		"the same key twice":        `{"keys":[` + key + `,` + key + `]}`,
		"a threshold above it":      `{"threshold":2,"keys":[` + key + `]}`,
		"a broken threshold":        `{"threshold":1.5,"keys":[` + key + `]}`,
		"a role that nobody holds":  `{"roles":["operator"],"keys":[` + key + `]}`,
		"a key that is none":        `{"keys":[{"key":"ssh-ed25519 AAAA"}]}`,
		"an empty key":              `{"keys":[{"key":""}]}`,
		"a missing key":             `{"keys":[{}]}`,
		"a hardware key":            `{"keys":[{"key":"` + securityKey + `"}]}`,
		"a bad time":                `{"keys":[{"revoked":"yesterday",` + key[1:] + `]}`,
		"a list":                    `[` + good + `]`,
	} {
		p, err := trust.ParsePolicy(strings.NewReader(in))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.Nil(t, p, name)
	}
	full := good + strings.Repeat(" ", 1<<20-len(good))
	_, err = trust.ParsePolicy(strings.NewReader(full))
	require.NoError(t, err, "1 MiB is not too much")
	_, err = trust.ParsePolicy(strings.NewReader(full + " "))
	require.ErrorIs(t, err, opsec.ErrInvalid)

	broken := errors.New("broken")
	_, err = trust.ParsePolicy(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
}

func TestLoadVerifierGathersFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, data, 0o600))
		return name
	}
	alice, bob := newHolder(t, 1), newHolder(t, 2)
	p := alice.trusted()
	b, err := json.Marshal(p)
	require.NoError(t, err)
	policy := write("policy.json", b)
	text, err := bob.public.MarshalText()
	require.NoError(t, err)
	pub := write("bob.pub", text)
	s := new(trust.State)
	require.NoError(t, s.Accept(newClaim(), noon, true))
	state := filepath.Join(dir, "state.json")
	require.NoError(t, s.Save(state))

	v, err := trust.LoadVerifier(policy, state, pub)
	require.NoError(t, err)
	require.Equal(t, &trust.Verifier{
		Policy: trust.Policy{Keys: []trust.Key{p.Keys[0], {Key: bob.public}}}, State: s,
	}, v)
	require.Equal(t, trust.Trusted, judge(t, *v, signed(t, alice)).Trust)
	require.Equal(t, "alice", judge(t, *v, signed(t, bob)).Signatures[0].Operator, "for whoever the header names")

	v, err = trust.LoadVerifier("", "")
	require.NoError(t, err)
	require.Equal(t, &trust.Verifier{}, v, "and nobody is trusted")
	v, err = trust.LoadVerifier("", filepath.Join(dir, "new.json"))
	require.NoError(t, err)
	require.Equal(t, new(trust.State), v.State, "a state that is to be")

	absent := filepath.Join(dir, "absent")
	v, err = trust.LoadVerifier("", filepath.Join(absent, "new.json"), pub)
	require.NoError(t, err)
	require.Equal(t, new(trust.State), v.State)
	for name, files := range map[string][3]string{
		"no policy": {absent, "", pub}, "no key": {"", "", absent}, "a key for a policy": {pub, "", pub},
		"a policy for a key": {"", "", policy}, "a policy for a state": {"", policy, pub},
	} {
		_, err = trust.LoadVerifier(files[0], files[1], files[2])
		require.Error(t, err, name)
		require.True(t, errors.Is(err, fs.ErrNotExist) || errors.Is(err, opsec.ErrInvalid), "%s: %v", name, err)
	}
}
