package rewrap_test

import (
	"context"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/rewrap"
)

func contextThatEnds(t testing.TB) (context.Context, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	return ctx, cancel
}

// volumes are five objects under key 1.
func volumes(r *ring) *shelf {
	s := &shelf{objects: map[string]rewrap.Object{}}
	for i := range 5 {
		b, err := r.with(1).Seal(nil, []byte("data key"), keymgmt.Context{})
		if err != nil {
			log.Fatal(err)
		}
		s.put(rewrap.Object{ID: fmt.Sprint("volume-", i), Wrapped: b})
	}
	return s
}

func ExampleDriver_Run() {
	r := newRing(1, 2) // key 2 is the primary
	driver, err := rewrap.New(
		rewrap.Job{Set: keymgmt.SetID{Tenant: "acme", ID: "volumes"}, Name: "volumes", To: 2},
		volumes(r), rewrap.Ciphertexts(r), rewrap.Policy{Batch: 2},
		rewrap.Options{
			Authorizer: opsec.CallerAuthorized{},
			Recorder:   new(audittest.Recorder),
			Save:       func(context.Context, rewrap.Checkpoint) error { return nil }, // to where your other state is
			Progress:   func(c rewrap.Checkpoint) { fmt.Println(c.Counts.Of(), "up to", c.After) },
		})
	if err != nil {
		log.Fatal(err)
	}
	reached, err := driver.Run(context.Background(), opsec.Actor{Tenant: "acme", Account: "bob", Person: "bob"}, rewrap.Checkpoint{})
	fmt.Println(reached.Done, reached.Counts.Rewrapped, err)
	// Output:
	// 2 up to volume-1
	// 4 up to volume-3
	// 5 up to volume-4
	// true 5 <nil>
}

func ExampleCount() {
	now := func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }
	part, err := rewrap.Count(context.Background(), "volumes", volumes(newRing(1)), rewrap.Ciphertext{}, now)
	if err != nil {
		log.Fatal(err)
	}
	report := rewrap.Report{Set: keymgmt.SetID{Tenant: "acme", ID: "volumes"}, Parts: []rewrap.Part{part}}
	for key := uint32(1); key <= 2; key++ {
		census, err := report.Census(key, "volumes")
		fmt.Println("key", key, census.Objects, "of", census.Of, err)
	}
	// Output:
	// key 1 5 of 5 <nil>
	// key 2 0 of 5 <nil>
}

func ExampleEnvelopes() {
	r := newRing(1, 2)
	head, err := r.with(1).Seal(nil, []byte("data key"), keymgmt.Context{})
	if err != nil {
		log.Fatal(err)
	}
	object := envelope(head, []byte("data under the data key"))
	w := rewrap.Envelopes(r)
	object, err = w.Rewrap(context.Background(), nil, object, keymgmt.Context{})
	key, _ := w.KeyID(object)
	fmt.Println(key, err)
	// Output: 2 <nil>
}
