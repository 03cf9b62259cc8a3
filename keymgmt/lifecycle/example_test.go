package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/approval"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// nowhere records nothing: a real program hands events to package audit.
type nowhere struct{}

func (nowhere) Record(_ context.Context, e *opsec.Event) (opsec.Receipt, error) {
	return opsec.Receipt{Event: e.ID}, e.Validate()
}

// exampleManager has the custodian and the material of the tests; see packages custody and keyring for real ones.
func exampleManager(now *time.Time) *lifecycle.Manager {
	m, err := lifecycle.New(keymgmt.NewMemory(nowhere{}), material{}, newCustodian(), &lifecycle.Options{
		Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return *now }, Escrow: newCustodian(),
	})
	if err != nil {
		panic(err)
	}
	return m
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func Example() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := exampleManager(&now)
	ann := lifecycle.By{Actor: opsec.Actor{Tenant: "acme", Person: "ann"}, Reason: "ticket 4711"}
	id := keymgmt.SetID{Tenant: "acme", ID: "volumes"}

	must(m.Create(ctx, ann, keymgmt.Keyset{
		SetID: id, Purpose: keymgmt.DataEncryption, Algorithm: "AES256_GCM", Policy: policy(), Roles: roles(),
	}))
	old := must(m.Rotate(ctx, ann, id))
	now = now.Add(24 * time.Hour)
	for task, err := range m.Sweep(ctx, ann, "acme") {
		fmt.Println(task.Verb, task.Ref, task.Why, err)
	}
	for k, err := range m.Keys(ctx, id) {
		fmt.Println(k.Ref, k.State, err)
	}
	_, err := m.Destroy(ctx, ann, old.Ref)
	fmt.Println(errors.Is(err, opsec.ErrDenied))
	// Output:
	// rotate acme/volumes/00000002 the primary has served its time <nil>
	// acme/volumes/00000002 active <nil>
	// acme/volumes/00000001 deactivated <nil>
	// true
}

// What an hourly job reports: what it has rotated, and what people are to do.
func ExampleManager_Due() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := exampleManager(&now)
	must(m.Create(ctx, admin, set(setID)))
	must(m.Rotate(ctx, admin, setID))
	for range 3 {
		now = now.Add(120 * time.Hour)
		for task, err := range m.Sweep(ctx, admin, "acme") {
			fmt.Println("done:", task.Verb, task.Ref, task.Why, err)
		}
		for s, err := range m.List(ctx, "acme", "") {
			if err != nil {
				panic(err)
			}
			for task, err := range m.Due(ctx, s.SetID) {
				fmt.Println("due: ", task.Verb, task.Ref, task.Why, err)
			}
		}
	}
	// Output:
	// done: rotate acme/volumes/00000002 the primary has served its time <nil>
	// done: rotate acme/volumes/00000003 the primary has served its time <nil>
	// due:  schedule-destruction acme/volumes/00000001 the key processes no more <nil>
	// done: rotate acme/volumes/00000004 the primary has served its time <nil>
	// due:  schedule-destruction acme/volumes/00000002 the key processes no more <nil>
	// due:  schedule-destruction acme/volumes/00000001 the key processes no more <nil>
}

func ExampleManager_Destroy() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := exampleManager(&now)
	must(m.Create(ctx, admin, set(setID)))
	old := must(m.Rotate(ctx, admin, setID))
	must(m.Rotate(ctx, admin, setID)) // old only opens from now on

	must(m.Count(ctx, operator, old.Ref, keymgmt.Census{Time: now, Objects: 0, Of: 1000}))
	must(m.Schedule(ctx, admin, old.Ref))
	now = now.Add(72 * time.Hour)
	d := must(m.Destroy(ctx, admin, old.Ref))
	fmt.Println(d.Key.State, d.By, d.Forced)
	for _, c := range d.Copies {
		fmt.Println(c.Kind, c.Name, c.Fate)
	}
	held := must(m.Held(ctx, old.Ref))
	fmt.Println(len(held.Wrapped), "bytes of material")
	// Output:
	// destroyed acme/ann false
	// record key/volumes/00000001 erased
	// 0 bytes of material
}

func ExampleManager_Propose() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := exampleManager(&now)
	s := set(setID)
	s.Policy.Quorum = map[keymgmt.Verb]approval.Policy{
		keymgmt.Rotate: {Stages: []approval.Stage{{Rule: approval.Rule{Role: "administrator"}}}, SkipSignatures: true},
	}
	must(m.Create(ctx, admin, s))
	_, err := m.Rotate(ctx, admin, setID)
	fmt.Println(errors.Is(err, lifecycle.ErrConsent))

	c := must(m.Propose(ctx, admin, lifecycle.Order{Verb: keymgmt.Rotate, Set: setID}))
	_, err = m.Decide(ctx, "acme", c.Request.ID, approval.Decision{Verb: approval.Approve, By: person("ann"), Reason: "mine"})
	fmt.Println(errors.Is(err, approval.ErrSamePerson))
	must(m.Decide(ctx, "acme", c.Request.ID, approval.Decision{Verb: approval.Approve, By: person("ben"), Reason: "checked"}))
	with := admin
	with.Approval = c.Request.ID
	fmt.Println(must(m.Rotate(ctx, with, setID)).State)
	// Output:
	// true
	// true
	// active
}

func ExampleManager_Lease() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := exampleManager(&now)
	must(m.Create(ctx, admin, set(setID))) // a key protects 1,000 messages
	k := must(m.Rotate(ctx, admin, setID))
	for {
		got, err := m.Lease(ctx, k.Ref, keymgmt.Amount{Messages: 400, Bytes: 4000})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(got.Messages)
	}
	// Output:
	// 400
	// 400
	// 200
	// keymgmt: key acme/volumes/00000001: no messages or bytes are left: denied
}

func ExampleManager_Recover() {
	ctx, now := context.Background(), time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	h := open(nil)
	must(h.Create(ctx, admin, set(setID)))
	must(h.Rotate(ctx, admin, setID))
	bundle := must(h.BackUp(ctx, keeper, setID))

	other, err := lifecycle.New(keymgmt.NewMemory(nowhere{}), material{}, newCustodian(), &lifecycle.Options{
		Authorizer: opsec.CallerAuthorized{}, Now: func() time.Time { return now }, Escrow: h.escrow,
	})
	if err != nil {
		panic(err)
	}
	s := must(other.Recover(ctx, keeper, bundle))
	fmt.Println(s.Keys, "key,", s.Primary == 0, must(other.Key(ctx, refOf(1))).State)
	// Output: 1 key, true deactivated
}
