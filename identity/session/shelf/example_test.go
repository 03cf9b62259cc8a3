package shelf_test

import (
	"context"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/session"
	"github.com/cloudopsec/opsec/identity/session/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func ExampleStored() {
	ctx := context.Background()
	db, err := store.New(memory.New(), nil)
	if err != nil {
		panic(err)
	}
	policy, err := session.Preset("pci-dss")
	if err != nil {
		panic(err)
	}
	policy.Factors = 1
	options := &session.Options{Authorizer: opsec.CallerAuthorized{}}
	here, err := session.New(shelf.Stored(db), policy, options)
	if err != nil {
		panic(err)
	}
	there, err := session.New(shelf.Stored(db), policy, options)
	if err != nil {
		panic(err)
	}

	_, token, err := here.Create(ctx, request("eve", "laptop"), proof{"eve", here.Now()})
	fmt.Println(err)
	s, err := there.Validate(ctx, token, session.Use{})
	fmt.Println(s.User.Account, err)
	fmt.Println(here.RevokeAll(ctx, "acme", "eve", admin, "laptop stolen"))
	// Output:
	// <nil>
	// eve <nil>
	// <nil>
}
