package accounts_test

import (
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/table"
	"github.com/cloudopsec/opsec/audit/accounts/tally"
)

// Two files of a small provider, and its log. Bob has left, and somebody uses his account; root was never approved.
func Example() {
	register := table.Accounts(strings.NewReader(`tenant,main,person,state,roles,created,approved,reviewed,last_used
acme,root,,active,,2025-01-01,,,2026-05-30
acme,ann,p1,active,operator,2025-01-01,2025-01-02,2026-05-01,2026-05-30
acme,bob,p2,active,operator,2025-01-01,2025-01-02,2026-05-01,2026-05-30
`), "accounts.csv")
	people := table.People(strings.NewReader("tenant,id,left\nacme,p1,\nacme,p2,2026-05-15\n"), "people.csv")

	rows, err := tally.Sort(register, tally.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer rows.Close()
	holdings, err := tally.Holdings(rows.Rows(), tally.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer holdings.Close()

	policy := accounts.Policy{Roles: map[string][]string{"operator": {"vm.start", "vm.stop"}}}
	var summary accounts.Summary
	for f, err := range policy.Audit(accounts.Sources{
		Accounts: rows.Rows(), People: people, Holdings: holdings.Rows(), Summary: &summary,
	}, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s %s: %s %v\n", f.Severity, f.Kind, f.Account, f.Detail, f.Evidence)
	}
	fmt.Println(len(summary.Tested), "kinds tested,", len(summary.NotTested), "not, such as", summary.NotTested[0])
	// Output:
	// medium unowned acme/root: nobody is on record who answers for the account [accounts.csv:2]
	// high unapproved acme/root: no approval of the account is on record [accounts.csv:2]
	// low unreviewed acme/root: last reviewed or approved on 2025-01-01 [accounts.csv:2]
	// high orphan acme/bob: its person left on 2026-05-15, and the account is active [accounts.csv:4]
	// 7 kinds tested, 12 not, such as {overdue not given: entitlements}
}

// A front end asks the register how an account stands, and tells the detector.
func ExampleAttempts() {
	attempts, err := accounts.Policy{}.Attempts([]byte("32 random bytes that are thrown away"))
	if err != nil {
		log.Fatal(err)
	}
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	for _, typed := range []string{"admin", "root", "hunter2", "postgres"} {
		f, ok := attempts.Add(accounts.SignIn{
			Key: accounts.ParseAccount("acme", typed), Time: at, Outcome: opsec.Failure, IP: netip.MustParseAddr("2001:db8::17"),
		}, accounts.Invented)
		if ok {
			fmt.Println(f.Kind, f.Detail)
		}
	}
	f, _ := attempts.Add(accounts.SignIn{
		Key: accounts.ParseAccount("acme", "bob"), Time: at, Outcome: opsec.Success, IP: netip.MustParseAddr("192.0.2.7"),
	}, accounts.Abandoned)
	fmt.Println(f.Severity, f.Kind, f.Account)
	fmt.Println(attempts.Totals())
	// Output:
	// invented-attempt 2001:db8::/64 tried 3 names of accounts that do not exist, in 3 attempts
	// critical abandoned-attempt acme/bob
	// {4 4 1 0}
}

// A finding goes to the security audit as an event.
func ExampleFinding_Event() {
	f := accounts.Finding{
		Kind: accounts.Dormant, Severity: accounts.Dormant.Severity(), Tenant: "acme", Account: accounts.ParseAccount("acme", "bob"),
		Detail: "active, and last used on 2026-01-07", Evidence: []string{"translog:node-a/4711"},
	}
	e := f.Event(time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC))
	fmt.Println(e.Validate(), e.Tenant, e.Action, e.Resource)
	for _, a := range e.Attrs {
		fmt.Println(a)
	}
	// Output:
	// <nil> acme accounts.finding acme/account/bob
	// kind=dormant
	// severity=medium
	// detail=active, and last used on 2026-01-07
	// evidence=translog:node-a/4711
}

// A policy is data, and strict where it says nothing.
func ExamplePolicy() {
	var p accounts.Policy
	fmt.Println(p.UnmarshalJSON([]byte(`{"dormant_after": "720h", "naming": "[a-z]+\\.[a-z]+", "skip": ["shared"]}`)))
	fmt.Println(p.UnmarshalJSON([]byte(`{"dormant_after": "-1h"}`)))
	text, _ := accounts.PCIDSS().MarshalJSON()
	fmt.Println(string(text))
	// Output:
	// <nil>
	// accounts: policy: a duration is negative: invalid
	// {"dormant_after":"2160h0m0s","review_after":"4416h0m0s"}
}

func ExampleKinds() {
	for _, k := range accounts.Kinds()[:3] {
		fmt.Println(k, k.Severity())
	}
	// Output:
	// unowned medium
	// unapproved high
	// misnamed low
}
