package identity_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/identity"
	"github.com/cloudopsec/opsec/identity/name"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

type printer struct{}

func (printer) Notify(_ context.Context, m opsec.Message) error {
	fmt.Println("to", m.To, m.Subject)
	return nil
}

// A directory with two administrators; one asks for an account, the other approves, and signs that.
func Example() {
	ctx := context.Background()
	db, err := store.New(memory.New(), nil) // or bolt.Open
	check(err)
	names, err := name.Preset("recommendation")
	check(err)
	public, private, err := ed25519.GenerateKey(nil) // bob's
	check(err)
	directory, err := identity.New(db, identity.DefaultPolicy("cloud.example", names), &identity.Options{
		Authorizer: opsec.CallerAuthorized{}, Notifier: printer{}, Keys: approval.Keys{{Tenant: "acme", Person: "p2", Public: public}},
	})
	check(err)

	admin := identity.Rights{Roles: []string{"account-administrator"}}
	first, err := directory.Bootstrap(ctx, identity.By{Reason: "founded"}, "acme",
		identity.Registration{Name: "alice", Person: "p1", Holds: admin}, identity.Registration{Name: "bob", Person: "p2", Holds: admin})
	check(err)
	alice, bob := identity.By{Actor: first[0].Actor(), Reason: "ticket 4711"}, first[1].Actor()

	account, request, err := directory.Register(ctx, alice, "acme", identity.Registration{Name: "Carol", Person: "p3"})
	check(err)
	fmt.Println(account.Canonical, account.State)
	decision := approval.Decision{Verb: approval.Approve, By: alice.Actor, Reason: "mine", SignedAt: time.Now()}
	_, err = directory.Decide(ctx, "acme", request.ID, decision)
	fmt.Println(errors.Is(err, approval.ErrSamePerson))

	decision.By, decision.Reason = bob, "she is one of us"
	message, err := directory.Message(ctx, "acme", request.ID, decision)
	check(err)
	decision.Signature = ed25519.Sign(private, message)
	_, err = directory.Decide(ctx, "acme", request.ID, decision)
	check(err)
	account, err = directory.Lookup(ctx, bob, "acme", "carol")
	check(err)
	fmt.Println(account.Canonical, account.State)

	_, _, err = directory.Register(ctx, alice, "acme", identity.Registration{Name: "car0l", Person: "p4"})
	fmt.Println(err)
	// Output:
	// carol registered
	// true
	// carol active
	// identity: the name is taken: invalid
}

// Without a store: a main account that may grant less cuts its sub-account; disabled, it takes it along.
func ExampleFamily_Apply() {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	main := identity.Account{ID: "01a224ca-e84d-718d-8e2f-000000000001", Tenant: "acme", Name: "carol", Canonical: "carol", Kind: opsec.Human, Person: "p3",
		MayGrant: identity.Rights{Privileges: []string{"read", "write"}}}
	sub := identity.Account{ID: "01a224ca-e84d-718d-8e2f-000000000002", Tenant: "acme", Name: "carol-db", Canonical: "carol-db", Kind: opsec.Service, Person: "p3",
		Main: main.ID, System: "database/orders", Holds: identity.Rights{Privileges: []string{"read", "write"}}}
	var family identity.Family
	for _, step := range []identity.Step{
		{Verb: identity.Register, Account: main.ID, New: &main},
		{Verb: identity.Approve, Account: main.ID},
		{Verb: identity.Register, Account: sub.ID, New: &sub},
		{Verb: identity.Approve, Account: sub.ID},
		{Verb: identity.Modify, Account: main.ID, MayGrant: &identity.Rights{Privileges: []string{"read"}}},
		{Verb: identity.Disable, Account: main.ID},
	} {
		var err error
		step.Time = at
		family, err = family.Apply(step)
		check(err)
	}
	a := family.Account(sub.ID)
	fmt.Println(a.Holds.Privileges, a.State, a.Cause)
	// Output: [read] disabled main
}

func ExampleDormancy_Judge() {
	d := identity.Dormancy{After: 90 * 24 * time.Hour, Warnings: []time.Duration{14 * 24 * time.Hour}}
	created := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	f := identity.Family{Main: identity.Account{State: identity.Active, Own: identity.Active, Created: created}}
	idle := d.Judge(&f, &f.Main, created.AddDate(0, 0, 80))
	fmt.Println("warn:", idle.Warning > 0, "disable:", idle.Disable, "on", idle.Until.Format(time.DateOnly))
	// Output: warn: true disable: false on 2026-06-04
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
