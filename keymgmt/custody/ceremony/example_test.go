package ceremony_test

import (
	"context"
	"crypto/hpke"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt/custody/ceremony"
	"github.com/cloudopsec/opsec/keymgmt/custody/shares"
)

// A root key is sealed to three custodians, two of whom open it again after a restart.
func Example() {
	ctx := context.Background()
	log := new(audittest.Recorder) // your audit.Log
	options := &ceremony.Options{
		Recorder: log, Authorizer: opsec.CallerAuthorized{},
		Now: func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) },
	}
	human := func(name string) opsec.Actor {
		return opsec.Actor{Tenant: opsec.Provider, Account: name, Person: name, Kind: opsec.Human}
	}

	plan := ceremony.Plan{Label: "root of region 1", Threshold: 2}
	keys := map[string]hpke.PrivateKey{} // each with its custodian, on a machine of their own
	for _, name := range []string{"ann", "bob", "cyd"} {
		keys[name], _ = hpke.MLKEM768X25519().GenerateKey()
		plan.Custodians = append(plan.Custodians, ceremony.Custodian{
			Tenant: opsec.Provider, Person: name, Recipient: shares.HPKE(keys[name].PublicKey()),
		})
	}
	roster, err := ceremony.Deal(ctx, human("olga"), []byte("root key"), plan, options)
	if err != nil {
		fmt.Println(err)
		return
	}

	c, err := ceremony.Open(ctx, human("olga"), roster, ceremony.Request{Purpose: ceremony.Recover, Reason: "restart"}, options)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, name := range []string{"ann", "bob", "cyd"} {
		if name == "bob" {
			continue // on holiday
		}
		share, err := roster.Holders[i].Sealed.Open(shares.HPKEIdentity(keys[name]))
		if err != nil {
			fmt.Println(err)
			return
		}
		state, err := c.Submit(ctx, human(name), share)
		fmt.Println(name, state.Status, err)
	}
	err = c.Recover(ctx, human("olga"), func(_ context.Context, secret []byte) error { // root.Unseal of package custody
		fmt.Printf("unsealed with %q\n", secret)
		return nil
	})
	fmt.Println(c.State().Status, err)
	for _, e := range log.Events() {
		fmt.Println(e.Action, e.Outcome)
	}
	// Output:
	// ann waiting <nil>
	// cyd ready <nil>
	// unsealed with "root key"
	// done <nil>
	// ceremony.deal success
	// ceremony.open success
	// ceremony.submit success
	// ceremony.submit success
	// ceremony.recover pending
	// ceremony.recover success
}

// yearly is what the examples below begin with: a roster of three, two of whom are needed, and a ceremony in which some of
// them have handed in their shares.
func yearly(purpose ceremony.Purpose, persons ...string) (*ceremony.Roster, *ceremony.Ceremony, func(persons ...string) ceremony.Plan) {
	ctx := context.Background()
	options := &ceremony.Options{
		Recorder: new(audittest.Recorder), Authorizer: opsec.CallerAuthorized{},
		Now: func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) },
	}
	keys := map[string]hpke.PrivateKey{}
	plan := func(persons ...string) ceremony.Plan {
		p := ceremony.Plan{Label: "root of region 1", Threshold: 2}
		for _, name := range persons {
			if keys[name] == nil {
				keys[name], _ = hpke.MLKEM768X25519().GenerateKey()
			}
			p.Custodians = append(p.Custodians, ceremony.Custodian{
				Tenant: opsec.Provider, Person: name, Recipient: shares.HPKE(keys[name].PublicKey()),
			})
		}
		return p
	}
	roster, err := ceremony.Deal(ctx, person("olga"), []byte("root key"), plan("ann", "bob", "cyd"), options)
	if err != nil {
		panic(err)
	}
	c, err := ceremony.Open(ctx, person("olga"), roster, ceremony.Request{Purpose: purpose, Reason: "yearly"}, options)
	if err != nil {
		panic(err)
	}
	for _, name := range persons {
		for _, holder := range roster.Holders {
			if holder.Person == name {
				share, err := holder.Sealed.Open(shares.HPKEIdentity(keys[name]))
				if err != nil {
					panic(err)
				}
				if _, err := c.Submit(ctx, person(name), share); err != nil {
					panic(err)
				}
			}
		}
	}
	return roster, c, plan
}

// Once a year, and right after dealing: all holders show that their shares are there and open.
func ExampleCeremony_Rehearse() {
	roster, c, _ := yearly(ceremony.Rehearse, "ann", "bob", "cyd")
	challenge := []byte("X.1642 audit 2026, question 17")
	proof, err := c.Rehearse(context.Background(), person("olga"), challenge)
	fmt.Println(proof.Indexes, err)
	fmt.Println(roster.Set.VerifyProof(proof, challenge))
	fmt.Println(c.State().Status)
	// Output:
	// [1 2 3] <nil>
	// <nil>
	// done
}

// Cyd has left, and dan comes: two of the others deal anew.
func ExampleCeremony_Renew() {
	old, c, plan := yearly(ceremony.Renew, "ann", "bob")
	next, err := c.Renew(context.Background(), person("olga"), plan("ann", "bob", "dan"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(next.Set.Previous == old.Set.ID)
	for i, holder := range next.Holders {
		fmt.Println(i+1, holder.Person)
	}
	// Output:
	// true
	// 1 ann
	// 2 bob
	// 3 dan
}
