package document_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/recompute"
	"github.com/cloudopsec/opsec/sla/response"
)

// shown says of each text of a report what a customer may see of it.
var shown = map[string][]string{
	// what the customer has agreed to, or brought, or what follows from numbers
	"all": {
		"Schema", "Agreement.ID", "Agreement.Digest", "Period.Name", "Period.Zone", "Supersedes", "Evidence.States", "Evidence.Incidents", "Evidence.Exclusions", "Evidence.Points",
		"Services.ID", "Services.Title", "Services.Objectives.Objective.ID", "Services.Objectives.Objective.Title", "Services.Objectives.Objective.Method", "Services.Objectives.Objective.Window.Calendar",
		"Services.Objectives.Objective.Window.Zone", "Services.Objectives.Objective.Scope", "Services.Objectives.Objective.Empty", "Services.Objectives.Objective.Partial", "Services.Objectives.Objective.Degraded",
		"Services.Objectives.Figure.Verdict", "Services.Credits.Table", "Services.Credits.Objective", "Services.Credits.Service", "Services.Credits.Fee", "Services.Credits.Amount", "Services.Credits.Group",
		"Services.Credits.Verdict", "Services.Totals.Service", "Services.Totals.Amount", "Responses.Target", "Responses.Quantiles", "Responses.Verdict", "Exclusions.Services", "Findings.Rule", "Findings.Severity",
	},
	// unless it is withheld
	"text": {"Why", "Services.Credits.Why", "Exclusions.Exclusion.ID", "Exclusions.Exclusion.Rule", "Exclusions.Exclusion.Reason", "Exclusions.Exclusion.Evidence", "Exclusions.Why", "Findings.Path", "Findings.Text"},
	// what is not the customer's
	"none": {"Services.Objectives.Worst.Resource", "Services.Objectives.Worst.Figure.Verdict", "Exposures.Source", "Exclusions.Exclusion.Services", "Exclusions.Exclusion.Approved", "Exclusions.Exclusion.Role", "Exclusions.Exclusion.Layer"},
}

// leaves are the texts of a value, by the names of the fields on the way.
func leaves(v reflect.Value, path string, each func(path string, text reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			leaves(v.Elem(), path, each)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				leaves(v.Field(i), strings.TrimPrefix(path+"."+f.Name, "."), each)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			leaves(v.Index(i), path, each)
		}
	case reflect.String:
		each(path, v)
	}
}

// texted are the paths of the texts that a type has.
func texted(t reflect.Type, path string, found map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		texted(t.Elem(), path, found)
	case reflect.Map:
		texted(t.Key(), path, found)
		texted(t.Elem(), path, found)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && t != reflect.TypeFor[time.Time]() {
				texted(f.Type, strings.TrimPrefix(path+"."+f.Name, "."), found)
			}
		}
	case reflect.String:
		found[path] = true
	}
}

// eventful is a report in which each text is there.
func eventful(t require.TestingT) document.Report {
	in := input(t)
	in.Agreement.Credits = append(in.Agreement.Credits, credit.Table{ID: "machines", Objective: "compute-instance", Group: "g", Bands: []credit.Band{{Below: in.Agreement.Services[0].Objectives[1].Target, Credit: ratio.One()}}})
	in.Points = map[string][]metric.Point{"vol-globex": nil, "vol-acme": {{Taken: march.Start, Usable: march.Start}}}
	in.Exclusions[0].Evidence, in.Exclusions[0].Layer = "sha256:0", "hardware"
	in.Supersedes, in.Why = "sha256:0", "late evidence"
	in.Incidents[0].ID, in.Incidents[0].Service = "secret-incident", "secret-service"
	r := compute(t, in)
	for _, rule := range []string{"credits", "effective", "expired", "no-evidence", "window", "other"} {
		r.Report.Findings = append(r.Report.Findings, recompute.Finding{Path: "x", Rule: rule, Severity: opsec.SeverityHigh, Text: "y"})
	}
	return r
}

// In no form of a customer's document is a byte of what the customer may not see: each text of the report in turn is a secret.
func TestSecretsOfTheProvider(t *testing.T) {
	want, found := map[string]bool{}, map[string]bool{}
	for _, list := range shown {
		for _, path := range list {
			require.False(t, want[path], path)
			want[path] = true
		}
	}
	texted(reflect.TypeFor[recompute.Report](), "", found)
	require.Equal(t, want, found, "each text of a report is one of the three")

	r := eventful(t)
	var planted []string
	leaves(reflect.ValueOf(r.Report), "", func(path string, text reflect.Value) {
		if !slices.Contains(shown["all"], path) {
			planted = append(planted, path)
			text.SetString(fmt.Sprintf("secret-%s-", path))
		}
	})
	for _, path := range slices.Concat(shown["text"], shown["none"]) {
		if path != "Services.Credits.Why" && path != "Exclusions.Exclusion.Services" { // nothing has cut a credit; who asked is not in the JSON
			require.Contains(t, planted, path, "the report is not of use here")
		}
	}
	r.Report.Services[0].Credits[0].Why = "secret-Services.Credits.Why-"
	secret := regexp.MustCompile(`secret-[A-Za-z.]*`)
	told := func(c document.Customer) map[string]bool {
		d, err := r.Customer(c)
		require.NoError(t, err)
		out := map[string]bool{}
		for _, text := range []string{html(t, d), markdown(t, d), data(t, d), d.Title()} {
			for _, s := range secret.FindAllString(text, -1) {
				out[strings.TrimPrefix(s, "secret-")] = true
			}
		}
		return out
	}
	withheld := document.Customer{Tenant: "acme", Withhold: func(s string) bool { return strings.Contains(s, "secret") }}
	require.Empty(t, told(withheld))
	all := map[string]bool{"incident": true, "service": true}
	for _, path := range shown["text"] {
		all[path] = true
	}
	require.Equal(t, all, told(document.Customer{Tenant: "acme"}), "nothing else is withheld")
	require.Equal(t, all, told(document.Customer{Tenant: "acme", Owns: func(string) bool { return false }}))
	all["Services.Objectives.Worst.Resource"], all["Exposures.Source"], all["Services.Objectives.Worst.Figure.Verdict"] = true, true, true
	require.Equal(t, all, told(document.Customer{Tenant: "acme", Owns: func(string) bool { return true }}))
	for _, text := range []string{html(t, provider(t, r)), markdown(t, provider(t, r)), data(t, provider(t, r))} {
		for _, path := range []string{"Exposures.Source", "Exclusions.Exclusion.Approved", "Services.Objectives.Worst.Resource", "Findings.Text"} {
			require.Contains(t, text, "secret-"+path)
		}
	}
}

// Why an exclusion does not hold quotes what was claimed of it.
func TestALayerThatIsNoneIsNotQuoted(t *testing.T) {
	in := input(t)
	in.Agreement.Exclusions[0].Category = sla.CustomerAct
	in.Exclusions[0].Layer = "rack of globex"
	r := compute(t, in)
	require.Contains(t, r.Report.Exclusions[0].Why, "rack of globex")
	d, err := r.Customer(document.Customer{Tenant: "acme"})
	require.NoError(t, err)
	for _, text := range []string{html(t, d), markdown(t, d), data(t, d)} {
		require.NotContains(t, text, "rack of globex")
	}
	require.Contains(t, markdown(t, d), "2 texts are withheld.")
}

// Whoever hands over all incidents there are shows those that the report cites, as they were known then, and no others.
func TestOnlyIncidentsThatAreCitedAreShown(t *testing.T) {
	in := input(t)
	in.AsOf = at("2026-03-17T02:00:00+01:00")
	r := compute(t, in)
	in.Incidents = append(in.Incidents,
		response.Incident{ID: "OF-FEBRUARY", Occurred: at("2026-02-20T00:00:00+01:00"), Reported: at("2026-02-20T00:00:00+01:00"), Accepted: at("2026-02-20T00:00:00+01:00")},
		response.Incident{ID: "OF-APRIL", Occurred: at("2026-04-20T00:00:00+02:00")}, in.Incidents[0])
	r.Incidents = in.Incidents
	customer, err := r.Customer(document.Customer{Tenant: "acme"})
	require.NoError(t, err)
	for _, d := range []*document.Document{customer, provider(t, r)} {
		for _, text := range []string{html(t, d), markdown(t, d), data(t, d)} {
			for _, id := range []string{"OF-FEBRUARY", "OF-APRIL", "SEC-7"} {
				require.NotContains(t, text, id)
			}
		}
		require.Contains(t, markdown(t, d), "- INC-1041 high: 2026-03-17 01:00, storage, accepted after 6 min, not restored yet\n")
	}
	require.NotContains(t, data(t, customer), "resolved\": \"2026-03-18")
	require.NotContains(t, data(t, customer), "restored\": \"2026-03-17")
	require.Len(t, r.Incidents, 6, "what was handed over is as it was")
}

func TestRecoveryPoints(t *testing.T) {
	in := input(t)
	in.Points = map[string][]metric.Point{"vol-none": nil, "vol-kept": {}, "vol-late": {{Taken: march.Start, Usable: march.Start}}}
	for at := march.Start - 3_600_000; at < march.End; at += 86_400_000 {
		in.Points["vol-kept"] = append(in.Points["vol-kept"], metric.Point{Taken: at, Usable: at})
	}
	r := compute(t, in)
	md := markdown(t, provider(t, r))
	require.Contains(t, md, "> **2 of 3 sources of backups missed the recovery point.**")
	require.Contains(t, md, "## Recovery points of backups\n\n| Source | Promised (RPO) | Would have been lost, at most | More than promised for | No recovery point for | Verdict |\n|---|---:|---:|---:|---:|---|\n"+
		"| `vol-none` | 1 d | all | 30 d 23 h | 30 d 23 h | **breach** |\n| `vol-late` | 1 d | 30 d 23 h | 29 d 23 h | 0 s | **breach** |\n| `vol-kept` | 1 d | 1 d | 0 s | 0 s | met |\n")
	d, err := r.Customer(document.Customer{Tenant: "acme", Owns: func(r string) bool { return r == "vol-kept" }})
	require.NoError(t, err)
	require.Contains(t, markdown(t, d), "`vol-kept`")
	require.NotContains(t, markdown(t, d), "recovery point.")
	in.AsOf = time.UnixMilli(march.End - 1)
	require.Contains(t, markdown(t, provider(t, compute(t, in))), "| `vol-kept` | 1 d | 1 d | 0 s | 0 s | **undecided** |", "its last day may be worse")
	in.AsOf = time.UnixMilli(march.End)
	require.Contains(t, markdown(t, provider(t, compute(t, in))), "| `vol-kept` | 1 d | 1 d | 0 s | 0 s | met |")
	delete(in.Points, "vol-none")
	require.Contains(t, markdown(t, provider(t, compute(t, in))), "> **1 of 2 sources of backups missed the recovery point.**")
	in.Points = nil
	require.NotContains(t, markdown(t, provider(t, compute(t, in))), "Recovery points")
	in.Points = map[string][]metric.Point{}
	for i := range 51 {
		in.Points[fmt.Sprint("vol-", i)] = nil
	}
	require.Contains(t, markdown(t, provider(t, compute(t, in))), "1 more is left out here")
}
