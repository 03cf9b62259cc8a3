package recompute_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// full is a report in which each field is used.
func full(t require.TestingT) *recompute.Report {
	day := "2026-03-09T"
	down := span(day+"00:00:00+01:00", day+"06:00:00+01:00")
	gap := timeline.Line{span("2026-03-20T00:00:00Z", "2026-03-20T02:00:00Z")}
	broken := up(down)
	broken.States.Up = broken.States.Up.Without(gap)
	broken.States.Degraded = timeline.Line{span("2026-03-12T00:00:00Z", "2026-03-12T00:30:00Z")}
	in := input(t, seen{"vm-1": broken, "vm-2": up(), "vm-3": {}, "storage": up(down)})
	a := in.Agreement
	a.Services[1].Objectives[0].Window.Calendar = "quarter"
	a.Credits = append(a.Credits, a.Credits[0])
	a.Credits[2].ID, a.Credits[2].Objective, a.Credits[2].Bands = "each", "compute-instance", a.Credits[0].Bands[:0:0]
	a.Credits[2].Bands = append(a.Credits[2].Bands, a.Credits[0].Bands...)
	a.Credits[2].Bands[0].Below, a.Credits[2].Group, a.Credits[0].Group = percent("99.5%"), "one", "one"
	in.Fees = map[string]string{"compute": "1.00 EUR", "storage": "300.00 EUR"}
	in.Incidents = []response.Incident{{ID: "i1", Service: "compute", Severity: opsec.SeverityCritical, Occurred: at(day + "00:00:00+01:00"),
		Reported: at(day + "00:05:00+01:00"), Accepted: at(day + "00:45:00+01:00")},
		{ID: "i2", Security: true, Occurred: at(day + "00:00:00+01:00"), Reported: at(day + "00:01:00+01:00"), Accepted: at(day + "00:05:00+01:00"), Notified: at(day + "02:00:00+01:00"), Restored: at(day + "01:00:00+01:00"), Resolved: at(day + "01:00:00+01:00")}}
	in.Exclusions = []sla.Exclusion{{ID: "x", Rule: "maintenance", Services: []string{"compute"}, Start: at(day + "00:00:00+01:00"), End: at(day + "01:00:00+01:00"),
		Noticed: at("2026-03-01T00:00:00Z"), Approved: "bob & <ann>", Role: "change-manager", Reason: "new \u2028 controllers", Layer: "hardware", Evidence: "sha256:0"},
		{ID: "y", Rule: "none", Start: at(day + "00:00:00+01:00"), End: at(day + "01:00:00+01:00")}}
	in.Points = map[string][]metric.Point{"vol-1": {{Taken: march.Start + hour, Usable: march.Start + 2*hour, Lost: march.Start + 30*hour}}}
	in.Supersedes, in.Why = "sha256:"+strings.Repeat("0", 64), "late evidence"
	return compute(t, in)
}

// fields notes which fields of which types are there, and which of them are used.
func fields(v reflect.Value, used map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fields(v.Elem(), used)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			fields(v.Index(i), used)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			fields(v.MapIndex(k), used)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				name := v.Type().String() + "." + f.Name
				used[name] = used[name] || !v.Field(i).IsZero()
				fields(v.Field(i), used)
			}
		}
	}
}

func TestEachFieldIsReadAgain(t *testing.T) {
	r := full(t)
	used := map[string]bool{}
	fields(reflect.ValueOf(r), used)
	for _, of := range []string{"rolling windows", "metric.Window.Rolling", "slices of requests", "metric.Objective.Good", "metric.Objective.Least", "metric.Objective.Empty",
		"rates", "metric.Tally.Blur", "exclusions of part of a slice", "metric.Tally.MaybeExcluded", "metric.Tally.ExcludedUnknown"} {
		delete(used, of) // they are read by other packages' rules
	}
	require.Greater(t, len(used), 90)
	for name, is := range used {
		require.True(t, is, "%s is not in the report that this test is made of", name)
	}
	text, err := r.JSON()
	require.NoError(t, err)
	again, err := recompute.Read(text)
	require.NoError(t, err)
	differences, err := recompute.Diff(r, again)
	require.NoError(t, err)
	require.Empty(t, differences)
	require.Equal(t, digestOf(t, r), digestOf(t, again))
	got := map[string]bool{}
	fields(reflect.ValueOf(again), got)
	delete(used, "sla.Exclusion.Services") // in a ruling, those for which it holds stand in their place
	for name := range used {
		require.True(t, got[name], name)
	}

	var short bytes.Buffer // what anybody can do to check a digest
	require.NoError(t, json.Compact(&short, text))
	require.Equal(t, fmt.Sprintf("sha256:%x", sha256.Sum256(short.Bytes())), digestOf(t, r))
}

func TestReadRefusesWhatTwoReadersWouldReadDifferently(t *testing.T) {
	text, err := full(t).JSON()
	require.NoError(t, err)
	replace := func(old, now string) string {
		require.Equal(t, 1, strings.Count(string(text), old), old)
		return strings.Replace(string(text), old, now, 1)
	}
	for name, hostile := range map[string]string{
		"twice":        replace(`"why": "late evidence"`, `"why": "late evidence", "why": "late evidence"`),
		"twice, other": replace(`"why": "late evidence"`, `"why": "late evidence", "why": "none"`),
		"letter case":  replace(`"why": "late evidence"`, `"Why": "late evidence"`),
		"time":         replace(`"asOf": "2026-04-03T08:00:00Z"`, `"asOf": "2026-04-03T08:00:00.000Z"`),
		"ratio":        replace(`"target": "99.95%"`, `"target": "0.9995"`),
		"null":         replace(`"why": "late evidence"`, `"why": "late evidence", "findings": null`),
		"left out":     replace(`"asOf": "2026-04-03T08:00:00Z",`, ``),
		"unknown":      replace(`"why": "late evidence"`, `"why": "late evidence", "more": 1`),
		"two values":   string(text) + "{}",
	} {
		_, err := recompute.Read([]byte(hostile))
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
	_, err = recompute.Read(bytes.Repeat([]byte(" "), 64<<20+1))
	require.ErrorContains(t, err, "more than")

	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var tree map[string]any // another order of fields is the same report
	require.NoError(t, d.Decode(&tree))
	sorted, err := json.Marshal(tree)
	require.NoError(t, err)
	again, err := recompute.Read(sorted)
	require.NoError(t, err)
	require.Equal(t, digestOf(t, full(t)), digestOf(t, again))
}

// A report that could not be read again is none.
func TestTextsThatJSONCannotHold(t *testing.T) {
	for name, spoil := range map[string]func(*recompute.Input){
		"why":        func(in *recompute.Input) { in.Supersedes, in.Why = "sha256:0", "caf\xe9" },
		"reason":     func(in *recompute.Input) { in.Exclusions[0].Reason = "caf\xe9" },
		"resource":   func(in *recompute.Input) { in.States = seen{"vm-\xe9": up(march)} },
		"source":     func(in *recompute.Input) { in.Points = map[string][]metric.Point{"\xff": nil} },
		"year 10000": func(in *recompute.Input) { in.Exclusions[0].End = in.Exclusions[0].End.AddDate(8000, 0, 0) },
		"as of":      func(in *recompute.Input) { in.AsOf = in.AsOf.AddDate(8000, 0, 0) },
		"before":     func(in *recompute.Input) { in.AsOf = in.AsOf.AddDate(-2030, 0, 0) },
	} {
		in := input(t, seen{"vm-1": up(), "storage": up()})
		in.Exclusions = []sla.Exclusion{{ID: "x", Start: at("2026-03-09T00:00:00Z"), End: at("2026-03-10T00:00:00Z")}}
		spoil(&in)
		_, err := recompute.Compute(t.Context(), in)
		require.ErrorIs(t, err, opsec.ErrInvalid, name)
	}
}

func TestDiffNamesEachPlace(t *testing.T) {
	a, b := full(t), full(t)
	b.Why, b.Services[1].Title = "another", ""
	b.Findings = nil
	b.AsOf = b.AsOf.Add(time.Second)
	got, err := recompute.Diff(a, b)
	require.NoError(t, err)
	places := map[string][2]string{}
	for _, d := range got {
		places[d.Path] = [2]string{d.A, d.B}
	}
	require.Equal(t, [2]string{`"late evidence"`, `"another"`}, places["why"])
	require.Equal(t, [2]string{`"Block storage"`, ``}, places["services[1].title"])
	require.Equal(t, [2]string{`"2026-04-03T08:00:00Z"`, `"2026-04-03T08:00:01Z"`}, places["asOf"])
	require.NotEmpty(t, places["findings"][0])
	require.Len(t, got, 4)
}

// What is read is written again as the same report, and nothing panics.
func FuzzRead(f *testing.F) {
	text, err := full(f).JSON()
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"schema":"opsec.sla.report/v1"}`))
	samples, _ := filepath.Glob("testdata/*.json")
	for _, s := range samples {
		b, err := os.ReadFile(s)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := recompute.Read(text)
		if err != nil {
			require.ErrorIs(t, err, opsec.ErrInvalid)
			return
		}
		own, err := r.JSON()
		require.NoError(t, err)
		again, err := recompute.Read(own)
		require.NoError(t, err)
		differences, err := recompute.Diff(r, again)
		require.NoError(t, err)
		require.Empty(t, differences)
	})
}
