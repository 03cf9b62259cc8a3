package oscal_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme/catalogue"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
)

var update = flag.Bool("update", false, "write the documents in testdata anew")

// documents are all that are made of the audit, by the names of their files.
func documents(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	keep := func(name string, text []byte, err error) {
		require.NoError(t, err, name)
		all[name] = text
	}
	a := audited(t)
	text, err := json.MarshalIndent(a, "", "  ")
	keep("audit.json", append(text, '\n'), err)
	text, err = oscal.Catalogue(house(), day(1))
	keep("catalog.json", text, err)
	for name, o := range map[string]oscal.Options{"": options, "acme-": acme} {
		text, err = oscal.Plan(a, o)
		keep(name+"assessment-plan.json", text, err)
		text, err = oscal.Results(a, o)
		keep(name+"assessment-results.json", text, err)
		text, err = oscal.POAM(a, o)
		keep(name+"plan-of-action-and-milestones.json", text, err)
	}
	return all
}

func TestDocumentsAreThoseThatTheSchemaWasHeldAgainst(t *testing.T) {
	for name, text := range documents(t) {
		path := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(path, text, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(text), "%s: go test -update, and then internal/interop/oscal", name)
	}
}

// held holds an audit's documents against the rules, and its plan's catalogue.
func held(t testing.TB, plan, results, poam, controls []byte) {
	catalog := read(t, controls)
	require.Empty(t, catalog.check(nil))
	p := read(t, plan)
	p.catalog = catalog
	require.Empty(t, p.check(nil))
	if results != nil {
		d := read(t, results)
		d.catalog = catalog
		require.Empty(t, d.check(p))
	}
	if poam != nil {
		d := read(t, poam)
		d.catalog = catalog
		require.Empty(t, d.check(nil))
	}
}

func TestReferencesResolveAndValuesAreOSCALsOwn(t *testing.T) {
	all := documents(t)
	controls, err := oscal.Catalogue(catalogue.X1642(), day(1))
	require.NoError(t, err)
	for _, whose := range []string{"", "acme-"} {
		held(t, all[whose+"assessment-plan.json"], all[whose+"assessment-results.json"], all[whose+"plan-of-action-and-milestones.json"], controls)
	}
	require.Empty(t, read(t, all["catalog.json"]).check(nil))
}
