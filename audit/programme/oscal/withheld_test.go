package oscal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/audit/programme"
	"github.com/cloudopsec/opsec/audit/programme/oscal"
)

// A customer's own items whose names are withheld are still as many as there are.
func TestItemsThatAreWithheldStayApart(t *testing.T) {
	a := audited(t)
	for i, id := range map[int]string{0: "copy-of-globex-1", 2: "copy-of-globex-2"} {
		require.EqualValues(t, "acme", a.Results[i].Tenant)
		a.Results[i].Item = id
	}
	a.Findings[1].Items = []string{"copy-of-globex-2"}
	plan, err := oscal.Plan(a, acme)
	require.NoError(t, err)
	for _, write := range []func(programme.Audit, oscal.Options) ([]byte, error){oscal.Results, oscal.POAM} {
		text, err := write(a, acme)
		require.NoError(t, err)
		d := read(t, text)
		if d.top == "assessment-results" {
			require.Empty(t, d.check(read(t, plan)))
		} else {
			require.Empty(t, d.check(nil))
		}
		require.NotContains(t, said(t, text), "globex")
	}
}
