package sla_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// canonical writes JSON as RFC 8785 wants it of what agreements hold: sorted names of ASCII, whole numbers, no more escapes
// than there must be.
func canonical(w *bytes.Buffer, v any) {
	switch x := v.(type) {
	case map[string]any:
		w.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(x)) {
			if i > 0 {
				w.WriteByte(',')
			}
			fmt.Fprintf(w, "%q:", k)
			canonical(w, x[k])
		}
		w.WriteByte('}')
	case []any:
		w.WriteByte('[')
		for i, item := range x {
			if i > 0 {
				w.WriteByte(',')
			}
			canonical(w, item)
		}
		w.WriteByte(']')
	case string:
		w.WriteByte('"')
		for _, r := range x {
			switch {
			case r == '"' || r == '\\':
				w.WriteString(`\` + string(r))
			case r == '\n':
				w.WriteString(`\n`)
			case r == '\t':
				w.WriteString(`\t`)
			default:
				w.WriteRune(r)
			}
		}
		w.WriteByte('"')
	default:
		fmt.Fprint(w, x)
	}
}

func TestCanonicalFormIsThatOfRFC8785(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := sample(t, rapid.SampledFrom([]string{"iaas", "saas"}).Draw(t, "sample"))
		a.Title = rapid.StringOf(rapid.SampledFrom([]rune("a\"\\/\n\té€<>&\u2028\u2029\u007e\U0001F600"))).Draw(t, "title")
		a.Version = rapid.IntRange(-1<<53+1, 1<<53-1).Draw(t, "version")
		a.Effective = a.Effective.In(time.UTC)
		got, err := a.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		text, err := a.JSON()
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var doc any
		if err := dec.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		doc.(map[string]any)["effective"] = a.Effective.Format(time.RFC3339)
		if e := a.Expires; !e.IsZero() {
			doc.(map[string]any)["expires"] = e.UTC().Format(time.RFC3339)
		}
		var want bytes.Buffer
		canonical(&want, doc)
		if want.String() != string(got) {
			t.Fatalf("%s\n%s", want.String(), got)
		}
	})
}

func TestPythonMakesTheSameDigest(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	a := sample(t, "iaas")
	a.Effective, a.Expires = a.Effective.UTC(), a.Expires.UTC() // the form has times in UTC
	a.Title = "Ä \U0001F600 \"\\"
	cmd := exec.Command(python, "-c", `
import json, sys, hashlib
doc = json.load(sys.stdin)
print("sha256:" + hashlib.sha256(json.dumps(doc, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest(), end="")`)
	cmd.Stdin = bytes.NewReader(must(a.JSON()))
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, must(a.Digest()), string(out))
}

// What was signed years ago must have the digest that it had: this text does not change but with [sla.Schema].
func TestTheFormOfADigestStays(t *testing.T) {
	a, err := sla.Parse([]byte("schema: opsec.sla/v1\nid: x\nversion: 2\neffective: 2026-03-01T00:00:00.5+01:00\nparties: [{role: CSC, name: ä, contact: '<c>'}]\n" +
		"services: [{id: s, objectives: []}]\nexclusions: [{id: p, category: maintenance, text: t, notice: 72h}]\nliabilities: [{party: CSP, text: t}]\n" +
		"clause: {data: {deletion: {method: m, within: 1h, beforeReuse: true}, backup: {rpo: 0s, rto: 1h, retention: 1h, onSite: 1, offSite: 0, testEvery: 1h}}}"))
	require.NoError(t, err)
	require.Equal(t, `{"clause":{"data":{"backup":{"offSite":0,"onSite":1,"retention":"1h0m0s","rpo":"0s","rto":"1h0m0s","testEvery":"1h0m0s"},`+
		`"deletion":{"beforeReuse":true,"method":"m","within":"1h0m0s"}}},"effective":"2026-02-28T23:00:00.5Z","exclusions":[{"category":"maintenance","id":"p","notice":"72h0m0s","text":"t"}],`+
		`"id":"x","liabilities":[{"party":"CSP","text":"t"}],"model":"","parties":[{"contact":"<c>","name":"ä","role":"CSC"}],"responsibilities":{"model":""},"schema":"opsec.sla/v1","services":[{"id":"s"}],"version":2,"zone":""}`,
		string(must(a.Canonical())))
}

func TestOneAgreementHasOneDigest(t *testing.T) {
	a := sample(t, "iaas")
	want := must(a.Digest())
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", want)
	a.Effective = a.Effective.UTC()
	a.Services[0].Objectives[0].Target = must(ratio.New(99_990, 100_000))
	a.Services[0].DependsOn = append(make([]string, 0, 9), a.Services[0].DependsOn...)
	a.Profiles = []string{}
	require.Equal(t, want, must(a.Digest()))
	before := must(a.JSON())
	must(a.Digest())
	require.Equal(t, string(before), string(must(a.JSON())), "a digest changes nothing")
	a.Services[0].Objectives[0].Target = must(ratio.Parse("1/3"))
	third := must(a.Digest())
	a.Services[0].Objectives[0].Target = must(ratio.Parse("2/6"))
	require.Equal(t, third, must(a.Digest()))
	a.Services[0].Objectives[0].Target = must(ratio.Parse("99.99%"))
	a.Effective = a.Effective.Add(1)
	require.NotEqual(t, want, must(a.Digest()))
}

func TestWhatCannotBeExactHasNoDigest(t *testing.T) {
	for path, change := range map[string]func(a *sla.Agreement){
		"title":                                 func(a *sla.Agreement) { a.Title = "a\xffb" },
		"law[0]":                                func(a *sla.Agreement) { a.Law[0] = "\x00" },
		"services[0].objectives[0].minRequests": func(a *sla.Agreement) { a.Services[0].Objectives[0].Least = 1<<53 + 1 },
		"version":                               func(a *sla.Agreement) { a.Version = -1 << 53 },
		"expires":                               func(a *sla.Agreement) { a.Expires = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"grade":                                 func(a *sla.Agreement) { a.Grade = strings.Repeat("x", sla.MaxText+1) },
		"clause.documents.list[0]":              func(a *sla.Agreement) { a.Clause.Documents.List[0] = "\u2066" },
	} {
		a := sample(t, "iaas")
		change(a)
		_, err := a.Digest()
		require.ErrorIs(t, err, opsec.ErrInvalid)
		require.Equal(t, []string{path + " invalid"}, list(err))
		_, err = sla.Changed(a, a)
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
}

func TestWhatHasChanged(t *testing.T) {
	for want, change := range map[string]func(a *sla.Agreement){
		"":                           func(a *sla.Agreement) {},
		"clause.audit":               func(a *sla.Agreement) { a.Clause.Audit = nil },
		"clause.data.backup.offSite": func(a *sla.Agreement) { a.Clause.Data.Backup.OffSite = 0 },
		"clause.emergency.targets[0].each clause.emergency.targets[0].mean": func(a *sla.Agreement) { t := &a.Clause.Emergency.Targets[0]; t.Mean, t.Each = t.Each, 0 },
		"law[2] title":    func(a *sla.Agreement) { a.Title = ""; a.Law = append(a.Law, "FR") },
		"law[1]":          func(a *sla.Agreement) { a.Law = a.Law[:1] },
		"profiles":        func(a *sla.Agreement) { a.Profiles = []string{"x"} },
		"parties[1].name": func(a *sla.Agreement) { a.Parties[1].Name = "x" },
	} {
		a, b := sample(t, "iaas"), sample(t, "iaas")
		change(b)
		require.Equal(t, strings.Fields(want), append([]string{}, must(sla.Changed(a, b))...))
		require.Equal(t, strings.Fields(want), append([]string{}, must(sla.Changed(b, a))...))
	}
}
