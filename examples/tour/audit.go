package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
	"github.com/cloudopsec/opsec/audit/translog/verify"
)

// auditStop copies the trail into a log that proves itself, proves one entry, forgets a person, hands the tenant its
// export, and finds one bit that was flipped.
func auditStop(ctx context.Context, t *tour) {
	dir, tenant, r := filepath.Join(t.work, "log"), t.actor.Tenant, translog.Receipt{}
	log, trust, closeLog := openLog(ctx, dir)
	for e, err := range audit.ReadFile(filepath.Join(t.work, "audit.jsonl")) {
		check(err)
		r, err = log.Append(ctx, &e)
		check(err)
	}
	proof, err := log.Prove(ctx, r.Index)
	check(err)
	in, err := proof.Verify(r.Leaf, trust, time.Now()) // what anybody can do who has the proof, and knows whom to trust
	check(err)
	t.say("   %d events; that the last is entry %d of %d is proved by %d hashes and a signature", r.Seq, r.Index, in.Size, len(proof.Hashes))

	_, err = log.Erase(ctx, t.actor, entry.Subject{Tenant: tenant, Person: "ann"}, "has left, and asked for it")
	check(err)
	var file bytes.Buffer
	_, err = log.View(t.actor, translog.TenantProfile()).Export(ctx, &file, tenant, export.OCSF, export.Policy{})
	check(err)
	check(closeLog())
	var erased []string
	all, err := statement.Read(strings.NewReader(file.String()), statement.Options{Trust: trust, Each: func(e *opsec.Event) error {
		if e.Actor.Account == "[erased]" {
			erased = append(erased, e.Action)
		}
		return nil
	}})
	check(err)
	t.say("   ann is forgotten: %v by [erased]; the export is complete all the same: %d events, every one as it was written", erased, all.Events)
	lines := strings.SplitAfter(file.String(), "\n")
	_, withheld := statement.Read(strings.NewReader(strings.Join(append(lines[:3:3], lines[4:]...), "")), statement.Options{Trust: trust})
	t.say("   the same with one line less: %v", withheld)

	flipBitOf(filepath.Join(dir, "journal", "00000000000000000000.seg"))
	report, err := verify.Log(ctx, os.DirFS(dir), trust, verify.Options{})
	check(err)
	t.say("   one bit of the log flipped: %d findings, %s", report.Count, report.Findings[0])
	t.result["audit"] = map[string]any{"export": all, "erased": erased, "withheld": withheld.Error(), "damaged": report}
}
