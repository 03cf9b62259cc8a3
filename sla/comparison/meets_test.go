package comparison_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/comparison"
	"github.com/cloudopsec/opsec/sla/credit"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/ratio"
	"github.com/cloudopsec/opsec/sla/responsibility"
)

// asked reads what a customer asks for: an agreement that says no more than that.
func asked(t testing.TB, text string) *sla.Agreement {
	t.Helper()
	a, err := sla.Parse([]byte("schema: opsec.sla/v1\n" + text))
	require.NoError(t, err)
	return a
}

func paths(list []comparison.Difference) (out []string) {
	for _, d := range list {
		out = append(out, fmt.Sprintf("%s %s", d.Path, d.Verdict))
	}
	return out
}

func TestWhatIsAskedIsMetOrNot(t *testing.T) {
	objective := func(s string) string { return "services:\n- id: compute\n  objectives:\n  - {id: mine, " + s + "}\n" }
	measures := func(s string) string { return "clause: {measures: {" + s + "}}\n" }
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"availability however it is reckoned", objective("target: 99.99%"), nil},
		{"more of it", objective("target: 99.995%"), []string{"services[id=compute].objectives[id=mine].target weaker"}},
		{"in a month", objective("target: 99.9%, window: {calendar: month, zone: Europe/Berlin}"), nil},
		{"in a quarter", objective("target: 99.9%, method: slices, slice: 1m, scope: region, window: {calendar: quarter, zone: Europe/Berlin}"), nil},
		{"in a quarter, for each machine", objective("target: 99.5%, method: time, scope: instance, window: {calendar: quarter, zone: Europe/Berlin}"), nil},
		{"in a day", objective("target: 99.99%, method: slices, slice: 1m, scope: region, window: {calendar: day, zone: Europe/Berlin}"),
			[]string{"services[id=compute].objectives[id=mine].window weaker"}},
		{"another service", "services: [{id: functions}]\n", []string{"services[id=functions] weaker"}},
		{"controls", measures("authentication: {text: '', controls: [mfa]}"), nil},
		{"more controls", measures("authentication: {text: '', controls: [mfa, fido2]}"), []string{"clause.measures.authentication.controls weaker"}},
		{"other words", measures("authentication: {text: Two factors}"), []string{"clause.measures.authentication.text incomparable"}},
		{"patches of what is said", measures("patches: {text: '', scope: [hardware], within: 720h}"), nil},
		{"patches sooner", measures("patches: {text: '', scope: [hardware], within: 72h}"), []string{"clause.measures.patches.within weaker"}},
		{"patches of everything", measures("patches: {text: '', within: 720h}"), []string{"clause.measures.patches.scope weaker"}},
		{"a region", "regions: [eu-central]\n", nil},
		{"another region", "regions: [eu-west]\n", []string{"regions incomparable"}},
		{"a model", "model: PaaS\n", []string{"model incomparable"}},
		{"guests that are patched", "responsibilities: {model: IaaS, assignments: [{layer: guest-os, party: CSP}]}\n",
			[]string{"responsibilities.assignments[layer=guest-os].party weaker"}},
		{"hardware", "responsibilities: {model: IaaS, assignments: [{layer: hardware, party: CSP}]}\n", nil},
		{"key length", "clause: {data: {encryption: [{data: '', phase: at-rest, algorithm: AES-128-GCM}]}}\n", nil},
		{"all keys", "clause: {data: {encryption: [{data: '', phase: in-motion, keyOwner: customer}]}}\n",
			[]string{"clause.data.encryption[phase=in-motion,data=].keyOwner weaker"}},
		{"backups", "clause: {data: {backup: {rpo: 1h, rto: 4h, retention: 720h, onSite: 0, offSite: 1, testEvery: 8760h}}}\n", nil},
		{"backups that lose nothing", "clause: {data: {backup: {rpo: 0s, rto: 0s, retention: 0s, onSite: 3, offSite: 0, testEvery: 0s}}}\n",
			[]string{"clause.data.backup.rpo weaker", "clause.data.backup.onSite weaker"}},
		{"acceptance by day", "clause: {emergency: {hotline: '', targets: [{id: x, measure: acceptance, mean: 1h, hours: {zone: Europe/Berlin, hours: ['Mon-Fri 09:00-17:00']}}]}}\n", nil},
		{"acceptance of what is high", "clause: {emergency: {hotline: '', targets: [{id: x, measure: acceptance, severity: high, each: 2h}]}}\n",
			[]string{"clause.emergency.targets[id=x] weaker"}},
		{"maintenance as it is", "exclusions: [{id: x, category: maintenance, text: 'Planned maintenance, told three days before, at most 4 h each and 24 h a year', notice: 24h}]\n",
			[]string{"exclusions[id=majeure] weaker", "exclusions[id=customer] weaker"}},
		{"certificates", "clause: {certification: {held: [{name: ISO/IEC 27001, issuer: '', expires: '2027-01-01T00:00:00Z'}]}}\n", nil},
		{"certificates for longer", "clause: {certification: {held: [{name: ISO/IEC 27001, issuer: '', expires: '2028-01-01T00:00:00Z'}, {name: C5, issuer: '', expires: '2027-01-01T00:00:00Z'}]}}\n",
			[]string{"clause.certification.held[name=ISO/IEC 27001].expires weaker", "clause.certification.held[name=C5] weaker"}},
		{"credits", "services: [{id: compute, objectives: [{id: o, target: 99.99%}]}]\ncredits: [{id: c, objective: o, bands: [{below: 99%, credit: 25%}], cap: 50%, claim: 168h}]\n", nil},
		{"more credits", "services: [{id: compute, objectives: [{id: o, target: 99.99%}]}]\ncredits: [{id: c, objective: o, bands: [{below: 99%, credit: 50%}], claim: 168h}]\n",
			[]string{"credits[id=c].bands weaker"}},
		{"a liability", "liabilities: [{party: CSP, text: 'Credits as in the tables; beyond them for intent and gross negligence without bound'}]\n", nil},
		{"that the customer is not liable for more than", "liabilities: [{party: CSC, text: Nothing}]\n", []string{"liabilities[party=CSC].text incomparable"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			offer := sample(t, "iaas")
			before, err := offer.Digest()
			require.NoError(t, err)
			list := comparison.Meets(offer, asked(t, c.text))
			require.Equal(t, c.want, paths(list), "%v", list)
			for _, d := range list {
				require.NotEmpty(t, d.Reason)
			}
			after, err := offer.Digest()
			require.NoError(t, err)
			require.Equal(t, before, after, "the offer is as it was")
		})
	}
}

// TestWhatIsAtLeastAsStrongMeets: an offer that is at least as strong as what is asked meets it, whatever that is.
func TestWhatIsAtLeastAsStrongMeets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAgreement(t)
		b := *a
		fill(t, &b, 1<<rapid.IntRange(0, 9).Draw(t, "part"))
		if atLeast(&b, a) {
			require.Empty(t, comparison.Meets(&b, a))
		}
		require.Empty(t, comparison.Meets(a, a))
		require.Empty(t, comparison.Meets(a, nil))
		for _, d := range comparison.Meets(&b, a) {
			require.Contains(t, []comparison.Verdict{comparison.Weaker, comparison.Incomparable}, d.Verdict)
		}
	})
}

// TestWhatIsStrongerThanWhatMeetsMeets: no customer is worse off with a better offer.
func TestWhatIsStrongerThanWhatMeetsMeets(t *testing.T) {
	var chains int
	rapid.Check(t, func(t *rapid.T) {
		asked, offer, better := new(sla.Agreement), new(sla.Agreement), new(sla.Agreement)
		part := uint16(1) << rapid.IntRange(0, 9).Draw(t, "part")
		for _, a := range []*sla.Agreement{asked, offer, better} {
			fill(t, a, part)
		}
		if len(comparison.Meets(offer, asked)) == 0 && atLeast(better, offer) {
			chains++
			require.Empty(t, comparison.Meets(better, asked))
		}
	})
	t.Log(chains, "chains")
}

func TestNilPromisesNothing(t *testing.T) {
	a := sample(t, "saas")
	require.Empty(t, comparison.Compare(nil, nil))
	require.Empty(t, comparison.Compare(nil, new(sla.Agreement)))
	for _, d := range comparison.Compare(nil, a) {
		switch {
		case strings.HasPrefix(d.Path, "exclusions"), d.Path == "liabilities[party=CSC]":
			require.Equal(t, comparison.Weaker, d.Verdict, d.Path)
		case strings.HasPrefix(d.Path, "responsibilities") && d.B == "CSC":
			require.Equal(t, comparison.Incomparable, d.Verdict, d.Path)
		default:
			require.Equal(t, comparison.Stronger, d.Verdict, d.Path)
		}
		require.Empty(t, d.A)
		require.NotEmpty(t, d.B)
	}
}

func TestElementsHaveAllClauses(t *testing.T) {
	list := comparison.Compare(sample(t, "iaas"), sample(t, "saas"))
	sum := 0
	for _, e := range comparison.Elements(list) {
		sum += e.Differences
		require.NotEmpty(t, e.Title)
	}
	require.Equal(t, len(list), sum, "each difference is of a clause")
	for _, e := range comparison.Elements(nil) {
		require.Equal(t, comparison.Equal, e.Verdict)
	}
	require.Equal(t, comparison.Equal, comparison.Overall(nil))
	require.Equal(t, comparison.Incomparable, comparison.Overall([]comparison.Difference{{Verdict: "odd"}}))
}

func TestServicesOfOtherProvidersAreRenamed(t *testing.T) {
	a := sample(t, "iaas")
	a.Clause.Measures.Patches.Scope = []string{"compute", "hardware"}
	a.Clause.Data.Medium.Scope = []string{"storage"}
	a.Clause.Certification.Training.Scope = []string{"storage"}
	a.Exclusions[0].Services = []string{"compute"}
	b := comparison.Rename(a, map[string]string{"compute": "vm", "storage": "disks"})
	require.Equal(t, "compute", a.Services[0].ID)
	require.Equal(t, []string{"storage"}, a.Services[0].DependsOn)
	require.Equal(t, []string{"compute", "hardware"}, a.Clause.Measures.Patches.Scope)
	require.Equal(t, "vm", b.Services[0].ID)
	require.Equal(t, []string{"disks"}, b.Services[0].DependsOn)
	require.Equal(t, []string{"vm", "hardware"}, b.Clause.Measures.Patches.Scope)
	require.Equal(t, []string{"disks"}, b.Clause.Data.Medium.Scope)
	require.Equal(t, []string{"disks"}, b.Clause.Certification.Training.Scope)
	require.Equal(t, []string{"vm"}, b.Exclusions[0].Services)
	require.NotEmpty(t, comparison.Compare(a, b))
	require.Empty(t, comparison.Compare(a, comparison.Rename(b, map[string]string{"vm": "compute", "disks": "storage"})))
	require.NotNil(t, comparison.Rename(nil, nil))
}

// Two that are one: what stands under one id is of one service.
func TestServicesThatStandTwice(t *testing.T) {
	o := metric.Objective{ID: "x", Target: of("99%"), Method: metric.Time, Window: metric.Window{Calendar: "month"}}
	p := o
	p.Target = of("99.9%")
	once := &sla.Agreement{Services: []sla.Service{{ID: "s", Objectives: []metric.Objective{o, p}}}}
	twice := &sla.Agreement{Services: []sla.Service{{ID: "s", Objectives: []metric.Objective{o}}, {ID: "s", Objectives: []metric.Objective{p}}}}
	require.Empty(t, comparison.Compare(once, twice))
	require.Empty(t, comparison.Compare(promise(p), twice), "the weaker of them changes nothing")
	require.Len(t, twice.Services[0].Objectives, 1)
}

// TestMorePromisesThanCanBeCompared: more than can be compared one by one are equal, or incomparable.
func TestMorePromisesThanCanBeCompared(t *testing.T) {
	list := func(n int, notice metric.Duration) *sla.Agreement {
		a := new(sla.Agreement)
		for i := range n {
			a.Exclusions = append(a.Exclusions, sla.ExclusionRule{ID: fmt.Sprint(i), Category: sla.Maintenance, Text: strings.Repeat("a ", 50) + fmt.Sprint(i), Notice: notice})
		}
		return a
	}
	require.Empty(t, comparison.Compare(list(256, 1), list(256, 1)))
	require.Len(t, comparison.Compare(list(256, 1), list(256, 2)), 256)
	require.Empty(t, comparison.Compare(list(10_000, 1), list(10_000, 1)))
	many := comparison.Compare(list(257, 1), list(256, 2))
	require.Len(t, many, 1)
	require.Equal(t, comparison.Incomparable, many[0].Verdict)
	require.Contains(t, many[0].Reason, "too many to compare")
	require.Len(t, comparison.Compare(list(10_000, 1), new(sla.Agreement)), 10_000)
}

func TestAllVerdictsHaveAReverse(t *testing.T) {
	for v, want := range map[comparison.Verdict]comparison.Verdict{comparison.Equal: comparison.Equal, comparison.Stronger: comparison.Weaker,
		comparison.Weaker: comparison.Stronger, comparison.Incomparable: comparison.Incomparable} {
		require.Equal(t, want, v.Reverse())
	}
	m := responsibility.Default(opsec.IaaS)
	require.Equal(t, comparison.Stronger, comparison.Overall(comparison.Compare(&sla.Agreement{Responsibilities: m},
		&sla.Agreement{Responsibilities: responsibility.Matrix{Assignments: responsibility.Default(opsec.SaaS).Assignments}})))
}

// TestHostileTablesOfCredits have as many bands as a list may have.
func TestHostileTablesOfCredits(t *testing.T) {
	table := func(n uint64) *sla.Agreement {
		a := offer(month)
		a.Credits[0].Bands = nil
		for i := range n {
			below, err := ratio.New(99*(i+1), 100*n)
			require.NoError(t, err)
			owed, err := ratio.New(n-i, 2*n)
			require.NoError(t, err)
			a.Credits[0].Bands = append(a.Credits[0].Bands, credit.Band{Below: below, Credit: owed})
		}
		return a
	}
	list := comparison.Compare(table(10_000), table(9_999))
	require.NotEmpty(t, list)
	require.Empty(t, comparison.Compare(table(10_000), table(10_000)))
}
