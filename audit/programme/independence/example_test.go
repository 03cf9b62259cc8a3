package independence_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// Who of three may audit the backups? Ann has restored one, and Bob is her manager.
func ExamplePolicy_Examine() {
	restored := opsec.NewEvent("backup.restore", time.Date(2026, 2, 3, 9, 0, 0, 0, time.UTC))
	restored.Outcome = opsec.Success
	restored.Actor = opsec.Actor{Tenant: opsec.Provider, Account: "ann-ops", Person: "ann"}
	restored.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "7"}

	events := func(yield func(independence.Act, error) bool) { // in earnest, from the log
		yield(independence.ActOf(restored, "translog:eu-1/4711"), nil)
	}
	organisation := independence.Organisation{Lines: []independence.Line{{Person: "ann", Manager: "bob"}}}
	var policy independence.Policy // strict
	clearance, err := policy.Examine(context.Background(), independence.Scope{Actions: []string{"backup.*"}},
		[]string{"ann", "bob", "cat"}, organisation, events, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		panic(err)
	}
	for _, person := range []string{"ann", "bob", "cat"} {
		fmt.Println(clearance.Cleared(person))
	}
	fmt.Println(clearance.Standings[0].Conflicts[0].Refs)
	// Output:
	// independence: "ann": operated backup.restore acme/volume/7 on 2026-02-03: denied
	// independence: "bob": in line with ann, who operated backup.restore acme/volume/7 on 2026-02-03: denied
	// <nil>
	// [translog:eu-1/4711]
}
