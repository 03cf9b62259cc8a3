package statement_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/subject"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// handedOver is what a provider hands to acme after two of its people have signed in: a file; a statement of the same;
// the leaves of the events. The trust comes to acme another way.
func handedOver() (file []byte, s *statement.Statement, leaves [][]byte, trust checkpoint.Policy) {
	dir, err := os.MkdirTemp("", "statement")
	must(err)
	defer os.RemoveAll(dir)
	skey, vkey, err := checkpoint.GenerateKey("log.example/node1")
	must(err)
	signer, err := checkpoint.ParseSigner(skey)
	must(err)
	trust, err = checkpoint.Unwitnessed(vkey)
	must(err)
	l, err := translog.Open(filepath.Join(dir, "log"), translog.Policy{Trust: trust, CheckpointEvery: 10 * time.Millisecond},
		translog.Options{Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{}})
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	for _, account := range []string{"eve", "bob"} {
		e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
		e.Tenant, e.Outcome, e.Actor = "acme", opsec.Success, opsec.Actor{Tenant: "acme", Account: account}
		_, err := l.Append(ctx, e)
		must(err)
	}
	var out bytes.Buffer
	view := l.View(opsec.Actor{Tenant: "acme", Account: "ann"}, translog.TenantProfile())
	s, err = view.Export(ctx, &out, "acme", export.JSON, export.Policy{})
	must(err)
	_, rest, _ := bytes.Cut(out.Bytes(), []byte("\n")) // the first line is the statement
	for line, err := range export.Read(bytes.NewReader(rest)) {
		must(err)
		leaves = append(leaves, bytes.Clone(line.Leaf))
	}
	stop()
	must(<-ended)
	return out.Bytes(), s, leaves, trust
}

func ExampleRead() {
	file, _, _, trust := handedOver()
	found, err := statement.Read(bytes.NewReader(file), statement.Options{Trust: trust, Each: func(e *opsec.Event) error {
		fmt.Println(e.Action, e.Actor.Account)
		return nil
	}})
	must(err)
	fmt.Println(found.Events, "events from number", found.First, "on")

	lines := bytes.SplitAfter(file, []byte("\n"))
	_, err = statement.Read(bytes.NewReader(bytes.Join([][]byte{lines[0], lines[2], lines[3]}, nil)), statement.Options{Trust: trust})
	fmt.Println(err)
	// Output:
	// console.login eve
	// console.login bob
	// translog.read ann
	// 3 events from number 1 on
	// statement: incomplete: the events begin with number 2, and 1 was expected
}

func ExampleStatement_Verify() {
	_, s, _, trust := handedOver()
	under, until, err := s.Verify(trust, time.Now())
	must(err)
	fmt.Println(under.Origin, s.Events, !until.IsZero())

	s.Events = 2 // as if there had never been a third
	_, _, err = s.Verify(trust, time.Now())
	fmt.Println(err)
	// Output:
	// log.example/node1 3 true
	// statement: unproven: the epoch says otherwise
}

func ExampleChain() {
	_, s, leaves, _ := handedOver()
	var chain statement.Chain
	for _, leaf := range leaves {
		hash, err := chain.Add(leaf)
		must(err)
		fmt.Println(chain.Seq, hash == tlog.RecordHash(leaf))
	}
	fmt.Println(chain.Complete(s)) // s.Verify has been called before

	chain = statement.Chain{}
	_, err := chain.Add(leaves[0])
	must(err)
	_, err = chain.Add(leaves[2])
	fmt.Println(err)
	fmt.Println(chain.Complete(s))
	// Output:
	// 1 true
	// 2 true
	// 3 true
	// <nil>
	// statement: incomplete: after event 1 comes event 3
	// statement: incomplete: the events end at 1, and the epoch has 3
}
