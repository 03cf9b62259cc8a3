package session_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
)

func TestPolicyRefusesWhatIsOutOfBounds(t *testing.T) {
	require.NoError(t, plain.Validate())
	require.ErrorIs(t, session.Policy{}.Validate(), opsec.ErrInvalid, "zero is not unlimited")
	tests := []struct {
		says  string
		spoil func(*session.Policy)
	}{
		{"name", func(p *session.Policy) { p.Name = strings.Repeat("x", 1025) }},
		{"maximum", func(p *session.Policy) { p.Maximum = 0 }},
		{"maximum", func(p *session.Policy) { p.Maximum = session.MaxMaximum + 1 }},
		{"idle", func(p *session.Policy) { p.Idle = 0 }},
		{"idle", func(p *session.Policy) { p.Idle = p.Maximum + 1 }},
		{"cache", func(p *session.Policy) { p.Cache = -1 }},
		{"cache", func(p *session.Policy) { p.Cache = p.Idle + 1 }},
		{"cache", func(p *session.Policy) { p.Idle = p.Maximum; p.Cache = time.Hour + 1 }},
		{"grain", func(p *session.Policy) { p.Grain = -1 }},
		{"grain", func(p *session.Policy) { p.Grain = p.Idle/2 + 1 }},
		{"fresh", func(p *session.Policy) { p.Fresh = 0 }},
		{"fresh", func(p *session.Policy) { p.Fresh = time.Hour + 1 }},
		{"factors", func(p *session.Policy) { p.Factors = 0 }},
		{"factors", func(p *session.Policy) { p.Factors = 9 }},
		{"concurrent", func(p *session.Policy) { p.Concurrent = 0 }},
		{"concurrent", func(p *session.Policy) { p.Concurrent = 33 }},
		{"when_full", func(p *session.Policy) { p.WhenFull = "wait" }},
	}
	for _, test := range tests {
		p := plain
		test.spoil(&p)
		err := p.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.ErrorContains(t, err, test.says)
		_, err = session.New(session.NewMemory(nil), p, &session.Options{Authorizer: opsec.CallerAuthorized{}})
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestPolicyIsStrictJSON(t *testing.T) {
	for _, p := range append(session.Presets(), plain) {
		data, err := json.Marshal(p)
		require.NoError(t, err)
		var read session.Policy
		require.NoError(t, json.Unmarshal(data, &read))
		require.Equal(t, p, read)
	}
	data, err := json.Marshal(plain)
	require.NoError(t, err)
	require.Contains(t, string(data), `"idle":"1h0m0s"`)
	for _, bad := range []string{
		`{}`, `[]`, strings.Replace(string(data), `"idle"`, `"idel"`, 1), strings.Replace(string(data), `"1h0m0s"`, `3600`, 1),
		strings.Replace(string(data), `"1h0m0s"`, `"0s"`, 1), `"` + strings.Repeat(" ", 70<<10) + `"`,
	} {
		read := plain
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &read), opsec.ErrInvalid)
		require.Equal(t, plain, read)
	}
}

func TestPresetsHaveTheFiguresOfTheirSources(t *testing.T) {
	figures := map[string][2]time.Duration{
		"nist-aal1": {30 * 24 * time.Hour, 30 * 24 * time.Hour},
		"nist-aal2": {24 * time.Hour, time.Hour},
		"nist-aal3": {12 * time.Hour, 15 * time.Minute},
		"pci-dss":   {12 * time.Hour, 15 * time.Minute},
	}
	require.Len(t, session.Presets(), len(figures))
	for name, want := range figures {
		p, err := session.Preset(name)
		require.NoError(t, err)
		require.NoError(t, p.Validate())
		require.Equal(t, want, [2]time.Duration{p.Maximum, p.Idle}, name)
		require.NotEmpty(t, p.Source)
		require.Equal(t, name == "nist-aal3", p.Bound)
	}
	_, err := session.Preset("none")
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func TestNewRefusesMissingWiring(t *testing.T) {
	memory := session.NewMemory(nil)
	for _, o := range []*session.Options{nil, {}, {Authorizer: opsec.CallerAuthorized{}, Entries: -1}} {
		_, err := session.New(memory, plain, o)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	_, err := session.New(nil, plain, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	require.ErrorIs(t, err, opsec.ErrInvalid)
	m, err := session.New(memory, plain, &session.Options{Authorizer: opsec.CallerAuthorized{}})
	require.NoError(t, err)
	require.Equal(t, plain, m.Policy())
}
