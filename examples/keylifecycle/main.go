// Keylifecycle runs a year in the life of a tenant's keys, on a clock of its own and with everything else real: files
// encrypted under the keys, a sealed store, a root key that no single person has, the loss of a custodian and of the store,
// and the end of the keys with a receipt that anybody can verify. It tells the story, and fails where it does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() {
	flags := flag.NewFlagSet("keylifecycle", flag.ContinueOnError)
	dir := flags.String("dir", "keylifecycle.out", "`directory` to make, for the store, its custodian, the files and the evidence")
	src := flags.String("src", "", "`directory` of the files to encrypt; they are only read (default: src/net/http of the Go installation)")
	asJSON := flags.Bool("json", false, "print the story and all events as JSON")
	err := flags.Parse(os.Args[1:])
	if err == nil {
		err = run(script.Interruptible(), *dir, *src, *asJSON)
	}
	script.Exit(err)
}

// outcome is what is printed as JSON.
type outcome struct {
	Story  []line        `json:"story"`
	Events []opsec.Event `json:"events"`
}

// line is a sentence of the story.
type line struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

func run(ctx context.Context, dir, src string, asJSON bool) (err error) {
	if src == "" {
		goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return fmt.Errorf("the Go installation was not found, so name a directory with -src: %w", err)
		}
		src = filepath.Join(strings.TrimSpace(string(goroot)), "src", "net", "http")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	p, err := openProvider(ctx, dir)
	if err != nil {
		return err
	}
	o := new(outcome)
	err = p.year(ctx, src, func(format string, args ...any) {
		l := line{p.now, fmt.Sprintf(format, args...)}
		o.Story = append(o.Story, l)
		if !asJSON {
			fmt.Printf("%s  %s\n", l.Time.Format(time.DateOnly), l.Text)
		}
	})
	if err = errors.Join(err, p.close()); err != nil {
		return err
	}
	for e, err := range p.events() {
		if err != nil {
			return err
		}
		o.Events = append(o.Events, e)
	}
	if asJSON {
		return script.JSON(os.Stdout, o)
	}
	fmt.Printf("%d events are on record in %s\n", len(o.Events), filepath.Join(dir, "audit.jsonl"))
	return nil
}
