package name_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/name"
)

func formed() name.Policy {
	return name.Policy{Min: 1, Max: 40, Punctuation: "-.", Forms: []name.Form{
		{Kind: "main"},
		{Kind: "database-server", Prefix: "db-"},
		{Kind: "network-cell", Prefix: "cell-", Suffix: ".net"},
	}}
}

func TestKindIsToldByTheName(t *testing.T) {
	p := formed()
	for _, c := range [][2]string{
		{"alice", "main"}, {"dbase", "main"}, {"cell-7", "main"}, {"db-alice", "database-server"}, {"cell-7.net", "network-cell"},
		{"DB-alice", "database-server"},
	} {
		_, err := p.Check(c[0], c[1])
		require.NoError(t, err, c)
	}
	for c, want := range map[[2]string]name.Refused{
		{"db-alice", "main"}:              {Reason: name.OtherForm, Like: "db-"},
		{"cell-7.net", "main"}:            {Reason: name.OtherForm, Like: "cell-.net"},
		{"ce11-7.net", "main"}:            {Reason: name.OtherForm, Like: "cell-.net"},
		{"alice", "database-server"}:      {Reason: name.Unformed, Like: "db-"},
		{"cell-7", "network-cell"}:        {Reason: name.Unformed, Like: ".net"},
		{"cell-7.net", "database-server"}: {Reason: name.Unformed, Like: "db-"},
	} {
		_, err := p.Check(c[0], c[1])
		want.Position = -1
		require.Equal(t, want, *refused(t, err), "%v", c)
	}
	_, err := p.Check("alice", "tenant")
	require.ErrorIs(t, err, opsec.ErrInvalid)
	require.NotContains(t, err.Error(), "refused")
}

func TestSomethingStandsBetweenPrefixAndSuffix(t *testing.T) {
	p := name.Policy{Min: 1, Max: 40, Forms: []name.Form{{Kind: "a", Prefix: "db"}, {Kind: "b", Prefix: "x", Suffix: "y"}}}
	_, err := p.Check("db", "a")
	require.Equal(t, name.Empty, refused(t, err).Reason)
	_, err = p.Check("xy", "b")
	require.Equal(t, name.Empty, refused(t, err).Reason)
	_, err = p.Check("x", "b")
	require.Equal(t, name.Unformed, refused(t, err).Reason)
}

func TestPolicyOutOfBoundsIsRefused(t *testing.T) {
	good := preset(t, "recommendation")
	require.NoError(t, good.Validate())
	for field, spoil := range map[string]func(*name.Policy){
		"min":               func(p *name.Policy) { p.Min = 0 },
		"max":               func(p *name.Policy) { p.Max = 2 },
		"max 257":           func(p *name.Policy) { p.Max = 257 },
		"level":             func(p *name.Policy) { p.Level = name.ModeratelyRestrictive },
		"marks":             func(p *name.Policy) { p.Marks = 5 },
		"marks is -1":       func(p *name.Policy) { p.Marks = -1 },
		"scripts[0]":        func(p *name.Policy) { p.Scripts = []string{"Latin"} },
		"scripts[1]":        func(p *name.Policy) { p.Scripts = []string{"Latn", "Latn"} },
		"ISO 15924":         func(p *name.Policy) { p.Scripts = []string{"Zyyy"} },
		"U+0020":            func(p *name.Policy) { p.Punctuation = " " },
		"U+0061":            func(p *name.Policy) { p.Punctuation = ".a" },
		"U+002E at byte 1":  func(p *name.Policy) { p.Punctuation = ".." },
		"U+202E":            func(p *name.Policy) { p.Punctuation = "\u202e" },
		"U+200D":            func(p *name.Policy) { p.Punctuation = "\u200d" },
		"U+FFFD":            func(p *name.Policy) { p.Punctuation = "\xff" },
		"punctuation: 33":   func(p *name.Policy) { p.Punctuation = strings.Repeat("-", 33) },
		"reserved[0]":       func(p *name.Policy) { p.Reserved = []string{"Admin"} },
		"reserved[1]":       func(p *name.Policy) { p.Reserved = []string{"admin", "*"} },
		"with a * behind":   func(p *name.Policy) { p.Reserved = []string{"..."} },
		"forms[0]: kind":    func(p *name.Policy) { p.Forms = []name.Form{{}} },
		"forms[0]: prefix":  func(p *name.Policy) { p.Forms = []name.Form{{Kind: "a", Prefix: "DB"}} },
		"forms[1]: its":     func(p *name.Policy) { p.Forms = []name.Form{{Kind: "a"}, {Kind: "a", Prefix: "x"}} },
		"form of forms[0]":  func(p *name.Policy) { p.Forms = []name.Form{{Kind: "a", Prefix: "x"}, {Kind: "b", Prefix: "xy"}} },
		"name, source":      func(p *name.Policy) { p.Source = strings.Repeat("x", 257) },
		"reserved: 0, 0, 1": func(p *name.Policy) { p.Reserved = make([]string, 1025) },
	} {
		p := good
		spoil(&p)
		err := p.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
		require.ErrorContains(t, err, field)
		_, err = p.Check("alice", "main")
		require.ErrorIs(t, err, opsec.ErrInvalid, field)
	}
}

func TestPolicyIsData(t *testing.T) {
	for _, p := range append(name.Presets(), formed()) {
		text, err := json.Marshal(p)
		require.NoError(t, err)
		var read name.Policy
		require.NoError(t, json.Unmarshal(text, &read))
		require.Equal(t, p, read)
	}
	for _, bad := range []string{
		`{}`, `{"min":1}`, `{"min":1,"max":8,"colour":"red"}`, `{"min":1,"max":8,"level":"unrestricted"}`, `{"min":"1","max":8}`, `[]`,
		`{"min":1,"max":8,"name":"` + strings.Repeat("x", 300<<10) + `"}`,
	} {
		p := formed()
		require.ErrorIs(t, p.UnmarshalJSON([]byte(bad)), opsec.ErrInvalid, "%.60s", bad)
		require.Equal(t, formed(), p)
	}
}

func TestPresetsStand(t *testing.T) {
	for _, p := range name.Presets() {
		require.NoError(t, p.Validate(), p.Name)
		require.NotEmpty(t, p.Source)
		same, err := name.Preset(p.Name)
		require.NoError(t, err)
		require.Equal(t, p, same)
		p.Reserved[0] = "changed"
		same, err = name.Preset(p.Name)
		require.NoError(t, err)
		require.NotEqual(t, p, same)
		for _, one := range same.Reserved {
			_, err := same.Check(strings.TrimSuffix(one, "*"), "main")
			require.ErrorIs(t, err, opsec.ErrInvalid, one)
		}
	}
	_, err := name.Preset("none")
	require.ErrorIs(t, err, opsec.ErrNotFound)
}

func FuzzPolicy(f *testing.F) {
	for _, p := range append(name.Presets(), formed()) {
		text, err := json.Marshal(p)
		require.NoError(f, err)
		f.Add(text, "alice")
	}
	f.Add([]byte(`{"min":1,"max":8,"forms":[{"kind":"a","prefix":"x"}],"punctuation":"\u00b7"}`), "xl·l")
	f.Fuzz(func(t *testing.T, text []byte, s string) {
		var p name.Policy
		if err := p.UnmarshalJSON(text); err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			require.Equal(t, name.Policy{}, p)
			return
		}
		require.NoError(t, p.Validate())
		again, err := json.Marshal(p)
		require.NoError(t, err)
		var same name.Policy
		require.NoError(t, same.UnmarshalJSON(again))
		kind := ""
		if len(p.Forms) > 0 {
			kind = p.Forms[0].Kind
		}
		if n, err := p.Check(s, kind); err == nil {
			require.NotEmpty(t, n.Canonical)
		} else {
			refused(t, err)
		}
	})
}
