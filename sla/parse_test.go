package sla_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// sample reads an agreement of testdata.
func sample(t interface{ Fatal(...any) }, name string) *sla.Agreement {
	text, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, err := sla.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAnAgreementReadsBackFromYAMLAndJSON(t *testing.T) {
	for _, name := range []string{"iaas", "saas"} {
		a := sample(t, name)
		want, err := a.Digest()
		require.NoError(t, err)
		for _, write := range []func() ([]byte, error){a.YAML, a.JSON, a.Canonical} {
			text, err := write()
			require.NoError(t, err)
			got, err := sla.Parse(text)
			require.NoError(t, err, string(text))
			digest, err := got.Digest()
			require.NoError(t, err)
			require.Equal(t, want, digest)
			paths, err := sla.Changed(a, got)
			require.NoError(t, err)
			require.Empty(t, paths)
		}
	}
}

func TestADraftWithGapsReadsBack(t *testing.T) {
	for _, a := range []*sla.Agreement{
		{Schema: sla.Schema},
		{Schema: sla.Schema, Clause: sla.Clause{Data: &sla.Data{}, Emergency: &sla.Emergency{}, Measures: &sla.Measures{Patches: &sla.Statement{}}, Certification: &sla.Certification{}}},
		{Schema: sla.Schema, Parties: make([]sla.Party, 2), Exclusions: make([]sla.ExclusionRule, 1), History: make([]sla.Change, 1)},
	} {
		for _, write := range []func() ([]byte, error){a.YAML, a.JSON, a.Canonical} {
			text, err := write()
			require.NoError(t, err)
			got, err := sla.Parse(text)
			require.NoError(t, err, string(text))
			require.True(t, reflect.DeepEqual(a, got), "%+v\n%+v", a, got)
		}
	}
	a, b := &sla.Agreement{Schema: sla.Schema, Credits: make([]credit.Table, 1)}, &sla.Agreement{Schema: sla.Schema, Credits: []credit.Table{{Bands: []credit.Band{}}}}
	for _, write := range []func() ([]byte, error){a.YAML, a.JSON, a.Canonical, b.JSON} {
		got, err := sla.Parse(must(write()))
		require.NoError(t, err)
		require.Equal(t, b, got)
		require.Equal(t, must(a.Digest()), must(got.Digest()))
	}
	s, err := sla.ParseSealed(must((&sla.Sealed{Agreement: a}).JSON()))
	require.NoError(t, err)
	require.Equal(t, b, s.Agreement)
	require.Nil(t, a.Credits[0].Bands, "nothing of the agreement has changed")
	require.Equal(t, "{\n  \"agreement\": null\n}\n", string(must(new(sla.Sealed).JSON())))
}

func TestForeignTextIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "",
		"schema: opsec.sla/v2":        `schema: want "opsec.sla/v1"`,
		"id: x":                       "schema: want",
		"schema: opsec.sla/v1\nID: x": "line 2: \"ID\" is no field that is known",
		`{"schema": "opsec.sla/v1", "id": "a", "Id": "b"}`:                     "letter case",
		`{"schema": "opsec.sla/v1", "id": "a", "id": "b"}`:                     "stands twice",
		"schema: opsec.sla/v1\nmethod: time":                                   "line 2: \"method\" is no field",
		"schema: opsec.sla/v1\nid: {a: b}":                                     "line 2: \"a\" is no field",
		"schema: opsec.sla/v1\nid: [a]":                                        "line 2: a list where none is known",
		"schema: opsec.sla/v1\nlaw: [[a]]":                                     "line 2: a list where none is known",
		"schema: opsec.sla/v1\nlaw: a":                                         "",
		"schema: opsec.sla/v1\nclause: a":                                      "",
		"schema: opsec.sla/v1\nclause:\n- a":                                   "line 3: a list where none is known",
		"schema: opsec.sla/v1\n? [a]\n: b":                                     "line 2: \"\" is no field",
		"schema: opsec.sla/v1\nversion: one":                                   "sla: line 2: want a whole number: invalid",
		"schema: opsec.sla/v1\nservices: [{objectives: [{minRequests: 0.5}]}]": "line 2: want a whole number",
		"schema: opsec.sla/v1\nid: 17":                                         "line 2: want a text: put 17 in quotes",
		"schema: opsec.sla/v1\ntitle: true":                                    "line 2: want a text: put true in quotes",
		"schema: opsec.sla/v1\neffective: 2026":                                "line 2: want a text: put 2026 in quotes",
		"schema: opsec.sla/v1\nclause: {data: {deletion: {beforeReuse: yes}}}": "line 2: want true or false",
		"schema: opsec.sla/v1\nclause: {data: {deletion: {beforeReuse: 1}}}":   "line 2: want true or false",
		"- a": "line 1: a list where none is known",
		"schema: opsec.sla/v1\nclause:\n  data:\n    deletion: {within: soon}":                   "line 4: time: invalid duration",
		"schema: opsec.sla/v1\nclause: {data: {backup: {rpo: 1y}}}":                              "line 2: time: unknown unit",
		"schema: opsec.sla/v1\nclause: {emergency: {hours: {zone: UTC, hours: [Mon-Fri 9-17]}}}": "line 2: calendar:",
		"schema: opsec.sla/v1\n" + strings.Repeat("x", 100) + ": 1":                              "line 2: \"" + strings.Repeat("x", 40) + "\" is no",
		"schema: opsec.sla/v1\ncolour: red":                                                      "line 2",
		"schema: opsec.sla/v1\nclause: null":                                                     "line 2",
		"schema: opsec.sla/v1\neffective: yesterday":                                             "line 2: parsing time",
		"schema: opsec.sla/v1\nversion: 1.5":                                                     "",
		"\xff\xfes\x00c\x00h\x00e\x00m\x00a\x00:\x00 \x00x\x00":                                  "not UTF-8",
		"schema: opsec.sla/v1\ntitle: \xff":                                                      "not UTF-8",
		"schema: opsec.sla/v1\nversion: 010":                                                     "line 2: a number with a sign or a zero",
		"schema: opsec.sla/v1\nversion: +1":                                                      "line 2: a number with a sign or a zero",
		"schema: opsec.sla/v1\ntitle: \"a\u2028b\"":                                              "a line break other than",
		"schema: opsec.sla/v1\ntitle: \"a \u0085 b\"":                                            "a line break other than",
		`{"schema": "opsec.sla/v1", "title": "a` + "\u2029" + `b"}`:                              "a line break other than",
		`{"schema": "opsec.sla/v1", "title": "\ud83d"}`:                                          "",
		`{"schema": "opsec.sla/v1", "title": "\ude00\ud83d"}`:                                    "",
		"schema: opsec.sla/v1\ntitle: \"\\ud83d\\ude00\"":                                        "",
		"schema: opsec.sla/v1\ntitle: *x":                                                        "",
		"schema: opsec.sla/v1\ntitle: !!str x":                                                   "tag",
		"schema: opsec.sla/v1\n---\nschema: opsec.sla/v1":                                        "",
		strings.Repeat("#", sla.MaxSize+1):                                                       "1048577 bytes",
		"schema: opsec.sla/v1\nlaw: " + strings.Repeat("[", 100):                                 "",
		"schema: opsec.sla/v1\nservices: [{id: x, objectives: [{target: -1.5}]}]":                "ratio",
	} {
		a, err := sla.Parse([]byte(text))
		require.ErrorIs(t, err, opsec.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
		require.Nil(t, a)
	}
}

func TestAnyTextReadsBack(t *testing.T) {
	words := []string{"a", " ", "  ", "\n", "\n\n", "\t", "- ", ": ", ":", " #", "'", "\"", "\\", "%", "@", "`", "&x", "*x", "!!str", "|", ">-", "[", "]", "{", "}", ",", "?", "~", "null", "true", "010", "1.5", ".inf", "2026-03-01",
		"...", "---", "<<", "é", "\u00a0", "\u200d", "\U0001F600", "\ufffd", strings.Repeat("x", 100), "\\ud83d\\ude00"}
	rapid.Check(t, func(t *rapid.T) {
		title := strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 8).Draw(t, "title"), "")
		a := &sla.Agreement{Schema: sla.Schema, Title: title, Law: []string{title, "x"}, Liabilities: []sla.Liability{{Text: title}}}
		for _, write := range []func() ([]byte, error){a.YAML, a.JSON, a.Canonical} {
			text := must(write())
			if got, err := sla.Parse(text); err != nil || !reflect.DeepEqual(a, got) {
				t.Fatalf("%v\n%s", err, text)
			}
		}
	})
}

// JSON is read as package encoding/json reads it, however its writer escapes and indents.
func TestJSONIsReadAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		title := rapid.StringOf(rapid.SampledFrom([]rune("aud83\\\\\"/ \n\té<>&:#-'\u200d\u2028\u00a0\U0001F600\U00010000\U0010FFFD"))).Draw(t, "title")
		var text []byte
		if rapid.Bool().Draw(t, "ascii") { // as Python and others write it
			text = []byte(`{"title":"`)
			for _, u := range utf16.Encode([]rune(title)) {
				if u < ' ' || u > '~' || u == '"' || u == '\\' {
					text = fmt.Appendf(text, rapid.SampledFrom([]string{`\u%04x`, `\u%04X`}).Draw(t, "hex"), u)
				} else {
					text = append(text, byte(u))
				}
			}
			text = append(text, `","version":3,"schema":"opsec.sla/v1","services":[{"objectives":[{"good":0.5}]}]}`...)
		} else {
			text = must(json.Marshal(map[string]any{"title": title, "version": 3, "schema": sla.Schema, "services": []any{map[string]any{"objectives": []any{map[string]any{"good": 0.5}}}}}))
		}
		var w bytes.Buffer
		if err := json.Indent(&w, text, rapid.SampledFrom([]string{"", "\t", "\r\n"}).Draw(t, "prefix"), rapid.SampledFrom([]string{"", "\t", "  "}).Draw(t, "indent")); err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "mark") {
			text = append([]byte("\ufeff"), w.Bytes()...)
		} else {
			text = w.Bytes()
		}
		got, err := sla.Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		want := &sla.Agreement{Schema: sla.Schema, Version: 3, Title: title, Services: []sla.Service{{Objectives: []metric.Objective{{Good: must(ratio.Parse("0.5"))}}}}}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("%q\n%q\n%s", want.Title, got.Title, text)
		}
	})
}

// Package json takes a field in another letter case for the same: there must be no two that only differ so.
func TestNoTwoFieldsDifferByLetterCaseAlone(t *testing.T) {
	names, seen := map[string]string{}, map[reflect.Type]bool{}
	var look func(of reflect.Type)
	look = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		for f := range of.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if low := strings.ToLower(name); f.IsExported() {
				require.Contains(t, []string{"", name}, names[low])
				names[low] = name
				look(f.Type)
			}
		}
	}
	look(reflect.TypeFor[sla.Sealed]())
	look(reflect.TypeFor[sla.Minimum]())
	require.Greater(t, len(names), 150)
}

func TestAResourceIsOfAService(t *testing.T) {
	s := sla.Service{ID: "db"}
	require.True(t, s.Has("db"))
	require.False(t, s.Has("db-1"))
	s.Resources = []string{"[", "eu/db-?", "db-*"}
	require.False(t, s.Has("db"))
	require.True(t, s.Has("db-17"))
	require.True(t, s.Has("eu/db-1"))
	require.False(t, s.Has("db-1/2"), "a star does not go beyond a slash")
}

func TestTimesAndFractionsNeedNoQuotes(t *testing.T) {
	a, err := sla.Parse([]byte("schema: opsec.sla/v1\ntitle: \"ä 2026-03-01\"\nservices: [{id: é, objectives: [{target: 0.9995, good: 0.5}, {target: 0.25}]}]\neffective: 2026-03-01T00:00:00.5+01:00 # then\n"))
	require.NoError(t, err)
	require.Equal(t, "99.95%", a.Services[0].Objectives[0].Target.String())
	require.Equal(t, "50%", a.Services[0].Objectives[0].Good.String())
	require.Equal(t, "25%", a.Services[0].Objectives[1].Target.String())
	require.Equal(t, "2026-02-28T23:00:00.5Z", a.Effective.UTC().Format("2006-01-02T15:04:05.999Z07:00"))
}

// A text of many fractions in one line costs as much as any other of its length: looking through the line for each of them
// took gigabytes.
func TestManyFractionsCostNoMore(t *testing.T) {
	for _, text := range []string{
		"schema: opsec.sla/v1\nlaw: [" + strings.Repeat("1.5,", 20_000) + "1.5]",
		"schema: opsec.sla/v1\nlaw:" + strings.Repeat("\n- 1.5", 20_000),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := sla.Parse([]byte(text))
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		require.Equal(t, "1.5", a.Law[len(a.Law)-1])
		require.Equal(t, []string{"law invalid"}, list(a.Validate()))
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(512<<20))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("schema: opsec.sla/v1\nid: y\nparties: [{role: CSP, name: a, contact: b}]\nexclusions: [{id: p, category: maintenance, text: t, notice: 72h}]\ncredits: [{id: c, objective: o, bands: [{below: 99%, credit: 10%}]}]\nhistory: [{version: 2, by: CSC, agreed: true}]"))
	f.Add([]byte("schema: opsec.sla/v1\nid: x\nclause: {emergency: {hotline: '1', hours: {zone: UTC, hours: [Mon-Fri 09:00-17:00]}, targets: [{id: a, measure: acceptance, mean: 1h}]}}"))
	f.Add([]byte(`{"schema":"opsec.sla/v1","version":9007199254740993}`))
	f.Add([]byte("schema: opsec.sla/v1\neffective: 2026-03-01T00:00:00Z\nservices: [{id: x, objectives: [{target: 0.1}]}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := sla.Parse(text)
		if err != nil {
			if !errors.Is(err, opsec.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		a.Validate()
		digest, err := a.Digest()
		if err != nil {
			return
		}
		for _, write := range []func() ([]byte, error){a.YAML, a.JSON} {
			text, err := write()
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > sla.MaxSize {
				continue
			}
			b, err := sla.Parse(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if again, err := b.Digest(); err != nil || again != digest {
				t.Fatalf("%v %s\n%s", err, again, text)
			}
		}
	})
}
