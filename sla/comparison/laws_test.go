package comparison_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/calendar"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// one draws one of a few values, so that what is drawn can often be compared.
func one[T any](t *rapid.T, name string, of ...T) T { return rapid.SampledFrom(of).Draw(t, name) }

func some[T any](t *rapid.T, name string, most int, draw func(*rapid.T) T) []T {
	n := rapid.IntRange(0, most).Draw(t, name)
	var out []T
	for range n {
		out = append(out, draw(t))
	}
	return out
}

func drawObjective(t *rapid.T) metric.Objective {
	o := metric.Objective{
		ID:     one(t, "id", "x", "y"),
		Target: one(t, "target", of("50%"), of("90%"), of("99%")),
		Method: one(t, "method", "", metric.Time, metric.Slices, metric.Slices, metric.Requests, metric.MeanRate),
		Window: drawWindow(t),
		Scope:  one(t, "scope", "", "", "instance"),
	}
	switch o.Method {
	case "":
		return o
	case metric.Slices, metric.MeanRate:
		o.Slice = one(t, "slice", hours(0.25), hours(1))
	}
	if o.Method == metric.Slices {
		o.Run = one(t, "run", 0, 1, 2, 3)
		if rapid.Bool().Draw(t, "by requests") {
			o.Good = one(t, "good", of("50%"), of("99%"))
		}
	}
	if o.Method == metric.Requests || o.Method == metric.MeanRate || o.Good.Num() > 0 {
		o.Empty = one(t, "empty", "", metric.EmptyUnknown, metric.EmptyGood, metric.EmptySkip)
		if o.Method != metric.Requests {
			o.Least = one[uint64](t, "least", 0, 1, 3, 20)
		}
		return o
	}
	o.Degraded = one(t, "degraded", "", metric.DegradedDown, metric.DegradedUp)
	if o.Method == metric.Slices {
		o.Partial = one(t, "partial", "", metric.PartialBad, metric.PartialGood)
	}
	return o
}

func drawWindow(t *rapid.T) metric.Window {
	return one(t, "window", metric.Window{Calendar: "day"}, metric.Window{Calendar: "day", Zone: "UTC"}, metric.Window{Calendar: "week"},
		metric.Window{Rolling: hours(12)}, metric.Window{Rolling: hours(24)}, metric.Window{Rolling: hours(36)})
}

func drawHours(t *rapid.T) *calendar.Policy {
	p := &calendar.Policy{Zone: one(t, "zone", "Europe/Berlin", "Europe/Berlin", "UTC")}
	p.Hours = one(t, "hours", calendar.FiveByEight(calendar.Clock(9, 0)), calendar.AlwaysOn(),
		[]calendar.Shift{{Days: 0x7F, Span: calendar.Span{Start: calendar.Clock(8, 0), End: calendar.Clock(20, 0)}}},
		[]calendar.Shift{{Days: 0x7F, Span: calendar.Span{Start: calendar.Clock(22, 0), End: calendar.Clock(6, 0)}}},
		[]calendar.Shift{{Days: 0x7F, Span: calendar.Span{Start: calendar.Clock(20, 0), End: calendar.Clock(17, 0)}}})
	p.Holidays = some(t, "holidays", 2, func(t *rapid.T) calendar.Holiday {
		return one(t, "holiday", calendar.Holiday{Name: "a", On: "03-09"}, calendar.Holiday{Name: "b", On: "03-11", Days: 1},
			calendar.Holiday{Name: "c", On: "03-14", Observed: calendar.ObservedNext},
			calendar.Holiday{Name: "d", On: "03-12", Open: []calendar.Span{{Start: calendar.Clock(6, 0), End: calendar.Clock(23, 0)}}})
	})
	if rapid.IntRange(0, 3).Draw(t, "none") == 0 {
		return nil
	}
	return p
}

func drawTarget(t *rapid.T) response.Target {
	x := response.Target{
		ID:       one(t, "id", "x", "y", "z"),
		Measure:  one(t, "measure", response.Acceptance, response.Acceptance, response.Troubleshooting),
		Severity: one(t, "severity", "", opsec.SeverityHigh, opsec.SeverityLow),
		Mean:     one(t, "mean", 0, hours(1), hours(4)),
		Each:     one(t, "each", 0, hours(1), hours(4), hours(12)),
		Hours:    drawHours(t),
	}
	if x.Each > 0 {
		x.Share = one(t, "share", "", "100%", "50%", "75%")
	}
	return x
}

func drawRule(t *rapid.T) sla.ExclusionRule {
	return sla.ExclusionRule{
		ID:       one(t, "id", "x", "y"),
		Category: one(t, "category", sla.Maintenance, sla.Maintenance, sla.CustomerAct),
		Text:     one(t, "text", "a", "a", "a", "b"),
		Approver: one(t, "approver", "", "board", "boss"),
		Notice:   one(t, "notice", 0, hours(24), hours(72)),
		Longest:  one(t, "longest", 0, hours(4), hours(8)),
		Yearly:   one(t, "yearly", 0, hours(8), hours(24)),
		Services: one(t, "services", nil, []string{"s"}, []string{"s", "r"}, []string{"r"}),
	}
}

func drawTable(t *rapid.T) credit.Table {
	return credit.Table{
		ID:        one(t, "id", "x", "y"),
		Objective: one(t, "objective", "o", "o", "p", "q"),
		Bands: some(t, "bands", 3, func(t *rapid.T) credit.Band {
			return credit.Band{Below: one(t, "below", of("99%"), of("95%"), of("90%")), Credit: one(t, "credit", of("10%"), of("25%"), of("100%"))}
		}),
		Cap:      one(t, "cap", ratio.Ratio{}, of("100%"), of("25%"), of("50%")),
		Group:    one(t, "group", "", "", "g", "h"),
		Minimum:  one(t, "minimum", "", "1.00 EUR", "1 EUR", "2.00 EUR", "1.00 USD"),
		Rounding: one(t, "rounding", "", credit.HalfUp, credit.Up, credit.Down, credit.HalfEven),
		Claim:    one(t, "claim", 0, 0, hours(29*24), hours(45*24)),
		Months:   one(t, "months", 0, 0, 1, 2),
	}
}

func drawStatement(t *rapid.T) *sla.Statement {
	s := &sla.Statement{
		Text:     one(t, "text", "", "a", "b"),
		Scope:    one(t, "scope", nil, []string{"s"}, []string{"r", "s"}),
		Controls: one(t, "controls", nil, []string{"mfa"}, []string{"jit", "mfa"}, []string{"mfa", "jit", "jit"}),
		Evidence: one(t, "evidence", "", "a"),
		Interval: one(t, "interval", 0, hours(1), hours(2)),
	}
	if d := one(t, "within", -1, hours(0), hours(1)); d >= 0 {
		s.Within = &d
	}
	if rapid.IntRange(0, 4).Draw(t, "none") == 0 {
		return nil
	}
	return s
}

// drawAgreement draws one that need not be valid.
func drawAgreement(t *rapid.T) *sla.Agreement {
	a := &sla.Agreement{
		Model:   one(t, "model", "", opsec.IaaS, opsec.IaaS, opsec.SaaS),
		Regions: one(t, "regions", nil, []string{"a"}, []string{"a"}, []string{"b", "a"}),
	}
	fill(t, a, 0xFFFF)
	return a
}

// fill draws some of the parts of an agreement anew.
func fill(t *rapid.T, a *sla.Agreement, parts uint16) {
	part := func(i int) bool { return parts>>i&1 == 1 }
	if part(0) {
		a.Services = some(t, "services", 2, func(t *rapid.T) sla.Service {
			return sla.Service{ID: one(t, "id", "s", "s", "r"), Resources: one(t, "resources", nil, []string{"s"}, []string{"s"}, []string{"a", "s"}),
				Objectives: some(t, "objectives", 3, drawObjective)}
		})
	}
	if part(1) {
		a.Clause.Emergency = &sla.Emergency{Hotline: one(t, "hotline", "", "a", "b"), Targets: some(t, "targets", 4, drawTarget)}
		if p := drawHours(t); p != nil {
			a.Clause.Emergency.Hours = *p
		}
	}
	if part(2) {
		a.Exclusions = some(t, "exclusions", 3, drawRule)
	}
	if part(3) {
		a.Credits = some(t, "credits", 3, drawTable)
		a.Services = append(slices.DeleteFunc(slices.Clone(a.Services), func(s sla.Service) bool { return s.ID == "paid" }),
			sla.Service{ID: "paid", Objectives: []metric.Objective{
				{ID: "o", Target: of("99%"), Method: metric.Time, Window: metric.Window{Calendar: "month"}},
				{ID: "p", Target: one(t, "target", of("99%"), of("95%")), Method: metric.Time, Window: metric.Window{Calendar: one(t, "calendar", "month", "year")}}}})
	}
	if part(4) {
		a.Liabilities = some(t, "liabilities", 3, func(t *rapid.T) sla.Liability {
			return sla.Liability{Party: one(t, "party", opsec.CSP, opsec.CSC), Text: one(t, "text", "", "a", "b")}
		})
	}
	if part(5) {
		a.Responsibilities.Assignments = some(t, "assignments", 3, func(t *rapid.T) responsibility.Assignment {
			return responsibility.Assignment{Layer: one(t, "layer", responsibility.GuestOS, responsibility.Content),
				Party: one(t, "party", opsec.CSP, opsec.CSC, opsec.Both), Note: one(t, "note", "", "a", "b")}
		})
	}
	if part(6) {
		a.Clause.Data = &sla.Data{Physical: drawStatement(t), Encryption: some(t, "encryption", 2, func(t *rapid.T) sla.Encryption {
			return sla.Encryption{Data: one(t, "data", "", "a", "b"), Phase: one(t, "phase", sla.AtRest, sla.InUse),
				Algorithm:  one(t, "algorithm", "", "AES-128-GCM", "AES-256-GCM", "AES-256-CBC", "TLS 1.2", "TLS 1.3"),
				KeyOwner:   one(t, "owner", "", "provider", "customer", "third-party"),
				Protection: one(t, "protection", "", "a", "b")}
		})}
	}
	if part(7) {
		a.Clause.Measures = &sla.Measures{Patches: drawStatement(t)}
		a.Clause.Audit = &sla.Audit{Every: one(t, "every", 0, hours(1), hours(2)), By: one(t, "by", "", "both", "internal", "third-party"),
			Scope: one(t, "scope", nil, []string{"a"}, []string{"b", "a"})}
		if rapid.Bool().Draw(t, "no audit") {
			a.Clause.Audit = nil
		}
	}
	if part(8) {
		a.Clause.Monitoring = &sla.Monitoring{Objects: some(t, "objects", 2, func(t *rapid.T) sla.Watched {
			return sla.Watched{Object: one(t, "object", "a", "b"), Trigger: one(t, "trigger", "", "a", "b"), Severity: one(t, "severity", "", opsec.SeverityHigh)}
		}), Self: one(t, "self", "", "a", "b")}
		a.Clause.Certification = &sla.Certification{Held: some(t, "held", 2, func(t *rapid.T) sla.Certificate {
			return sla.Certificate{Name: one(t, "name", "a", "b"), Scope: one(t, "scope", "", "a"),
				Expires: one(t, "expires", time.Time{}, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC))}
		})}
	}
	if part(9) {
		a.Law, a.Profiles = one(t, "law", nil, []string{"DE"}, []string{"EU", "DE"}), one(t, "profiles", nil, []string{"a"}, []string{"b", "a"})
		a.Clause.Continuity = &sla.Continuity{Disaster: one(t, "disaster", "", "a", "b"), Recovery: some(t, "recovery", 1, drawTarget)}
		a.Clause.Documents = &sla.Documents{Where: one(t, "where", "", "a", "b"), List: one(t, "list", nil, []string{"a"}), Formats: one(t, "formats", nil, []string{"html"}),
			Keep: one(t, "keep", -1, 0, hours(1), hours(2))}
		d := sla.Data{
			Isolation: &sla.Isolation{Kind: one(t, "kind", "", "logical", "physical", "odd"), Text: one(t, "apart", "", "a", "b")},
			Deletion: &sla.Deletion{Method: one(t, "method", "", "a"), Within: one(t, "deleted", -1, 0, hours(1), hours(2)),
				BeforeReuse: rapid.Bool().Draw(t, "reuse"), Certificate: rapid.Bool().Draw(t, "certificate")},
			Backup: &sla.Backup{RTO: one(t, "rto", 0, hours(1), hours(2)), Retention: one(t, "retention", 0, hours(1), hours(2)),
				OnSite: one(t, "on site", 0, 1), OffSite: one(t, "off site", 0, 1)},
			Compliance: some(t, "compliance", 2, func(t *rapid.T) sla.Compliance {
				return sla.Compliance{Law: one(t, "of", "DE", "EU"), Storage: one(t, "storage", "", "a", "b")}
			}),
		}
		if rapid.Bool().Draw(t, "rpo") {
			d.Backup.RPO = &d.Backup.RTO
		}
		if have := a.Clause.Data; have != nil {
			d.Physical, d.Encryption = have.Physical, have.Encryption
		}
		a.Clause.Data = &d
	}
}

func atLeast(b, a *sla.Agreement) bool {
	v := comparison.Overall(comparison.Compare(a, b))
	return v == comparison.Stronger || v == comparison.Equal
}

func TestTheVerdictsAreAPartialOrder(t *testing.T) {
	var chains int
	rapid.Check(t, func(t *rapid.T) {
		a := drawAgreement(t)
		b, c := *a, *a
		// Few parts differ, so that there is often something to say.
		fill(t, &b, 1<<rapid.IntRange(0, 9).Draw(t, "part of b"))
		c = b
		fill(t, &c, 1<<rapid.IntRange(0, 9).Draw(t, "part of c"))
		for _, x := range []*sla.Agreement{a, &b, &c} {
			require.Empty(t, comparison.Compare(x, x), "an agreement is equal to itself")
		}
		list, back := comparison.Compare(a, &b), comparison.Compare(&b, a)
		require.Equal(t, comparison.Overall(list), comparison.Overall(back).Reverse(), "%v\n%v", list, back)
		require.Equal(t, len(list) == 0, comparison.Overall(list) == comparison.Equal)
		for _, d := range list {
			require.NotEqual(t, comparison.Equal, d.Verdict)
			require.NotEqual(t, d.A, d.B, "%v", d)
		}
		for _, e := range comparison.Elements(list) {
			for _, f := range comparison.Elements(back) {
				require.True(t, e.Clause != f.Clause || e.Verdict == f.Verdict.Reverse(), "%v %v", e, f)
			}
		}
		for _, x := range [][3]*sla.Agreement{{a, &b, &c}, {&c, &b, a}, {a, &c, &b}, {&b, a, &c}} {
			if atLeast(x[1], x[0]) && atLeast(x[2], x[1]) {
				chains++
				require.True(t, atLeast(x[2], x[0]), "what is stronger than something stronger is stronger:\n%v\n%v\n%v",
					comparison.Compare(x[0], x[1]), comparison.Compare(x[1], x[2]), comparison.Compare(x[0], x[2]))
			}
		}
		require.Equal(t, comparison.Incomparable, comparison.Overall([]comparison.Difference{{Verdict: comparison.Weaker}, {Verdict: comparison.Stronger}}))
	})
	t.Log(chains, "chains")
}

// TestOneKindAtATimeIsAPartialOrder draws three lists of promises of one kind, which is where transitivity is hard.
func TestOneKindAtATimeIsAPartialOrder(t *testing.T) {
	for i, name := range []string{"services", "emergency", "exclusions", "credits", "liabilities", "responsibilities", "data", "measures", "monitoring", "elements"} {
		t.Run(name, func(t *testing.T) {
			var chains int
			rapid.Check(t, func(t *rapid.T) {
				var x [3]*sla.Agreement
				for j := range x {
					x[j] = new(sla.Agreement)
					fill(t, x[j], 1<<i)
				}
				for _, p := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
					a, b, c := x[p[0]], x[p[1]], x[p[2]]
					if atLeast(b, a) && atLeast(c, b) {
						chains++
						require.True(t, atLeast(c, a), "%v\n%v\n%v", comparison.Compare(a, b), comparison.Compare(b, c), comparison.Compare(a, c))
					}
				}
				require.Equal(t, comparison.Overall(comparison.Compare(x[0], x[1])), comparison.Overall(comparison.Compare(x[1], x[0])).Reverse())
				require.Empty(t, comparison.Compare(x[0], x[0]))
			})
			t.Log(chains, "chains")
		})
	}
}

// TestOrderAndNamesDoNotMatter shuffles what an agreement lists, and calls promises otherwise.
func TestOrderAndNamesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAgreement(t)
		b := *a
		emergency := *a.Clause.Emergency
		b.Clause.Emergency = &emergency
		emergency.Targets = rapid.Permutation(emergency.Targets).Draw(t, "targets")
		emergency.Targets = slices.Clone(emergency.Targets)
		for i := range emergency.Targets {
			emergency.Targets[i].ID = strings.Repeat("n", i+1)
		}
		b.Exclusions = slices.Clone(rapid.Permutation(a.Exclusions).Draw(t, "exclusions"))
		for i := range b.Exclusions {
			b.Exclusions[i].ID = strings.Repeat("n", i+1)
		}
		b.Credits = rapid.Permutation(a.Credits).Draw(t, "credits")
		b.Liabilities = rapid.Permutation(a.Liabilities).Draw(t, "liabilities")
		b.Services = rapid.Permutation(a.Services).Draw(t, "services")
		require.Empty(t, comparison.Compare(a, &b))
	})
}
