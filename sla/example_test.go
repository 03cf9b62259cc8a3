package sla_test

import (
	"crypto/ed25519"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/metric"
)

// offer is the agreement of testdata/iaas.yaml.
func offer() *sla.Agreement {
	text, err := os.ReadFile("testdata/iaas.yaml")
	if err != nil {
		panic(err)
	}
	a, err := sla.Parse(text)
	if err != nil {
		panic(err)
	}
	return a
}

func ExampleParse() {
	a, err := sla.Parse([]byte(`
schema: opsec.sla/v1
id: acme-iaas
version: 1
effective: 2026-03-01T00:00:00Z
services:
- id: compute
  objectives: [{id: compute-region, target: 99.99%, method: time, window: {calendar: month}}]
`))
	fmt.Println(a.ID, a.Services[0].Objectives[0].Target, err)
	_, err = sla.Parse([]byte("schema: opsec.sla/v1\nID: acme-iaas\n"))
	fmt.Println(err)
	// Output:
	// acme-iaas 99.99% <nil>
	// sla: line 2: "ID" is no field that is known there; letter case counts: invalid
}

func ExampleAgreement_Validate() {
	a := offer()
	a.Clause.Audit = nil
	a.Clause.Measures.Malware.Evidence = ""
	a.Clause.Data.Backup.Retention = metric.Duration(400 * 24 * time.Hour)
	a.Responsibilities.Assignments[9].Party = opsec.CSP
	for _, f := range sla.Faults(a.Validate()) {
		fmt.Printf("%s: %s: %s\n", f.Path, f.Rule, f.Text)
	}
	// Output:
	// responsibilities.assignments[9].party: responsible: of IaaS, clause 7.1 leaves the terminal layer to the customer: it may be shared, not given away
	// clause.data.backup.retention: contradiction: backups are kept longer than the 365 d that the law allows
	// clause.measures.malware.evidence: unmeasurable: how the customer can check it is not said
	// clause.audit: missing: clause 7.2.2.5 asks for it
}

func ExampleFaults() {
	for _, f := range sla.Faults(new(sla.Agreement).Validate())[:3] {
		fmt.Println(f.Path, f.Rule)
	}
	// Output:
	// schema invalid
	// id missing
	// version invalid
}

func ExampleAgreement_Digest() {
	a, b := offer(), offer()
	b.Effective = b.Effective.UTC() // the same moment
	one, _ := a.Digest()
	other, _ := b.Digest()
	fmt.Println(one[:7], len(one), one == other)
	// Output: sha256: 71 true
}

func ExampleAgreement_Canonical() {
	text, err := (&sla.Agreement{Schema: sla.Schema, ID: "x", Grade: "gold"}).Canonical()
	fmt.Println(string(text[:54]), err)
	// Output: {"clause":{},"effective":"0001-01-01T00:00:00Z","grade <nil>
}

func ExampleAgreement_JSON() {
	text, err := offer().JSON()
	fmt.Println(strings.Join(strings.SplitAfter(string(text), "\n")[:4], ""), err)
	// Output:
	// {
	//   "schema": "opsec.sla/v1",
	//   "id": "acme-iaas",
	//   "version": 1,
	//  <nil>
}

func ExampleAgreement_YAML() {
	text, err := offer().YAML()
	fmt.Println(strings.Join(strings.SplitAfter(string(text), "\n")[:4], ""), err)
	// Output:
	// schema: opsec.sla/v1
	// id: acme-iaas
	// version: 1
	// title: Security clause of the IaaS agreement
	//  <nil>
}

func ExampleChanged() {
	a, b := offer(), offer()
	b.Grade = "silver"
	b.Clause.Emergency.Targets[0].Each *= 2
	fmt.Println(sla.Changed(a, b))
	// Output: [clause.emergency.targets[0].each grade] <nil>
}

// A law, as somebody who knows it wrote it down: who is under it cannot promise less.
func ExampleAgreement_Check() {
	law, err := sla.ParseMinimum([]byte(`
id: example-act
source: Example Act of 2026, section 4
laws: [DE]
floors:
- {path: clause.data.backup.rpo, most: 1h, why: section 4 (1)}
- {path: "clause.emergency.targets[measure=acceptance,severity=critical].each", most: 10m}
- {path: clause.measures.authentication.controls, has: [mfa]}
- {path: "clause.data.encryption[phase=at-rest].algorithm", oneOf: [AES-256-GCM]}
`))
	if err != nil {
		panic(err)
	}
	for _, f := range sla.Faults(offer().Check(law)) {
		fmt.Println(f.Minimum, f.Path)
		fmt.Println(" ", f.Text)
	}
	// Output:
	// example-act clause.emergency.targets[0].each
	//   want at most 10m, Example Act of 2026, section 4
}

func ExampleParseMinimum() {
	_, err := sla.ParseMinimum([]byte("id: x\nsource: y\nfloors: [{path: clause.data.backup.rpo, most: soon}]"))
	fmt.Println(err)
	// Output: sla: minimum: floors[0]: time: invalid duration "soon": invalid
}

func ExampleMinimum_Applies() {
	m := sla.Minimum{ID: "health", Laws: []string{"DE", "AT"}, Models: []opsec.ServiceModel{opsec.SaaS}}
	a := offer() // IaaS
	fmt.Println(m.Applies(a))
	a.Profiles = []string{"health"} // both want it nevertheless
	fmt.Println(m.Applies(a))
	// Output:
	// false
	// true
}

func ExampleNegotiation() {
	day := func(d int) time.Time { return time.Date(2026, 3, d, 12, 0, 0, 0, time.UTC) }
	n := sla.Negotiation{Agreement: offer()}
	ask := func(each time.Duration) *sla.Agreement {
		terms := offer()
		terms.Clause.Emergency.Targets[0].Each = metric.Duration(each)
		return terms
	}
	n, _ = n.Propose(sla.Step{By: opsec.CSC, Person: "Ada", Time: day(2), Text: "nights are busy"}, ask(5*time.Minute))
	n, _ = n.Refuse(sla.Step{By: opsec.CSP, Person: "Kim", Time: day(3), Text: "we could do ten"})
	n, _ = n.Propose(sla.Step{By: opsec.CSC, Person: "Ada", Time: day(4), Text: "ten, then"}, ask(10*time.Minute))
	n, err := n.Agree(sla.Step{By: opsec.CSP, Person: "Kim", Time: day(5)})
	fmt.Println("version", n.Agreement.Version, err)
	for _, c := range n.Agreement.History {
		fmt.Println(c.Person, c.Paths, c.Text, "->", c.Agreed)
	}
	fmt.Println(n.Agreement.Follows(offer()))
	// Output:
	// version 2 <nil>
	// Ada [clause.emergency.targets[0].each] nights are busy -> false
	// Ada [clause.emergency.targets[0].each] ten, then -> true
	// <nil>
}

func ExampleNegotiation_Propose() {
	n := sla.Negotiation{Agreement: offer()}
	terms := offer()
	terms.Clause.Data.Isolation.Kind = "physical"
	n, err := n.Propose(sla.Step{By: opsec.CSC, Time: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Text: "our auditors ask for it"}, terms)
	fmt.Println(n.Open.Paths, err)
	// Output: [clause.data.isolation.kind] <nil>
}

// Nobody agrees to less than a minimum.
func ExampleNegotiation_Agree() {
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rule := sla.Minimum{ID: "house-rule", Source: "security policy 7", Floors: []sla.Floor{{Path: "clause.data.backup.rpo", Most: "1h"}}}
	terms := offer()
	*terms.Clause.Data.Backup.RPO = metric.Duration(24 * time.Hour)
	n, _ := sla.Negotiation{Agreement: offer()}.Propose(sla.Step{By: opsec.CSC, Time: at, Text: "cheaper"}, terms)
	_, err := n.Agree(sla.Step{By: opsec.CSP, Time: at}, rule)
	fmt.Println(err)
	// Output: sla: clause.data.backup.rpo: want at most 1h, security policy 7
}

func ExampleNegotiation_Refuse() {
	at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	terms := offer()
	terms.Grade = "silver"
	n, _ := sla.Negotiation{Agreement: offer()}.Propose(sla.Step{By: opsec.CSP, Time: at, Text: "simpler"}, terms)
	n, err := n.Refuse(sla.Step{By: opsec.CSC, Time: at, Text: "we need gold"})
	fmt.Println(n.Refused[0].Answer, n.Open == nil, err)
	// Output: we need gold true <nil>
}

func ExampleAgreement_Follows() {
	next := offer()
	next.Version, next.Grade = 2, "silver" // by whom?
	fmt.Println(next.Follows(offer()))
	// Output: sla: history: nobody agreed to this version
}

func ExampleSealed_Verify() {
	mine := ed25519.NewKeyFromSeed(make([]byte, 32)) // from where keys are kept, such as an HSM
	theirs := ed25519.NewKeyFromSeed([]byte("another seed of 32 bytes........"))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	a := offer()
	one, err := a.Sign("Nimbus Cloud GmbH", mine, now)
	if err != nil {
		panic(err)
	}
	other, err := a.Sign("Acme AG", theirs, now)
	if err != nil {
		panic(err)
	}
	s := sla.Sealed{Agreement: a, Signatures: []sla.Signature{one, other}}
	keys := map[string]ed25519.PublicKey{ // as they were exchanged in person
		"Nimbus Cloud GmbH": mine.Public().(ed25519.PublicKey),
		"Acme AG":           theirs.Public().(ed25519.PublicKey),
	}
	fmt.Println(s.Verify(keys))
	s.Signatures = s.Signatures[:1]
	fmt.Println(s.Verify(keys))
	// Output:
	// <nil>
	// sla: "Acme AG" has not signed: not signed by all parties
}

func ExampleAgreement_Sign() {
	a := offer()
	a.Clause.Documents = nil
	_, err := a.Sign("Acme AG", ed25519.NewKeyFromSeed(make([]byte, 32)), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	fmt.Println(err)
	// Output: sla: clause.documents: clause 7.2.2.8 asks for it
}

func ExampleAgreement_Keys() {
	a := offer()
	a.Parties[0].PublicKey = "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
	keys, err := a.Keys()
	fmt.Println(len(keys), err)
	// Output: 1 <nil>
}

func ExampleParseSealed() {
	text, err := (&sla.Sealed{Agreement: offer()}).JSON()
	if err != nil {
		panic(err)
	}
	s, err := sla.ParseSealed(text)
	fmt.Println(s.Agreement.ID, err)
	// Output: acme-iaas <nil>
}

func ExampleAgreement_Judge() {
	at := func(hour int) time.Time { return time.Date(2026, 3, 10, hour, 0, 0, 0, time.UTC) }
	told := at(0).Add(-7 * 24 * time.Hour)
	rulings, err := offer().Judge([]sla.Exclusion{
		{ID: "m-1", Rule: "planned", Start: at(1), End: at(3), Noticed: told, Approved: "Kim", Role: "change-board", Reason: "firmware", Services: []string{"storage"}},
		{ID: "m-2", Rule: "planned", Start: at(3), End: at(7), Noticed: told, Approved: "Kim", Role: "change-board", Reason: "firmware, continued", Services: []string{"storage"}},
		{ID: "m-3", Rule: "planned", Start: at(20), End: at(21), Noticed: at(8), Approved: "Kim", Role: "change-board", Reason: "hot fix"},
		{ID: "c-1", Rule: "customer", Start: at(9), End: at(10), Layer: "application", Reason: "the customer's software filled the disk"},
		{ID: "c-2", Rule: "customer", Start: at(11), End: at(12), Layer: "network", Reason: "the customer says"},
	})
	if err != nil {
		panic(err)
	}
	for _, r := range rulings {
		fmt.Printf("%s %s %q\n", r.ID, time.Duration(r.Within.Length())*time.Millisecond, r.Why)
	}
	fmt.Println("storage:", time.Duration(rulings.Of("storage").Length())*time.Millisecond)
	// Output:
	// m-1 2h0m0s ""
	// m-2 2h0m0s "it goes on for longer than 4 h"
	// m-3 0s "the customer was told 12 h before, and 3 d are agreed"
	// c-1 1h0m0s ""
	// c-2 0s "the customer alone does not answer for the network layer"
	// storage: 5h0m0s
}

func ExampleAgreement_Holds() {
	a := offer()
	fmt.Println(a.Holds(a.Effective), a.Holds(a.Expires))
	// Output: true false
}

func ExampleService_Has() {
	s := offer().Service("compute")
	fmt.Println(s.Has("vm-17"), s.Has("vol-17"))
	// Output: true false
}

func ExampleAgreement_Objective() {
	a := offer()
	fmt.Println(a.Objective("compute-vm").Target, a.Objective("x") == nil, a.Service("x") == nil)
	// Output: 99.5% true true
}

func ExamplePhases() {
	fmt.Println(sla.Phases(), sla.Categories())
	// Output: [at-rest in-use in-motion] [maintenance force-majeure customer third-party suspension preview]
}
