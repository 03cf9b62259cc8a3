package erasure_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/audittest"
	"github.com/cloudopsec/opsec/keymgmt"
	"github.com/cloudopsec/opsec/keymgmt/erasure"
)

// books are a ledger in memory with the receipt of key 1 of acme's keyset "volumes/7", which has left a tape.
func books() (*erasure.Ledger, keymgmt.Ref) {
	key := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "volumes/7"}, Key: 1}
	l, err := erasure.New(&repo{docs: map[string][]byte{}, log: new(audittest.Recorder)}, erasure.Options{
		Signer: erasure.Ed25519(private(1)), KeyID: "one", Trust: trust, Authorizer: opsec.CallerAuthorized{},
		Now: func() time.Time { return noon },
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := l.Issue(context.Background(), withTape(key)); err != nil { // a lifecycle.Manager does that
		log.Fatal(err)
	}
	return l, key
}

func ExampleLedger_Release() {
	ctx := context.Background()
	ledger, key := books()
	volume := opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}
	declaration := erasure.Declaration{Resource: volume, Keys: []keymgmt.Ref{key}, AlwaysEncrypted: true}

	_, err := ledger.Release(ctx, carol, volume, "vol-7 to globex")
	fmt.Println(err)
	_, err = ledger.Certify(ctx, carol, declaration)
	fmt.Println(err)
	_, err = ledger.Attest(ctx, carol, erasure.Attestation{
		Key:    key,
		Copy:   keymgmt.Copy{Kind: keymgmt.InBackup, Name: "tape-9", Fate: keymgmt.Erased, How: "shredded", Time: noon},
		Reason: "tape is out of the vault",
	})
	fmt.Println(err)
	_, err = ledger.Certify(ctx, carol, declaration)
	fmt.Println(err)
	_, err = ledger.Release(ctx, carol, volume, "vol-7 to globex")
	fmt.Println(err)
	_, err = ledger.Release(ctx, carol, volume, "vol-7 to initech")
	fmt.Println(err)
	// Output:
	// erasure: no certificate of erasure since the last release: denied
	// erasure: no certificate: 0 keys without a receipt, 0 with a failed check, 0 destroyed too early, 1 copies left: denied
	// <nil>
	// <nil>
	// <nil>
	// erasure: no certificate of erasure since the last release: denied
}

func ExampleVerify() {
	ledger, key := books()
	docs, err := ledger.Receipts(context.Background(), key)
	if err != nil {
		log.Fatal(err)
	}
	// Anywhere else, with the public key alone:
	trust := erasure.Trust{"one": erasure.Ed25519Public(private(1).Public().(ed25519.PublicKey))}
	receipt, err := erasure.Verify(docs[0], trust)
	fmt.Println(receipt.Destruction.Key.Ref.Key, receipt.Destruction.Method, receipt.Complete(), err)
	for _, c := range receipt.Left() {
		fmt.Println("left:", c.Kind, c.Name)
	}
	docs[0][len(docs[0])/2] ^= 1
	_, err = erasure.Verify(docs[0], trust)
	fmt.Println(err)
	// Output:
	// 1 wrapped material removed true <nil>
	// left: backup tape-9
	// erasure: signature missing or wrong: denied
}

func ExampleVerifyChain() {
	ledger, _ := books()
	head, err := erasure.VerifyChain(ledger.All(context.Background(), "acme"), trust)
	fmt.Println(head.Number, err)
	// Output: 1 <nil>
}

func ExampleVerifyCertificate() {
	ctx := context.Background()
	ledger, key := books()
	if _, err := ledger.Attest(ctx, carol, attestation(key)); err != nil {
		log.Fatal(err)
	}
	certificate, err := ledger.Certify(ctx, carol, declare(key))
	if err != nil {
		log.Fatal(err)
	}
	receipts, err := ledger.Receipts(ctx, key)
	if err != nil {
		log.Fatal(err)
	}
	c, err := erasure.VerifyCertificate(certificate, receipts, trust)
	fmt.Println(c.Resource, len(c.Keys), err)
	_, err = erasure.VerifyCertificate(certificate, receipts[:1], trust)
	fmt.Println(err)
	// Output:
	// acme/volume/vol-7 1 <nil>
	// erasure: certificate: none, or 1 documents with it: want those that it names: invalid
}

func ExampleNewTombstones() {
	key := keymgmt.Ref{Set: keymgmt.SetID{Tenant: "acme", ID: "volumes"}, Key: 1}
	stones, err := erasure.NewTombstones(events(destroyed(key.Resource()))) // of the audit log
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stones.Buried(context.Background(), key))
	key.Key = 2
	fmt.Println(stones.Buried(context.Background(), key))
	// Output:
	// true <nil>
	// false <nil>
}
