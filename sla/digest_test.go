package sla_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
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
		a.Title = rapid.StringOf(rapid.SampledFrom([]rune("a\"\\/\n\té€<>&\u200d\u007e\U0001F600"))).Draw(t, "title")
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
		"effective": func(a *sla.Agreement) { // JSON has no seconds of a zone: it would be another moment
			a.Effective = a.Effective.In(time.FixedZone("", 3630))
		},
		"clause.certification.held[0].expires": func(a *sla.Agreement) { // which JSON has no form of
			a.Clause.Certification.Held[0].Expires = time.Date(9999, 12, 31, 23, 30, 0, 0, time.UTC).In(time.FixedZone("", 3600))
		},
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

func TestExactlyAtTheBoundsIsTaken(t *testing.T) {
	a := sample(t, "iaas")
	a.ID, a.Title = strings.Repeat("i", 128), strings.Repeat("x", sla.MaxText)
	a.Expires = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	require.NoError(t, a.Validate())
	a.Services[0].Objectives[0].Least = 1<<53 - 1
	must(a.Digest())
	a.Effective = time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)
	digest := must(a.Digest())
	text := must(a.JSON())
	text = append(text, bytes.Repeat([]byte(" "), sla.MaxSize-len(text))...)
	require.Equal(t, digest, must(must(sla.Parse(text)).Digest()))
}

func TestWhatIsSignedIsSeen(t *testing.T) {
	a := sample(t, "iaas")
	for _, r := range "\u0000\u001f\u007f\u0085\u009f\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2060\u2066\u2069\u206f\ufeff\U000E0000\U000E007F" {
		a.Title = "a" + string(r) + "b"
		require.Equal(t, []string{"title invalid"}, list(a.Validate()), "%U", r)
		_, err := a.Digest()
		require.Equal(t, []string{"title invalid"}, list(err), "%U", r)
	}
	a.Title = "n\t\n \u00a0\u200c\u200d\u2027\u202f\u2070 \U0001F469\u200d\U0001F680 ä \ufefe\U000E0080"
	require.NoError(t, a.Validate())
}

func TestASharesFormDoesNotMatter(t *testing.T) {
	a := sample(t, "iaas")
	want := must(a.Digest())
	for _, same := range []string{"0.95", "95.0%", "95 %", "19/20", "95/100"} {
		a.Clause.Emergency.Targets[1].Share = same
		require.Equal(t, want, must(a.Digest()))
	}
	a.Clause.Emergency.Targets[1].Share = "95.1%"
	require.NotEqual(t, want, must(a.Digest()))
	a.Clause.Emergency.Targets[1].Share = "1/3"
	third := must(a.Digest())
	a.Clause.Emergency.Targets[1].Share = "2/6"
	require.Equal(t, third, must(a.Digest()))
}

// fill sets everything that a value holds to something, each to something else, and calls leaf for it with its path.
func fill(v reflect.Value, path string, n *int, leaf func(path string, v reflect.Value)) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Date(2026, 1, 1, 0, 0, *n, 0, time.UTC)
	case *ratio.Ratio:
		*x = must(ratio.New(1, uint64(*n)))
	case *calendar.Policy:
		*x = calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()}
	default:
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), path, n, leaf)
			return
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), path+"[0]", n, leaf)
			fill(v.Index(1), path+"[1]", n, leaf)
			return
		case reflect.Struct:
			for f, field := range v.Fields() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				fill(field, strings.TrimPrefix(path+"."+name, "."), n, leaf)
			}
			return
		case reflect.String:
			v.SetString(fmt.Sprint("text ", *n))
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int64:
			v.SetInt(int64(*n))
		case reflect.Uint64:
			v.SetUint(uint64(*n))
		default:
			panic(v.Type())
		}
	}
	leaf(path, v)
}

func TestWhateverChangesChangesTheDigest(t *testing.T) {
	var a sla.Agreement
	leaves, n := map[string]reflect.Value{}, 0
	fill(reflect.ValueOf(&a).Elem(), "", &n, func(path string, v reflect.Value) { leaves[path] = v })
	require.Greater(t, len(leaves), 300)
	b, err := sla.Parse(must((&sla.Agreement{Schema: sla.Schema}).JSON()))
	require.NoError(t, err)
	fill(reflect.ValueOf(b).Elem(), "", new(int), func(string, reflect.Value) {})
	want := must(b.Digest())
	require.Equal(t, want, must(a.Digest()))
	for path, v := range leaves {
		before := reflect.ValueOf(v.Interface())
		switch x := v.Addr().Interface().(type) {
		case *time.Time:
			*x = x.Add(1)
		case *ratio.Ratio:
			*x = must(ratio.New(x.Num()*1000+1, x.Den()*1000))
		case *calendar.Policy:
			x.Zone, path = "Europe/Berlin", path+".zone"
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString(v.String() + " ")
			case reflect.Bool:
				v.SetBool(false)
			case reflect.Int, reflect.Int64:
				v.SetInt(v.Int() + 1)
			case reflect.Uint64:
				v.SetUint(v.Uint() + 1)
			}
		}
		require.NotEqual(t, want, must(a.Digest()), path)
		require.Equal(t, []string{path}, must(sla.Changed(&a, b)))
		v.Set(before)
	}
	require.Equal(t, want, must(a.Digest()))
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
