package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/keyring"
	"github.com/cloudopsec/opsec/keymgmt/lifecycle"
)

// exampleManager is what the examples start from: a manager on memory, with one keyset of this purpose and its first key.
func exampleManager(p keymgmt.Purpose, a keymgmt.Algorithm) (*lifecycle.Manager, keymgmt.Custodian, func() time.Time) {
	root, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		log.Fatal(err)
	}
	kek, err := aead.New(root)
	if err != nil {
		log.Fatal(err)
	}
	ctx, now, c := context.Background(), func() time.Time { return start }, &custodian{aead: kek}
	m, err := lifecycle.New(keymgmt.NewMemory(new(audittest.Recorder)), keyring.Material{}, c,
		&lifecycle.Options{Now: now, Authorizer: opsec.CallerAuthorized{}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = m.Create(ctx, by(admin), keymgmt.Keyset{
		SetID: invoice, Purpose: p, Algorithm: a, Policy: keymgmt.Preset(p),
		Roles: keymgmt.Roles{
			keymgmt.Administrator: {keymgmt.Person(admin)}, keymgmt.Operator: {keymgmt.Person(server)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err = m.Rotate(ctx, by(admin), invoice); err != nil {
		log.Fatal(err)
	}
	return m, c, now
}

func exampleRing(p keymgmt.Purpose, a keymgmt.Algorithm) (*lifecycle.Manager, *keyring.Node, *keyring.Ring) {
	m, c, now := exampleManager(p, a)
	n, err := keyring.Join(context.Background(), m, c, &keyring.Options{Node: "web-1", Actor: server, Now: now})
	if err != nil {
		log.Fatal(err)
	}
	r, err := n.Ring(context.Background(), invoice)
	if err != nil {
		log.Fatal(err)
	}
	return m, n, r
}

func ExampleJoin() {
	manager, custodian, now := exampleManager(keymgmt.DataEncryption, "AES256_GCM")
	ctx := context.Background()

	node, err := keyring.Join(ctx, manager, custodian, &keyring.Options{Node: "web-1", Actor: server, Now: now})
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := node.Ring(ctx, keymgmt.SetID{Tenant: "acme", ID: "invoices"})
	if err != nil {
		fmt.Println(err)
		return
	}
	label, err := keymgmt.NewContext("tenant", "acme", "invoice", "2026/0017")
	if err != nil {
		fmt.Println(err)
		return
	}
	ciphertext, err := ring.Seal(nil, []byte("amount due: 120.00"), label)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := ring.Open(nil, ciphertext, label)
	fmt.Printf("key %d, %s, %v\n", ciphertext[4], plaintext, err)
	// Output: key 1, amount due: 120.00, <nil>
}

func ExampleRing_Open() {
	_, _, ring := exampleRing(keymgmt.DataEncryption, "AES256_GCM")
	row, _ := keymgmt.NewContext("row", "17")
	other, _ := keymgmt.NewContext("row", "18")
	ciphertext, err := ring.Seal(nil, []byte("text"), row)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = ring.Open(nil, ciphertext, other)
	fmt.Println(errors.Is(err, keyring.ErrOpen), err)
	// Output: true keyring: does not open
}

func ExampleRing_Sign() {
	_, _, ring := exampleRing(keymgmt.Signature, "ED25519")
	signature, err := ring.Sign([]byte("receipt"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ring.Verify(signature, []byte("receipt")), ring.Verify(signature, []byte("recept")))
	// Output: <nil> keyring: does not open
}

func ExampleRing_Check() {
	manager, node, ring := exampleRing(keymgmt.KeyWrapping, "AES256_GCM")
	wrapped, err := ring.Seal(nil, []byte("a data key, which somebody caches"), keymgmt.Context{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ring.Check(wrapped, keymgmt.Unwrap))
	ctx := context.Background()
	if _, err := manager.Suspend(ctx, by(admin), keymgmt.Ref{Set: invoice, Key: 1}); err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Refresh(ctx); err != nil {
		fmt.Println(err)
		return
	}
	err = ring.Check(wrapped, keymgmt.Unwrap)
	fmt.Println(errors.Is(err, opsec.ErrDenied))
	// Output:
	// <nil>
	// true
}

func ExampleAEAD() {
	_, _, ring := exampleRing(keymgmt.DataEncryption, "AES256_GCM")
	sealer := keyring.AEAD{Ring: ring} // a tink.AEAD, and the Sealer of a store
	ciphertext, err := sealer.Encrypt([]byte("row"), []byte("tenants/acme"))
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := sealer.Decrypt(ciphertext, []byte("tenants/acme"))
	fmt.Println(string(plaintext), err)
	// Output: row <nil>
}

func ExampleNode_Refresh() {
	manager, node, ring := exampleRing(keymgmt.DataEncryption, "AES256_GCM")
	ctx := context.Background()
	if _, err := manager.Rotate(ctx, by(admin), invoice); err != nil {
		fmt.Println(err)
		return
	}
	if err := node.Refresh(ctx); err != nil { // a script that has no Run
		fmt.Println(err)
		return
	}
	ciphertext, err := ring.Seal(nil, nil, keymgmt.Context{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("key", ciphertext[4], node.Close(ctx))
	// Output: key 2 <nil>
}

func ExampleNode_Run() {
	_, node, ring := exampleRing(keymgmt.DataEncryption, "AES256_GCM")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- node.Run(ctx) }()
	stop() // when the process is to end
	err := <-done
	_, after := ring.Seal(nil, nil, keymgmt.Context{})
	fmt.Println(err, errors.Is(after, keymgmt.ErrStale))
	// Output: <nil> true
}

func ExampleMaterial() {
	var material keyring.Material
	m, err := material.New("XCHACHA20_POLY1305", 7)
	if err != nil {
		fmt.Println(err)
		return
	}
	algorithm, id, err := material.Examine(m)
	fmt.Println(algorithm, id, err)
	// Output: XCHACHA20_POLY1305 7 <nil>
}
