package comparison_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
)

// sample reads one of the agreements of package sla.
func sample(t testing.TB, name string) *sla.Agreement {
	t.Helper()
	text, err := os.ReadFile("../testdata/" + name + ".yaml")
	require.NoError(t, err)
	a, err := sla.Parse(text)
	require.NoError(t, err)
	require.NoError(t, a.Validate())
	return a
}

func of(s string) ratio.Ratio {
	r, err := ratio.Parse(s)
	if err != nil {
		panic(err)
	}
	return r
}

func hours(h float64) metric.Duration { return metric.Duration(h * float64(time.Hour)) }

// full returns an agreement in which every field says something.
func full(t testing.TB) *sla.Agreement {
	a := sample(t, "iaas")
	a.Profiles = []string{"baseline"}
	a.Services[0].Objectives[0].Good = of("99%")
	for i := range a.Services {
		for j := range a.Services[i].Objectives {
			o := &a.Services[i].Objectives[j]
			o.Least, o.Run, o.Empty = 10, 2, metric.EmptyGood
		}
	}
	a.Services[0].Objectives[1].Slice = hours(1)
	office := calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(8, 0)), Holidays: []calendar.Holiday{
		{Name: "New Year", On: "01-01", Days: 1},
		{Name: "Christmas Eve", On: "12-24", Days: 1, Open: []calendar.Span{{Start: calendar.Clock(9, 0), End: calendar.Clock(12, 0)}}}}}
	for _, list := range [][]response.Target{a.Clause.Continuity.Recovery, a.Clause.Emergency.Targets, a.Clause.Monitoring.Notification} {
		p := office
		p.Hours, p.Holidays = slices.Clone(p.Hours), slices.Clone(p.Holidays)
		p.Holidays[1].Open = slices.Clone(p.Holidays[1].Open)
		list[0].Hours = &p
	}
	a.Clause.Emergency.Hours = office
	c := &a.Credits[0]
	c.Group, c.Minimum, c.Rounding = "g", "1.00 EUR", credit.HalfUp
	a.Exclusions[0].Services = []string{"compute"}
	keep := hours(24)
	a.Clause.Data.Compliance[1].KeepLeast = &keep
	a.Clause.Continuity.Recovery[1].Each, a.Clause.Emergency.Targets[3].Each = hours(8), hours(48)
	for _, list := range [][]response.Target{a.Clause.Continuity.Recovery, a.Clause.Emergency.Targets, a.Clause.Monitoring.Notification} {
		for i := range list {
			list[i].Mean = list[i].Each / 4
		}
	}
	a.Clause.Data.Encryption[0].Protection = "a safe"
	d, m := a.Clause.Data, a.Clause.Measures
	for _, s := range []*sla.Statement{d.Physical, d.Medium, d.Access, d.Operations, m.Virtualization, m.Isolation, m.Privileged,
		m.Authentication, m.Traffic, m.Malware, m.Patches, a.Clause.Certification.Training} {
		within := hours(24)
		s.Scope, s.Controls, s.Within = []string{"hardware"}, []string{"control"}, &within
	}
	a.History = []sla.Change{{Paths: []string{"grade"}}}
	return a
}

// silent are paths of what is no promise, by the names of fields: doc.go lists them.
var silent = []string{
	"schema", "id", "version", "title", "effective", "expires", "grade", "zone", "currency",
	"parties[].role", "parties[].name", "parties[].tenant", "parties[].contact", "parties[].publicKey",
	"services[].title", "services[].dependsOn[]", "services[].objectives[].title", "responsibilities.model",
	"exclusions[].id", "credits[].id", "credits[].source",
	"clause.continuity.recovery[].id", "clause.emergency.targets[].id", "clause.monitoring.notification[].id",
	"clause.emergency.hotline", "clause.documents.where",
	"history[].version", "history[].by", "history[].person", "history[].time", "history[].paths[]", "history[].text", "history[].agreed",
	"history[].answered", "history[].answerBy", "history[].answerer", "history[].answer", "history[].from", "history[].to",
}

// quiet are values of the sample that only matter beside others: slices are good or bad by method slices alone, and the id of an
// objective is asked for by credits. Names of holidays are of no promise.
var quiet = regexp.MustCompile(`^services\[(0\]\.objectives\[1|1\]\.objectives\[0)\]\.(good|id)$|\.holidays\[\d+\]\.name$`)

// leaves returns the paths of all values that a type may hold, as visits of TestEveryFieldIsComparedOrSaidToBeNone see them.
func leaves(t reflect.Type, path string) (out []string) {
	switch t {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[ratio.Ratio](), reflect.TypeFor[calendar.Shift](), reflect.TypeFor[calendar.Span]():
		return []string{path}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return leaves(t.Elem(), path)
	case reflect.Slice:
		return leaves(t.Elem(), path+"[]")
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, leaves(f.Type, strings.TrimPrefix(path+"."+name, "."))...)
		}
		return out
	}
	return []string{path}
}

// TestEveryFieldIsComparedOrSaidToBeNone changes each value of an agreement by itself: it must be a difference, unless it is
// listed as no promise, and then it must be none. A field that is new in package sla, or that the agreement of this test
// leaves empty, makes it fail.
func TestEveryFieldIsComparedOrSaidToBeNone(t *testing.T) {
	base := full(t)
	paths := map[string]bool{}
	var visit func(v reflect.Value, path string, changed *sla.Agreement)
	check := func(path string, changed *sla.Agreement) {
		field := regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[]")
		paths[field] = true
		list, back := comparison.Compare(base, changed), comparison.Compare(changed, base)
		require.Len(t, back, len(list), "%s: %v %v", path, list, back)
		require.Equal(t, comparison.Overall(list), comparison.Overall(back).Reverse(), path)
		if slices.Contains(silent, field) || quiet.MatchString(path) {
			require.Empty(t, list, path)
			return
		}
		require.NotEmpty(t, list, "%s: no difference", path)
		for _, d := range list {
			require.NotEmpty(t, d.Reason, "%s", path)
			require.NotEmpty(t, d.Clause, "%s", path)
			require.NotEqual(t, d.A, d.B, "%s", path)
			require.NotEqual(t, comparison.Equal, d.Verdict, "%s", path)
		}
	}
	visit = func(v reflect.Value, path string, changed *sla.Agreement) {
		set := func(n any) {
			old := reflect.ValueOf(v.Interface())
			v.Set(reflect.ValueOf(n).Convert(v.Type()))
			check(path, changed)
			v.Set(old)
		}
		switch x := v.Interface().(type) {
		case time.Time:
			set(x.Add(1))
			return
		case ratio.Ratio:
			n, _ := ratio.New(max(x.Num(), 1), x.Den()+1)
			set(n)
			return
		case metric.Duration:
			set(x + metric.Duration(15*time.Minute))
			return
		case calendar.Shift:
			x.Span.End -= 600
			set(x)
			return
		case calendar.Span:
			x.End -= 600
			set(x)
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				visit(v.Elem(), path, changed)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				visit(v.Field(i), strings.TrimPrefix(path+"."+name, "."), changed)
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i), fmt.Sprintf("%s[%d]", path, i), changed)
			}
		case reflect.String:
			set(v.String() + "x")
		case reflect.Bool:
			set(!v.Bool())
		case reflect.Int:
			set(v.Int() + 1)
		case reflect.Uint64:
			set(v.Uint() + 1)
		default:
			t.Fatalf("%s: a %v is not looked at by this test", path, v.Type())
		}
	}
	changed := full(t)
	visit(reflect.ValueOf(changed).Elem(), "", changed)
	for _, path := range leaves(reflect.TypeFor[sla.Agreement](), "") {
		if !paths[path] {
			fmt.Println("UNVISITED", path)
		}
	}
	require.Empty(t, comparison.Compare(base, changed), "the test puts everything back")
}

// TestTheSameInOtherUnitsIsEqual reads the sample with other words for the same: units, fractions, times of another zone, and what
// is so by default.
func TestTheSameInOtherUnitsIsEqual(t *testing.T) {
	text, err := os.ReadFile("../testdata/iaas.yaml")
	require.NoError(t, err)
	for old, again := range map[string]string{
		"target: 99.99%":                      "target: 0.9999",
		"target: 99.9%":                       "target: 999/1000",
		"share: 95%":                          "share: 19/20",
		"mean: 30m, each: 2h":                 "mean: 0.5h, each: 7200s",
		"rpo: 15m, rto: 4h":                   "rpo: 900000ms, rto: 240m",
		"2027-09-30T00:00:00Z":                "2027-09-30T02:00:00+02:00",
		"{below: 99.99%, credit: 10%}":        "{below: 19998/20000, credit: 0.1}",
		"minConsecutive: 1":                   "partial: bad",
		"mean: 1h, each: 4h":                  "mean: 1h, each: 4h, share: 100%",
		"each: 15m}":                          "each: 15m, hours: {zone: Asia/Tokyo, hours: ['Mon-Sun 00:00-24:00']}}",
		"regions: [eu-central]":               "regions: [eu-central, eu-central]",
		"law: [DE, EU]":                       "law: [EU, DE]",
		"controls: [rbac, least-privilege]":   "controls: [least-privilege, rbac]",
		"text: \"Role-based, least privilege": "text: \"Role-based,  least\\n privilege",
	} {
		require.Contains(t, string(text), old)
		b, err := sla.Parse([]byte(strings.Replace(string(text), old, again, 1)))
		require.NoError(t, err, again)
		a := sample(t, "iaas")
		require.Empty(t, comparison.Compare(a, b), again)
		require.Empty(t, comparison.Compare(b, a), again)
	}
}

// change is one change of the sample of IaaS, and what it comes to.
type change struct {
	name    string
	do      func(*sla.Agreement)
	path    string
	verdict comparison.Verdict
}

func changes() []change {
	const stronger, weaker, incomparable = comparison.Stronger, comparison.Weaker, comparison.Incomparable
	objective := func(do func(*metric.Objective)) func(*sla.Agreement) {
		return func(a *sla.Agreement) { do(&a.Services[0].Objectives[0]) }
	}
	target := func(i int, do func(*response.Target)) func(*sla.Agreement) {
		return func(a *sla.Agreement) { do(&a.Clause.Emergency.Targets[i]) }
	}
	requests := func(do func(*metric.Objective)) func(*sla.Agreement) { // without credits, which are of the fee of a window
		return func(a *sla.Agreement) { do(&a.Services[1].Objectives[0]) }
	}
	const region, storage, accept = "services[id=compute].objectives[id=compute-region]", "services[id=storage].objectives[id=storage-requests]", "clause.emergency.targets[id=accept-all]"
	return []change{
		{"a unit below", objective(func(o *metric.Objective) { o.Target = of("999899999/1000000000") }), region + ".target", weaker},
		{"a unit above", objective(func(o *metric.Objective) { o.Target = of("999900001/1000000000") }), region + ".target", stronger},
		{"of a year", requests(func(o *metric.Objective) { o.Window.Calendar = "year" }), storage + ".window", weaker},
		{"of a day", requests(func(o *metric.Objective) { o.Window.Calendar = "day" }), storage + ".window", stronger},
		{"of a week", requests(func(o *metric.Objective) { o.Window.Calendar = "week" }), storage + ".window", incomparable},
		{"of another zone", requests(func(o *metric.Objective) { o.Window.Zone = "" }), storage + ".window", incomparable},
		{"rolling", requests(func(o *metric.Objective) { o.Window = metric.Window{Rolling: hours(720)} }), storage + ".window", incomparable},
		{"of a year, with credits", objective(func(o *metric.Objective) { o.Window.Calendar = "year" }), "credits[id=compute-credit].objective.window", incomparable},
		{"empty slices", requests(func(o *metric.Objective) { o.Empty = "" }), storage + ".empty", stronger},
		{"empty slices are left out", requests(func(o *metric.Objective) { o.Empty = metric.EmptySkip }), storage + ".empty", stronger},
		{"more slices are empty", requests(func(o *metric.Objective) { o.Least = 10 }), storage + ".minRequests", weaker},
		{"one request is enough anyway", requests(func(o *metric.Objective) { o.Least = 1 }), "", comparison.Equal},
		{"runs of two", objective(func(o *metric.Objective) { o.Run = 2 }), region + ".minConsecutive", weaker},
		{"no run", objective(func(o *metric.Objective) { o.Run = 0 }), "", comparison.Equal},
		{"partial slices", objective(func(o *metric.Objective) { o.Partial = metric.PartialGood }), region + ".partial", weaker},
		{"partial slices said", objective(func(o *metric.Objective) { o.Partial = metric.PartialBad }), "", comparison.Equal},
		{"degraded", objective(func(o *metric.Objective) { o.Degraded = metric.DegradedUp }), region + ".degraded", weaker},
		{"slices", objective(func(o *metric.Objective) { o.Slice = hours(0.25) }), region + ".slice", incomparable},
		{"method", objective(func(o *metric.Objective) { o.Method, o.Slice, o.Run = metric.Time, 0, 0 }), region + ".method", incomparable},
		{"by requests", objective(func(o *metric.Objective) { o.Good = of("99%") }), region + ".method", incomparable},
		{"scope", objective(func(o *metric.Objective) { o.Scope = "zone" }), region + ".scope", incomparable},
		{"another name", objective(func(o *metric.Objective) { o.ID, o.Title = "x", "y" }), "credits[id=compute-credit]", incomparable},
		{"no objective", func(a *sla.Agreement) { a.Services[0].Objectives = a.Services[0].Objectives[:1] }, "services[id=compute].objectives[id=compute-vm]", weaker},
		{"another service", func(a *sla.Agreement) { a.Services = append(a.Services, sla.Service{ID: "x"}) }, "services[id=x]", stronger},
		{"resources", func(a *sla.Agreement) { a.Services[0].Resources = []string{"vm-*", "x"} }, "services[id=compute].resources", incomparable},

		{"longer", target(1, func(x *response.Target) { x.Each += 1 }), accept + ".each", weaker},
		{"share", target(1, func(x *response.Target) { x.Share = "99%" }), accept + ".share", stronger},
		{"all of them", target(1, func(x *response.Target) { x.Share = "" }), accept + ".share", stronger},
		{"severity", target(0, func(x *response.Target) { x.Severity = "high" }), "clause.emergency.targets[id=accept-critical].severity", incomparable},
		{"no mean", target(1, func(x *response.Target) { x.Mean = 0 }), accept, weaker},
		{"a mean that each keeps", target(0, func(x *response.Target) { x.Mean = x.Each }), "", comparison.Equal},
		{"a mean that is more", target(0, func(x *response.Target) { x.Mean = x.Each - 1 }), "clause.emergency.targets[id=accept-critical]", stronger},
		{"hours of its own", target(0, func(x *response.Target) {
			x.Hours = &calendar.Policy{Zone: "UTC", Hours: calendar.FiveByEight(calendar.Clock(9, 0))}
		}), "clause.emergency.targets[id=accept-critical].hours", weaker},
		{"7x24 of its own", target(0, func(x *response.Target) { x.Hours = &calendar.Policy{Zone: "UTC", Hours: calendar.AlwaysOn()} }), "", comparison.Equal},

		{"notice", func(a *sla.Agreement) { a.Exclusions[0].Notice-- }, "exclusions[id=planned].notice", weaker},
		{"unbounded", func(a *sla.Agreement) { a.Exclusions[0].Longest = 0 }, "exclusions[id=planned].longest", weaker},
		{"bounded", func(a *sla.Agreement) { a.Exclusions[1].Yearly = 1 }, "exclusions[id=majeure].yearly", stronger},
		{"approver", func(a *sla.Agreement) { a.Exclusions[1].Approver = "x" }, "exclusions[id=majeure].approver", stronger},
		{"other approver", func(a *sla.Agreement) { a.Exclusions[0].Approver = "x" }, "exclusions[id=planned].approver", incomparable},
		{"fewer services", func(a *sla.Agreement) { a.Exclusions[1].Services = []string{"compute"} }, "exclusions[id=majeure].services", stronger},
		{"words", func(a *sla.Agreement) { a.Exclusions[1].Text = "War" }, "exclusions[id=majeure].text", incomparable},
		{"no words", func(a *sla.Agreement) { a.Exclusions[1].Text = "" }, "exclusions[id=majeure].text", incomparable},
		{"spaces", func(a *sla.Agreement) {
			a.Exclusions[1].Text = "\n  " + strings.ReplaceAll(a.Exclusions[1].Text, " ", "  ")
		}, "", comparison.Equal},
		{"twice, with a bound of its own", func(a *sla.Agreement) { a.Exclusions = append(a.Exclusions, a.Exclusions[0]) }, "exclusions[id=planned]", weaker},

		{"a band", func(a *sla.Agreement) { a.Credits[0].Bands[1].Below = of("99.1%") }, "credits[id=compute-credit].bands", stronger},
		{"a credit", func(a *sla.Agreement) { a.Credits[0].Bands[1].Credit = of("29%") }, "credits[id=compute-credit].bands", weaker},
		{"a band up, a credit down", func(a *sla.Agreement) { a.Credits[0].Bands[1] = credit.Band{Below: of("99.1%"), Credit: of("29%")} }, "credits[id=compute-credit].bands", incomparable},
		{"a band that changes nothing", func(a *sla.Agreement) {
			a.Credits[0].Bands = append(a.Credits[0].Bands, credit.Band{Below: of("50%"), Credit: of("100%")})
		}, "", comparison.Equal},
		{"cap", func(a *sla.Agreement) { a.Credits[0].Cap = of("50%") }, "credits[id=compute-credit].cap", weaker},
		{"no cap", func(a *sla.Agreement) { a.Credits[0].Cap = ratio.Ratio{} }, "", comparison.Equal},
		{"minimum", func(a *sla.Agreement) { a.Credits[0].Minimum = "1.00 EUR" }, "credits[id=compute-credit].minimum", weaker},
		{"claim", func(a *sla.Agreement) { a.Credits[0].Claim-- }, "credits[id=compute-credit].claim", weaker},
		{"no claim", func(a *sla.Agreement) { a.Credits[0].Claim = 0 }, "credits[id=compute-credit].claim", stronger},
		{"a month for 30 days", func(a *sla.Agreement) { a.Credits[0].Claim, a.Credits[0].Months = 0, 1 }, "credits[id=compute-credit].claim", incomparable},
		{"two months for 30 days", func(a *sla.Agreement) { a.Credits[0].Claim, a.Credits[0].Months = 0, 2 }, "credits[id=compute-credit].claim", stronger},
		{"rounding", func(a *sla.Agreement) { a.Credits[0].Rounding = credit.Down }, "credits[id=compute-credit].rounding", weaker},
		{"group", func(a *sla.Agreement) { a.Credits[0].Group = "x" }, "credits[id=compute-credit].group", weaker},
		{"twice", func(a *sla.Agreement) { a.Credits = append(a.Credits, a.Credits[0]) }, "credits[id=compute-credit]", stronger},
		{"provider's liability", func(a *sla.Agreement) { a.Liabilities = a.Liabilities[1:] }, "liabilities[party=CSP]", weaker},
		{"customer's liability", func(a *sla.Agreement) { a.Liabilities = a.Liabilities[:1] }, "liabilities[party=CSC]", stronger},

		{"guest", func(a *sla.Agreement) { a.Responsibilities.Assignments[4].Party = "CSC" }, "responsibilities.assignments[layer=guest-os].party", weaker},
		{"nobody", func(a *sla.Agreement) { a.Responsibilities.Assignments[9].Party = "" }, "responsibilities.assignments[layer=terminal].party", incomparable},
		{"region", func(a *sla.Agreement) { a.Regions = append(a.Regions, "x") }, "regions", incomparable},

		{"key length", func(a *sla.Agreement) { a.Clause.Data.Encryption[0].Algorithm = "AES-128-GCM" }, "clause.data.encryption[phase=at-rest,data=volumes and their backups].algorithm", weaker},
		{"cipher", func(a *sla.Agreement) { a.Clause.Data.Encryption[0].Algorithm = "AES-128-CBC" }, "clause.data.encryption[phase=at-rest,data=volumes and their backups].algorithm", incomparable},
		{"version", func(a *sla.Agreement) { a.Clause.Data.Encryption[1].Algorithm = "TLS 1.2" }, "clause.data.encryption[phase=in-motion,data=API and replication traffic].algorithm", weaker},
		{"or", func(a *sla.Agreement) { a.Clause.Data.Encryption[1].Algorithm = "TLS 1.2 or 1.3" }, "clause.data.encryption[phase=in-motion,data=API and replication traffic].algorithm", incomparable},
		{"not encrypted", func(a *sla.Agreement) {
			a.Clause.Data.Encryption[0] = sla.Encryption{Data: "volumes and their backups", Phase: sla.AtRest, Protection: "walls", KeyOwner: "customer"}
		}, "clause.data.encryption[phase=at-rest,data=volumes and their backups].algorithm", weaker},
		{"physical", func(a *sla.Agreement) { a.Clause.Data.Isolation.Kind = "physical" }, "clause.data.isolation.kind", stronger},
		{"nothing is lost", func(a *sla.Agreement) { *a.Clause.Data.Backup.RPO = 0 }, "clause.data.backup.rpo", stronger},
		{"anything is lost", func(a *sla.Agreement) { a.Clause.Data.Backup.RPO = nil }, "clause.data.backup.rpo", weaker},
		{"no time to recover", func(a *sla.Agreement) { a.Clause.Data.Backup.RTO = 0 }, "clause.data.backup.rto", weaker},
		{"retention", func(a *sla.Agreement) { a.Clause.Data.Backup.Retention++ }, "clause.data.backup.retention", stronger},
		{"copies", func(a *sla.Agreement) { a.Clause.Data.Backup.OffSite = 0 }, "clause.data.backup.offSite", weaker},
		{"auditors", func(a *sla.Agreement) { a.Clause.Audit.By = "internal" }, "clause.audit.by", weaker},
		{"no element", func(a *sla.Agreement) { a.Clause.Audit = nil }, "clause.audit", weaker},
		{"scope of patches", func(a *sla.Agreement) { a.Clause.Measures.Patches.Scope = nil }, "clause.measures.patches.scope", stronger},
		{"patches at no time", func(a *sla.Agreement) { a.Clause.Measures.Patches.Within = nil }, "clause.measures.patches.within", weaker},
		{"portal", func(a *sla.Agreement) { a.Clause.Documents.Where = "https://example.com" }, "", comparison.Equal},
		{"no portal", func(a *sla.Agreement) { a.Clause.Documents.Where = "" }, "clause.documents.where", weaker},
		{"5x8", func(a *sla.Agreement) {
			a.Clause.Emergency.Hours = calendar.Policy{Zone: "UTC", Hours: calendar.FiveByEight(0)}
		}, "clause.emergency.hours", weaker},
	}
}

func TestChangesByTerm(t *testing.T) {
	for _, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			a, b := sample(t, "iaas"), sample(t, "iaas")
			c.do(b)
			list := comparison.Compare(a, b)
			require.Equal(t, c.verdict, comparison.Overall(list), "%v", list)
			back := comparison.Compare(b, a)
			require.Equal(t, c.verdict.Reverse(), comparison.Overall(back), "%v", back)
			if c.path == "" {
				require.Empty(t, list)
				return
			}
			var found bool
			for _, d := range list {
				found = found || strings.HasPrefix(d.Path, c.path)
			}
			require.True(t, found, "%s is not in %v", c.path, list)
		})
	}
}
