package sla_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
)

const hour = metric.Duration(time.Hour)

// list returns faults as "path rule".
func list(err error) []string {
	out := []string{}
	for _, f := range sla.Faults(err) {
		out = append(out, f.Path+" "+string(f.Rule))
	}
	return out
}

func TestTheSamplesAreValid(t *testing.T) {
	for _, name := range []string{"iaas", "saas"} {
		require.NoError(t, sample(t, name).Validate(), name)
	}
}

func TestAnEmptyAgreementMissesEverything(t *testing.T) {
	require.Equal(t, strings.Split(strings.TrimSpace(`
schema invalid
id missing
version invalid
effective missing
parties missing
parties missing
regions missing
law missing
zone invalid
services missing
model invalid
responsibilities.model responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
responsibilities.assignments responsible
clause.continuity missing
clause.data missing
clause.emergency missing
clause.measures missing
clause.audit missing
clause.monitoring missing
clause.certification missing
clause.documents missing
liabilities missing
liabilities missing`), "\n"), list(new(sla.Agreement).Validate()))
}

func TestEachElementOfTheClauseIsAskedFor(t *testing.T) {
	for _, want := range []string{"continuity", "data", "emergency", "measures", "audit", "monitoring", "certification", "documents"} {
		a := sample(t, "iaas")
		drop(a, "clause."+want)
		require.Equal(t, []string{"clause." + want + " missing"}, list(a.Validate()))
	}
	for _, want := range []string{"physical", "medium", "access", "isolation", "deletion", "backup", "operations"} {
		a := sample(t, "iaas")
		drop(a, "clause.data."+want)
		require.Equal(t, []string{"clause.data." + want + " missing"}, list(a.Validate()))
		require.Equal(t, "clause 7.2.2.2 asks for it", sla.Faults(a.Validate())[0].Text)
	}
	for _, want := range []string{"virtualization", "isolation", "privileged", "authentication", "traffic", "malware", "patches"} {
		a := sample(t, "iaas")
		drop(a, "clause.measures."+want)
		require.Equal(t, []string{"clause.measures." + want + " missing"}, list(a.Validate()))
		require.Equal(t, "clause 7.2.2.4 asks for it", sla.Faults(a.Validate())[0].Text)
	}
}

// drop sets a field to nothing.
func drop(a *sla.Agreement, path string) {
	v := reflect.ValueOf(a)
	for part := range strings.SplitSeq(path, ".") {
		v = reflect.Indirect(v)
		for f := range v.Type().Fields() {
			if n, _, _ := strings.Cut(f.Tag.Get("json"), ","); n == part {
				v = v.FieldByIndex(f.Index)
				break
			}
		}
	}
	v.SetZero()
}

func TestFaultsHaveTheirPaths(t *testing.T) {
	day := 24 * hour
	for want, change := range map[string]func(a *sla.Agreement){
		"id invalid":                           func(a *sla.Agreement) { a.ID = "a b" },
		"regions[0] missing":                   func(a *sla.Agreement) { a.Regions[0] = "" },
		"services[0].objectives[1].id invalid": func(a *sla.Agreement) { a.Services[0].Objectives[1].ID = "a\u00a0b" },
		"services[0].objectives[1].id missing": func(a *sla.Agreement) { a.Services[0].Objectives[1].ID = "" },
		"credits[0].id invalid":                func(a *sla.Agreement) { a.Credits[0].ID = strings.Repeat("x", 129) },
		"version invalid":                      func(a *sla.Agreement) { a.Version = -1 },
		"history missing":                      func(a *sla.Agreement) { a.Version = 2 },
		"expires contradiction":                func(a *sla.Agreement) { a.Expires = a.Effective },
		"effective invalid|expires contradiction|clause.certification.held[0].expires contradiction": func(a *sla.Agreement) { a.Effective = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"parties[0].role invalid": func(a *sla.Agreement) {
			a.Parties = append(a.Parties[:1:1], a.Parties...)
			a.Parties[0] = sla.Party{Role: opsec.Both, Name: "x", Contact: "x"}
		},
		"parties[1].name duplicate":    func(a *sla.Agreement) { a.Parties[1].Name = a.Parties[0].Name },
		"parties[1].name missing":      func(a *sla.Agreement) { a.Parties[1].Name = " " },
		"parties[1].contact missing":   func(a *sla.Agreement) { a.Parties[1].Contact = "" },
		"parties[1].tenant invalid":    func(a *sla.Agreement) { a.Parties[1].Tenant = "@provider" },
		"parties[0].tenant invalid":    func(a *sla.Agreement) { a.Parties[0].Tenant = "acme" },
		"parties[0].publicKey invalid": func(a *sla.Agreement) { a.Parties[0].PublicKey = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" },
		"parties missing":              func(a *sla.Agreement) { a.Parties = a.Parties[1:] },
		"title invalid":                func(a *sla.Agreement) { a.Title = "a\u202eb" },
		"services[1].title invalid":    func(a *sla.Agreement) { a.Services[1].Title = "\xff" },
		"law[0] invalid|clause.data.compliance[0].law unknown|clause.data.compliance missing": func(a *sla.Agreement) { a.Law[0] = "Germany" },
		"zone invalid":     func(a *sla.Agreement) { a.Zone = "Local" },
		"currency invalid": func(a *sla.Agreement) { a.Currency = "eur" },
		"services[1].id duplicate|services[0].dependsOn[0] unknown":                              func(a *sla.Agreement) { a.Services[1].ID = "compute" },
		"services[0].resources[0] invalid":                                                       func(a *sla.Agreement) { a.Services[0].Resources[0] = "[" },
		"services[0].objectives missing|credits[0].objective unknown":                            func(a *sla.Agreement) { a.Services[0].Objectives = nil },
		"services[1].objectives[0].id duplicate":                                                 func(a *sla.Agreement) { a.Services[1].Objectives[0].ID = "compute-vm" },
		"services[0].dependsOn[0] unknown":                                                       func(a *sla.Agreement) { a.Services[0].DependsOn[0] = "x" },
		"services[1].dependsOn[0] contradiction":                                                 func(a *sla.Agreement) { a.Services[1].DependsOn = []string{"compute"} },
		"services[0].dependsOn[0] contradiction":                                                 func(a *sla.Agreement) { a.Services[0].DependsOn = []string{"compute"} },
		"responsibilities.model contradiction|responsibilities.assignments[5].party responsible": func(a *sla.Agreement) { a.Responsibilities.Model = opsec.PaaS },
		"responsibilities.assignments[9].party responsible":                                      func(a *sla.Agreement) { a.Responsibilities.Assignments[9].Party = opsec.CSP },
		"clause.continuity.recovery missing":                                                     func(a *sla.Agreement) { a.Clause.Continuity.Recovery = nil },
		"clause.continuity.recovery[0] unmeasurable":                                             func(a *sla.Agreement) { r := &a.Clause.Continuity.Recovery[0]; r.Mean, r.Each = 0, 0 },
		"clause.continuity.recovery[1].measure invalid":                                          func(a *sla.Agreement) { a.Clause.Continuity.Recovery[1].Measure = "acceptance" },
		"clause.continuity.disaster missing":                                                     func(a *sla.Agreement) { a.Clause.Continuity.Disaster = "\t" },
		"clause.emergency.targets[0].id duplicate":                                               func(a *sla.Agreement) { a.Clause.Emergency.Targets[0].ID = "recovery-all" },
		"clause.emergency.targets missing":                                                       func(a *sla.Agreement) { a.Clause.Emergency.Targets = a.Clause.Emergency.Targets[:2] },
		"services[0].dependsOn[1] duplicate":                                                     func(a *sla.Agreement) { a.Services[0].DependsOn = []string{"storage", "storage"} },
		"services[0].resources[1] duplicate":                                                     func(a *sla.Agreement) { a.Services[0].Resources = []string{"vm-*", "vm-*"} },
		"exclusions[0].services[1] duplicate":                                                    func(a *sla.Agreement) { a.Exclusions[0].Services = []string{"storage", "storage"} },
		"clause.measures.malware.controls[1] duplicate":                                          func(a *sla.Agreement) { a.Clause.Measures.Malware.Controls = []string{"x", "x"} },
		"clause.measures.malware.scope[1] duplicate":                                             func(a *sla.Agreement) { a.Clause.Measures.Malware.Scope = []string{"compute", "compute"} },
		"clause.measures.malware.within invalid":                                                 func(a *sla.Agreement) { d := -hour; a.Clause.Measures.Malware.Within = &d },
		"clause.measures.patches.interval invalid|clause.measures.patches unmeasurable":          func(a *sla.Agreement) { a.Clause.Measures.Patches.Interval = -1 },
		"clause.emergency.targets[1].share unmeasurable":                                         func(a *sla.Agreement) { a.Clause.Emergency.Targets[1].Share = "101%" },
		"clause.data.backup.onSite invalid|clause.data.backup.testEvery invalid":                 func(a *sla.Agreement) { b := a.Clause.Data.Backup; b.OnSite, b.OffSite, b.TestEvery = 3, -1, -1 },
		"clause.emergency.hours invalid":                                                         func(a *sla.Agreement) { a.Clause.Emergency.Hours.Zone = "nowhere" },
		"clause.emergency.hotline missing":                                                       func(a *sla.Agreement) { a.Clause.Emergency.Hotline = "" },
		"clause.emergency.hours missing":                                                         func(a *sla.Agreement) { a.Clause.Emergency.Hours.Hours = a.Clause.Emergency.Hours.Hours[:0] },
		"clause.measures.patches unmeasurable":                                                   func(a *sla.Agreement) { a.Clause.Measures.Patches.Within = nil },
		"clause.measures.malware.evidence unmeasurable":                                          func(a *sla.Agreement) { a.Clause.Measures.Malware.Evidence = "" },
		"clause.measures.malware.scope[0] unknown":                                               func(a *sla.Agreement) { a.Clause.Measures.Malware.Scope = []string{"x", "compute", "network"} },
		"clause.measures.malware.text missing":                                                   func(a *sla.Agreement) { a.Clause.Measures.Malware.Text = "" },
		"clause.measures.malware.interval invalid":                                               func(a *sla.Agreement) { a.Clause.Measures.Malware.Interval = -1 },
		"clause.data.encryption missing":                                                         func(a *sla.Agreement) { a.Clause.Data.Encryption = a.Clause.Data.Encryption[:2] },
		"clause.data.encryption[0].keyOwner missing":                                             func(a *sla.Agreement) { a.Clause.Data.Encryption[0].KeyOwner = "" },
		"clause.data.encryption[2].algorithm missing":                                            func(a *sla.Agreement) { a.Clause.Data.Encryption[2].Protection = "" },
		"clause.data.encryption[2].phase invalid|clause.data.encryption missing":                 func(a *sla.Agreement) { a.Clause.Data.Encryption[2].Phase = "idle" },
		"clause.data.isolation.kind invalid":                                                     func(a *sla.Agreement) { a.Clause.Data.Isolation.Kind = "spiritual" },
		"clause.data.deletion.beforeReuse invalid":                                               func(a *sla.Agreement) { a.Clause.Data.Deletion.BeforeReuse = false },
		"clause.data.deletion.within missing":                                                    func(a *sla.Agreement) { a.Clause.Data.Deletion.Within = 0 },
		"clause.data.backup.rpo missing":                                                         func(a *sla.Agreement) { a.Clause.Data.Backup.RPO = nil },
		"clause.data.backup.rpo invalid":                                                         func(a *sla.Agreement) { d := -hour; a.Clause.Data.Backup.RPO = &d },
		"clause.data.backup.rto missing":                                                         func(a *sla.Agreement) { a.Clause.Data.Backup.RTO = 0 },
		"clause.data.backup.onSite invalid":                                                      func(a *sla.Agreement) { a.Clause.Data.Backup.OnSite = -1 },
		"clause.data.backup.testEvery missing":                                                   func(a *sla.Agreement) { a.Clause.Data.Backup.TestEvery = 0 },
		"clause.data.backup.retention contradiction":                                             func(a *sla.Agreement) { a.Clause.Data.Backup.Retention = 366 * day },
		"clause.data.compliance contradiction":                                                   func(a *sla.Agreement) { d := 366 * day; a.Clause.Data.Compliance[0].KeepLeast = &d },
		"clause.data.compliance contradiction|clause.data.backup.retention contradiction": func(a *sla.Agreement) { // the longest of what must be kept, the shortest of what may
			long, day, short := 366*day, day, hour
			a.Clause.Data.Compliance[0].KeepLeast, a.Clause.Data.Compliance[1].KeepLeast = &day, &short
			a.Clause.Data.Compliance[0].KeepMost, a.Clause.Data.Compliance[1].KeepMost = &short, &long
		},
		"clause.data.compliance missing":                                         func(a *sla.Agreement) { a.Clause.Data.Compliance = a.Clause.Data.Compliance[:1] },
		"clause.data.compliance[1].law duplicate|clause.data.compliance missing": func(a *sla.Agreement) { a.Clause.Data.Compliance[1].Law = "DE" },
		"clause.data.compliance[0].correction missing":                           func(a *sla.Agreement) { a.Clause.Data.Compliance[0].Correction = "" },
		"clause.audit.by invalid":                                                func(a *sla.Agreement) { a.Clause.Audit.By = "nobody" },
		"clause.audit.every invalid":                                             func(a *sla.Agreement) { a.Clause.Audit.Every = -1 },
		"clause.audit.scope missing":                                             func(a *sla.Agreement) { a.Clause.Audit.Scope = nil },
		"clause.monitoring.objects missing":                                      func(a *sla.Agreement) { a.Clause.Monitoring.Objects = nil },
		"clause.monitoring.objects[0].trigger missing":                           func(a *sla.Agreement) { a.Clause.Monitoring.Objects[0].Trigger = "" },
		"clause.monitoring.objects[0].severity invalid":                          func(a *sla.Agreement) { a.Clause.Monitoring.Objects[0].Severity = "bad" },
		"clause.monitoring.notification missing":                                 func(a *sla.Agreement) { a.Clause.Monitoring.Notification = nil },
		"clause.monitoring.modes[1] duplicate":                                   func(a *sla.Agreement) { a.Clause.Monitoring.Modes[1] = "e-mail" },
		"clause.certification.held missing":                                      func(a *sla.Agreement) { a.Clause.Certification.Held = nil },
		"clause.certification.held[0].expires contradiction":                     func(a *sla.Agreement) { a.Clause.Certification.Held[0].Expires = a.Effective },
		"clause.certification.held[0].expires missing":                           func(a *sla.Agreement) { a.Clause.Certification.Held[0].Expires = time.Time{} },
		"clause.certification.training missing":                                  func(a *sla.Agreement) { a.Clause.Certification.Training = nil },
		"clause.documents.keep missing":                                          func(a *sla.Agreement) { a.Clause.Documents.Keep = 0 },
		"exclusions[1].id duplicate":                                             func(a *sla.Agreement) { a.Exclusions[1].ID = "planned" },
		"exclusions[1].category invalid":                                         func(a *sla.Agreement) { a.Exclusions[1].Category = "weather" },
		"exclusions[1].text missing":                                             func(a *sla.Agreement) { a.Exclusions[1].Text = "" },
		"exclusions[0].notice missing":                                           func(a *sla.Agreement) { a.Exclusions[0].Notice = 0 },
		"exclusions[0].yearly invalid":                                           func(a *sla.Agreement) { a.Exclusions[0].Yearly = -hour },
		"exclusions[0].longest invalid":                                          func(a *sla.Agreement) { a.Exclusions[0].Longest = 1 },
		"exclusions[0].services[1] unknown":                                      func(a *sla.Agreement) { a.Exclusions[0].Services = []string{"storage", "x"} },
		"credits[0].objective unknown":                                           func(a *sla.Agreement) { a.Credits[0].Objective = "compute" },
		"credits[0].bands[1].below unmeasurable":                                 func(a *sla.Agreement) { a.Credits[0].Bands[1].Below = a.Credits[0].Bands[0].Below },
		"credits[0].minimum contradiction":                                       func(a *sla.Agreement) { a.Credits[0].Minimum = "1.00 USD" },
		"credits[0].bands[0].below contradiction":                                func(a *sla.Agreement) { a.Credits[0].Bands[0].Below = ratio.One() },
		"liabilities[0].party invalid":                                           func(a *sla.Agreement) { a.Liabilities[0].Party = opsec.Both },
		"services[0].objectives[0].window.zone unmeasurable|services[0].objectives[0].slice unmeasurable": func(a *sla.Agreement) { o := &a.Services[0].Objectives[0]; o.Slice = 7 * hour; o.Window.Zone = "x" },
		"services[0].objectives[0].id missing|credits[0].objective unknown":                               func(a *sla.Agreement) { a.Services[0].Objectives[0].ID = "" },
		"clause.emergency.targets[0].hours unmeasurable":                                                  func(a *sla.Agreement) { a.Clause.Emergency.Targets[0].Hours = &calendar.Policy{} },
		"title invalid|grade invalid|clause.audit missing":                                                func(a *sla.Agreement) { a.Title, a.Grade, a.Clause.Audit = "\x01", "\x02", nil },
		"liabilities missing":                           func(a *sla.Agreement) { a.Liabilities = a.Liabilities[:1] },
		"liabilities missing|liabilities missing":       func(a *sla.Agreement) { a.Liabilities, a.Credits = nil, nil },
		"profiles[1] duplicate":                         func(a *sla.Agreement) { a.Profiles = []string{"x", "x"} },
		"services[0].objectives[0].minRequests invalid": func(a *sla.Agreement) { a.Services[0].Objectives[0].Least = 1 << 53 },
		"regions invalid":                               func(a *sla.Agreement) { a.Regions = make([]string, 10_001) },
		"law[1] duplicate":                              func(a *sla.Agreement) { a.Law[1] = "DE"; a.Clause.Data.Compliance = a.Clause.Data.Compliance[:1] },
	} {
		a := sample(t, "iaas")
		change(a)
		err := a.Validate()
		require.ErrorIs(t, err, opsec.ErrInvalid, want)
		require.Equal(t, strings.Split(want, "|"), list(err), want)
	}
}

func TestWhatCanJustBeKeptIsValid(t *testing.T) {
	a := sample(t, "iaas")
	at, now := *a.Clause.Data.Compliance[1].KeepMost, metric.Duration(0)
	a.Clause.Data.Compliance[0].KeepLeast, a.Clause.Data.Backup.Retention = &at, at
	a.Clause.Measures.Patches.Within = &now
	a.Clause.Data.Backup.OnSite, a.Clause.Data.Backup.OffSite = 0, 1
	a.Expires, a.Clause.Certification.Held[0].Expires = a.Effective.Add(1), a.Effective.Add(1)
	require.NoError(t, a.Validate())
}

func TestLessThanFiveByEightIsReported(t *testing.T) {
	at := calendar.Clock
	for text, ok := range map[string]bool{
		"Mon-Fri 09:00-17:00": true, "Mon-Fri 09:00-16:59": false, "Mon-Thu 00:00-24:00": false, "Mon-Sun 22:00-06:00": true, "Mon-Sun 22:00-05:00": false,
		"Mon-Fri 08:00-12:00 Mon-Fri 13:00-17:00": true, "Mon-Fri 08:00-12:00 Sat-Sun 13:00-17:00": false, "Mon-Fri 00:00-24:00": true,
	} {
		a := sample(t, "iaas")
		a.Clause.Emergency.Hours.Hours = nil
		for i, words := 0, strings.Fields(text); i < len(words); i += 2 {
			s, err := calendar.ParseShift(words[i] + " " + words[i+1])
			require.NoError(t, err)
			a.Clause.Emergency.Hours.Hours = append(a.Clause.Emergency.Hours.Hours, s)
		}
		require.Equal(t, ok, a.Validate() == nil, text)
	}
	a := sample(t, "iaas")
	for _, hours := range [][]calendar.Shift{calendar.FiveByEight(at(9, 0)), calendar.AlwaysOn()} {
		a.Clause.Emergency.Hours.Hours = hours
		require.NoError(t, a.Validate())
	}
}

func TestFaultsAreBounded(t *testing.T) {
	a := sample(t, "iaas")
	a.Services = make([]sla.Service, 10_000)
	a.Credits = make([]credit.Table, 10_000)
	require.Len(t, sla.Faults(a.Validate()), 1000)
	require.Len(t, sla.Faults(a.Check(floor(sla.Floor{Path: "services[*].id"}))), 1000)
}

func TestFaultsOfOtherErrors(t *testing.T) {
	require.Empty(t, sla.Faults(nil))
	require.Empty(t, sla.Faults(errors.New("x")))
	f := &sla.Fault{Path: "a", Rule: sla.RuleMissing, Text: "b", Err: errors.New("c")}
	require.Equal(t, []*sla.Fault{f}, sla.Faults(errors.Join(errors.New("x"), f)))
	require.ErrorIs(t, f, f.Err)
}

// Whatever is taken out of a valid agreement, it is not valid any more, or it was optional.
func TestWhatIsTakenOutIsMissed(t *testing.T) {
	optional := []string{"title", "expires", "grade", "currency", "exclusions", "credits", "history", "profiles", "tenant", "publicKey", "resources", "dependsOn", "controls",
		"scope", "interval", "self", "severity", "certificate", "keepMost", "note", "offSite", "onSite", "each", "mean", "share", "notice", "longest", "yearly", "approver",
		"window", "slice", "good", "minRequests", "minConsecutive", "empty", "partial", "degraded", "bands", "cap", "minimum", "claim", "source", "below", "credit", "target",
		"method", "holidays", "zone", "keyOwner", "protection", "algorithm", "within", "calendar", "rolling"}
	rapid.Check(t, func(t *rapid.T) {
		a := sample(t, rapid.SampledFrom([]string{"iaas", "saas"}).Draw(t, "sample"))
		v, path := reflect.ValueOf(a), ""
		for {
			v = reflect.Indirect(v)
			if v.Kind() == reflect.Slice {
				if v.Len() == 0 {
					return
				}
				v = v.Index(rapid.IntRange(0, v.Len()-1).Draw(t, "index"))
				if v.Kind() == reflect.String {
					path = "item"
					break
				}
				continue
			}
			if v.Kind() != reflect.Struct || v.Type().PkgPath() == "time" || strings.HasSuffix(v.Type().PkgPath(), "ratio") || strings.HasSuffix(v.Type().PkgPath(), "calendar") {
				break
			}
			f := v.Type().Field(rapid.IntRange(0, v.NumField()-1).Draw(t, "field"))
			path, _, _ = strings.Cut(f.Tag.Get("json"), ",")
			v = v.FieldByIndex(f.Index)
			if rapid.Bool().Draw(t, "stop") {
				break
			}
		}
		if !v.CanSet() || v.IsZero() || slices.Contains(optional, path) {
			return
		}
		v.SetZero()
		if a.Validate() == nil {
			t.Fatalf("%s was not missed", path)
		}
	})
}
