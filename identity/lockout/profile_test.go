package lockout_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

func rules(r ...lockout.Rule) lockout.Profile {
	for i := range r {
		if r[i].Policy == (lockout.Policy{}) {
			r[i].Policy = *strict()
		}
	}
	return lockout.Profile{Name: "test", Rules: r}
}

// Guesses from anywhere are counted together where a rule is for every class: at most so many for the account is not so many
// for each of its devices.
func TestEveryClassIsOneCounter(t *testing.T) {
	p := rules(
		lockout.Rule{Factor: lockout.OTP, Class: lockout.Every},
		lockout.Rule{Factor: lockout.Password, Class: lockout.Trusted},
		lockout.Rule{Factor: lockout.Password, Class: lockout.Every},
	)
	require.NoError(t, p.Validate())
	device := lockout.Key{Tenant: "acme", Account: "alice", Factor: lockout.OTP, Class: lockout.Trusted, Device: "laptop"}
	anybody := lockout.Key{Tenant: "acme", Account: "alice", Factor: lockout.OTP}
	got, policy := p.Counter(device)
	require.Equal(t, anybody, got)
	require.Same(t, &p.Rules[0].Policy, policy)

	device.Factor, anybody.Factor = lockout.Password, lockout.Password
	got, policy = p.Counter(device)
	require.Equal(t, device, got)
	require.Same(t, &p.Rules[1].Policy, policy)
	for _, class := range []lockout.Class{lockout.Familiar, lockout.Unknown} {
		familiar := anybody
		familiar.Class = class
		got, policy = p.Counter(familiar)
		require.Equal(t, anybody, got)
		require.Same(t, &p.Rules[2].Policy, policy)
	}
	_, policy = p.Counter(lockout.Key{Factor: "melody"})
	require.Nil(t, policy, "no rule, no guess")
	require.Equal(t, []lockout.Factor{lockout.OTP, lockout.Password}, p.Factors())
	require.Zero(t, testing.AllocsPerRun(10, func() { p.Counter(device) }))
}

func TestProfileValidatesItsRules(t *testing.T) {
	every := lockout.Rule{Factor: lockout.Password, Class: lockout.Every}
	for name, p := range map[string]lockout.Profile{
		"profile: name, source":                       {Rules: rules(every).Rules},
		"profile: 0 rules":                            {Name: "test"},
		"profile: 65 rules":                           rules(make([]lockout.Rule, 65)...),
		"rules[0]: factor":                            rules(lockout.Rule{Factor: "Password", Class: lockout.Every}),
		"rules[0]: class: unknown, one of 4 bytes":    rules(lockout.Rule{Factor: lockout.Password, Class: "best"}),
		"rules[1]: what is left":                      rules(lockout.Rule{Factor: lockout.Password}, every),
		"rules[1]: can never count":                   rules(every, lockout.Rule{Factor: lockout.Password, Class: lockout.Trusted}),
		"rules[0]: lockout: policy: failures is 9999": rules(lockout.Rule{Factor: lockout.Password, Class: lockout.Every, Policy: lockout.Policy{Failures: 9999}}),
		"factor password: want a rule for each class": rules(lockout.Rule{Factor: lockout.Password}, lockout.Rule{Factor: lockout.Password, Class: lockout.Trusted}),
	} {
		err := p.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
		require.ErrorContains(t, err, name)
	}
	long := rules(every)
	long.Source = strings.Repeat("x", 2000)
	require.ErrorIs(t, long.Validate(), opsec.ErrInvalid)
	require.NoError(t, rules(lockout.Rule{Factor: lockout.Password, Class: lockout.Familiar}, lockout.Rule{Factor: lockout.Password, Class: lockout.Every}).Validate())
}

func TestParseProfileIsStrict(t *testing.T) {
	good, err := json.Marshal(preset(t, lockout.PresetRecommendation))
	require.NoError(t, err)
	for _, bad := range []string{
		``, `null`, `{}`, string(good) + `{}`, strings.Replace(string(good), `"source"`, `"sources"`, 1),
		strings.Replace(string(good), `"class":"trusted"`, `"class":"Trusted"`, 1), strings.Replace(string(good), `"30s"`, `30`, 1),
		string(good) + strings.Repeat(" ", 64<<10),
	} {
		_, err := lockout.ParseProfile([]byte(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%.60s", bad)
	}
}

// What ParseProfile lets pass is valid, and survives being written and read.
func FuzzParseProfile(f *testing.F) {
	for _, p := range lockout.Presets() {
		data, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"name":"x","rules":[{"factor":"a","class":"*","policy":{"failures":1,"reserve":"1s"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := lockout.ParseProfile(data)
		if err != nil {
			return
		}
		require.NoError(t, p.Validate())
		again, err := json.Marshal(p)
		require.NoError(t, err)
		same, err := lockout.ParseProfile(again)
		require.NoError(t, err)
		require.Equal(t, p, same)
		require.NotEmpty(t, p.Explain())
	})
}

func ExampleParseProfile() {
	p, err := lockout.ParseProfile([]byte(`{"name":"house","rules":[{"factor":"password","class":"*","policy":{"failures":5,"lock":"15m","temporary":-1}}]}`))
	fmt.Println(len(p.Rules), err)
	// Output:
	// 0 lockout: policy: reserve is 0s, want 1s to 10m0s: invalid
}

func ExampleProfile_Counter() {
	p, err := lockout.Preset(lockout.PresetPCI) // ten guesses at the account, from wherever
	if err != nil {
		panic(err)
	}
	counter, policy := p.Counter(lockout.Key{Tenant: "acme", Account: "alice", Factor: lockout.Password, Class: lockout.Trusted, Device: "d1"})
	fmt.Printf("%+v\n%d failures, %v\n", counter, policy.Failures, policy.Lock.Round(time.Minute))
	// Output:
	// {Tenant:acme Account:alice Factor:password Class: Device:}
	// 10 failures, 30m0s
}
