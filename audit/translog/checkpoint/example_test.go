package checkpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
)

// A log signs, a witness cosigns, and somebody who has only the policy verifies.
func ExamplePolicy_Open() {
	signer, err := checkpoint.NewSigner("audit.example/eu-1", private("log")) // the key may be in an HSM
	if err != nil {
		panic(err)
	}
	witness, err := checkpoint.NewCosigner("witness.example/north", private("north"), func() time.Time { return noon })
	if err != nil {
		panic(err)
	}
	policy, err := checkpoint.ParsePolicy("log " + signer.VerifierKey() + "\n" +
		"witness north " + witness.VerifierKey() + "\n" +
		"quorum north\n")
	if err != nil {
		panic(err)
	}

	c := checkpoint.Checkpoint{Origin: "audit.example/eu-1", Size: 1, Root: tlog.RecordHash([]byte("entry"))}
	signed, err := c.Sign(signer)
	if err != nil {
		panic(err)
	}
	_, err = policy.Open(signed, noon)
	fmt.Println(errors.Is(err, checkpoint.ErrUntrusted))

	signed, err = c.Sign(signer, witness)
	if err != nil {
		panic(err)
	}
	v, err := policy.Open(signed, noon)
	fmt.Println(v.Size, v.Cosigned[0].Name, v.Cosigned[0].Time.Format(time.RFC3339), err)
	// Output:
	// true
	// 1 north 2026-11-25T12:00:00Z <nil>
}

func ExampleParsePolicy() {
	policy, err := checkpoint.ParsePolicy(`
# whom the auditor trusts
log     example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k   https://example.com/foo
quorum  none
`)
	fmt.Println(len(policy.Logs), policy.Logs[0].URL, policy.Quorum, err)
	fmt.Print(policy)
	// Output:
	// 1 https://example.com/foo none <nil>
	// log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k https://example.com/foo
	// quorum none
}

// The proof of one entry, in a file, needs no log to be verified.
func ExampleProof_Verify() {
	skey, vkey, err := checkpoint.GenerateKey("audit.example/eu-1")
	if err != nil {
		panic(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		panic(err)
	}
	first, second := tlog.RecordHash([]byte("first")), tlog.RecordHash([]byte("second"))
	signed, err := checkpoint.Checkpoint{Origin: "audit.example/eu-1", Size: 2, Root: tlog.NodeHash(first, second)}.Sign(signer)
	if err != nil {
		panic(err)
	}
	file, err := checkpoint.Proof{Index: 1, Hashes: []tlog.Hash{first}, Checkpoint: signed}.MarshalText()
	if err != nil {
		panic(err)
	}

	policy, err := checkpoint.ParsePolicy("log " + vkey + "\nquorum none\n")
	if err != nil {
		panic(err)
	}
	proof, err := checkpoint.ParseProof(file)
	if err != nil {
		panic(err)
	}
	v, err := proof.Verify(tlog.RecordHash([]byte("second")), policy, noon)
	fmt.Println(v.Size, err)
	_, err = proof.Verify(tlog.RecordHash([]byte("secret")), policy, noon)
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// checkpoint: leaf is not entry 1 of the tree of size 2: not proven
}

func ExampleCheckpoint_Sign() {
	signer, err := checkpoint.NewSigner("audit.example/eu-1", private("log"))
	if err != nil {
		panic(err)
	}
	signed, err := checkpoint.Checkpoint{Origin: "audit.example/eu-1", Size: 1, Root: tlog.RecordHash([]byte("entry"))}.Sign(signer)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(signed))
	// Output:
	// audit.example/eu-1
	// 1
	// 2cLWa1IsJSJyj1Of+fZ7hdQN7/8JX8ilKMmU9PNbs94=
	//
	// — audit.example/eu-1 JVqWTtb07GYCTU+aV8FjbokpftAsATHjmDzfXzmO9KEDHFhvDHKTAfjDXPRoEjB/aj+OCd7Csw2IHUeFgFTLiRLm0QA=
}

func ExampleParse() {
	c, err := checkpoint.Parse("example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")
	fmt.Println(c.Origin, c.Size, err)
	// Output: example.com/behind-the-sofa 20852163 <nil>
}

// An alarm for what only a witness can see: the log was put back.
func ExampleGatherer_Gather() {
	witness := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintln(w, 20) // it has cosigned size 20 before
	}))
	defer witness.Close()
	signer, err := checkpoint.NewSigner("audit.example/eu-1", private("log"))
	if err != nil {
		panic(err)
	}
	north, err := checkpoint.NewCosigner("witness.example/north", private("north"), nil)
	if err != nil {
		panic(err)
	}
	g, err := checkpoint.NewGatherer(checkpoint.Policy{
		Logs:      []checkpoint.Log{{Key: signer.VerifierKey()}},
		Witnesses: []checkpoint.Witness{{Name: "north", Key: north.VerifierKey(), URL: witness.URL}},
		Quorum:    "north",
	}, nil)
	if err != nil {
		panic(err)
	}

	signed, err := checkpoint.Checkpoint{Origin: "audit.example/eu-1", Size: 1, Root: tlog.RecordHash([]byte("entry"))}.Sign(signer)
	if err != nil {
		panic(err)
	}
	prove := func(old uint64) ([]tlog.Hash, error) {
		return nil, errors.New("asked for only where a witness is behind")
	}
	got, err := g.Gather(context.Background(), signed, prove)
	for _, f := range got.Failed {
		if ahead, ok := errors.AsType[*checkpoint.AheadError](f); ok && ahead.Size > got.Verified.Size {
			fmt.Println("put back: witness", f.Name, "has seen", ahead.Size)
		}
	}
	fmt.Println(errors.Is(err, checkpoint.ErrUntrusted))
	// Output:
	// put back: witness north has seen 20
	// true
}

// A policy is one string in JSON, and a file as it stands.
func ExamplePolicy_MarshalText() {
	raw, err := json.Marshal(checkpoint.Policy{
		Logs:   []checkpoint.Log{{Key: "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"}},
		Quorum: checkpoint.None,
	})
	fmt.Println(string(raw), err)
	// Output: "log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n" <nil>
}
