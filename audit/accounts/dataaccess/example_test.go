package dataaccess_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/dataaccess"
	"github.com/cloudopsec/opsec/calendar"
)

func ExamplePolicy_Examine() {
	policy := dataaccess.Policy{Duties: map[string]dataaccess.Limits{
		"storage": {Hours: &calendar.Policy{Zone: "Europe/Berlin", Hours: calendar.FiveByEight(calendar.Clock(9, 0))}},
	}}
	night := time.Date(2026, 3, 2, 1, 30, 0, 0, time.UTC)
	accesses := rows(
		dataaccess.Access{Time: night, Operator: operator("eve"), Customer: "acme", Resource: "volume/v1", Records: 40, Ref: "log/7"},
		dataaccess.Access{Time: night.Add(time.Minute), Operator: operator("eve"), Customer: "acme", Resource: "volume/v2", Records: 25_000, Ref: "log/8"},
	)
	var summary dataaccess.Summary
	for f, err := range policy.Examine(context.Background(), dataaccess.Sources{
		Accesses: accesses, Directory: &records{}, Summary: &summary, // a directory of one's own: tickets and consents
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.Severity, f.Kind, f.Operator, f.Tenant, f.Evidence)
		fmt.Println("  " + f.Detail)
	}
	for _, n := range summary.NotTested {
		fmt.Println("not tested:", n.Kind, "-", n.Why)
	}
	// Output:
	// low off-hours @provider/eve acme [log/7 log/8]
	//   2 accesses outside the hours of the duty
	// high no-purpose @provider/eve acme [log/7 log/8]
	//   2 accesses without a ticket
	// high above-ceiling @provider/eve @provider [log/8 log/7]
	//   25040 records in a day, where nobody may have more than 10000
	// not tested: above-own - the operator's history is too short
	// not tested: above-peers - no norms were given
}

func ExamplePolicy_Norms() {
	var quarter []dataaccess.Access
	for _, person := range []string{"ann", "bob", "eve", "joe", "zoe"} {
		quarter = append(quarter, weeks(12, person, 30)...)
	}
	norms, err := dataaccess.Policy{}.Norms(rows(quarter...))
	if err != nil {
		log.Fatal(err)
	}
	records, bytes, operators := norms.Usual("storage")
	fmt.Println(records, "records and", bytes, "bytes, the median of", operators)
	// Output: 30 records and 31743 bytes, the median of 5
}

func ExampleCase_Judge() {
	finding := dataaccess.Finding{
		Kind: dataaccess.NoConsent, Severity: opsec.SeverityHigh, Tenant: "acme", Operator: operator("eve"),
		Detail: "1 access without consent", Count: 1, Since: monday, Until: monday, Evidence: []string{"log/7"},
	}
	c, event, err := dataaccess.OpenCase(finding, monday.Add(day))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.Action, c.State())

	certificates := &staff{refs: map[string]string{"alice": "certificates/17", "eve": "certificates/18"}}
	for _, person := range []string{"eve", "carol", "alice"} {
		c, event, err = c.Judge(context.Background(), dataaccess.Judgement{
			Verdict: dataaccess.Justified, By: auditor(person), Reason: "an emergency, reported to acme the same day",
		}, certificates, certificates, monday.Add(2*day))
		fmt.Println(event.Outcome, c.State(), err)
	}
	fmt.Println(c.Steps[0].By.Person, c.Steps[0].Qualification)
	// Output:
	// dataaccess.finding open
	// denied open dataaccess: the auditor is the operator: denied
	// denied open dataaccess: no qualification of the auditor is on record: denied
	// success justified <nil>
	// alice certificates/17
}
