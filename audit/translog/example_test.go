package translog_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// openNew opens a log in a new directory, with a new key, and runs it. A provider keeps the key in an HSM (see
// checkpoint.NewSigner), and the subjects' keys in a file (see subject.OpenFile).
func openNew() (l *translog.Log, dir string, trust checkpoint.Policy, stop func()) {
	dir, err := os.MkdirTemp("", "translog")
	must(err)
	skey, vkey, err := checkpoint.GenerateKey("log.example/node1")
	must(err)
	signer, err := note.NewSigner(skey)
	must(err)
	trust, err = checkpoint.ParsePolicy("log " + vkey + "\nquorum none\n")
	must(err)
	policy := translog.Policy{Trust: trust, CheckpointEvery: 20 * time.Millisecond}
	l, err = translog.Open(filepath.Join(dir, "log"), policy, translog.Options{
		Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{},
	})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	return l, filepath.Join(dir, "log"), trust, func() {
		cancel()
		must(<-ended)
		must(os.RemoveAll(dir))
	}
}

func signIn(account string) *opsec.Event {
	e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	e.Tenant, e.Outcome, e.System = "acme", opsec.Success, "console"
	e.Actor = opsec.Actor{Tenant: "acme", Account: account, Kind: opsec.Human, Terminal: "laptop-12"}
	return e
}

var auditor = opsec.Actor{Tenant: "acme", Account: "ann", Kind: opsec.Human}

func Example() {
	ctx := context.Background()
	l, dir, trust, stop := openNew()
	defer stop()

	receipt, err := l.Append(ctx, signIn("eve")) // durable when it returns
	must(err)
	fmt.Println("entry", receipt.Index, "event", receipt.Seq, "of", receipt.Of)

	proof, err := l.Prove(ctx, receipt.Index) // waits for the checkpoint
	must(err)
	_, err = proof.Verify(receipt.Leaf, trust, time.Now())
	fmt.Println("proved:", err == nil)

	for e, err := range l.View(auditor, translog.TenantProfile()).Query(ctx, translog.Query{Account: "eve"}) {
		must(err)
		fmt.Println(e.Event.Action, e.Event.Actor.Account, e.Event.Actor.Terminal)
	}
	report, err := verify.Log(ctx, os.DirFS(dir), trust, verify.Options{Live: true})
	must(err)
	fmt.Println("findings:", report.Count)
	// Output:
	// entry 0 event 1 of acme
	// proved: true
	// console.login eve laptop-12
	// findings: 0
}

func ExampleView_Export() {
	ctx := context.Background()
	l, _, trust, stop := openNew()
	defer stop()
	for _, account := range []string{"eve", "bob", "eve"} {
		_, err := l.Append(ctx, signIn(account))
		must(err)
	}
	var file bytes.Buffer
	_, err := l.View(auditor, translog.TenantProfile()).Export(ctx, &file, "acme", export.OCSF, export.Policy{})
	must(err)

	// On the tenant's own machine, with nothing but the file and the log's public key:
	found, err := statement.Read(bytes.NewReader(file.Bytes()), statement.Options{Trust: trust, Each: func(e *opsec.Event) error {
		fmt.Println(e.Action, e.Actor.Account)
		return nil
	}})
	must(err)
	fmt.Println(found.Events, "events, none withheld")

	lines := bytes.SplitAfter(file.Bytes(), []byte("\n"))
	without := bytes.Join(append(lines[:2:2], lines[3:]...), nil)
	_, err = statement.Read(bytes.NewReader(without), statement.Options{Trust: trust})
	fmt.Println(err)
	// Output:
	// console.login eve
	// console.login bob
	// console.login eve
	// translog.read ann
	// 4 events, none withheld
	// statement: incomplete: after event 1 comes event 3
}

func ExampleLog_Erase() {
	ctx := context.Background()
	l, _, trust, stop := openNew()
	defer stop()
	receipt, err := l.Append(ctx, signIn("eve"))
	must(err)
	_, err = l.Erase(ctx, auditor, entry.Subject{Tenant: "acme", Account: "eve"}, "she has left, and asked")
	must(err)
	proof, err := l.Prove(ctx, receipt.Index)
	must(err)
	for e, err := range l.View(auditor, translog.TenantProfile()).Query(ctx, translog.Query{Actions: []string{"console.login"}}) {
		must(err)
		fmt.Println(e.Event.Action, e.Event.Actor.Account, e.Event.System)
	}
	_, err = proof.Verify(receipt.Leaf, trust, time.Now())
	fmt.Println("still proved:", err == nil)
	// Output:
	// console.login [erased] console
	// still proved: true
}

func ExampleLog_Handler() {
	ctx := context.Background()
	l, _, trust, stop := openNew()
	defer stop()
	receipt, err := l.Append(ctx, signIn("eve"))
	must(err)
	_, err = l.Prove(ctx, receipt.Index)
	must(err)
	handler, err := l.Handler(tile.HandlerOptions{InsecureEntries: true}) // behind your own access control
	must(err)
	server := httptest.NewServer(handler)
	defer server.Close()
	remote, err := tile.Remote(ctx, server.Client(), server.URL)
	must(err)
	report, err := verify.Log(ctx, remote, trust, verify.Options{TilesOnly: true})
	must(err)
	fmt.Println(report.Origin, report.OK)
	// Output: log.example/node1 true
}

func ExampleLog_Observe() {
	ctx := context.Background()
	node, dir, trust, stopNode := openNew()
	receipt, err := node.Append(ctx, signIn("eve"))
	must(err)
	_, err = node.Prove(ctx, receipt.Index)
	must(err)
	top, _, _, stopTop := openNew()
	defer stopTop()
	defer stopNode()
	seen, err := top.Observe(ctx, opsec.Actor{Kind: opsec.System}, translog.Shard{Trust: trust, FS: os.DirFS(dir)})
	must(err)
	fmt.Println(seen.Log, seen.Size > 0)
	// Output: log.example/node1 true
}

func ExampleLog_Prune() {
	ctx := context.Background()
	l, _, _, stop := openNew()
	defer stop()
	_, err := l.Append(ctx, signIn("eve"))
	must(err)
	must(l.Hold(ctx, auditor, translog.Hold{ID: "case 4711", Tenant: "acme", Reason: "litigation"}))
	first, err := l.Prune(ctx, auditor, time.Now().AddDate(-1, 0, 0))
	must(err)
	fmt.Println("all entries are kept from", first)
	// Output: all entries are kept from 0
}
