package verify_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/subject"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// write writes a log with what work puts into it, and returns its directory, and whom to believe about it.
func write(work func(context.Context, *translog.Log)) (dir string, trust checkpoint.Policy) {
	parent, err := os.MkdirTemp("", "verify")
	must(err)
	dir = filepath.Join(parent, "log")
	skey, vkey, err := checkpoint.GenerateKey("log.example/node1")
	must(err)
	signer, err := checkpoint.ParseSigner(skey)
	must(err)
	trust, err = checkpoint.Unwitnessed(vkey)
	must(err)
	l, err := translog.Open(dir, translog.Policy{Trust: trust, SegmentBytes: 1 << 20, ReserveBytes: 1 << 20},
		translog.Options{Signer: signer, Keys: subject.Memory(), Authorizer: opsec.CallerAuthorized{}})
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.Run(ctx) }()
	work(ctx, l)
	stop()
	must(<-ended)
	return dir, trust
}

func signIn(ctx context.Context, l *translog.Log) {
	e := opsec.NewEvent("console.login", time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	e.Tenant, e.Outcome, e.Actor = "acme", opsec.Success, opsec.Actor{Tenant: "acme", Account: "eve"}
	_, err := l.Append(ctx, e)
	must(err)
}

func ExampleLog() {
	dir, trust := write(signIn)
	defer os.RemoveAll(filepath.Dir(dir))
	report, err := verify.Log(context.Background(), os.DirFS(dir), trust, verify.Options{})
	must(err)
	fmt.Println(report.Origin, report.Size, "entries, all well:", report.OK)

	name := filepath.Join(dir, "journal", "00000000000000000000.seg")
	data, err := os.ReadFile(name)
	must(err)
	data[500] ^= 1
	must(os.WriteFile(name, data, 0o600))
	report, err = verify.Log(context.Background(), os.DirFS(dir), trust, verify.Options{})
	must(err)
	fmt.Println(report.OK, report.Findings[0].Part, report.Findings[0].Path)
	// Output:
	// log.example/node1 2 entries, all well: true
	// false journal journal/00000000000000000000.seg
}

func ExampleRootAt() {
	dir, trust := write(signIn)
	defer os.RemoveAll(filepath.Dir(dir))
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	must(err)
	now, err := trust.Open(signed, time.Now())
	must(err)
	tree, err := tile.NewTree(os.DirFS(dir), now.Size, now.Root)
	must(err)
	empty, err := verify.RootAt(tree, 0)
	must(err)
	fmt.Println(empty)
	root, err := verify.RootAt(tree, 1) // of its first entry alone
	must(err)
	first, err := tree.LeafHash(0)
	must(err)
	fmt.Println(root == first)
	// Output:
	// 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
	// true
}

func ExampleObservationOf() {
	node, trust := write(signIn)
	defer os.RemoveAll(filepath.Dir(node))
	top, _ := write(func(ctx context.Context, l *translog.Log) {
		_, err := l.Observe(ctx, opsec.Actor{Kind: opsec.System}, translog.Shard{Trust: trust, FS: os.DirFS(node)})
		must(err)
	})
	defer os.RemoveAll(filepath.Dir(top))
	bundle, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(tile.EntriesPath(0, 2))))
	must(err)
	entries, err := tile.Entries(bundle, 2)
	must(err)
	for _, text := range entries { // the observation, and an epoch
		leaf, err := entry.Parse(text)
		must(err)
		seen, ok := verify.ObservationOf(leaf)
		fmt.Println(ok, seen.Log, seen.Size)
	}
	// Output:
	// true log.example/node1 2
	// false  0
}
