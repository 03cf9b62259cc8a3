// Auditlog keeps a tamper-evident log of events in a directory, and verifies such a log, and whatever was taken from
// it, without any secret. Exit 0: nothing was found; 1: there are findings; 2: wrong use or input.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

func main() {
	script.Exit(script.Command(script.Interruptible(), os.Args, map[string]script.Verb{
		"init": initialize, "serve": serve, "append": record, "erase": erase,
		"query": query, "prove": prove, "export": handOver, // for readers
		"verify": examine, // by anybody
	}))
}

func initialize(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h := homeOf(flags)
	origin := flags.String("origin", "auditlog.example/1", "`name` of the log, for ever: a host and a path of yours")
	if err := parse(); err != nil {
		return err
	}
	if err := h.create(*origin); err != nil {
		return err
	}
	return h.use(ctx, func(_ context.Context, log *translog.Log) error {
		return h.print(map[string]string{"origin": log.Origin(), "log": h.log, "keys": h.key(""), "trust": h.key("trust")},
			"%s in %s; its keys are in %s, of which %s is for everybody who verifies", log.Origin(), h.log, h.key(""), h.key("trust"))
	})
}

func record(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h := homeOf(flags)
	name := flags.String("event", "-", "`file` of one event or of JSON lines, '-' for standard input")
	if err := parse(); err != nil {
		return err
	}
	events, err := readEvents(*name)
	if err != nil {
		return err
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		list, err := appendAll(ctx, log, events)
		var lines []string
		for _, r := range list {
			lines = append(lines, fmt.Sprintf("entry %d, event %d of %s, leaf %s", r.Index, r.Seq, r.Of, r.Leaf))
		}
		return errors.Join(err, h.print(list, "%s", strings.Join(lines, "\n"))) // what is printed stands in the log even so
	})
}

// appendAll writes events, a thousand in a commit, and returns receipts, which whoever reported them should keep: with
// a proof, a receipt shows that its event was there.
func appendAll(ctx context.Context, log *translog.Log, events []*opsec.Event) ([]translog.Receipt, error) {
	list := []translog.Receipt{}
	for chunk := range slices.Chunk(events, 1000) {
		receipts, err := log.AppendAll(ctx, chunk...)
		if err != nil {
			return list, err
		}
		list = append(list, receipts...)
	}
	return list, nil
}

func readEvents(name string) ([]*opsec.Event, error) {
	if name == "-" {
		return parseEvents(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseEvents(f)
}

// parseEvents reads all events or none. An event may come without id, time and class; with an id it can be given twice
// and is written once.
func parseEvents(r io.Reader) (list []*opsec.Event, err error) {
	for in := json.NewDecoder(r); ; {
		in.DisallowUnknownFields()
		e := opsec.NewEvent("", time.Now())
		e.Tenant = "" // it has to be said
		if err = in.Decode(e); err == io.EOF && len(list) > 0 {
			return list, nil
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", opsec.ErrInvalid, err)
		} else {
			err = e.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", len(list)+1, err)
		}
		list = append(list, e)
	}
}

func erase(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h := homeOf(flags)
	var s entry.Subject
	flags.StringVar((*string)(&s.Tenant), "tenant", "", "where the account is")
	flags.StringVar(&s.Account, "account", "", "`account` whose personal values are forgotten")
	flags.StringVar(&s.Person, "person", "", "`person`, instead of one account: all accounts")
	reason := flags.String("reason", "", "why, for the record")
	if err := parse(); err != nil {
		return err
	}
	if s.Tenant == "" || s.Account == "" && s.Person == "" {
		return fmt.Errorf("erase: whom? -tenant and -account, or -person")
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		handles, err := log.Erase(ctx, operator(), s, *reason)
		if err != nil {
			return err
		}
		return h.print(map[string]any{"erased": append([]entry.Handle{}, handles...)}, "%d keys destroyed", len(handles))
	})
}
