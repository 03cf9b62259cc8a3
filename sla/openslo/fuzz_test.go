package openslo_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla/openslo"
)

// FuzzParse: what is read can be written but for what is reported, and is then read back the same and written the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(shop()))
	f.Add([]byte(shop(calendar("1M", "2026-03-01 12:00:00")...)))
	f.Add([]byte(shop(method, "budgetingMethod: Occurrences") + "---\n" + shop(method, "budgetingMethod: RatioTimeslices", "name: checkout\n", "name: other\n")))
	f.Add([]byte(`{"apiVersion": "openslo/v1", "kind": "Service", "metadata": {"name": "shop", "displayName": "x\ny"}, "spec": {}}`))
	f.Add([]byte("apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: good}\nspec: {a: [1, .5, ~, 2026-03-01, 0x1F, 'x', \"\\u2028\", {b: |\n  c\n}]}\n"))
	f.Add([]byte("%YAML 1.2\n---\na: &b [*b]\n...\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, lost, err := openslo.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		for _, l := range lost {
			require.NotEmpty(t, l.Path)
			require.NotEmpty(t, l.Text)
		}
		first, lost, err := doc.YAML()
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		whole := 0
		for _, l := range lost {
			if l.Whole {
				whole++
			}
		}
		again, _, err := openslo.Parse(first)
		if errors.Is(err, opsec.ErrInvalid) && len(first) > openslo.MaxSize {
			return
		}
		require.NoError(t, err, "%s", first)
		if whole == 0 {
			require.Equal(t, titles(t, doc), titles(t, again))
		}
		second, _, err := again.YAML()
		require.NoError(t, err)
		require.Equal(t, string(first), string(second))
	})
}

func titles(t *testing.T, d openslo.Document) string {
	text, err := json.Marshal(d.Services)
	require.NoError(t, err)
	return string(text)
}
