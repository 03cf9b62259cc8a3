package etcd_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
)

type host struct{ Name, Rack string }

var hosts = store.NewCollection(store.Schema[host]{Name: "hosts", ID: func(h *host) store.Key { return store.Text(h.Name) }})

func Example() {
	endpoint, stop := exampleServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()}) // and TLS
	check(err)
	defer client.Close()
	driver, err := etcd.New(client, &etcd.Options{Prefix: "prod"})
	check(err)
	defer driver.Close()
	db, err := store.New(driver, nil)
	check(err)

	check(db.Update(ctx, func(tx *store.Tx) error {
		return hosts.Insert(tx.Sub("acme"), &host{"web-1", "r7"})
	}))
	check(db.View(ctx, func(tx *store.Tx) error {
		h, err := hosts.Get(tx.Sub("acme"), store.Text("web-1"))
		fmt.Println(h.Name, "is in", h.Rack)
		return err
	}))
	// Output: web-1 is in r7
}

// exampleServer is a cluster of one, on a UNIX socket.
func exampleServer() (endpoint string, stop func()) {
	dir, err := os.MkdirTemp("", "etcd")
	check(err)
	server, err := start(dir, fast)
	check(err)
	return "unix://" + socket(dir), func() {
		server.Close()
		check(os.RemoveAll(dir))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
