package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
	"github.com/cloudopsec/opsec/store/memory"
)

// Server is a record of a control plane.
type Server struct {
	ID      string    `json:"id"`
	Address string    `json:"address"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires,omitzero"`
}

// Servers have addresses that are unique within a tenant, and are found by role and by time of expiry.
var Servers = store.NewCollection(store.Schema[Server]{
	Name: "servers", Guarded: true,
	ID: func(v *Server) store.Key { return store.Text(v.ID) },
	Indexes: []store.Index[Server]{
		{Name: "address", Unique: true, Keys: func(v *Server) []store.Key { return []store.Key{store.Text(v.Address)} }},
		{Name: "role", Keys: func(v *Server) []store.Key { return []store.Key{store.Text(v.Role)} }},
		{Name: "expires", Keys: func(v *Server) []store.Key {
			if v.Expires.IsZero() {
				return nil
			}
			return []store.Key{store.Key{}.Time(v.Expires)}
		}},
	},
})

func example() *store.DB {
	db, err := store.New(memory.New(), nil)
	if err != nil {
		log.Fatal(err)
	}
	err = db.Update(context.Background(), func(tx *store.Tx) error {
		return Servers.Insert(tx.Sub("acme"),
			&Server{ID: "s-1", Address: "192.0.2.1", Role: "primary"},
			&Server{ID: "s-2", Address: "192.0.2.2", Role: "replica", Expires: time.Unix(1_800_000_000, 0)},
			&Server{ID: "s-3", Address: "192.0.2.3", Role: "replica"})
	})
	if err != nil {
		log.Fatal(err)
	}
	return db
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	engine, err := bolt.Open(filepath.Join(dir, "state"), nil)
	if err != nil {
		log.Fatal(err)
	}
	db, err := store.New(engine, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	err = db.Update(ctx, func(tx *store.Tx) error {
		return Servers.Insert(tx.Sub("acme"), &Server{ID: "s-1", Address: "192.0.2.1"})
	})
	fmt.Println(err)
	err = db.Update(ctx, func(tx *store.Tx) error {
		return Servers.Insert(tx.Sub("acme"), &Server{ID: "s-2", Address: "192.0.2.1"})
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// store: servers: a record with this key of index address exists already
}

// A rule that holds for a whole list, here that there is one primary: the list and the change are one transaction.
func ExampleDB_Update() {
	db := example()
	promote := func(id string) error {
		return db.Update(context.Background(), func(tx *store.Tx) error {
			s := tx.Sub("acme")
			n, err := Servers.Count(s, store.Query{Index: "role", Prefix: store.Text("primary")})
			if err != nil {
				return err
			}
			if n > 0 {
				return errors.New("there is a primary")
			}
			v, err := Servers.Get(s, store.Text(id))
			if err != nil {
				return err
			}
			v.Role = "primary"
			return Servers.Put(s, v)
		})
	}
	fmt.Println(promote("s-2"))
	// Output: there is a primary
}

// State and evidence in one commit; package outbox delivers the event.
func ExampleTx_Emit() {
	db := example()
	err := db.Update(context.Background(), func(tx *store.Tx) error {
		e := opsec.NewEvent("server.retired", time.Now())
		e.Tenant, e.Outcome = "acme", opsec.Success
		e.Resource = opsec.Resource{Tenant: "acme", Type: "server", ID: "s-3"}
		return errors.Join(tx.Emit(e), Servers.Delete(tx.Sub("acme"), store.Text("s-3")))
	})
	fmt.Println(err)
	for w := range db.Undelivered(context.Background()) {
		fmt.Println("an event waits:", w.Node == db.Node())
	}
	// Output:
	// <nil>
	// an event waits: true
}

func ExampleCollection_List() {
	db := example()
	err := db.View(context.Background(), func(tx *store.Tx) error {
		for v, err := range Servers.List(tx.Sub("acme"), store.Query{Index: "role", Prefix: store.Text("replica"), Reverse: true}) {
			if err != nil {
				return err
			}
			fmt.Println(v.ID)
		}
		v, err := Servers.Find(tx.Sub("acme"), "address", store.Text("192.0.2.1"))
		fmt.Println(v.ID, err)
		return nil
	})
	fmt.Println(err)
	// Output:
	// s-3
	// s-2
	// s-1 <nil>
	// <nil>
}

func ExampleCollection_Page() {
	db := example()
	cursor := ""
	for {
		var page []*Server
		err := db.View(context.Background(), func(tx *store.Tx) (err error) {
			page, cursor, err = Servers.Page(tx.Sub("acme"), store.Query{}, cursor, 2)
			return err
		})
		fmt.Println(len(page), err)
		if cursor == "" {
			break
		}
	}
	// Output:
	// 2 <nil>
	// 1 <nil>
}

func ExampleCollection_Sweep() {
	db := example()
	expired := store.Query{Index: "expires", To: store.Key{}.Time(time.Unix(1_900_000_000, 0))}
	n, err := Servers.Sweep(context.Background(), db, "acme", expired, func(_ *store.Sub, v *Server) error {
		fmt.Println("expired:", v.ID)
		return nil
	})
	fmt.Println(n, err)
	// Output:
	// expired: s-2
	// 1 <nil>
}

func ExampleDB_Check() {
	db := example()
	problems := 0
	for p, err := range db.Check(context.Background(), nil, Servers) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p)
		problems++
	}
	fmt.Println("problems:", problems)
	// Output:
	// problems: 0
}
