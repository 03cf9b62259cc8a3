package document_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/recompute"
)

// spoil puts odd values in some places of a JSON document, of the kinds that stand there.
func spoil(t *rapid.T, text []byte) []byte {
	var v any
	require.NoError(t, json.Unmarshal(text, &v))
	for range rapid.IntRange(1, 6).Draw(t, "places") {
		v = spoiled(t, v)
	}
	out, err := json.Marshal(v)
	require.NoError(t, err)
	return out
}

func spoiled(t *rapid.T, v any) any {
	switch x := v.(type) {
	case map[string]any:
		if len(x) > 0 {
			k := rapid.SampledFrom(slices.Sorted(maps.Keys(x))).Draw(t, "key")
			if rapid.IntRange(0, 30).Draw(t, "drop") == 0 {
				delete(x, k)
			} else {
				x[k] = spoiled(t, x[k])
			}
		}
		return x
	case []any:
		if len(x) == 0 || rapid.IntRange(0, 30).Draw(t, "empty") == 0 {
			return []any{}
		}
		i := rapid.IntRange(0, len(x)-1).Draw(t, "item")
		if rapid.IntRange(0, 30).Draw(t, "again") == 0 {
			return append(x, x[i])
		}
		x[i] = spoiled(t, x[i])
		return x
	case float64:
		return json.Number(rapid.SampledFrom([]string{"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "4611686018427387904", "1772319600000", "86400000"}).Draw(t, "number"))
	case string:
		return rapid.SampledFrom([]string{"", "\u0000\u202e<b>", "|", "0s", "-1ns", "2562047h47m16.854775807s", "1ns", "0", "100%", "1/18446744073709551615", "18446744073709551615/1", "9999-12-31T23:59:59Z",
			"0001-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "critical", "met", "time", "requests", "mean-rate", "slices", "instance", "month", "UTC", "Asia/Kathmandu", "compute/x", "\xff"}).Draw(t, "text")
	case bool:
		return !x
	}
	return v
}

// What another party has sent is foreign: it is shown or refused, and what is shown is well-formed.
func TestHostileReports(t *testing.T) {
	r := compute(t, input(t))
	text, err := r.Report.JSON()
	require.NoError(t, err)
	shown := 0
	rapid.Check(t, func(t *rapid.T) {
		got, err := recompute.Read(spoil(t, text))
		if err != nil {
			return
		}
		got.Agreement.Digest = r.Report.Agreement.Digest
		for _, incidents := range []document.Report{{Report: got, Agreement: r.Agreement}, {Report: got, Agreement: r.Agreement, Incidents: r.Incidents}} {
			if d, err := incidents.Provider(); err == nil {
				texts(t, html(t, d))
				markdown(t, d)
				shown++
			}
			if d, err := incidents.Customer(document.Customer{Tenant: "acme"}); err == nil {
				texts(t, html(t, d))
			}
		}
	})
	require.Positive(t, shown)
}

func TestHostileAgreements(t *testing.T) {
	a := agreement(t, "iaas")
	text, err := a.JSON()
	require.NoError(t, err)
	shown := 0
	rapid.Check(t, func(t *rapid.T) {
		got, err := sla.Parse(spoil(t, text))
		if err != nil {
			return
		}
		if _, err := got.Digest(); err != nil {
			return
		}
		d, err := document.Agreement{Agreement: got}.Document()
		require.NoError(t, err)
		texts(t, html(t, d))
		markdown(t, d)
		shown++
	})
	require.Positive(t, shown)
}
