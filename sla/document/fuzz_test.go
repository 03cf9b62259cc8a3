package document_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
)

// altered puts a number or a text in some places of a JSON document, each of two bytes, by what stands there: so that what comes of it is
// more often than not of the right form, which text of many kilobytes is not when bytes of it change.
func altered(text, places []byte, n uint64, s string) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	for ; len(places) > 1; places = places[2:] {
		at := int(places[0])<<8 | int(places[1])
		v = alter(v, &at, n, s)
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

// alter counts down to the place.
func alter(v any, at *int, n uint64, s string) any {
	*at--
	here := *at == -1
	switch x := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			x[k] = alter(x[k], at, n, s)
		}
	case []any:
		if here && len(x) > 0 {
			return append(x, x[n%uint64(len(x))])
		}
		for i := range x {
			x[i] = alter(x[i], at, n, s)
		}
	case json.Number:
		if here && s == "-" {
			return json.Number(fmt.Sprint(int64(n)))
		} else if here {
			return json.Number(fmt.Sprint(n))
		}
	case string:
		if here {
			return s
		}
	case bool:
		return x != here
	}
	return v
}

// Any agreement that can be read, and has a digest, can be shown. Run it with -fuzzminimizetime 1x: there is nothing to make smaller, and
// the minute goes into that otherwise.
func FuzzAgreement(f *testing.F) {
	a := agreement(f, "iaas")
	text, err := a.JSON()
	require.NoError(f, err)
	f.Add([]byte{0, 3, 0, 200}, uint64(0), "month")
	f.Add([]byte{1, 0}, uint64(1)<<63, "-")
	f.Add([]byte{0, 80, 0, 81, 0, 82}, uint64(9), "</td>|`\n")
	f.Fuzz(func(t *testing.T, places []byte, n uint64, s string) {
		a, err := sla.Parse(altered(text, places, n, s))
		if err != nil {
			return
		}
		if _, err := a.Digest(); err != nil {
			return
		}
		d, err := document.Agreement{Agreement: a}.Document()
		if err != nil {
			t.Fatal(err)
		}
		texts(t, html(t, d))
		markdown(t, d)
	})
}

// Any report that can be read is shown, or refused with an error: what another party has sent is foreign.
func FuzzReport(f *testing.F) {
	in := input(f)
	in.Points = map[string][]metric.Point{"vol-1": nil}
	in.Period = "2026-03-09"
	in.States = seen{"vm-1": in.States.(seen)["vm-07"], "storage": in.States.(seen)["storage"]}
	r := compute(f, in)
	text, err := r.Report.JSON()
	require.NoError(f, err)
	f.Add([]byte{0, 30}, uint64(0), "")
	f.Add([]byte{0, 40, 0, 41}, uint64(1)<<63, "-")
	f.Add([]byte{0, 80, 0, 120, 0, 160}, ^uint64(0), "</td>|`\n")
	f.Add([]byte{0, 60, 0, 61, 0, 62}, uint64(1), "9999-12-31T23:59:59Z")
	f.Add([]byte{0, 62}, uint64(1), "18446744073709551614/18446744073709551615")
	f.Fuzz(func(t *testing.T, places []byte, n uint64, s string) {
		got, err := recompute.Read(altered(text, places, n, s))
		if err != nil {
			return
		}
		got.Agreement.Digest = r.Report.Agreement.Digest
		own := document.Report{Report: got, Agreement: r.Agreement}
		if d, err := own.Provider(); err == nil {
			texts(t, html(t, d))
			markdown(t, d)
		}
		if d, err := own.Customer(document.Customer{Tenant: "acme"}); err == nil {
			texts(t, html(t, d))
		}
	})
}
