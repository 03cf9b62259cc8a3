package subject_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "keys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	keys, err := subject.OpenFile(filepath.Join(dir, "keys"), newMaster(1), lookup, nil) // a Tink AEAD, 32 random bytes
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.Close()

	for _, account := range []string{"main", "sub-1", "sub-2"} {
		s := entry.Subject{Tenant: "acme", Account: account, Person: "p-17"}
		if _, _, err := keys.Subject(ctx, s); err != nil {
			fmt.Println(err)
			return
		}
	}
	handles, err := keys.Find(ctx, entry.Subject{Tenant: "acme", Person: "p-17"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(handles), "accounts")
	fmt.Println(keys.Erase(ctx, handles...))
	_, err = keys.Key(ctx, handles[0])
	fmt.Println(errors.Is(err, entry.ErrErased))
	for s, err := range keys.All(ctx) {
		fmt.Println("still there:", s, err)
	}
	// Output:
	// 3 accounts
	// <nil>
	// true
}

func ExampleMemory() {
	keys := subject.Memory()
	defer keys.Close()
	scribe := &entry.Scribe{Keys: keys} // in a test
	fmt.Println(scribe.OmitValues)
	// Output: false
}
