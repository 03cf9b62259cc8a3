package comparison_test

import (
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
	"github.com/cloudopsec/opsec/sla/response"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// TestWhatSaysNothingIsNothing: an offer does not get stronger by elements in which nothing is promised.
func TestWhatSaysNothingIsNothing(t *testing.T) {
	for name, do := range map[string]func(*sla.Agreement){
		"a statement":              func(a *sla.Agreement) { a.Clause.Measures = &sla.Measures{Traffic: &sla.Statement{Text: " \n"}} },
		"a statement with a scope": func(a *sla.Agreement) { a.Clause.Data = &sla.Data{Access: &sla.Statement{Scope: []string{"x"}}} },
		"training":                 func(a *sla.Agreement) { a.Clause.Certification = &sla.Certification{Training: new(sla.Statement)} },
		"an audit":                 func(a *sla.Agreement) { a.Clause.Audit = new(sla.Audit) },
		"documents":                func(a *sla.Agreement) { a.Clause.Documents = &sla.Documents{Keep: -1} },
		"isolation":                func(a *sla.Agreement) { a.Clause.Data = &sla.Data{Isolation: new(sla.Isolation)} },
		"deletion":                 func(a *sla.Agreement) { a.Clause.Data = &sla.Data{Deletion: new(sla.Deletion)} },
		"backups":                  func(a *sla.Agreement) { a.Clause.Data = &sla.Data{Backup: new(sla.Backup)} },
		"data that is not encrypted": func(a *sla.Agreement) {
			a.Clause.Data = &sla.Data{Encryption: []sla.Encryption{{Data: "volumes", Phase: sla.AtRest}}}
		},
		"a law": func(a *sla.Agreement) { a.Clause.Data = &sla.Data{Compliance: []sla.Compliance{{Law: "DE"}}} },
		"an objective": func(a *sla.Agreement) {
			a.Services[0].Objectives = []metric.Objective{{ID: "x", Method: metric.Time, Window: month}}
		},
		"a target": func(a *sla.Agreement) {
			a.Clause.Emergency = respond([]response.Target{{Measure: response.Acceptance}}).Clause.Emergency
		},
		"a share of none": func(a *sla.Agreement) {
			a.Clause.Emergency = respond([]response.Target{{Measure: response.Acceptance, Each: 1, Share: "0%"}}).Clause.Emergency
		},
		"a table without bands": func(a *sla.Agreement) { a.Credits = []credit.Table{{ID: "c", Objective: "o", Cap: of("10%")}} },
		"other elements": func(a *sla.Agreement) {
			a.Clause = sla.Clause{Continuity: new(sla.Continuity), Data: new(sla.Data), Emergency: new(sla.Emergency), Measures: new(sla.Measures),
				Monitoring: new(sla.Monitoring), Certification: new(sla.Certification)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := promise(), promise()
			do(b)
			require.Empty(t, comparison.Compare(a, b))
			require.Empty(t, comparison.Compare(b, a))
			require.Empty(t, comparison.Meets(a, b), "nothing is asked for")
		})
	}
}

// TestListsOfPlacesAreSets: neither their order nor a comma in a name makes lists of others out of them.
func TestListsOfPlacesAreSets(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []string
		want comparison.Verdict
	}{
		{"in another order, twice", []string{"a", "b"}, []string{"b", "a", "b"}, comparison.Equal},
		{"a comma in a name", []string{"a, b"}, []string{"a", "b"}, comparison.Incomparable},
		{"more of them", []string{"a"}, []string{"a", "b"}, comparison.Incomparable},
		{"none is said", nil, []string{"a"}, comparison.Stronger},
		{"an empty list", nil, []string{}, comparison.Equal},
	} {
		for field, do := range map[string]func(*sla.Agreement, []string){
			"regions": func(a *sla.Agreement, list []string) { a.Regions = list },
			"law":     func(a *sla.Agreement, list []string) { a.Law = list },
			"services[id=s].resources": func(a *sla.Agreement, list []string) {
				if a.Services[0].Resources = list; len(list) == 0 {
					a.Services = nil // a service has resources, if none is named the id itself
				}
			},
		} {
			a, b := promise(), promise()
			do(a, c.a)
			do(b, c.b)
			list := comparison.Compare(a, b)
			require.Equal(t, c.want, comparison.Overall(list), "%s of %s: %v", c.name, field, list)
			require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(b, a)), "%s of %s", c.name, field)
			if c.want == comparison.Incomparable {
				require.Equal(t, field, list[0].Path)
				require.NotEqual(t, list[0].A, list[0].B)
			}
		}
	}
}

// TestNotesAreRead: what is noted of a layer may take a part out of it again.
func TestNotesAreRead(t *testing.T) {
	of := func(p opsec.Party, note string) *sla.Agreement {
		return &sla.Agreement{Responsibilities: responsibility.Matrix{Assignments: []responsibility.Assignment{{Layer: responsibility.GuestOS, Party: p, Note: note}}}}
	}
	for _, c := range []struct {
		party opsec.Party
		a, b  string
		want  comparison.Verdict
	}{
		{opsec.CSP, "", "managed images alone", comparison.Incomparable},
		{opsec.CSC, "", "all of it", comparison.Incomparable},
		{opsec.CSP, "a  b", "a b", comparison.Equal},
		{opsec.Both, "", "images", comparison.Stronger},
		{opsec.Both, "a", "b", comparison.Incomparable},
		{"", "a", "b", comparison.Equal},
	} {
		list := comparison.Compare(of(c.party, c.a), of(c.party, c.b))
		require.Equal(t, c.want, comparison.Overall(list), "%+v %v", c, list)
		require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(of(c.party, c.b), of(c.party, c.a))))
	}
	require.Len(t, comparison.Meets(of(opsec.CSP, "managed images alone"), of(opsec.CSP, "")), 1)
}

// TestWordsThatAreReadToTheLetter: a space makes another word of them, by which less may be owed or promised.
func TestWordsThatAreReadToTheLetter(t *testing.T) {
	for name, do := range map[string]func(*sla.Agreement, string){
		"scope":  func(a *sla.Agreement, end string) { a.Services[0].Objectives[0].Scope = "instance" + end },
		"method": func(a *sla.Agreement, end string) { a.Services[0].Objectives[0].Method = metric.Method("time" + end) },
		"degraded": func(a *sla.Agreement, end string) {
			a.Services[0].Objectives[0].Degraded = metric.Degraded("down" + end)
		},
		"group": func(a *sla.Agreement, end string) { a.Credits[0].Group = "g" + end },
		"model": func(a *sla.Agreement, end string) { a.Model = opsec.ServiceModel("IaaS" + end) },
	} {
		a, b := offer(month), offer(month)
		do(a, "")
		do(b, " ")
		require.Equal(t, comparison.Incomparable, comparison.Overall(comparison.Compare(a, b)), name)
	}
}

// TestBlankWordsSayNothing of a hotline, or of an algorithm.
func TestBlankWordsSayNothing(t *testing.T) {
	call := func(hotline string) *sla.Agreement {
		return &sla.Agreement{Clause: sla.Clause{Emergency: &sla.Emergency{Hotline: hotline}}}
	}
	require.Equal(t, comparison.Stronger, comparison.Overall(comparison.Compare(call(" "), call("+49 30 1"))))
	require.Empty(t, comparison.Compare(call("+49 30 1"), call("+49 30 2")))
	walls := func(algorithm, text string) *sla.Agreement {
		return &sla.Agreement{Clause: sla.Clause{Data: &sla.Data{Encryption: []sla.Encryption{{Data: "x", Phase: sla.AtRest, Algorithm: algorithm, Protection: text}}}}}
	}
	require.Equal(t, comparison.Incomparable, comparison.Overall(comparison.Compare(walls("", "walls"), walls(" ", "fences"))))
}

// TestNamesOfAlgorithms: what nobody has is not stronger.
func TestNamesOfAlgorithms(t *testing.T) {
	of := func(name string) *sla.Agreement {
		return &sla.Agreement{Clause: sla.Clause{Data: &sla.Data{Encryption: []sla.Encryption{{Data: "x", Phase: sla.AtRest, Algorithm: name}}}}}
	}
	for _, c := range []struct {
		a, b string
		want comparison.Verdict
	}{
		{"AES-192-GCM", "AES-256-GCM", comparison.Stronger},
		{"AES-256", " AES-256\n", comparison.Equal},
		{"AES-256-GCM", "AES-512-GCM", comparison.Incomparable},
		{"AES-256-GCM", "AES-0256-GCM", comparison.Incomparable},
		{"AES-128-GCM", "AES-256-CBC", comparison.Incomparable},
		{"AES-128", "RSA-4096", comparison.Incomparable},
		{"RSA-2048", "RSA-3072", comparison.Stronger},
		{"RSA-2048-OAEP", "RSA-8192-OAEP", comparison.Stronger},
		{"TLS 1.3", "TLS 1.30", comparison.Incomparable},
		{"TLS 1.0", "TLS 1.3", comparison.Stronger},
		{"", "x", comparison.Stronger},
	} {
		list := comparison.Compare(of(c.a), of(c.b))
		require.Equal(t, c.want, comparison.Overall(list), "%+v %v", c, list)
		require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(of(c.b), of(c.a))), "%+v", c)
	}
}

// TestTermsOfPayment: minimums and rounding have an order.
func TestTermsOfPayment(t *testing.T) {
	table := func(do func(*credit.Table)) *sla.Agreement {
		return offer(month, func(a *sla.Agreement) { do(&a.Credits[0]) })
	}
	least := func(s string) *sla.Agreement { return table(func(x *credit.Table) { x.Minimum = s }) }
	months := func(n int) *sla.Agreement { return table(func(x *credit.Table) { x.Months = n }) }
	round := func(r credit.Rounding) *sla.Agreement { return table(func(x *credit.Table) { x.Rounding = r }) }
	for _, c := range []struct {
		a, b *sla.Agreement
		want comparison.Verdict
	}{
		{least(""), least("0.00 EUR"), comparison.Equal},
		{least("0 USD"), least("0.00 EUR"), comparison.Equal},
		{least("0 USD"), least("0.01 EUR"), comparison.Weaker},
		{least("1 EUR"), least("1.000 EUR"), comparison.Equal},
		{least("1.01 EUR"), least("1 EUR"), comparison.Stronger},
		{least("1 EUR"), least("1 USD"), comparison.Incomparable},
		{least("1 EUR"), least("1% EUR"), comparison.Incomparable},
		{least("1 EUR"), least("one"), comparison.Incomparable},
		{months(1201), months(1200), comparison.Weaker},
		{months(2000), table(func(x *credit.Table) { x.Claim = hours(24 * 37_200) }), comparison.Incomparable},
		{months(2000), months(0), comparison.Stronger},
		{months(1), table(func(x *credit.Table) { x.Claim = hours(24 * 31) }), comparison.Stronger},
		{months(1), table(func(x *credit.Table) { x.Claim = hours(24*31) - 1 }), comparison.Incomparable},
		{months(1), table(func(x *credit.Table) { x.Claim = hours(24 * 28) }), comparison.Weaker},
		{months(1), table(func(x *credit.Table) { x.Claim = hours(24*28) + 1 }), comparison.Incomparable},
		{round(credit.Down), round(credit.HalfEven), comparison.Stronger},
		{round(credit.HalfEven), round(""), comparison.Stronger},
		{round(credit.HalfUp), round(""), comparison.Equal},
		{round(""), round(credit.Up), comparison.Stronger},
		{round(credit.Down), round("odd"), comparison.Incomparable},
		{round("odd"), round(credit.Up), comparison.Incomparable},
	} {
		list := comparison.Compare(c.a, c.b)
		require.Equal(t, c.want, comparison.Overall(list), "%v", list)
		require.Equal(t, c.want.Reverse(), comparison.Overall(comparison.Compare(c.b, c.a)), "%v", list)
	}
}

// TestAnyHoursThatCoverOthers: over changes of the clock, forwards and back, by an hour and by half of one.
func TestAnyHoursThatCoverOthers(t *testing.T) {
	seen := map[comparison.Verdict]int{}
	draw := func(t *rapid.T) []calendar.Shift {
		return some(t, "shifts", 2, func(t *rapid.T) calendar.Shift {
			quarter := rapid.Custom(func(t *rapid.T) calendar.TimeOfDay {
				return calendar.TimeOfDay(900 * rapid.SampledFrom([]int{0, 4, 7, 8, 9, 10, 12, 95}).Draw(t, "quarter"))
			})
			return calendar.Shift{Days: one[calendar.Weekdays](t, "days", 0x7F, 0x7F, 1, 0x40), Span: calendar.Span{Start: quarter.Draw(t, "start"), End: quarter.Draw(t, "end")}}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := one(t, "zone", "Europe/Berlin", "Australia/Lord_Howe")
		var clocks [2]*calendar.Calendar
		var on [2]*sla.Agreement
		for i := range clocks {
			p := calendar.Policy{Zone: zone, Hours: draw(t), Holidays: some(t, "holidays", 1, func(t *rapid.T) calendar.Holiday {
				return calendar.Holiday{Name: "x", On: one[calendar.DayRule](t, "on", "last Sun of Mar", "last Sun of Oct", "1st Sun of Apr")}
			})}
			var err error
			if clocks[i], err = calendar.New(p); err != nil {
				t.Skip("hours that overlap")
			}
			on[i] = respond([]response.Target{{ID: "x", Measure: response.Acceptance, Each: 1, Hours: &p}})
		}
		verdict := comparison.Overall(comparison.Compare(on[0], on[1]))
		seen[verdict]++
		switch verdict {
		case comparison.Incomparable:
			return
		case comparison.Weaker:
			clocks[0], clocks[1] = clocks[1], clocks[0]
		}
		for _, from := range []time.Time{time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 10, 3, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 0, 0, 0, 0, time.UTC)} {
			for at := from; at.Before(from.AddDate(0, 0, 3)); at = at.Add(15 * time.Minute) {
				shorter, longer := clocks[0].Between(at, at.Add(15*time.Minute)), clocks[1].Between(at, at.Add(15*time.Minute))
				require.True(t, shorter <= longer && (verdict != comparison.Equal || shorter == longer), "%v: %v %+v %+v", at, verdict, on[0], on[1])
			}
		}
	})
	t.Log(seen)
}
