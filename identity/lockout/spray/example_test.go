package spray_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/cloudopsec/opsec/identity/lockout/spray"
)

func Example() {
	d, err := spray.New(spray.Policy{}, &spray.Options{Key: make([]byte, 32)}) // random, in earnest
	if err != nil {
		fmt.Println(err)
	}
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	for i := range 100 {
		for _, v := range d.Add(spray.Sighting{
			Time: now, Tenant: "acme", Account: fmt.Sprint("user", i), Source: netip.MustParseAddr("198.51.100.9"), Secret: []byte("Spring2026"),
		}) {
			fmt.Println(v.Kind, v.Severity, v.Source, v.Failures, "failures", v.Accounts, "accounts", v.Secrets, "secrets")
			fmt.Println(v.Event(now).Action)
		}
	}
	// Output:
	// spraying high 198.51.100.9/32 20 failures 20±3 accounts 1±1 secrets
	// spray.spraying
	// shared-secret high invalid Prefix 32 failures 30±4 accounts 1±1 secrets
	// spray.shared-secret
}

func ExampleMerge() {
	key := make([]byte, 32) // random, and shared by the nodes
	now := time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)
	var p spray.Policy
	var once spray.Once
	var states []*spray.State
	for node := range 3 {
		d, err := spray.New(p, &spray.Options{Key: key})
		if err != nil {
			fmt.Println(err)
		}
		for i := range 12 { // too few for one node
			d.Add(spray.Sighting{Time: now, Account: fmt.Sprint(node, "user", i), Source: netip.MustParseAddr("198.51.100.9"), Secret: []byte("x")})
		}
		states = append(states, d.State())
	}
	all := states[0]
	for _, s := range states[1:] {
		var err error
		if all, err = spray.Merge(all, s); err != nil {
			fmt.Println(err)
		}
	}
	for _, v := range once.New(p.Judge(all)) {
		fmt.Println(v.Kind, v.Failures)
	}
	// Output:
	// spraying 36
	// shared-secret 36
}
