package identity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity"
)

func TestPolicyIsData(t *testing.T) {
	p := policy(t)
	p.Dormancy.Exempt = []identity.Exempt{{Tenant: "acme", Name: "glass"}}
	p.SkipApprovalOfSubs, p.InsecureReadableNames = true, true
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.Contains(t, string(b), `"after":"2160h0m0s"`)
	var read identity.Policy
	require.NoError(t, json.Unmarshal(b, &read))
	again, err := json.Marshal(read)
	require.NoError(t, err)
	require.JSONEq(t, string(b), string(again))
	require.Equal(t, p.Dormancy, read.Dormancy)
	require.Equal(t, p.Properties, read.Properties)
	require.Equal(t, p.Quarantine, read.Quarantine)
	require.True(t, read.SkipApprovalOfSubs && read.InsecureReadableNames)

	for _, bad := range []string{
		`{}`, `[]`, strings.Replace(string(b), `"zone"`, `"Xone"`, 1), strings.Replace(string(b), `"2160h0m0s"`, `1`, 1),
		strings.Replace(string(b), `"zone":"zone"`, `"zone":""`, 1), string(b) + strings.Repeat(" ", 1<<20),
	} {
		err := read.UnmarshalJSON([]byte(bad))
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, p.Dormancy, read.Dormancy, "it is as it was")
	}
}

func TestPolicyOutOfBounds(t *testing.T) {
	require.NoError(t, policy(t).Validate())
	for what, change := range map[string]func(*identity.Policy){
		"zone":        func(p *identity.Policy) { p.Zone = strings.Repeat("z", 65) },
		"names":       func(p *identity.Policy) { p.Names.Min = 0 },
		"register":    func(p *identity.Policy) { p.Register.Stages = nil },
		"modify":      func(p *identity.Policy) { p.Modify.Stages = nil },
		"enable":      func(p *identity.Policy) { p.Enable.Stages = nil },
		"never":       func(p *identity.Policy) { p.Dormancy.After = 0 },
		"long after":  func(p *identity.Policy) { p.Dormancy.After = 3661 * day },
		"no warning":  func(p *identity.Policy) { p.Dormancy.Warnings = []time.Duration{0} },
		"too early":   func(p *identity.Policy) { p.Dormancy.Warnings = []time.Duration{90 * day} },
		"out of turn": func(p *identity.Policy) { p.Dormancy.Warnings = []time.Duration{day, 2 * day} },
		"quarantine":  func(p *identity.Policy) { p.Quarantine = -1 },
		"twice":       func(p *identity.Policy) { p.Properties = append(p.Properties, p.Properties[0]) },
		"no name":     func(p *identity.Policy) { p.Properties[0].Name = "" },
		"delay":       func(p *identity.Policy) { p.Properties[0].Delay = 367 * day },
		"properties":  func(p *identity.Policy) { p.Properties = make([]identity.Property, 33) },
	} {
		p := policy(t)
		change(&p)
		require.ErrorIs(t, p.Validate(), opsec.ErrInvalid, what)
	}
}

// The policy that one begins with asks for everything.
func TestTheDefaultIsStrict(t *testing.T) {
	p := identity.DefaultPolicy("zone", policy(t).Names)
	require.NoError(t, p.Validate())
	require.False(t, p.Register.SkipSignatures || p.Register.SkipReasons || p.SkipApprovalOfSubs || p.InsecureReadableNames)
	require.Empty(t, p.Dormancy.Exempt)
	for _, one := range p.Properties {
		require.Equal(t, one.Address, one.Delay > 0, one.Name)
	}
}

func FuzzPolicy(f *testing.F) {
	b, err := json.Marshal(policy(f))
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"zone":"z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p identity.Policy
		if p.UnmarshalJSON(b) == nil {
			require.NoError(t, p.Validate())
			_, err := json.Marshal(p)
			require.NoError(t, err)
		}
	})
}
