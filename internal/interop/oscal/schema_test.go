// Package oscal_test holds our OSCAL documents against the published schemas.
package oscal_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
)

// schemas are the published ones of release 1.2.1 of github.com/usnistgov/OSCAL, by what a document has at its top.
type schemas map[string]*jsonschema.Schema

// published reads them from the folder that OPSEC_OSCAL_SCHEMA names, under the names of the release.
func published(t testing.TB) schemas {
	dir := os.Getenv("OPSEC_OSCAL_SCHEMA")
	if dir == "" {
		t.Skip("OPSEC_OSCAL_SCHEMA does not name a folder with the schemas of OSCAL 1.2.1")
	}
	all := schemas{}
	for top, file := range map[string]string{
		"catalog":                       "oscal_catalog_schema.json",
		"assessment-plan":               "oscal_assessment-plan_schema.json",
		"assessment-results":            "oscal_assessment-results_schema.json",
		"plan-of-action-and-milestones": "oscal_poam_schema.json",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		require.Contains(t, schema.(map[string]any)["$id"], "/1.2.1/", "%s: want the schema of OSCAL 1.2.1", file)
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		c.UseRegexpEngine(ecma)
		require.NoError(t, c.AddResource("file:///"+file, schema))
		all[top], err = c.Compile("file:///" + file)
		require.NoError(t, err, file)
	}
	return all
}

// check returns what is wrong with a document.
func (s schemas) check(text []byte) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	for top, schema := range s {
		if _, ok := document.(map[string]any)[top]; ok {
			return schema.Validate(document)
		}
	}
	return os.ErrNotExist
}

// pattern is a regular expression as ECMA-262 reads it, which OSCAL's schemas are written in: white space is Unicode's there,
// and a full stop no line separator. All else in these patterns is the same to Go.
type pattern struct {
	*regexp.Regexp
	text string
}

func (p pattern) String() string { return p.text }

func ecma(text string) (jsonschema.Regexp, error) {
	const space = `\t\n\v\f\r\p{Z}\x{feff}`
	re, err := regexp.Compile(strings.NewReplacer(`\S`, `[^`+space+`]`, `(.*`, `([^\n\r\x{2028}\x{2029}]*`).Replace(text))
	return pattern{re, text}, err
}

func TestCommittedDocumentsAreValid(t *testing.T) {
	s := published(t)
	paths, err := filepath.Glob("../../../audit/programme/oscal/testdata/*.json")
	require.NoError(t, err)
	checked := 0
	for _, path := range paths {
		if filepath.Base(path) == "audit.json" {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, s.check(text), path)
		checked++
	}
	require.GreaterOrEqual(t, checked, 7)
}

func TestBuiltInCatalogueIsValid(t *testing.T) {
	s := published(t)
	text, err := oscal.Catalogue(catalogue.X1642(), time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 5400)))
	require.NoError(t, err)
	require.NoError(t, s.check(text))
}

// A schema that takes everything would pass the test above.
func TestSchemaIsInForce(t *testing.T) {
	s := published(t)
	text, err := os.ReadFile("../../../audit/programme/oscal/testdata/assessment-results.json")
	require.NoError(t, err)
	require.NoError(t, s.check(text))
	for name, damage := range map[string]func(result map[string]any){
		"unknown field": func(r map[string]any) { r["opinion"] = "good" },
		"required":      func(r map[string]any) { delete(r, "reviewed-controls") },
		"empty list":    func(r map[string]any) { r["findings"] = []any{} },
		"uuid of version 7": func(r map[string]any) {
			r["uuid"] = "019cb000-0000-7000-8000-000000000001"
		},
		"time without a zone": func(r map[string]any) { r["start"] = "2026-03-01T00:00:00" },
		"title of two lines":  func(r map[string]any) { r["title"] = "a\nb" },
		"space around a value": func(r map[string]any) {
			r["props"] = []any{map[string]any{"name": "x", "value": "v\u00a0"}}
		},
		"token with a space": func(r map[string]any) { r["props"] = []any{map[string]any{"name": "x y", "value": "v"}} },
		"third state": func(r map[string]any) {
			f := r["findings"].([]any)[0].(map[string]any)
			f["target"].(map[string]any)["status"].(map[string]any)["state"] = "not-tested"
		},
	} {
		t.Run(name, func(t *testing.T) {
			var d map[string]any
			require.NoError(t, json.Unmarshal(text, &d))
			damage(d["assessment-results"].(map[string]any)["results"].([]any)[0].(map[string]any))
			damaged, err := json.Marshal(d)
			require.NoError(t, err)
			require.Error(t, s.check(damaged))
		})
	}
}
