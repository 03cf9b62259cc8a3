package shelf_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
	"github.com/cloudopsec/opsec/identity/lockout/shelf"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/memory"
)

func Example() {
	ctx := context.Background()
	o := &store.Options{Node: "front-1"}
	db, err := store.New(memory.New(), o) // in earnest store/postgres or store/bolt, sealed
	if err != nil {
		panic(err)
	}
	profile, err := lockout.Preset(lockout.PresetRecommendation)
	if err != nil {
		panic(err)
	}
	gate, err := lockout.New(shelf.Stored(db, o), profile, &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		panic(err)
	}
	guess, err := gate.Begin(ctx, lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: "ada", Factor: lockout.Password}})
	if err != nil {
		panic(err)
	}
	_, err = gate.Commit(ctx, guess, lockout.Wrong([]byte("123456")))
	fmt.Println(err, errors.Is(err, opsec.ErrDenied))
	// Output: lockout: wrong secret: denied true
}
