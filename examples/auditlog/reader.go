package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/examples/internal/script"
	"github.com/cloudopsec/opsec/internal/wholefile"
)

// profileOf is what an operator sees: by default what the tenant itself may, in whose name he reads then.
func profileOf(flags *flag.FlagSet) func() translog.Profile {
	name := script.OneOf(flags, "profile", "see as", "tenant", "administrator", "auditor")
	return func() translog.Profile {
		switch *name {
		case "administrator":
			return translog.AdministratorProfile()
		case "auditor":
			return translog.AuditorProfile()
		}
		p := translog.TenantProfile()
		p.AllTenants = true // the operator is of none
		return p
	}
}

func query(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h, profile := homeOf(flags), profileOf(flags)
	var q translog.Query
	flags.StringVar((*string)(&q.Tenant), "tenant", "", "whose record (default everybody's)")
	flags.StringVar(&q.Account, "account", "", "who acted, or was concerned")
	actions := script.Strings(flags, "action", "what was done; may be repeated")
	outcomes := script.Strings(flags, "outcome", "how it ended, as success or denied; may be repeated")
	flags.Func("from", "at or after this `time`, as 2026-03-25T08:00:00Z", func(s string) error { return q.From.UnmarshalText([]byte(s)) })
	flags.Func("to", "before this `time`", func(s string) error { return q.To.UnmarshalText([]byte(s)) })
	flags.BoolVar(&q.Newest, "newest", false, "the last first")
	if err := parse(); err != nil {
		return err
	}
	q.Actions = *actions
	for _, outcome := range *outcomes {
		q.Outcomes = append(q.Outcomes, opsec.Outcome(outcome))
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		list, text := []translog.Entry{}, new(strings.Builder)
		for e, err := range log.View(operator(), profile()).Query(ctx, q) {
			if err != nil {
				return err
			}
			list = append(list, e)
			fmt.Fprintf(text, "%d  %s\n", e.Index, e.Event.AppendJSON(nil)) // escaped for terminals
		}
		return h.print(list, "%s%d events", text, len(list))
	})
}

// shown is what a proof file may hold beside the proof: an entry, and what opens it.
type shown struct {
	Leaf     []byte `json:"leaf"`
	Evidence []byte `json:"evidence"`
}

func prove(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h, profile := homeOf(flags), profileOf(flags)
	index := flags.Uint64("index", 0, "`number` of the entry, as in its receipt")
	tenant := flags.String("tenant", "", "whose it is: the file then holds the event too, as the profile shows it")
	out := flags.String("out", "", "`file` to write (default the number and .tlog-proof)")
	if err := parse(); err != nil {
		return err
	}
	name := cmp.Or(*out, fmt.Sprintf("%d.tlog-proof", *index))
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		proof, err := log.Prove(ctx, *index)
		if err != nil {
			return err
		}
		if *tenant != "" {
			e, err := log.View(operator(), profile()).At(ctx, opsec.TenantID(*tenant), *index)
			if err != nil {
				return fmt.Errorf("entry %d of %s: %w", *index, *tenant, err)
			}
			if proof.Extra, err = json.Marshal(shown{e.Leaf, e.Evidence}); err != nil {
				return err
			}
		}
		text, err := proof.MarshalText()
		if err == nil {
			err = write(name, text)
		}
		if err != nil {
			return err
		}
		return h.print(map[string]any{"file": name, "index": *index}, "%s proves entry %d", name, *index)
	})
}

func handOver(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h, profile := homeOf(flags), profileOf(flags)
	tenant := flags.String("tenant", "", "whose record")
	form := script.OneOf(flags, "form", "how a line is written", "json", "ocsf", "syslog")
	out := flags.String("out", "", "`file` to write (default the tenant and .export)")
	if err := parse(); err != nil {
		return err
	}
	name := cmp.Or(*out, *tenant+".export")
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		var s *statement.Statement
		err := wholefile.Write(name, 0o600, func(w io.Writer) (err error) {
			s, err = log.View(operator(), profile()).Export(ctx, w, opsec.TenantID(*tenant), export.Form(*form), export.Policy{})
			return err
		})
		if err != nil {
			return err
		}
		return h.print(map[string]any{"file": name, "events": s.Events}, "%s: the %d events of %s", name, s.Events, *tenant)
	})
}
