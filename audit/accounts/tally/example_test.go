package tally_test

import (
	"fmt"
	"log"
	"net/netip"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts/table"
	"github.com/cloudopsec/opsec/audit/accounts/tally"
)

// The events of a log, in the order in which they came, as an audit wants them.
func ExampleTally() {
	t := tally.New(tally.Options{})
	defer t.Close()
	at := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	for i, action := range []string{"vm.stop", "console.login", "vm.start", "vm.stop"} {
		e := opsec.NewEvent(action, at.Add(time.Duration(i)*time.Minute))
		e.Tenant, e.Outcome, e.System = "acme", opsec.Success, "console"
		e.Actor = opsec.Actor{Tenant: "acme", Account: "ann/db", IP: netip.MustParseAddr("192.0.2.7"), Terminal: "laptop"}
		if action == "console.login" {
			e.Category = opsec.Authentication
		}
		if err := t.Add(e, fmt.Sprint("translog:node-a/", i)); err != nil {
			log.Fatal(err)
		}
	}
	for s, err := range t.SignIns() {
		fmt.Println(s.Key, s.Outcome, s.Terminal, s.Ref, err)
	}
	for u, err := range t.Uses() {
		fmt.Println(u.Key, u.Permission, u.Count, u.Ref, err)
	}
	// Output:
	// acme/ann/db success laptop translog:node-a/1 <nil>
	// acme/ann/db vm.start 1 translog:node-a/2 <nil>
	// acme/ann/db vm.stop 2 translog:node-a/3 <nil>
}

func ExampleSort() {
	file := strings.NewReader("tenant,id\nacme,p2\nacme,p1\n")
	people, err := tally.Sort(table.People(file, "people.csv"), tally.Options{Memory: 16 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer people.Close()
	for p, err := range people.Rows() {
		fmt.Println(p.ID, p.Ref, err)
	}
	// Output:
	// p1 people.csv:3 <nil>
	// p2 people.csv:2 <nil>
}

// Accounts in any order, by the people who answer for them.
func ExampleHoldings() {
	file := strings.NewReader("tenant,main,person,state\nacme,zoe,p1,active\nacme,ann,p2,active\nacme,zoe2,p1,active\nacme,cron,,active\n")
	holdings, err := tally.Holdings(table.Accounts(file, "accounts.csv"), tally.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer holdings.Close()
	for h, err := range holdings.Rows() {
		fmt.Println(h.Person, h.Key, err)
	}
	// Output:
	// p1 acme/zoe <nil>
	// p1 acme/zoe2 <nil>
	// p2 acme/ann <nil>
}

// What a Map of your own may fall back on.
func ExampleUsual() {
	e := opsec.NewEvent("vm.stop", time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC))
	e.Tenant, e.Actor.Account = "acme", "ann/db"
	fmt.Println(tally.Usual(e))
	// Output: acme/ann/db vm.stop true
}
