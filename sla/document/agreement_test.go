package document_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
)

func agreement(t require.TestingT, name string) *sla.Agreement {
	text, err := os.ReadFile("../../examples/slareport/" + name + ".yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)
	return a
}

func html(t require.TestingT, d *document.Document) string {
	var b bytes.Buffer
	require.NoError(t, d.HTML(&b))
	return b.String()
}

func markdown(t require.TestingT, d *document.Document) string {
	var b bytes.Buffer
	require.NoError(t, d.Markdown(&b))
	return spaced(b.String())
}

func data(t require.TestingT, d *document.Document) string {
	var b bytes.Buffer
	require.NoError(t, d.JSON(&b))
	return b.String()
}

// spaced writes spaces that do not break as others.
func spaced(s string) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ", "&nbsp;", " ").Replace(s)
}

// texts returns what a reader sees of a page, which is refused when it is not well-formed.
func texts(t require.TestingT, page string) string {
	var b strings.Builder
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Entity = map[string]string{"nbsp": "\u00a0"}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return spaced(b.String())
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			b.Write(text)
			b.WriteByte('\n')
		}
	}
}

// written are the texts of an agreement, but for the words of its form. Fields that are empty get a text first.
func written(v reflect.Value, out *[]string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			written(v.Elem(), out)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Name != "Share" { // that is shown as "95 %", beside a bound of each
				written(v.Field(i), out)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			written(v.Index(i), out)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			if v.String() == "" && v.CanSet() {
				v.SetString(fmt.Sprintf("text-%d", len(*out)))
			}
			*out = append(*out, v.String())
		}
	}
}

func TestNothingOfAnAgreementIsLeftOut(t *testing.T) {
	words := []string{sla.Schema, "month"} // shown in other words
	for _, name := range []string{"iaas", "saas"} {
		a := agreement(t, name)
		a.Profiles = []string{"eu-cloud"}
		a.Parties[1].PublicKey = "jYQ0gTEvAjM7jfKPLOHL8mvcTAh7zuB3IXfYcLJgaVk="
		a.History = []sla.Change{{Version: 1, By: opsec.CSC, Person: "Ina Berg", Text: "Less than four hours", Paths: []string{"clause.data.backup.rto"}, Answer: "too dear", Answerer: "Bo Lund", AnswerBy: opsec.CSP, Time: a.Effective, Answered: a.Effective}}
		var all []string
		written(reflect.ValueOf(a), &all)
		d, err := document.Agreement{Agreement: a}.Document()
		require.NoError(t, err)
		page, md := texts(t, html(t, d)), markdown(t, d)
		require.Greater(t, len(all), 150)
		for _, s := range all {
			if !slices.Contains(words, s) && !strings.HasPrefix(s, "https://") && !strings.Contains(page, s) {
				t.Errorf("%s: %q", name, s)
			}
		}
		for _, want := range []string{"7.1", "7.2.1", "7.2.2.1", "7.2.2.2", "7.2.2.3", "7.2.2.4", "7.2.2.5", "7.2.2.6", "7.2.2.7", "7.2.2.8"} {
			require.Contains(t, md, "("+want+")")
		}
		digest, err := a.Digest()
		require.NoError(t, err)
		require.Equal(t, digest, d.Digest())
		back, err := sla.Parse([]byte(data(t, d)))
		require.NoError(t, err)
		again, err := back.Digest()
		require.NoError(t, err)
		require.Equal(t, digest, again, "the JSON is the agreement")
	}
}

func TestAgreementInWords(t *testing.T) {
	d, err := document.Agreement{Agreement: agreement(t, "iaas")}.Document()
	require.NoError(t, err)
	require.Equal(t, "Northwind Cloud, virtual machines for Acme GmbH", d.Title())
	md := markdown(t, d)
	for _, want := range []string{
		"**Complete and measurable.**", "- **In force:** from 2026-01-01 01:00 until before 2028-01-01 01:00\n",
		"| 99\\.95 % | calendar month, Europe/Berlin | region | usable time of all time |",
		"good slices of all slices, slices of 1 min, bad ones count in runs of 5 or more, bad only when all of it is |",
		"| Facility | answers |  |  |\n", "| Terminals |  | answers |  |\n",
		"| `recovery-critical` | Recovery, from occurrence | each within 8 h | **critical** | all hours |",
		"| `acceptance` | Acceptance, from the report | 95 % within 15 min | all | the hours of the hotline |",
		"| memory of machines | in use | **not encrypted** Isolated by the hypervisor; hosts are dedicated on demand |  |",
		"- **Backup: lost at most (RPO):** 1 d\n", "- **Copies:** 1 on site, 1 off site\n", "| Patches | Hypervisor and storage nodes. | patching | patch report | within 30 d, every 30 d |",
		"| Retention | 3 650 d at most |", "| `maintenance` | maintenance | Work announced at least five days before | change-manager | 5 d | 4 h | 1 d | all |",
		"- **Claim:** within 60 d after the period\n", "- **Claim:** none is needed\n", "| 99\\.95 % | 10 % |", "[portal.northwind.example](https://portal.northwind.example/security)",
	} {
		require.Contains(t, md, want)
	}
	shared := agreement(t, "saas")
	a := &shared.Responsibilities.Assignments[0]
	a.Party, a.Note = opsec.Both, "each its own part"
	d, err = document.Agreement{Agreement: shared}.Document()
	require.NoError(t, err)
	require.Contains(t, markdown(t, d), "| answers | answers | each its own part |")
	require.Contains(t, markdown(t, d), "mean of the rates of good requests of slices, slices of 5 min, empty ones are good")
}

func TestDraftsShowWhatIsMissing(t *testing.T) {
	for name, a := range map[string]*sla.Agreement{
		"nothing":  {},
		"no words": {Zone: "Mars/Olympus", Title: " ", Services: make([]sla.Service, 2), Parties: make([]sla.Party, 1), Clause: sla.Clause{Data: &sla.Data{}, Continuity: &sla.Continuity{}, Monitoring: &sla.Monitoring{}, Audit: &sla.Audit{}, Documents: &sla.Documents{}, Certification: &sla.Certification{}}},
		"measures": {ID: "x", Clause: sla.Clause{Measures: &sla.Measures{Malware: &sla.Statement{Text: "Scans"}}}},
	} {
		d, err := document.Agreement{Agreement: a}.Document()
		require.NoError(t, err, name)
		md := markdown(t, d)
		require.Contains(t, md, "**Draft: ", name)
		require.Contains(t, md, "nobody answers for it", name)
		require.NotContains(t, texts(t, html(t, d)), "%!", name)
		if name == "nothing" {
			require.Contains(t, md, "- **In force:** from when is not said\n")
			require.Equal(t, 8, strings.Count(md, "**Missing.** The whole element is not agreed."))
		}
		if name == "measures" {
			require.Equal(t, 6, strings.Count(md, "| **missing** |"))
		}
	}
	_, err := document.Agreement{}.Document()
	require.ErrorIs(t, err, opsec.ErrInvalid)
	_, err = document.Agreement{Agreement: &sla.Agreement{ID: "\xff"}}.Document()
	require.ErrorIs(t, err, opsec.ErrInvalid, "it has no digest")
}

func TestSignatures(t *testing.T) {
	a := agreement(t, "iaas")
	keys := map[string]ed25519.PublicKey{}
	var signatures []sla.Signature
	for i, p := range a.Parties {
		key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
		keys[p.Name] = key.Public().(ed25519.PublicKey)
		s, err := a.Sign(p.Name, key, at("2026-03-01T09:00:00Z"))
		require.NoError(t, err)
		signatures = append(signatures, s)
	}
	show := func(s document.Agreement) string {
		d, err := s.Document()
		require.NoError(t, err)
		if len(s.Signatures) > 0 {
			sealed, err := sla.ParseSealed([]byte(data(t, d)))
			require.NoError(t, err)
			require.Len(t, sealed.Signatures, len(s.Signatures))
		}
		return markdown(t, d)
	}
	require.Contains(t, show(document.Agreement{Agreement: a}), "Nobody has signed.")
	require.Contains(t, show(document.Agreement{Agreement: a, Signatures: signatures}), "**Not checked.**")
	require.Contains(t, show(document.Agreement{Agreement: a, Signatures: signatures, Keys: keys}), "**Signed by all parties.**")
	require.Contains(t, show(document.Agreement{Agreement: a, Signatures: signatures[:1], Keys: keys}), "**Not signed by all parties.**")
	require.Contains(t, show(document.Agreement{Agreement: a, Signatures: signatures, Keys: map[string]ed25519.PublicKey{}}), "**Not signed by all parties.**")
	changed := *a
	changed.Grade = "bronze"
	require.Contains(t, show(document.Agreement{Agreement: &changed, Signatures: signatures, Keys: keys}), "has signed another agreement")
}
