package table_test

import (
	"fmt"
	"strings"

	"github.com/cloudopsec/opsec/audit/accounts/table"
)

func ExampleAccounts() {
	csv := "tenant,main,state,roles,last_used\nacme,ann,active,operator;reader,2026-05-30\nacme,bob,active,,yesterday\n"
	for a, err := range table.Accounts(strings.NewReader(csv), "accounts.csv") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(a.Key, a.State, a.Roles, a.Ref)
	}
	// Output:
	// acme/ann active [operator reader] accounts.csv:2
	// table: accounts.csv:3:18: last_used: want a date such as 2026-03-01, or a time such as 2026-03-01T08:00:00Z: invalid
}

func ExampleEntitlements() {
	lines := `{"tenant":"acme","main":"ann","permission":"vm.stop","approved":"2026-03-01T00:00:00Z"}` + "\n"
	for e, err := range table.Entitlements(strings.NewReader(lines), "grants.jsonl") {
		fmt.Println(e.Key, e.Permission, e.Approved, e.Ref, err)
	}
	// Output: acme/ann vm.stop 2026-03-01 00:00:00 +0000 UTC grants.jsonl:1 <nil>
}

func ExampleUses() {
	csv := "tenant,main,permission,count,denied,last\nacme,ann,vm.stop,7,1,2026-05-30\n"
	for u, err := range table.Uses(strings.NewReader(csv), "uses.csv") {
		fmt.Println(u.Key, u.Permission, u.Count, u.Denied, err)
	}
	// Output: acme/ann vm.stop 7 1 <nil>
}

func ExampleSignIns() {
	csv := "tenant,main,time,outcome,logout,began,ip\nacme,ann,2026-05-30T17:00:00Z,success,true,2026-05-30T08:00:00Z,192.0.2.7\n"
	for s, err := range table.SignIns(strings.NewReader(csv), "signins.csv") {
		fmt.Println(s.Key, s.Logout, s.Time.Sub(s.Began), s.IP, err)
	}
	// Output: acme/ann true 9h0m0s 192.0.2.7 <nil>
}

func ExamplePeople() {
	for p, err := range table.People(strings.NewReader("id,tenant,left\np1,acme,2026-05-15\n"), "people.csv") {
		fmt.Println(p.Tenant, p.ID, p.Left.Year(), err)
	}
	// Output: acme p1 2026 <nil>
}
