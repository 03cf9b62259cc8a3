package thirdparty_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/custody"
	"github.com/cloudopsec/opsec/keymgmt/custody/thirdparty"
)

// side is a custodian of one side: here both are in software; a party's would be custody.NewKMS over its service.
func side(name string) keymgmt.Custodian {
	r, err := custody.NewRoot(new(custody.Memory), &custody.RootOptions{Name: name})
	if err != nil {
		panic(err)
	}
	if err := r.Create(context.Background(), custody.NewRootKey()); err != nil {
		panic(err)
	}
	return r
}

// Our lock is inside, that of a party around it; it is asked with a reason, and the log has every answer.
func Example() {
	log := new(audittest.Recorder) // your audit.Log
	ours, theirs := side("ours"), side("theirs")
	party, err := thirdparty.New(theirs, thirdparty.Policy{Name: "Keyholders Ltd"}, &thirdparty.Options{Recorder: log})
	if err != nil {
		fmt.Println(err)
		return
	}
	custodian := thirdparty.Double(ours, party)

	ctx := context.Background()
	fmt.Println(errors.Is(custodian.Generate(ctx, "acme"), thirdparty.ErrJustification))
	ctx = thirdparty.WithJustification(ctx, thirdparty.Justification{
		By: opsec.Actor{Tenant: opsec.Provider, Account: "olga", Person: "olga", Kind: opsec.Human}, Reason: "new tenant, ticket 4711",
	})
	fmt.Println(custodian.Generate(ctx, "acme"))
	wrapped, err := custodian.Wrap(ctx, "acme", []byte("key material"), []byte("context"))
	fmt.Println(err)
	material, err := custodian.Unwrap(ctx, "acme", wrapped, []byte("context"))
	fmt.Printf("%s %v\n", material, err)
	_, err = ours.Unwrap(ctx, "acme", wrapped, []byte("context"))
	fmt.Println(errors.Is(err, keymgmt.ErrUnwrap))
	for _, e := range log.Events() {
		fmt.Printf("%s %s %q\n", e.Action, e.Outcome, e.Reason)
	}
	// Output:
	// true
	// <nil>
	// <nil>
	// key material <nil>
	// true
	// thirdparty.generate denied ""
	// thirdparty.generate pending "new tenant, ticket 4711"
	// thirdparty.generate success "new tenant, ticket 4711"
	// thirdparty.wrap success "new tenant, ticket 4711"
	// thirdparty.unwrap success "new tenant, ticket 4711"
}

// Two parties have half of each key; destroying the half of one is the end of all that both have wrapped.
func ExampleSplitKey() {
	ctx := context.Background()
	ours, theirs := side("ours"), side("theirs")
	custodian := thirdparty.SplitKey(ours, theirs)
	if err := custodian.Generate(ctx, "acme"); err != nil {
		fmt.Println(err)
		return
	}
	wrapped, err := custodian.Wrap(ctx, "acme", []byte("key material"), []byte("context"))
	fmt.Println(err)
	material, err := custodian.Unwrap(ctx, "acme", wrapped, []byte("context"))
	fmt.Printf("%s %v\n", material, err)

	_, err = theirs.Destroy(ctx, "acme")
	fmt.Println(err)
	_, err = custodian.Unwrap(ctx, "acme", wrapped, []byte("context"))
	fmt.Println(errors.Is(err, opsec.ErrNotFound))
	// Output:
	// <nil>
	// key material <nil>
	// <nil>
	// true
}
