package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/checkpoint"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/tile"
	"github.com/cloudopsec/opsec/audit/translog/verify"
	"github.com/cloudopsec/opsec/examples/internal/script"
)

// verdict says what came of looking at a log, a proof or an export.
type verdict struct {
	OK      bool                `json:"ok"`
	Problem string              `json:"problem,omitempty"` // why nothing is proven
	Log     *verify.Report      `json:"log,omitempty"`
	Proof   *proven             `json:"proof,omitempty"`
	Export  *statement.Exported `json:"export,omitempty"`
}

// proven is an entry that stands in a log.
type proven struct {
	Origin string       `json:"origin"`
	Size   uint64       `json:"size"` // of the log that the proof is about
	Index  uint64       `json:"index"`
	Leaf   tlog.Hash    `json:"leaf"`
	Event  *opsec.Event `json:"event,omitempty"` // where the proof shows it
}

func examine(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	policy := flags.String("trust", "", "policy `file` that says whose log to believe: init's, come by a way that you trust")
	asJSON := flags.Bool("json", false, "print the verdict as JSON")

	var whole verify.Options
	dir := flags.String("dir", "", "`directory` of a log to verify")
	url := flags.String("url", "", "`URL` of a log to verify")
	flags.Func("noted", "checkpoint `file` kept from before, which a log must continue; may be repeated", func(name string) error {
		signed, err := os.ReadFile(name)
		whole.Noted = append(whole.Noted, signed)
		return err
	})
	flags.BoolVar(&whole.Live, "live", false, "the log in -dir is being written to")

	proof := flags.String("proof", "", "proof `file` to verify")
	var leaf tlog.Hash
	var event *opsec.Event
	flags.Func("leaf", "leaf `hash` from a receipt: what the proof must be of", func(s string) (err error) {
		leaf, err = tlog.ParseHash(s)
		return err
	})
	flags.Func("event", "`file` of an event: what the proof must show", func(name string) error {
		events, err := readEvents(name)
		if err == nil {
			event = events[0]
		}
		return err
	})

	var of statement.Options
	exported := flags.String("export", "", "`file` of export to verify")
	flags.Uint64Var(&of.From, "first", 1, "`number` of the event that the export must begin with: above 1 where older ones were pruned")
	flags.Func("tag", "`tag` of the tenant, as in its first export", func(s string) error { return of.Tenant.UnmarshalText([]byte(s)) })
	if err := parse(); err != nil {
		return err
	}
	given := slices.DeleteFunc([]string{*dir, *url, *proof, *exported}, func(s string) bool { return s == "" })
	if len(given) != 1 {
		return errors.New("verify: what? One of -dir, -url, -proof and -export")
	}
	text, err := os.ReadFile(*policy)
	if err != nil {
		return fmt.Errorf("verify: -trust: %w", err)
	}
	trust, err := checkpoint.ParsePolicy(string(text))
	if err = errors.Join(err, trust.Validate()); err != nil {
		return err
	}
	var v verdict
	switch {
	case *dir != "":
		v.Log, err = verify.Log(ctx, os.DirFS(*dir), trust, whole)
	case *url != "":
		remote, badURL := tile.Remote(ctx, nil, *url)
		if badURL != nil {
			return badURL
		}
		whole.TilesOnly = true
		v.Log, err = verify.Log(ctx, remote, trust, whole)
	case *proof != "":
		v.Proof, err = verifyProof(*proof, trust, leaf, event)
	default:
		of.Trust = trust
		v.Export, err = verifyExport(*exported, of)
	}
	var unread *fs.PathError
	switch {
	case errors.As(err, &unread), ctx.Err() != nil, errors.Is(err, errNothing):
		return err // what cannot be read is bad input; what can, and is not proven, is a finding
	case err != nil:
		v = verdict{Problem: err.Error()}
	}
	v.OK = err == nil && (v.Log == nil || v.Log.OK)
	return script.Print(&v, *asJSON, v.OK)
}

func verifyExport(name string, opts statement.Options) (*statement.Exported, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return statement.Read(f, opts)
}

// errNothing says that a proof proves something of which nobody knows what it is.
var errNothing = errors.New("verify: this proof does not show its event: give the -leaf of a receipt")

// verifyProof verifies a proof, which must be of the leaf, and show the event, where there is one.
func verifyProof(name string, trust checkpoint.Policy, leaf tlog.Hash, event *opsec.Event) (*proven, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	proof, err := checkpoint.ParseProof(text)
	if err != nil {
		return nil, err
	}
	p := &proven{Index: proof.Index, Leaf: leaf}
	if len(proof.Extra) > 0 {
		var s shown
		if err := json.Unmarshal(proof.Extra, &s); err != nil {
			return nil, err
		}
		if p.Event, err = entry.VerifyEvidence(s.Leaf, s.Evidence); err != nil {
			return nil, err
		}
		p.Leaf = tlog.RecordHash(s.Leaf)
	}
	switch {
	case p.Event == nil && (leaf == tlog.Hash{} || event != nil):
		return nil, errNothing
	case leaf != tlog.Hash{} && leaf != p.Leaf:
		return nil, fmt.Errorf("the proof is of another leaf, %s", p.Leaf)
	case event != nil && string(event.AppendJSON(nil)) != string(p.Event.AppendJSON(nil)):
		return nil, fmt.Errorf("the proof is of another event: %s", p.Event.AppendJSON(nil))
	}
	under, err := proof.Verify(p.Leaf, trust, time.Now())
	p.Origin, p.Size = under.Origin, under.Size
	return p, err
}

// WriteText writes the verdict for a terminal.
func (v *verdict) WriteText(w io.Writer) error {
	text := new(strings.Builder)
	switch {
	case v.Problem != "":
		fmt.Fprintf(text, "not proven: %s\n", v.Problem)
	case v.Log != nil:
		for _, f := range v.Log.Findings {
			fmt.Fprintln(text, f)
		}
		fmt.Fprintf(text, "%s: %d entries of %d tenants, %d findings\n", v.Log.Origin, v.Log.Size, v.Log.Tenants, v.Log.Count)
	case v.Proof != nil:
		fmt.Fprintf(text, "%s: entry %d of %d has the leaf %s\n", v.Proof.Origin, v.Proof.Index, v.Proof.Size, v.Proof.Leaf)
		if v.Proof.Event != nil {
			fmt.Fprintf(text, "%s\n", v.Proof.Event.AppendJSON(nil))
		}
	case v.Export != nil:
		fmt.Fprintf(text, "%s: %d events under the tag %s, from number %d on, all there are until %s\n", v.Export.Statement.Origin,
			v.Export.Events, v.Export.Statement.Tenant, v.Export.First, v.Export.Until.Format(time.RFC3339))
	}
	_, err := io.WriteString(w, strings.Map(printable, text.String()))
	return err
}

// printable keeps the names of files, which others have chosen, from steering the terminal.
func printable(r rune) rune {
	if r == '\n' || strconv.IsPrint(r) {
		return r
	}
	return '\ufffd'
}
