package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

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

// found is an event as it was read.
type found struct {
	Index uint64       `json:"index"`
	Leaf  tlog.Hash    `json:"leaf"`
	Seq   uint64       `json:"seq"`
	Actor string       `json:"actor,omitempty"` // the pseudonym, for an auditor
	Event *opsec.Event `json:"event"`
}

func query(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h, profile := homeOf(flags), profileOf(flags)
	var q translog.Query
	at := func(name, usage string, to *time.Time) {
		flags.Func(name, usage+" this `time`, as 2026-11-25T08:00:00Z", func(s string) (err error) {
			*to, err = time.Parse(time.RFC3339Nano, s)
			return err
		})
	}
	flags.StringVar((*string)(&q.Tenant), "tenant", "", "whose record (default everybody's)")
	flags.StringVar(&q.Account, "account", "", "who acted, or was concerned")
	actions := script.Strings(flags, "action", "what was done; may be repeated")
	outcome := script.OneOf(flags, "outcome", "how it ended", "any", "success", "failure", "denied", "pending", "unknown")
	at("from", "at or after", &q.From)
	at("to", "before", &q.To)
	flags.BoolVar(&q.Newest, "newest", false, "the last first")
	if err := parse(); err != nil {
		return err
	}
	if q.Actions = *actions; *outcome != "any" {
		q.Outcomes = []opsec.Outcome{opsec.Outcome(*outcome)}
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		list, lines := []found{}, []string{}
		for e, err := range log.View(operator(), profile()).Query(ctx, q) {
			if err != nil {
				return err
			}
			f := found{Index: e.Index, Leaf: e.LeafHash, Seq: e.Seq, Event: e.Event}
			if profile().Pseudonyms {
				f.Actor = e.Actor.String()
			}
			list = append(list, f)
			lines = append(lines, fmt.Sprintf("%d  %s", e.Index, e.Event.AppendJSON(nil))) // escaped for terminals
		}
		return h.print(list, "%s", strings.Join(append(lines, fmt.Sprintf("%d events", len(list))), "\n"))
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
	if *out == "" {
		*out = fmt.Sprintf("%d.tlog-proof", *index)
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		proof, err := log.Prove(ctx, *index)
		if err == nil && *tenant != "" {
			proof.Extra, err = show(ctx, log.View(operator(), profile()), opsec.TenantID(*tenant), *index)
		}
		if err != nil {
			return err
		}
		text, err := proof.MarshalText()
		if err == nil {
			err = wholefile.Write(*out, 0o600, func(w io.Writer) error { _, err := w.Write(text); return err })
		}
		if err != nil {
			return err
		}
		return h.print(map[string]any{"file": *out, "index": *index}, "%s proves entry %d", *out, *index)
	})
}

func show(ctx context.Context, v *translog.View, tenant opsec.TenantID, index uint64) ([]byte, error) {
	for e, err := range v.Query(ctx, translog.Query{Tenant: tenant}) {
		if err != nil {
			return nil, err
		}
		if e.Index == index {
			return json.Marshal(shown{e.Leaf, e.Evidence})
		}
	}
	return nil, fmt.Errorf("entry %d of %s: %w", index, tenant, opsec.ErrNotFound)
}

func handOver(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h, profile := homeOf(flags), profileOf(flags)
	tenant := flags.String("tenant", "", "whose record")
	form := script.OneOf(flags, "form", "how a line is written", "json", "ocsf", "syslog")
	out := flags.String("out", "", "`file` to write (default the tenant and .export)")
	if err := parse(); err != nil {
		return err
	}
	if *out == "" {
		*out = *tenant + ".export"
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) (err error) {
		var s *statement.Statement
		err = wholefile.Write(*out, 0o600, func(w io.Writer) (err error) {
			v := log.View(operator(), profile())
			s, err = v.Export(ctx, w, opsec.TenantID(*tenant), export.Form(*form), export.Policy{})
			return err
		})
		if err != nil {
			return err
		}
		return h.print(map[string]any{"file": *out, "events": s.Events}, "%s: the %d events of %s", *out, s.Events, *tenant)
	})
}
