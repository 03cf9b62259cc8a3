package entry_test

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

func Example() {
	ctx := context.Background()
	keys := subject.Memory()
	defer keys.Close()

	e := opsec.NewEvent("volume.attach", time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC))
	e.Tenant, e.Outcome, e.Reason = "acme", opsec.Success, "night shift"
	e.Actor = opsec.Actor{Account: "j.doe", Terminal: "laptop-0412"}
	e.Attrs = []opsec.Attr{{Key: "zone", Value: "eu-1", Mark: opsec.Public}}

	scribe := &entry.Scribe{Keys: keys}
	draft, err := scribe.Draft(ctx, e)
	if err != nil {
		fmt.Println(err)
		return
	}
	leaf := draft.AppendLeaf(nil, 1, tlog.Hash{}) // acme's first

	l, err := entry.Parse(leaf)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Action, l.Outcome, l.Attrs)
	body, err := entry.ParseBody(draft.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func(f entry.Field) bool { return f.Name != "actor.terminal" }
	got, evidence, err := entry.Open(ctx, keys, l, body, show)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Tenant, got.Reason, got.Actor.Account, got.Actor.Terminal)

	// An auditor, who has no keys, gets the leaf (with its proof, from the log) and the evidence.
	proven, err := entry.VerifyEvidence(leaf, evidence)
	fmt.Println(proven.Reason, proven.Actor.Account, err)

	// The person is erased: by account, or all accounts of a person.
	handles, err := keys.Find(ctx, entry.Subject{Tenant: "acme", Account: "j.doe"})
	if err == nil {
		err = keys.Erase(ctx, handles...)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	got, _, err = entry.Open(ctx, keys, l, body, show)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Reason, got.Actor.Account)
	// Output:
	// volume.attach success [zone=eu-1]
	// acme night shift j.doe [personal]
	// night shift j.doe <nil>
	// night shift [erased]
}

func ExampleLeaf_Append() {
	leaf, err := entry.Leaf{
		Kind: entry.Epoch, Number: 7, Time: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC), Tenants: 12,
	}.Append(nil)
	fmt.Printf("%s %v\n", leaf, err)
	// Output:
	// {"v":1,"epoch":7,"time":"2026-11-24T08:30:00Z","tenants":12,"heads":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} <nil>
}
