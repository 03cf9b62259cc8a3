package trust_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/cloudopsec/opsec/backup/trust"
)

// key is for examples; a real one comes from ssh-keygen or [trust.GenerateKeyFiles].
func key(seed string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(seed + strings.Repeat(".", ed25519.SeedSize-len(seed))))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// claim is for examples; a real one comes from a manifest (Manifest.Claim in package backup).
func claim(sequence uint64, id, previous string) *trust.Claim {
	payload := fmt.Sprintf(`{"sequence":%d}`, sequence)
	return &trust.Claim{
		ID: id, Previous: previous, Tenant: "acme", Source: "vol-1", Sequence: sequence, Operator: "alice",
		Created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Envelope: &dsse.Envelope{
			PayloadType: "application/vnd.in-toto+json", Payload: base64.StdEncoding.EncodeToString([]byte(payload)),
		},
	}
}

// Two persons must sign. Alice's second key does not make her two.
func Example() {
	alice, second, bob := must(trust.NewSigner(key("alice"))), must(trust.NewSigner(key("alice 2"))), must(trust.NewSigner(key("bob")))
	verifier := trust.Verifier{Policy: trust.Policy{Threshold: 2, Keys: []trust.Key{
		{Key: alice.PublicKey(), Operator: "alice", Person: "p-17"},
		{Key: second.PublicKey(), Operator: "alice-admin", Person: "p-17"},
		{Key: bob.PublicKey(), Operator: "bob", Person: "p-4"},
	}}}

	c := claim(7, "7f3a", "")
	now := c.Created.Add(time.Hour)
	for _, signer := range []trust.Signer{alice, second, bob} {
		if err := trust.Sign(context.Background(), c.Envelope, signer); err != nil {
			log.Fatal(err)
		}
		judgement := must(verifier.Judge(c, now))
		fmt.Println(judgement.Trust, judgement.Reasons)
	}
	// Output:
	// untrusted [1 of 2 persons have signed]
	// untrusted [1 of 2 persons have signed]
	// ok []
}

// A revoked key's signature could have been made at any time, whatever it says. An audit receipt tells.
func ExampleVerifier_Judge() {
	alice := must(trust.NewSigner(key("alice")))
	c := claim(7, "7f3a", "")
	if err := trust.Sign(context.Background(), c.Envelope, alice); err != nil {
		log.Fatal(err)
	}
	stolen := c.Created.Add(48 * time.Hour)
	verifier := trust.Verifier{Policy: trust.Policy{
		Keys: []trust.Key{{Key: alice.PublicKey(), Operator: "alice", Person: "p-17", Revoked: stolen}},
	}}
	judgement := must(verifier.Judge(c, stolen.Add(time.Hour)))
	fmt.Println(judgement.Trust, judgement.Signatures[0].Reason)

	verifier.Evidence = []trust.Evidence{{Claim: "7f3a", Signatures: trust.SignatureIDs(c.Envelope), Seen: c.Created.Add(time.Minute), From: "audit event"}}
	judgement = must(verifier.Judge(c, stolen.Add(time.Hour)))
	fmt.Println(judgement.Trust, judgement.Signatures[0].Operator)
	// Output:
	// untrusted the key is revoked, and no evidence from outside shows that the signature is older
	// ok alice
}

func ExampleParsePolicy() {
	policy, err := trust.ParsePolicy(strings.NewReader(`{
		"threshold": 2,
		"roles": ["operator", "supervisor"],
		"keys": [
			{"key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIISwwmJtCbpiT00252JM1k8e5GCc7NwAFFhIqlnYIezD",
			 "operator": "alice", "person": "p-17", "role": "operator", "notAfter": "2027-01-01T00:00:00Z"},
			{"key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIElb6aa1Dq/R/rJ1akvV7ZummYl8T1x1L3Z2Xy/rmYOz",
			 "operator": "bob", "person": "p-4", "role": "supervisor"}
		]
	}`))
	if err != nil {
		log.Fatal(err)
	}
	for _, k := range policy.Keys {
		fmt.Println(k.Operator, k.Role, k.Key.ID())
	}

	_, err = trust.ParsePolicy(strings.NewReader(`{"treshold": 2}`))
	fmt.Println(err)
	// Output:
	// alice operator SHA256:vgsIIXWslvGn2p17tbn+fjTIDn163g66uUetTTwPx+8
	// bob supervisor SHA256:CcnPdonskEd6tzLZTzvab6TjFK1pxjbKEAyw0lwSM3o
	// trust: policy: json: unknown field "treshold": invalid
}

func ExampleState_Accept() {
	var state trust.State
	now := time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	first, second, fourth := claim(1, "a1", ""), claim(2, "b2", "a1"), claim(4, "d4", "c3")
	for _, c := range []*trust.Claim{first, second, fourth, first} {
		place := state.Place(c)
		fmt.Println(c.ID, place, place.Suspect())
		if place.Suspect() {
			continue // somebody has to look
		}
		if err := state.Accept(c, now, true); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// a1 first false
	// b2 next false
	// d4 missing true
	// a1 older true
}

func ExampleSign() {
	signer := must(trust.NewSigner(key("alice")))
	c := claim(7, "7f3a", "")
	if err := trust.Sign(context.Background(), c.Envelope, signer); err != nil {
		log.Fatal(err)
	}
	for _, s := range c.Envelope.Signatures {
		fmt.Println(s.KeyID, len(must(trust.DecodeBase64(s.Sig))), "bytes")
	}
	fmt.Println(trust.Sign(context.Background(), c.Envelope, signer))
	// Output:
	// SHA256:vgsIIXWslvGn2p17tbn+fjTIDn163g66uUetTTwPx+8 64 bytes
	// SHA256:vgsIIXWslvGn2p17tbn+fjTIDn163g66uUetTTwPx+8 191 bytes
	// trust: key SHA256:vgsIIXWslvGn2p17tbn+fjTIDn163g66uUetTTwPx+8 has signed already: invalid
}

// For "ssh-keygen -Y verify -f allowed_signers -I alice -n opsec-backup-manifest -s FILE.sig < FILE".
func ExampleSSHSignature() {
	signer := must(trust.NewSigner(key("alice")))
	c := claim(7, "7f3a", "")
	if err := trust.Sign(context.Background(), c.Envelope, signer); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("FILE: %s\n", must(trust.SignedBytes(c.Envelope)))
	fmt.Printf("FILE.sig: %.29s ...\n", must(trust.SSHSignature(c.Envelope, signer.PublicKey().ID())))
	// Output:
	// FILE: DSSEv1 28 application/vnd.in-toto+json 14 {"sequence":7}
	// FILE.sig: -----BEGIN SSH SIGNATURE----- ...
}

func ExampleParsePublicKey() {
	line := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIISwwmJtCbpiT00252JM1k8e5GCc7NwAFFhIqlnYIezD alice@vault"
	key, comment, err := trust.ParsePublicKey([]byte(line))
	fmt.Println(key.ID(), comment, err)
	// Output:
	// SHA256:vgsIIXWslvGn2p17tbn+fjTIDn163g66uUetTTwPx+8 alice@vault <nil>
}

func ExampleNewSigner() {
	signer, err := trust.NewSigner(key("alice"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(signer, string(must(signer.PublicKey().MarshalText())))
	// Output:
	// trust.Signer ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIISwwmJtCbpiT00252JM1k8e5GCc7NwAFFhIqlnYIezD
}
