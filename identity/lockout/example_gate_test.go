package lockout_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/identity/lockout"
)

func twoWrong() lockout.Profile {
	return lockout.Profile{Name: "two", Rules: []lockout.Rule{{Factor: lockout.Password, Class: lockout.Every, Policy: lockout.Policy{
		Failures: 2, Lock: 15 * time.Minute, Temporary: 3, Reserve: 30 * time.Second,
	}}}}
}

func Example() {
	ctx := context.Background()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	gate, err := lockout.New(lockout.NewMemory(1_000_000, nil), twoWrong(), &lockout.Options{
		Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return now },
	})
	if err != nil {
		panic(err)
	}
	ada := lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: "ada", Factor: lockout.Password}}
	logIn := func(password string) {
		guess, err := gate.Begin(ctx, ada)
		if err != nil {
			fmt.Println(err)
			return
		}
		outcome := lockout.Correct()
		if password != "correct horse" { // one KDF call, in earnest
			outcome = lockout.Wrong([]byte(password))
		}
		proof, err := gate.Commit(ctx, guess, outcome)
		if errors.Is(err, lockout.ErrWrong) {
			fmt.Println("wrong")
		} else {
			fmt.Println(proof.Account(), proof.Factor(), err)
		}
	}
	logIn("correct horse")
	logIn("123456")
	logIn("qwerty")
	logIn("correct horse")
	who := lockout.Who{Tenant: "acme", Account: "ada"}
	fmt.Println(gate.Unlock(ctx, who, opsec.Actor{Account: "root"}, "called the help desk"))
	logIn("correct horse")
	// Output:
	// ada password <nil>
	// wrong
	// wrong
	// lockout: locked until 2026-03-02T12:15:00Z
	// <nil>
	// ada password <nil>
}

func ExampleGate_Begin() {
	ctx := context.Background()
	gate, err := lockout.New(lockout.NewMemory(1000, nil), twoWrong(), &lockout.Options{Authorizer: opsec.CallerAuthorized{}, Patience: time.Millisecond})
	if err != nil {
		panic(err)
	}
	ada := lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: "ada", Factor: lockout.Password}}
	for range 3 { // of which nobody settles any
		_, err := gate.Begin(ctx, ada)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// lockout: too many guesses under way
}

func ExampleGate_Hold() {
	ctx := context.Background()
	gate, err := lockout.New(lockout.NewMemory(1000, nil), twoWrong(), &lockout.Options{Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		panic(err)
	}
	who, root := lockout.Who{Tenant: "acme", Account: "ada"}, opsec.Actor{Account: "root"}
	if err := gate.Hold(ctx, who, root, "left the company"); err != nil {
		panic(err)
	}
	_, err = gate.Begin(ctx, lockout.Attempt{Key: lockout.Key{Tenant: "acme", Account: "ada", Factor: lockout.Password}})
	fmt.Println(err)
	fmt.Println(gate.Recovered(ctx, who, lockout.Password, root, "password reset"))
	// Output:
	// lockout: held until it is unlocked
	// lockout: held until it is unlocked
}

func ExampleNewMemory() {
	memory := lockout.NewMemory(10_000_000, nil) // 48 bytes each, as they come
	profile := twoWrong()
	key, policy := profile.Counter(lockout.Key{Tenant: "acme", Account: "ada", Factor: lockout.Password})
	verdict, err := memory.Update(context.Background(), key, lockout.Change{
		Policy: policy, Event: lockout.Event{Kind: lockout.Reserve}, Now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
	})
	fmt.Println(verdict.Left, err, memory.Rows())
	// Output: 1 <nil> 1
}
