// Tour runs the heart of the library end to end, on real files of this machine, offline and in under a minute. Each
// room has one stop, in a file of its own; all of them write to one audit trail, which is shown at the end.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

// tour is what the stops share.
type tour struct {
	dir    string // the real directory to work on
	work   string // a temporary one, for what the stops write
	actor  opsec.Actor
	trail  opsec.Recorder
	result map[string]any // what -json prints, by stop
	say    func(format string, args ...any)
}

// stops, in the order of a visit.
var stops = []struct {
	name, title string
	run         func(context.Context, *tour)
}{
	{"backup", "Backup verification (X.1642, 8.10): is the copy the original, and who says so?", backupStop},
	{"store", "The store (8.8): what is sealed, what is evidence, and who has put back an old state?", storeStop},
	{"change", "A change (8.1.1, 8.7): who must agree, to what exactly, and when may it run?", changeStop},
	{"audit", "The record (8.1.2, 8.3): who can change it, who must be forgotten, and what may a tenant have?", auditStop},
	{"accounts", "Accounts (8.1.1): which should not be there, and who tries some that are not?", accountsStop},
	{"logins", "Log-ins (8.1.1, 8.1.2): how many guesses are there, who is locked out by them, and when is a session over?", loginsStop},
	{"keys", "Keys (8.2): when does one end, who says that nothing is left on it, and is it really gone?", keysStop},
	{"recovery", "Recovery (8.10): does it come back, how fast, and how sure may one be?", recoveryStop},
	{"snapshots", "Snapshots (8.10): what hangs on one of them, and which points may go?", snapshotsStop},
	{"sla", "Service levels (7.2): was it kept, who can reckon it again, and what does nobody know?", slaStop},
	{"programme", "An audit (8.11): who may hold it, and who chooses what is looked at?", programmeStop},
}

func main() {
	dir := flag.String("dir", "", "directory to work on; it is copied (default: the Go installation's src)")
	asJSON := flag.Bool("json", false, "print the results as JSON")
	flag.Parse()
	script.Exit(run(script.Interruptible(), *dir, *asJSON))
}

func run(ctx context.Context, dir string, asJSON bool) (err error) {
	t := &tour{dir: dir, actor: whoami(), result: map[string]any{}, say: func(string, ...any) {}}
	if !asJSON {
		t.say = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	}
	if t.dir == "" {
		goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return fmt.Errorf("the Go installation was not found, so name a directory with -dir: %w", err)
		}
		t.dir = filepath.Join(strings.TrimSpace(string(goroot)), "src")
	}
	if t.work, err = os.MkdirTemp("", "opsec-tour-"); err != nil {
		return err
	}
	defer os.RemoveAll(t.work)
	defer func() { // check panics with the error that ends the tour
		switch e := recover().(type) {
		case nil:
		case failure:
			err = e.error
		default:
			panic(e)
		}
	}()
	start := time.Now()
	stopTrail := t.openTrail(ctx)
	for i, s := range stops {
		t.say("%d. %s\n", i+1, s.title)
		s.run(ctx, t)
	}
	check(stopTrail())
	t.say("\nWhat the audit trail holds now:\n")
	t.result["events"] = t.events()
	t.say("\nDone in %s. Next: docs/guide.md, and examples/backupverify and examples/auditlog on what is yours.", since(start))
	if asJSON {
		return script.JSON(os.Stdout, t.result)
	}
	return nil
}

// openTrail starts the audit trail; the function returned ends it, when all that was recorded is in the file.
func (t *tour) openTrail(ctx context.Context) (stop func() error) {
	file, err := audit.OpenFile(filepath.Join(t.work, "audit.jsonl"), nil)
	check(err)
	trail, err := audit.New(audit.Sinks{"file": file}, audit.Policy{}, nil)
	check(err)
	t.trail = trail
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- trail.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// record records what a room says has happened, in the visitor's name.
func (t *tour) record(ctx context.Context, e *opsec.Event) {
	e.Actor, e.Class = t.actor, opsec.Critical
	_, err := t.trail.Record(ctx, e)
	check(err)
}

// events reads the trail back and shows it.
func (t *tour) events() (all []opsec.Event) {
	for e, err := range audit.ReadFile(filepath.Join(t.work, "audit.jsonl")) {
		check(err)
		t.say("   %s  %-28s %-8s by %s at %s on %s", e.Time.Format(time.TimeOnly), e.Action, e.Outcome, e.Actor.Account, e.Actor.Terminal, e.Resource)
		all = append(all, e)
	}
	return all
}

// failure carries an error from the depth of a stop to run.
type failure struct{ error }

// check ends the tour if there is an error: a tour does not go on half.
func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Millisecond) }

// whoami describes who runs the tour, as an event wants it.
func whoami() opsec.Actor {
	a := opsec.Actor{Tenant: opsec.Provider, Account: "visitor", Person: "visitor", Kind: opsec.Human, IP: netip.MustParseAddr("127.0.0.1"), Terminal: "local"}
	if u, err := user.Current(); err == nil {
		a.Account, a.Person = u.Username, "uid-"+u.Uid
	}
	if host, err := os.Hostname(); err == nil {
		a.Terminal = host
	}
	return a
}
