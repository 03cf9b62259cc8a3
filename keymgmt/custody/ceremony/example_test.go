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
