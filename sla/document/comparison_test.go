package document_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/document"
)

func compared(rows ...document.Row) document.Comparison {
	return document.Comparison{A: document.Side{Name: "Offer 1", ID: "one", Version: 3, Digest: "sha256:aa"}, B: document.Side{Name: "Offer 2"}, Rows: rows}
}

func TestComparison(t *testing.T) {
	c := compared(
		document.Row{Path: "liabilities", Verdict: "odd", Reason: "people decide"},
		document.Row{Path: "clause.data.backup.rpo", Clause: "7.2.2.2", Verdict: "equal", A: "4h", B: "4h"},
		document.Row{Path: "clause.data.backup.rto", Clause: "7.2.2.2", Verdict: "stronger", A: "8h", B: "4h", Reason: "sooner"},
		document.Row{Path: "services[id=x].target", Clause: "7.2.2.1", Verdict: "weaker", A: "99.9 %", Reason: "nothing is promised <b>"},
		document.Row{Path: "clause.new", Clause: "9.9", Verdict: "incomparable", A: "a | b", B: "c"},
	)
	d, err := c.Document()
	require.NoError(t, err)
	md := markdown(t, d)
	for _, want := range []string{
		"# Comparison of Offer 1 and Offer 2\n", "- **A:** Offer 1 `one`, version 3, `sha256:aa`\n", "**Neither is better in all.**",
		"- Protection of data (7.2.2.2): 1 stronger · 1 equal\n", "- Other things: 1 incomparable\n", "- Clause 9.9: 1 incomparable\n",
		"| `services[id=x].target` | **weaker** | 99\\.9 % | nothing | nothing is promised \\<b\\> |", "| `liabilities` | **odd** | nothing | nothing | people decide |",
		"| `clause.data.backup.rto` | stronger | 8h | 4h | sooner |\n| `clause.data.backup.rpo` | equal |", "a \\| b",
	} {
		require.Contains(t, md, want)
	}
	require.Less(t, strings.Index(md, "## Business continuity"), strings.Index(md, "## Protection of data"))
	require.Less(t, strings.Index(md, "## Clause 9.9"), strings.Index(md, "## Other things"), "those without a clause come last")
	var back document.Comparison
	require.NoError(t, json.Unmarshal([]byte(data(t, d)), &back))
	require.Equal(t, c, back)
	again, err := back.Document()
	require.NoError(t, err)
	require.Equal(t, d.Digest(), again.Digest())
	require.Regexp(t, "^sha256:[0-9a-f]{64}$", d.Digest())
	back.Rows[0].Reason = "x"
	again, err = back.Document()
	require.NoError(t, err)
	require.NotEqual(t, d.Digest(), again.Digest())
}

func TestWhatAComparisonComesTo(t *testing.T) {
	row := func(verdict string) document.Row { return document.Row{Path: "p", Clause: "7.1", Verdict: verdict} }
	for want, rows := range map[string][]document.Row{
		"They promise the same":                {},
		"They promise the same.":               {row("equal")},
		"B promises all that A does, and more": {row("equal"), row("stronger")},
		"B promises less than A":               {row("weaker"), row("equal")},
		"Neither is better in all":             {row("weaker"), row("stronger")},
		"Neither is better in all.":            {row("stronger"), row("incomparable")},
		"Neither is better in all.** Which":    {row("no such word")},
	} {
		d, err := compared(rows...).Document()
		require.NoError(t, err)
		require.Contains(t, markdown(t, d), "**"+want)
	}
	d, err := compared().Document()
	require.NoError(t, err)
	require.Contains(t, data(t, d), `"rows": []`)
	var many []document.Row
	for i := range 201 {
		many = append(many, document.Row{Path: fmt.Sprint("p", i), Verdict: "weaker"})
	}
	d, err = compared(many...).Document()
	require.NoError(t, err)
	require.Contains(t, markdown(t, d), "1 more is left out here")
	require.NotContains(t, markdown(t, d), "`p200`")
}

// What package comparison finds is shown: all of it.
func TestAgreementsCompared(t *testing.T) {
	found := comparison.Compare(agreement(t, "iaas"), agreement(t, "saas"))
	require.NotEmpty(t, found)
	c := compared()
	for _, x := range found {
		c.Rows = append(c.Rows, document.Row{Path: x.Path, Clause: x.Clause, Verdict: string(x.Verdict), A: x.A, B: x.B, Reason: x.Reason})
	}
	d, err := c.Document()
	require.NoError(t, err)
	page := texts(t, html(t, d))
	for _, x := range found {
		for _, text := range []string{x.Path, x.Reason, string(x.Verdict)} {
			require.Contains(t, page, text)
		}
	}
	require.NotContains(t, page, "Other things", "each is of a clause")
}

func TestComparisonsThatAreRefused(t *testing.T) {
	for name, c := range map[string]document.Comparison{
		"no name":    {A: document.Side{Name: "a"}},
		"no other":   {B: document.Side{Name: "a"}, A: document.Side{Name: " "}},
		"no path":    compared(document.Row{Verdict: "equal"}),
		"no verdict": compared(document.Row{Path: "p"}),
	} {
		_, err := c.Document()
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}
