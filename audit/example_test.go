package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
)

// A trail over a file and the console: an effect is bracketed, and the file is read back.
func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.jsonl")
	file, err := audit.OpenFile(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	trail, err := audit.New(audit.Sinks{
		"disk":    file,
		"console": audit.Slog(slog.DiscardHandler, opsec.Tenant),
	}, audit.Policy{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- trail.Run(ctx) }()

	e := opsec.NewEvent("backup.restore", time.Now())
	e.Tenant, e.Class = "acme", opsec.Critical
	e.Resource = opsec.Resource{Tenant: "acme", Type: "volume", ID: "vol-7"}
	op, err := opsec.Begin(ctx, trail, e)
	if err != nil {
		log.Fatal(err) // not recorded: do not act
	}
	err = errors.New("no such snapshot") // what the restore said
	if err := op.End(ctx, opsec.OutcomeOf(err)); err != nil {
		log.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}

	for e, err := range audit.ReadFile(path) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Action, e.Resource, e.Outcome)
	}
	// Output:
	// backup.restore acme/volume/vol-7 pending
	// backup.restore acme/volume/vol-7 failure
}

// A line that a crash has cut short is reported, and reading goes on.
func ExampleRead() {
	e := opsec.NewEvent("keymgmt.rotate", time.Now())
	e.Outcome = opsec.Success
	text := `{"id":"019a` + "\n" + string(e.AppendJSON(nil)) + "\n"
	for e, err := range audit.Read(strings.NewReader(text)) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(e.Action, e.Outcome)
	}
	// Output:
	// audit: line 1: 11 bytes that are not the JSON of an event: invalid
	// keymgmt.rotate success
}

// Secrets leave a digest behind, so that two uses of one secret can be told to be the same.
func ExampleDigestKey_Digest() {
	key, err := audit.NewDigestKey([]byte("32 random bytes from a custodian"))
	if err != nil {
		log.Fatal(err)
	}
	first, again := key.Digest("acme", "s3cret"), key.Digest("acme", "s3cret")
	fmt.Println(first == again, len(first), key)
	// Output: true 76 [digest key]
}

// A console shows what happened, and not to whom.
func ExampleSlog() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == "time" || a.Key == "id" {
				return slog.Attr{}
			}
			return a
		},
	})
	e := opsec.NewEvent("identity.lock", time.Now())
	e.Tenant, e.Outcome = "acme", opsec.Success
	e.Actor.Account = "j.doe"
	sink := audit.Slog(handler, opsec.Tenant)
	if err := sink.Write(context.Background(), []audit.Record{{Event: e}}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg=identity.lock tenant=acme class=standard outcome=success actor.account=[personal]
}

func ExampleTrail_Health() {
	file, err := audit.OpenFile(os.DevNull, nil)
	if err != nil {
		log.Fatal(err)
	}
	_, err = audit.New(audit.Sinks{"null": file}, audit.Policy{}, nil)
	fmt.Println(err)
	trail, err := audit.New(audit.Sinks{"null": file, "memory": new(memorySink)}, audit.Policy{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range trail.Health() {
		fmt.Println(h.Name, h.State, h.Durable, h.Queued, h.Lost)
	}
	// Output:
	// audit: 0 durable sinks, want at least 1: invalid
	// memory up true 0 0
	// null up false 0 0
}

// memorySink is the least that a sink must be.
type memorySink struct{ lines [][]byte }

func (m *memorySink) Write(_ context.Context, batch []audit.Record) error {
	for _, r := range batch {
		m.lines = append(m.lines, r.JSON)
	}
	return nil
}
func (m *memorySink) Durable() bool               { return true }
func (m *memorySink) Close(context.Context) error { return nil }
