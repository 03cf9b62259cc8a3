package custody_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/testing/fakekms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/cloudopsec/opsec/keymgmt/custody"
)

func ExampleRoot() {
	ctx := context.Background()
	path, err := os.MkdirTemp("", "custody")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(path)
	dir, err := custody.OpenDir(filepath.Join(path, "keys"))
	if err != nil {
		log.Fatal(err)
	}
	root, err := custody.NewRoot(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	passphrase := []byte("six words from a pair of dice")
	if err := root.CreateWithPassphrase(ctx, passphrase, custody.Cost{}); err != nil { // once
		log.Fatal(err)
	}
	root.Seal()
	fmt.Println(root.Generate(ctx, "tenant/acme"))

	if err := root.UnsealWithPassphrase(ctx, passphrase); err != nil { // at each start
		log.Fatal(err)
	}
	fmt.Println(root.Generate(ctx, "tenant/acme"))
	wrapped, err := root.Wrap(ctx, "tenant/acme", []byte("a key"), []byte("whose it is"))
	if err != nil {
		log.Fatal(err)
	}
	material, err := root.Unwrap(ctx, "tenant/acme", wrapped, []byte("whose it is"))
	fmt.Println(string(material), err)

	evidence, err := root.Destroy(ctx, "tenant/acme")
	fmt.Println(evidence.Method, len(evidence.Copies), err)
	_, err = root.Unwrap(ctx, "tenant/acme", wrapped, []byte("whose it is"))
	fmt.Println(err)
	// Output:
	// keymgmt: custodian is sealed
	// <nil>
	// a key <nil>
	// overwritten once with random bytes, and unlinked 1 <nil>
	// custody: handle "tenant/acme": not found
}

// A ceremony hands the root key over: see package ceremony.
func ExampleRoot_Unseal() {
	ctx := context.Background()
	root, err := custody.NewRoot(new(custody.Memory), nil)
	if err != nil {
		log.Fatal(err)
	}
	key := custody.NewRootKey() // split among custodians, and only then:
	if err := root.Create(ctx, key); err != nil {
		log.Fatal(err)
	}
	root.Seal()
	recover := func(use func(key []byte) error) error { // what a ceremony does
		defer clear(key)
		return use(key)
	}
	err = recover(func(key []byte) error { return root.Unseal(ctx, key) })
	fmt.Println(root.Sealed(), err)
	// Output: false <nil>
}

func ExampleKMS() {
	ctx := context.Background()
	client, err := fakekms.NewClient("fake-kms://")
	if err != nil {
		log.Fatal(err)
	}
	uri, err := fakekms.NewKeyURI()
	if err != nil {
		log.Fatal(err)
	}
	custodian, err := custody.NewKMS(client.GetAEAD, &custody.KMSOptions{
		Name: "a service", Now: func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		log.Fatal(err)
	}
	wrapped, err := custodian.Wrap(ctx, uri, []byte("a key"), nil)
	if err != nil {
		log.Fatal(err)
	}
	material, err := custodian.Unwrap(ctx, uri, wrapped, nil)
	fmt.Println(string(material), err)
	evidence, err := custodian.Destroy(ctx, uri)
	fmt.Println(evidence.Copies, evidence.Left, err)
	// Output:
	// a key <nil>
	// [] [the key in the service] <nil>
}

// Tink's own envelopes can have a key of a custodian as their remote AEAD.
func ExampleRoot_Wrap() {
	ctx := context.Background()
	root, err := custody.NewRoot(new(custody.Memory), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := root.Create(ctx, custody.NewRootKey()); err != nil {
		log.Fatal(err)
	}
	if err := root.Generate(ctx, "backups"); err != nil {
		log.Fatal(err)
	}
	var remote tink.AEAD = handle{root, "backups"}
	envelope := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), remote)
	ciphertext, err := envelope.Encrypt([]byte("a page"), nil)
	if err != nil {
		log.Fatal(err)
	}
	page, err := envelope.Decrypt(ciphertext, nil)
	fmt.Println(string(page), err)
	// Output: a page <nil>
}

type handle struct {
	root *custody.Root
	name string
}

func (h handle) Encrypt(text, data []byte) ([]byte, error) {
	return h.root.Wrap(context.Background(), h.name, text, data)
}

func (h handle) Decrypt(text, data []byte) ([]byte, error) {
	return h.root.Unwrap(context.Background(), h.name, text, data)
}
