package catalogue_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/backup/catalogue"
	"github.com/cloudopsec/opsec/backup/plan"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

// journal is a recorder that keeps nothing; use package audit.
type journal struct{}

func (journal) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	fmt.Println(e.Action, e.Outcome)
	return opsec.Receipt{Event: e.ID, Time: e.Time, Durable: true}, nil
}

type stores struct{}

func (stores) Delete(_ context.Context, _ opsec.TenantID, p catalogue.Point, c catalogue.Copy) error {
	fmt.Println("rm", c.Location, p.ID)
	return nil
}

// Two backups, one of which needs the other. One person asks that the first be deleted, two others approve and sign, a week passes: and
// it stays, since the second needs it.
func Example() {
	ctx := context.Background()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	db, err := store.New(memory.New(), nil) // or bolt.Open
	check(err)
	var keys approval.Keys
	private := map[string]ed25519.PrivateKey{}
	for _, person := range []string{"bob", "carol"} {
		public, secret, err := ed25519.GenerateKey(nil)
		check(err)
		private[person] = secret
		keys = append(keys, approval.Key{Tenant: opsec.Provider, Person: person, Public: public})
	}
	backups, err := catalogue.New(db, catalogue.DefaultPolicy(), &catalogue.Options{
		Now: func() time.Time { return now }, Authorizer: opsec.CallerAuthorized{}, Recorder: journal{}, Deleter: stores{},
		Authority: approval.Authority{Keys: keys, Roles: func(opsec.Actor) ([]string, error) { return []string{"backup-approver"}, nil }},
	})
	check(err)

	human := func(person string) opsec.Actor {
		return opsec.Actor{Tenant: opsec.Provider, Account: person + "-1", Person: person, Kind: opsec.Human}
	}
	agent := catalogue.By{Actor: opsec.Actor{Tenant: "acme", Account: "agent", Kind: opsec.Service}}
	for _, r := range []catalogue.Registration{{ID: "full"}, {ID: "next", Parents: []string{"full"}}} {
		r.Source, r.Level, r.Claimed = "vol-7", plan.Image, now
		r.Copies = []catalogue.Copy{{Location: "rack-1", Site: plan.OnSite, Durable: now}}
		_, err := backups.Register(ctx, agent, "acme", r)
		check(err)
	}

	remove := func(points ...string) {
		alice := catalogue.By{Actor: human("alice"), Reason: "space"}
		order, err := backups.ProposeDeletion(ctx, alice, "acme", "vol-7", points, len(points) == 2)
		check(err)
		for _, person := range []string{"bob", "carol"} {
			d := approval.Decision{Verb: approval.Approve, By: human(person), Reason: "seen", SignedAt: now}
			message, err := backups.Message(ctx, "acme", order.ID, d)
			check(err)
			d.Signature = ed25519.Sign(private[person], message)
			order, err = backups.Decide(ctx, "acme", order.ID, d)
			check(err)
		}
		_, err = backups.Execute(ctx, alice, "acme", order.ID)
		wait, ok := errors.AsType[*catalogue.DelayError](err)
		fmt.Println(ok, wait.Until.Sub(now))
		now = order.Ready
		order, err = backups.Execute(ctx, alice, "acme", order.ID)
		check(err)
		fmt.Println(order.State, order.Gone, order.Kept)
	}
	remove("full")
	remove("full", "next") // the customer leaves
	// Output:
	// true 168h0m0s
	// done 0 [{full needed-by next}]
	// true 168h0m0s
	// backup.erase pending
	// rm rack-1 next
	// backup.erase success
	// backup.erase pending
	// rm rack-1 full
	// backup.erase success
	// done 2 []
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
