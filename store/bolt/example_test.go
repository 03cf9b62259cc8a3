package bolt_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/bolt"
)

var (
	_ store.Driver  = (*bolt.Driver)(nil)
	_ store.Watcher = (*bolt.Driver)(nil)
	_ store.Certain = (*bolt.Driver)(nil)
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	driver, err := bolt.Open(filepath.Join(dir, "state.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer driver.Close()
	ctx := context.Background()
	rev, err := driver.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "greeting", Value: []byte("hello")}}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = driver.Commit(ctx, store.Batch{
		Checks: []store.Check{{Key: "greeting", Rev: rev}}, // nobody was faster
		Ops:    []store.Op{{Key: "greeting", Value: []byte("good day")}},
	})
	if err != nil {
		log.Fatal(err)
	}
	items, err := driver.Get(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", items[0].Value)
	// Output: good day
}

// A backup goes through a pipe, as it would to an object store or another machine, and comes back as a new file.
func ExampleDriver_Backup() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	driver, err := bolt.Open(filepath.Join(dir, "state.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer driver.Close()
	ctx := context.Background()
	if _, err := driver.Commit(ctx, store.Batch{Ops: []store.Op{{Key: "greeting", Value: []byte("hello")}}}); err != nil {
		log.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() {
		_, err := driver.Backup(ctx, writer)
		writer.CloseWithError(err)
	}()
	summary, err := bolt.Restore(ctx, reader, filepath.Join(dir, "restored.db"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(summary.Records, "record restored")
	// Output: 1 record restored
}
